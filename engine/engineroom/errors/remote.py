"""What a store in a bucket can fail with: ER3010 to ER3029.

No message has a key, a token or the query of an address in it: these are secrets, or
may be.
"""

from __future__ import annotations

from engineroom.errors.store import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class RemoteError(StoreError):
    """A bucket, or the way to it, failed.

    Attributes:
        where: the object or bucket, as `s3://bucket/key`.
        endpoint: the server that was asked.
        reason: what went wrong, in the server's words where it said any.
        status: the HTTP status of its answer; 0 when there was none.
        server_code: S3's name for the failure, such as `NoSuchKey`, or empty.
    """

    code = "ER3010"
    advice: ClassVar[str] = (
        "run the same command again; what is already there is used. If it fails the"
        " same way, `engineroom store probe` tells what this server can do"
    )

    def __init__(
        self,
        where: str,
        endpoint: str,
        reason: str,
        *,
        status: int = 0,
        server_code: str = "",
    ) -> None:
        self.where = where
        self.endpoint = endpoint
        self.reason = reason
        self.status = status
        self.server_code = server_code
        super().__init__(
            f"`{where}` at `{endpoint}` failed: {reason}", hint=self.advice
        )


class RemoteForbidden(RemoteError):
    """The credentials are good, and do not allow this."""

    code = "ER3011"
    advice = (
        "reading needs s3:GetObject and s3:ListBucket (without the latter, a missing"
        " object is answered with 403 too); publishing needs s3:PutObject besides"
    )


class RemoteCredentialsMissing(RemoteError):
    """No credentials were found, or only a part of them."""

    code = "ER3012"
    advice = (
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where"
        " a role gives credentials"
    )


class RemoteCredentialsWrong(RemoteError):
    """The server does not know the access key, or the secret does not fit it."""

    code = "ER3013"
    advice = (
        "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile they come"
        " from, and that they belong to this endpoint"
    )


class RemoteCredentialsExpired(RemoteError):
    """The credentials were good for a while, and that has passed."""

    code = "ER3014"
    advice = (
        "get new credentials, then run the same command again; what is already there"
        " is used"
    )


class BucketMissing(RemoteError):
    """The server has no bucket of that name."""

    code = "ER3015"
    advice = "check the name, the endpoint and the region, or make the bucket first"


class RemoteUnreachable(RemoteError):
    """Nothing answers at the endpoint."""

    code = "ER3016"
    advice = (
        "check the endpoint's name and port, and that this machine may connect to it;"
        " a proxy is taken from HTTPS_PROXY"
    )


class RemoteTlsFailed(RemoteError):
    """The server's certificate is not trusted, or it speaks no TLS."""

    code = "ER3017"
    advice = (
        "name the authority that signed the server's certificate with AWS_CA_BUNDLE,"
        " or write `http://` for a server without TLS"
    )


class RemoteTimedOut(RemoteError):
    """The server took the connection and then did not answer in time."""

    code = "ER3018"


class RemoteBusy(RemoteError):
    """The server asks for fewer requests, or others kept writing to the same object."""

    code = "ER3019"
    advice = "wait a little, then run the same command again; what is there is used"


class RemoteServerFailed(RemoteError):
    """The server failed within itself, or answered what nobody can read."""

    code = "ER3020"


class RemoteClockWrong(RemoteError):
    """This machine's clock and the server's are too far apart for signed requests."""

    code = "ER3021"
    advice = "set this machine's clock; signed requests hold for fifteen minutes"


class RemoteFull(RemoteError):
    """The server has no room left, or a quota is used up."""

    code = "ER3022"
    advice = (
        "make room or raise the quota, then run the same command again; what is"
        " already there is used"
    )


class ObjectTooBig(RemoteError):
    """One object is more than one upload can carry: 5 GiB, or less on this server."""

    code = "ER3023"
    advice = "publish smaller wheels; a store in a folder has no such limit"


class RegionWrong(RemoteError):
    """The bucket is in another region than the one that was asked."""

    code = "ER3024"
    advice = "give the bucket's region: `--region NAME`, or AWS_REGION"


class RemoteBytesWrong(RemoteError):
    """Bytes changed on their way, or while they were read."""

    code = "ER3025"
    advice = "run the same command again; if it goes on, something on the way is faulty"


class PutIfAbsentIgnored(RemoteError):
    """The server lets a second writer replace what must be written once."""

    code = "ER3026"
    advice = (
        "two publishers at once would lose one another's work there without a word, so"
        " nothing was written: use a server that honours `If-None-Match`, or, where no"
        " more than one publisher ever runs at a time, say so with `--single-writer`"
    )

    def __init__(self, where: str, endpoint: str) -> None:
        super().__init__(where, endpoint, "it ignores `If-None-Match: *`")


class StoreSettingWrong(StoreError):
    """A setting of the store holds what it cannot.

    Attributes:
        setting: its name, with the file it is in, or the environment variable.
        found: what it holds.
        wanted: what it may hold.
    """

    code = "ER3027"

    def __init__(self, setting: str, found: str, wanted: str) -> None:
        self.setting = setting
        self.found = found
        self.wanted = wanted
        super().__init__(
            f"Setting {setting} is `{found}`, which it cannot be",
            hint=f"it takes {wanted}; docs/reference/settings.md lists the settings",
        )


class StoreNotNamed(StoreError):
    """No store was given, and no setting names one."""

    code = "ER3028"

    def __init__(self) -> None:
        super().__init__(
            "No store was named",
            hint="give `--store DIR` or `--store s3://bucket/prefix`, set"
            " ENGINEROOM_STORE, or write `store = ...` under `[tool.engineroom.store]`"
            " in pyproject.toml",
        )
