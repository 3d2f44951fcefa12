"""A client for a bucket, and what its failures mean.

The one place that knows botocore's exceptions and S3's error codes.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from engineroom.errors import (
    BucketMissing,
    MissingExtra,
    ObjectTooBig,
    RegionWrong,
    RemoteBusy,
    RemoteBytesWrong,
    RemoteClockWrong,
    RemoteCredentialsExpired,
    RemoteCredentialsMissing,
    RemoteCredentialsWrong,
    RemoteError,
    RemoteForbidden,
    RemoteFull,
    RemoteServerFailed,
    RemoteTimedOut,
    RemoteTlsFailed,
    RemoteUnreachable,
)
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["answering", "connect", "failure", "retried_reads"]

# More than any command has threads; each keeps its own connection open.
_CONNECTIONS = 64

_BY_CODE: dict[str, type[RemoteError]] = {
    "AccessDenied": RemoteForbidden,
    "AllAccessDisabled": RemoteForbidden,
    "AuthorizationHeaderMalformed": RegionWrong,
    "BadDigest": RemoteBytesWrong,
    "EntityTooLarge": ObjectTooBig,
    "ExpiredToken": RemoteCredentialsExpired,
    "ExpiredTokenException": RemoteCredentialsExpired,
    "IllegalLocationConstraintException": RegionWrong,
    "InvalidAccessKeyId": RemoteCredentialsWrong,
    "InvalidClientTokenId": RemoteCredentialsWrong,
    "InvalidDigest": RemoteBytesWrong,
    "InvalidToken": RemoteCredentialsWrong,
    "NoSuchBucket": BucketMissing,
    "PermanentRedirect": RegionWrong,
    "QuotaExceeded": RemoteFull,
    "RequestTimeTooSkewed": RemoteClockWrong,
    "RequestTimeout": RemoteTimedOut,
    "SignatureDoesNotMatch": RemoteCredentialsWrong,
    "SlowDown": RemoteBusy,
    "TemporaryRedirect": RegionWrong,
    "TokenRefreshRequired": RemoteCredentialsExpired,
    "XAmzContentChecksumMismatch": RemoteBytesWrong,
    "XAmzContentSHA256Mismatch": RemoteBytesWrong,
    "XMinioStorageFull": RemoteFull,
}
_BY_STATUS: dict[int, type[RemoteError]] = {
    301: RegionWrong,
    307: RegionWrong,
    401: RemoteCredentialsWrong,
    403: RemoteForbidden,
    408: RemoteTimedOut,
    409: RemoteBusy,
    413: ObjectTooBig,
    429: RemoteBusy,
    503: RemoteBusy,
    507: RemoteFull,
}


def connect(
    where: str,
    *,
    endpoint_url: str | None,
    region: str | None,
    tries: int,
    timeout_seconds: float,
) -> Any:
    """Make a client, which threads may share, with credentials from the usual chain.

    Args:
        where: the bucket it is for, as messages name it.
        endpoint_url: the server, where it is not the region's own.
        region: the bucket's region; None takes boto3's usual choice.
        tries: how often a request is sent, when sending it again may help.
        timeout_seconds: how long to wait for the answer to each.

    Raises:
        MissingExtra: when boto3 is not installed.
        RemoteError: when the credentials' own settings are wrong.
    """
    try:
        # By name: boto3 makes its types when it runs, and a checker knows none.
        boto3: Any = import_module("boto3.session")
        config: Any = import_module("botocore.config")
    except ImportError as error:
        raise MissingExtra("Stores in a bucket", "boto3", "s3") from error
    with answering(where, endpoint_url or "its region's endpoint"):
        # A session of its own: the shared one is no business of several threads.
        session = boto3.Session(botocore_session=_session())
        if region is None and endpoint_url and session.region_name is None:
            region = "us-east-1"
        return session.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=region,
            config=config.Config(
                # The older form of signed addresses half of the servers refuse.
                signature_version="s3v4",
                s3={"addressing_style": "path" if endpoint_url else "auto"},
                # Each request carries its own checksums; what botocore adds beyond
                # them (trailers, checked ranges) older servers do not understand.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=min(timeout_seconds, 10.0),
                read_timeout=timeout_seconds,
                retries={"mode": "standard", "total_max_attempts": tries},
                max_pool_connections=_CONNECTIONS,
                tcp_keepalive=True,
                # As botocore's own words it would be put together for every request,
                # which is a tenth of what a small one costs; and what is sent is ours
                # and of the right types, so that needs no check each time either.
                user_agent=f"engineroom/{__version__} {_client_name()}",
                parameter_validation=False,
            ),
        )


def _client_name() -> str:
    botocore: Any = import_module("botocore")
    return f"botocore/{botocore.__version__}"


def _session() -> Any:
    """Make a session that shares what botocore has read about its services.

    Reading that anew is nine tenths of the time it takes to make a client.
    """
    botocore: Any = import_module("botocore.session")
    session = botocore.Session()
    session.register_component("data_loader", _loader())
    return session


@lru_cache(maxsize=1)
def _loader() -> Any:
    botocore: Any = import_module("botocore.session")
    return botocore.Session().get_component("data_loader")


@contextmanager
def answering(where: str, endpoint: str) -> Generator[None, None, None]:
    """Turn what botocore raises into what Engineroom does."""
    # Whoever asks has a client, so botocore is there.
    exceptions: Any = import_module("botocore.exceptions")
    try:
        yield
    except RecursionError as error:
        # botocore follows a server that redirects to itself until its stack ends.
        reason = "it redirects without end; is this the address of an S3 server?"
        raise RemoteServerFailed(where, endpoint, reason) from error
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise failure(error, where, endpoint) from error


def retried_reads() -> type[Exception]:
    """Give what reading an answer's body raises when the connection breaks."""
    exceptions: Any = import_module("botocore.exceptions")
    kind: type[Exception] = exceptions.BotoCoreError
    return kind


def failure(error: Exception, where: str, endpoint: str) -> RemoteError:
    """Make the error that tells what botocore's means."""
    answer: dict[str, Any] | None = getattr(error, "response", None)
    if answer is None or "ResponseMetadata" not in answer:
        kind, reason = _trouble(error)
        return kind(where, endpoint, reason)
    status: int = answer["ResponseMetadata"]["HTTPStatusCode"]
    said: dict[str, Any] = answer.get("Error", {})
    code = str(said.get("Code", ""))
    if code == str(status):
        code = ""  # The answer had no body, and botocore has put its status there.
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, RemoteError)
    if status >= 500 and kind is RemoteError:
        kind = RemoteServerFailed
    words = " ".join(str(said.get("Message", "")).split())[:200]
    reason = f"the server answered {status} {code}".rstrip() + f": {words}"
    return kind(where, endpoint, reason, status=status, server_code=code)


def _trouble(error: Exception) -> tuple[type[RemoteError], str]:
    """Tell what a failure before or after an answer means."""
    x: Any = import_module("botocore.exceptions")

    # The first that fits; the special ones go before those they are made from.
    table: tuple[tuple[type[Exception], type[RemoteError], str], ...] = (
        (x.NoCredentialsError, RemoteCredentialsMissing, "no credentials were found"),
        (x.PartialCredentialsError, RemoteCredentialsMissing, ""),
        (x.CredentialRetrievalError, RemoteCredentialsMissing, ""),
        (x.ProfileNotFound, RemoteCredentialsMissing, ""),
        (x.TokenRetrievalError, RemoteCredentialsExpired, ""),
        (x.UnauthorizedSSOTokenError, RemoteCredentialsExpired, ""),
        (x.NoRegionError, RegionWrong, "no region is set"),
        (x.SSLError, RemoteTlsFailed, ""),
        (x.ConnectTimeoutError, RemoteUnreachable, "it does not take connections"),
        (x.EndpointConnectionError, RemoteUnreachable, "nothing answers there"),
        (x.ProxyConnectionError, RemoteUnreachable, "the proxy does not answer"),
        (x.ReadTimeoutError, RemoteTimedOut, "it did not answer in time"),
        (x.IncompleteReadError, RemoteServerFailed, "its answer broke off"),
        (x.ConnectionClosedError, RemoteServerFailed, "it closed the connection"),
        (x.ResponseStreamingError, RemoteServerFailed, "its answer broke off"),
        (x.FlexibleChecksumError, RemoteBytesWrong, ""),
        (x.HTTPClientError, RemoteServerFailed, ""),
        (x.BotoCoreError, RemoteError, ""),
    )
    for kind, meaning, words in table:
        if isinstance(error, kind):
            return meaning, words or _without_queries(str(error))
    return RemoteError, _without_queries(str(error))


def _without_queries(text: str) -> str:
    """Take the queries out of addresses: a signed one is a secret."""
    return re.sub(r"\?[^\s\"']*", "", " ".join(text.split()))[:300]
