"""Single requests to a bucket, each told whole: what was sent and what it means.

Which requests make up a safe write is for `s3`, what a server can do for `probe`.
"""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from engineroom.errors import (
    ObjectTooBig,
    RemoteBytesWrong,
    RemoteError,
    RemoteServerFailed,
)
from engineroom.store import keys
from engineroom.store.media import content_headers
from engineroom.store.s3_bodies import Download, Upload, upload
from engineroom.store.s3_requests import answering, connect, failure, retried_reads
from engineroom.store.transport import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.store.s3_bodies import Source
    from engineroom.store.transport import Body

__all__ = ["OWN_PREFIX", "BeyondEnd", "Bucket", "Letter", "span"]

# What a transport keeps for itself begins so. No key of a store does, and no listing
# of a store shows it.
OWN_PREFIX = ".engineroom-"

_PUT_LIMIT_BYTES = 5 << 30


class BeyondEnd(Exception):
    """A range begins after the object's end."""


@dataclass(frozen=True)
class Letter:
    """A body made ready to be sent, as often as it takes.

    Attributes:
        data: its bytes, in memory or in a file that can be read again.
        md5: the checksum that every server knows, as it is sent.
        sha256: the one that newer servers check besides, as it is sent; None sends
            none.
    """

    data: bytes | Upload
    md5: str
    sha256: str | None

    @classmethod
    def of(cls, body: Body, *, sha256: bool) -> Letter:
        """Read a body for its checksums."""
        data = upload(body)
        digest = base64.b64encode(bytes.fromhex(body.sha256)).decode()
        return cls(data, _md5(data), digest if sha256 else None)


class Bucket:
    """A bucket, or the part of one below a prefix, and the server it is on.

    Args:
        name: the bucket's name.
        prefix: what all keys begin with: empty, or ending in `/`.
        endpoint_url: the server, where it is not the region's own.
        region: the bucket's region; None takes boto3's usual choice.
        tries: how often a request is sent, when sending it again may help.
        timeout_seconds: how long to wait for the answer to each.
    """

    def __init__(
        self,
        name: str,
        prefix: str,
        *,
        endpoint_url: str | None,
        region: str | None,
        tries: int,
        timeout_seconds: float,
    ) -> None:
        self.name = name
        self.prefix = prefix
        self._client = connect(
            self.where(""),
            endpoint_url=endpoint_url,
            region=region,
            tries=tries,
            timeout_seconds=timeout_seconds,
        )
        url: str = self._client.meta.endpoint_url
        self.endpoint = url.rstrip("/")

    def where(self, key: str) -> str:
        """Name an object as people do."""
        return f"s3://{self.name}/{self.prefix}{key}"

    def put(
        self,
        key: str,
        letter: Letter,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> dict[str, Any]:
        """Write an object whole.

        Args:
            key: the object.
            letter: its bytes and checksums.
            if_match: the ETag it must have, spelled as the server wants it.
            if_none_match: `*` when it must be absent.
        """
        size_bytes = len(letter.data)
        if size_bytes > _PUT_LIMIT_BYTES:
            reason = f"it has {size_bytes} bytes, and one upload carries 5 GiB"
            raise ObjectTooBig(self.where(key), self.endpoint, reason)
        content_type, cache_control = content_headers(key)
        parameters = {
            "Body": letter.data,
            "ContentMD5": letter.md5,
            "ContentType": content_type,
            "CacheControl": cache_control,
        }
        if letter.sha256 is not None:
            parameters["ChecksumSHA256"] = letter.sha256
        if if_match is not None:
            parameters["IfMatch"] = if_match
        if if_none_match is not None:
            parameters["IfNoneMatch"] = if_none_match
        try:
            return self._ask("put_object", key, **parameters)
        except RemoteError:
            if isinstance(letter.data, Upload) and letter.data.failure:
                # What the body raised says more than what botocore made of it.
                raise letter.data.failure from None
            raise

    def fetch(self, key: str, part: str = "") -> dict[str, Any] | None:
        """Ask for an object, or a range of it; None when it is absent.

        Raises:
            BeyondEnd: when the range begins after the end.
        """
        try:
            answer = self._ask("get_object", key, **({"Range": part} if part else {}))
        except RemoteError as error:
            if error.server_code == "NoSuchKey":
                return None
            if error.status == 416:
                raise BeyondEnd from error
            # The words that name what is absent may be lost: then it is asked without.
            if error.status == 404 and not error.server_code and not self.head(key):
                return None
            raise
        if part and answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
            answer["Body"].close()
            reason = f"it was asked for {part} and gave everything"
            raise RemoteServerFailed(self.where(key), self.endpoint, reason)
        return answer

    def download(
        self, key: str, answer: dict[str, Any], start: int, stop: int | None
    ) -> BinaryIO:
        """Make a file of an answer, which asks again when the connection breaks."""
        where = self.where(key)

        def read_on(position: int) -> Source:
            try:
                again = self.fetch(key, span(start + position, stop))
            except BeyondEnd:
                again = None
            if again is None or again["ETag"] != answer["ETag"]:
                reason = "it changed while it was read"
                raise RemoteBytesWrong(where, self.endpoint, reason)
            body: Source = again["Body"]
            return body

        raw = Download(
            answer["Body"],
            read_on=read_on,
            broken=retried_reads(),
            fail=lambda error: failure(error, where, self.endpoint),
        )
        return cast("BinaryIO", io.BufferedReader(raw, CHUNK_BYTES))

    def head(self, key: str) -> dict[str, Any] | None:
        """Ask about an object without its bytes; None when it is absent."""
        try:
            return self._ask("head_object", key)
        except RemoteError as error:
            # An answer without a body cannot tell a missing bucket from this.
            if error.status == 404:
                return None
            raise

    def delete(self, key: str) -> None:
        """Remove an object; one that is absent is fine."""
        self._ask("delete_object", key)

    def pages(self, prefix: str, delimiter: str) -> Iterator[dict[str, Any]]:
        """List what is under a prefix, a thousand at a request."""
        with answering(self.where(prefix), self.endpoint):
            yield from self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name,
                Prefix=f"{self.prefix}{prefix}",
                Delimiter=delimiter,
            )

    def now(self) -> float:
        """Give the server's time, in whole seconds."""
        where = self.where("")
        with answering(where, self.endpoint):
            answer = self._client.list_objects_v2(
                Bucket=self.name, Prefix=self.prefix, MaxKeys=1
            )
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            return parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError) as error:
            reason = f"its answer is dated `{date}`"
            raise RemoteServerFailed(where, self.endpoint, reason) from error

    def link(self, key: str, seconds: int) -> str:
        """Sign an address that reads an object until the time is over."""
        with answering(self.where(key), self.endpoint):
            url: str = self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self.name, "Key": self._object(key)},
                ExpiresIn=seconds,
            )
        return url

    def _ask(self, operation: str, key: str, **parameters: Any) -> dict[str, Any]:
        """Send one request about an object, again where that may help."""
        name = self._object(key)
        with answering(self.where(key), self.endpoint):
            send = getattr(self._client, operation)
            answer: dict[str, Any] = send(Bucket=self.name, Key=name, **parameters)
            return answer

    def _object(self, key: str) -> str:
        # Keys come from names that were checked; this guards against our own slips.
        plain = key.removeprefix(OWN_PREFIX)
        if not keys.is_safe(plain[:-1] if plain.endswith("/") else plain):
            raise ValueError(f"not a safe key: {key!r}")
        return f"{self.prefix}{key}"


def span(start: int, stop: int | None) -> str:
    """Write a part of an object as HTTP does; nothing for all of it."""
    if start == 0 and stop is None:
        return ""
    return f"bytes={start}-" if stop is None else f"bytes={start}-{stop - 1}"


def _md5(data: bytes | Upload) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    if isinstance(data, bytes):
        digest.update(data)
    else:
        while chunk := data.read(CHUNK_BYTES):
            digest.update(chunk)
        data.seek(0)
    return base64.b64encode(digest.digest()).decode()
