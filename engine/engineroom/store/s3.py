"""A store in a bucket: the transport for S3 and the servers that speak like it.

An object is made by one PutObject with `If-None-Match: *`, so of all who try one wins,
and it is there whole or not at all. Each carries its MD5 and its sha256, which servers
check before they keep it.

Requests are tried again, so an answer may be about an earlier try: the first one made
the object, its answer was lost, and the second is told 412. `put_if_absent` then says
False, which is what its callers must be able to take anyhow: a blob is read back, and a
journal entry tells by its publish id whose it is. The same holds when all tries have
failed and the object is there after all. For pages it costs one more turn.
"""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from engineroom.errors import (
    ObjectTooBig,
    RemoteBusy,
    RemoteBytesWrong,
    RemoteError,
    RemoteServerFailed,
    RemoteTimedOut,
)
from engineroom.store import keys
from engineroom.store.media import content_headers
from engineroom.store.s3_bodies import Download, Upload, upload
from engineroom.store.s3_requests import answering, connect, failure, retried_reads
from engineroom.store.transport import CHUNK_BYTES, Entry, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.store.s3_bodies import Source
    from engineroom.store.transport import Body

__all__ = ["S3Transport"]

_PUT_LIMIT_BYTES = 5 << 30
_PARALLEL = 8

_CONFLICT_TRIES = 10
_CONFLICT_PAUSE_SECONDS = 0.05


class S3Transport:
    """Objects in a bucket, below a prefix.

    Args:
        bucket: its name.
        prefix: what all keys begin with: empty, or ending in `/`.
        endpoint_url: the server, where it is not the region's own.
        region: the bucket's region; None takes boto3's usual choice.
        tries: how often a request is sent, when sending it again may help.
        timeout_seconds: how long to wait for an answer to each.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        tries: int = 5,
        timeout_seconds: float = 60.0,
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self.client = connect(
            endpoint_url, region, tries=tries, timeout_seconds=timeout_seconds
        )

    @property
    def endpoint(self) -> str:
        """The server's address."""
        url: str = self.client.meta.endpoint_url
        return url

    @property
    def address(self) -> str:
        """The bucket and prefix, as `s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def index_url(self) -> str:
        """The address of the page of all projects at the bucket's own server."""
        return f"{self.endpoint.rstrip('/')}/{self.bucket}/{self.prefix}simple/"

    @property
    def replaces_conditionally(self) -> bool:
        """Whether the server compares ETags."""
        return True

    @property
    def slash_pages(self) -> bool:
        """Whether the server keeps the body of a key that ends in `/`."""
        return False

    @property
    def parallel(self) -> int:
        """As many as hide the time that answers take to come."""
        return _PARALLEL

    def get(self, key: str) -> Stored | None:
        """Read an object whole, or give None when it is absent."""
        answer = self._fetch(key, "")
        if answer is None:
            return None
        with self._download(key, answer, 0, None) as file:
            return Stored(file.read(), _bare(answer["ETag"]))

    def open(
        self, key: str, *, start: int = 0, stop: int | None = None
    ) -> BinaryIO | None:
        """Open an object, or a part of it, or give None when it is absent."""
        if stop is not None and stop <= start:
            return None if self.size(key) is None else io.BytesIO()
        try:
            answer = self._fetch(key, _range(start, stop))
        except _BeyondEnd:
            return io.BytesIO()
        return None if answer is None else self._download(key, answer, start, stop)

    def size(self, key: str) -> int | None:
        """Give an object's size, or None when it is absent."""
        try:
            head = self._ask("head_object", key)
        except RemoteError as error:
            if error.status == 404:
                return None
            raise
        size: int = head["ContentLength"]
        return size

    def put_if_absent(self, key: str, body: Body) -> bool:
        """Create an object whole, or leave what is there."""
        try:
            return self._put(key, body, IfNoneMatch="*")
        except (RemoteBusy, RemoteServerFailed, RemoteTimedOut):
            # Perhaps it was made, and only the answer was lost.
            if self._is_there(key):
                return False
            raise

    def replace(self, key: str, body: Body, *, expected: str | None) -> bool:
        """Put new bytes in an object's place if it is still as expected."""
        if expected is None:
            return self._put(key, body, IfNoneMatch="*")
        return self._put(key, body, IfMatch=f'"{expected}"')

    def delete(self, key: str) -> None:
        """Remove an object; one that is absent is fine."""
        self._ask("delete_object", key)

    def list(self, prefix: str) -> Iterator[str]:
        """Give the keys under a prefix."""
        for entry in self.entries(prefix):
            yield entry.key

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Give what a listing tells of each object, a thousand at a request."""
        for page in self._pages(prefix, ""):
            for item in page.get("Contents", ()):
                yield Entry(
                    key=item["Key"][len(self.prefix) :],
                    size_bytes=item["Size"],
                    modified_seconds=item["LastModified"].timestamp(),
                    version=_bare(item["ETag"]),
                )

    def folders(self, prefix: str) -> Iterator[str]:
        """Give the names that stand between a prefix and the next `/`."""
        start = len(self.prefix) + len(prefix)
        for page in self._pages(prefix, "/"):
            for item in page.get("CommonPrefixes", ()):
                yield item["Prefix"][start:].rstrip("/")

    def sweep(self, *, older_than_seconds: float) -> tuple[str, ...]:  # noqa: ARG002
        """Remove nothing: one request makes an object, so there is nothing half made.

        Uploads in several parts may be left in the bucket, but not by us; ending those
        of others is for a rule of the bucket's owner.
        """
        return ()

    def now(self) -> float:
        """Give the server's time, in whole seconds as its listings have it."""
        with answering(self.address, self.endpoint):
            answer = self.client.list_objects_v2(
                Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1
            )
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            return parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError) as error:
            raise RemoteServerFailed(
                self.address, self.endpoint, f"its answer is dated `{date}`"
            ) from error

    def link(self, key: str, *, seconds: int) -> str:
        """Give a signed address that reads the object until the time is over."""
        with answering(self._where(key), self.endpoint):
            url: str = self.client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self.bucket, "Key": self._name(key)},
                ExpiresIn=seconds,
            )
        return url

    def _name(self, key: str) -> str:
        # Keys come from names that were checked; this guards against our own slips.
        if not keys.is_safe(key):
            raise ValueError(f"not a safe key: {key!r}")
        return f"{self.prefix}{key}"

    def _where(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def _ask(self, operation: str, key: str, **parameters: Any) -> dict[str, Any]:
        """Send one request about an object, again where that may help."""
        name = self._name(key)
        with answering(self._where(key), self.endpoint):
            send = getattr(self.client, operation)
            answer: dict[str, Any] = send(Bucket=self.bucket, Key=name, **parameters)
            return answer

    def _is_there(self, key: str) -> bool:
        """Tell whether an object is there, as far as that can be told."""
        try:
            return self.size(key) is not None
        except RemoteError:
            return False

    def _put(self, key: str, body: Body, **condition: str) -> bool:
        """Write an object under a condition; False when that does not hold."""
        if body.size_bytes > _PUT_LIMIT_BYTES:
            reason = f"it has {body.size_bytes} bytes"
            raise ObjectTooBig(self._where(key), self.endpoint, reason)
        parameters = _parameters(key, body)
        tries_left = _CONFLICT_TRIES
        while True:
            try:
                self._ask("put_object", key, **parameters, **condition)
            except RemoteError as error:
                if _does_not_hold(error, condition):
                    return False
                tries_left -= 1
                if error.status != 409 or not tries_left:
                    _raise_failure(parameters["Body"])
                    raise
            else:
                return True
            # Another write to the key was under way; who won shows in a moment.
            time.sleep(_pause(_CONFLICT_TRIES - tries_left))

    def _fetch(self, key: str, part: str) -> dict[str, Any] | None:
        """Ask for an object, or a range of it; None when it is absent."""
        try:
            answer = self._ask("get_object", key, **({"Range": part} if part else {}))
        except RemoteError as error:
            if error.server_code == "NoSuchKey":
                return None
            if error.status == 416:
                raise _BeyondEnd from error
            raise
        if part and answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
            answer["Body"].close()
            reason = f"it was asked for {part} and gave everything"
            raise RemoteServerFailed(self._where(key), self.endpoint, reason)
        return answer

    def _download(
        self, key: str, answer: dict[str, Any], start: int, stop: int | None
    ) -> BinaryIO:
        """Make a file of an answer, which asks again when the connection breaks."""
        where = self._where(key)

        def read_on(position: int) -> Source:
            try:
                again = self._fetch(key, _range(start + position, stop))
            except _BeyondEnd:
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

    def _pages(self, prefix: str, delimiter: str) -> Iterator[dict[str, Any]]:
        with answering(self._where(prefix), self.endpoint):
            yield from self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket,
                Prefix=f"{self.prefix}{prefix}",
                Delimiter=delimiter,
            )


class _BeyondEnd(Exception):
    """A range begins after the object's end."""


def _range(start: int, stop: int | None) -> str:
    if start == 0 and stop is None:
        return ""
    return f"bytes={start}-" if stop is None else f"bytes={start}-{stop - 1}"


def _bare(etag: str) -> str:
    """Take the quotes off an ETag: servers differ in whether they send them."""
    return etag.strip('"')


def _parameters(key: str, body: Body) -> dict[str, Any]:
    """Give what is sent with an object: its bytes, checksums and headers."""
    data = upload(body)
    content_type, cache_control = content_headers(key)
    return {
        "Body": data,
        "ContentMD5": _md5(data),
        "ChecksumSHA256": base64.b64encode(bytes.fromhex(body.sha256)).decode(),
        "ContentType": content_type,
        "CacheControl": cache_control,
    }


def _md5(data: bytes | Upload) -> str:
    """Give the checksum that every server checks, in the form it is sent in."""
    digest = hashlib.md5(usedforsecurity=False)
    if isinstance(data, bytes):
        digest.update(data)
    else:
        while chunk := data.read(CHUNK_BYTES):
            digest.update(chunk)
        data.seek(0)
    return base64.b64encode(digest.digest()).decode()


def _raise_failure(data: bytes | Upload) -> None:
    """Raise what a body raised while it was sent, which says more than botocore."""
    if isinstance(data, Upload) and data.failure:
        raise data.failure


def _does_not_hold(error: RemoteError, condition: dict[str, str]) -> bool:
    """Tell whether a write was refused because its condition does not hold."""
    if error.status == 412:
        return True
    # What is not there matches no ETag; AWS says so in this way.
    return "IfMatch" in condition and error.server_code == "NoSuchKey"


def _pause(turn: int) -> float:
    """Give a time to wait that grows, and differs between those who wait."""
    most = _CONFLICT_PAUSE_SECONDS * 2.0**turn
    return secrets.SystemRandom().uniform(0.0, min(most, 2.0))
