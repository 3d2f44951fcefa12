"""A store in a bucket: the transport for S3 and the servers that speak like it.

An object is made by one PutObject with `If-None-Match: *`, so of all who try one wins,
and it is there whole or not at all. Each carries its MD5 and its sha256, which servers
check before they keep it.

Requests are tried again, so an answer may be about an earlier try: the first one made
the object, its answer was lost, and the second is told 412. `put_if_absent` then says
False, which is what its callers must be able to take anyhow: a blob is read back, and a
journal entry tells by its publish id whose it is. The same holds when all tries have
failed and the object is there after all. For pages it costs one more turn.

What servers differ in is asked of each before its first write: see `s3_answers`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, BinaryIO

from engineroom.errors import (
    PutIfAbsentIgnored,
    RemoteBusy,
    RemoteError,
    RemoteForbidden,
    RemoteServerFailed,
    RemoteTimedOut,
)
from engineroom.store.s3_answers import QUESTIONS, Answers, ask, recall, remember
from engineroom.store.s3_bucket import OWN_PREFIX, BeyondEnd, Bucket, Letter, span
from engineroom.store.transport import Entry, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.store.transport import Body

__all__ = ["S3Transport"]

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
        single_writer: vouches that nobody else writes, so that a server may be used
            that cannot keep writers apart.
        answers: what the server can do, where that is known; else it is asked when
            something is first written.
        tries: how often a request is sent, when sending it again may help.
        timeout_seconds: how long to wait for the answer to each.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        single_writer: bool = False,
        answers: Answers | None = None,
        tries: int = 5,
        timeout_seconds: float = 60.0,
    ) -> None:
        self.bucket = Bucket(
            bucket,
            prefix,
            endpoint_url=endpoint_url,
            region=region,
            tries=tries,
            timeout_seconds=timeout_seconds,
        )
        self._single_writer = single_writer
        self._known = answers
        self._asking = threading.Lock()

    @property
    def address(self) -> str:
        """The bucket and prefix, as `s3://bucket/prefix`."""
        return self.bucket.where("").rstrip("/")

    @property
    def index_url(self) -> str:
        """The address of the page of all projects at the bucket's own server."""
        bucket = self.bucket
        return f"{bucket.endpoint}/{bucket.name}/{bucket.prefix}simple/"

    @property
    def replaces_conditionally(self) -> bool:
        """Whether the server compares ETags."""
        return self.answers.if_match != "ignored"

    @property
    def checks_bytes(self) -> bool:
        """Whether the server was seen to refuse a body that its MD5 does not fit."""
        return self.answers.md5 == "checked"

    @property
    def slash_pages(self) -> bool:
        """Whether the server keeps the body of a key that ends in `/`."""
        try:
            return self.answers.slash_pages
        except RemoteForbidden:
            # Who may neither write nor find the answers only reads, and what is not
            # looked for under such a key is there under the other one too.
            return False

    @property
    def parallel(self) -> int:
        """As many as hide the time that answers take to come."""
        return _PARALLEL

    @property
    def answers(self) -> Answers:
        """What the server can do; asked once, and kept in the store from then on."""
        with self._asking:
            if self._known is None:
                self._known = recall(self.bucket)
            return self._known

    def ask(self) -> Answers:
        """Ask the server anew what it can do."""
        with self._asking:
            self._known = ask(self.bucket)
            remember(self.bucket, self._known)
            return self._known

    def get(self, key: str) -> Stored | None:
        """Read an object whole, or give None when it is absent."""
        answer = self.bucket.fetch(key)
        if answer is None:
            return None
        with self.bucket.download(key, answer, 0, None) as file:
            return Stored(file.read(), _bare(answer["ETag"]))

    def version_of(self, data: bytes) -> str:
        """Give the MD5 of bytes, which is their ETag but in buckets with keys of KMS.

        There the two always differ, and who compares them reads the object.
        """
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    def open(
        self, key: str, *, start: int = 0, stop: int | None = None
    ) -> BinaryIO | None:
        """Open an object, or a part of it, or give None when it is absent."""
        if stop is not None and stop <= start:
            return None if self.size(key) is None else io.BytesIO()
        try:
            answer = self.bucket.fetch(key, span(start, stop))
        except BeyondEnd:
            return io.BytesIO()
        return (
            None if answer is None else self.bucket.download(key, answer, start, stop)
        )

    def size(self, key: str) -> int | None:
        """Give an object's size, or None when it is absent."""
        head = self.bucket.head(key)
        return None if head is None else head["ContentLength"]

    def put_if_absent(self, key: str, body: Body) -> bool:
        """Create an object whole, or leave what is there."""
        if not self.answers.puts_if_absent:
            return self._put_alone(key, body)
        try:
            return self._put(key, body, if_none_match="*")
        except (RemoteBusy, RemoteServerFailed, RemoteTimedOut):
            # Perhaps it was made, and only the answer was lost.
            if self._is_there(key):
                return False
            raise

    def replace(self, key: str, body: Body, *, expected: str | None) -> bool:
        """Put new bytes in an object's place if it is still as expected."""
        if expected is None:
            return self.put_if_absent(key, body)
        how = self.answers.if_match
        if how == "quoted":
            return self._put(key, body, if_match=f'"{expected}"')
        if how == "unquoted":
            return self._put(key, body, if_match=expected)
        # This server cannot compare, so it is done here, and a moment too early.
        current = self.bucket.head(key)
        if current is None or _bare(current["ETag"]) != expected:
            return False
        return self._put(key, body)

    def delete(self, key: str) -> None:
        """Remove an object; one that is absent is fine."""
        self.bucket.delete(key)

    def list(self, prefix: str) -> Iterator[str]:
        """Give the keys under a prefix."""
        for entry in self.entries(prefix):
            yield entry.key

    def entries(self, prefix: str, *, is_deep: bool = True) -> Iterator[Entry]:
        """Give what a listing tells of each object."""
        for entry in self._listed(prefix, is_deep=is_deep):
            if not entry.key.startswith(OWN_PREFIX):
                yield entry

    def folders(self, prefix: str) -> Iterator[str]:
        """Give the names that stand between a prefix and the next `/`."""
        start = len(self.bucket.prefix) + len(prefix)
        for page in self.bucket.pages(prefix, "/"):
            for item in page.get("CommonPrefixes", ()):
                name: str = item["Prefix"][start:].rstrip("/")
                if not name.startswith(OWN_PREFIX):
                    yield name

    def sweep(self, *, older_than_seconds: float) -> tuple[str, ...]:
        """Remove what is left of questions to the server whose asker died.

        One request makes an object, so there is nothing half made. Uploads in several
        parts may be left in the bucket, but not by us; ending those of others is for a
        rule of the bucket's owner.
        """
        limit = self.now() - older_than_seconds
        left = [e for e in self._listed(QUESTIONS) if e.modified_seconds <= limit]
        return tuple(entry.key for entry in left if self._is_removed(entry.key))

    def now(self) -> float:
        """Give the server's time, in whole seconds as its listings have it."""
        return self.bucket.now()

    def link(self, key: str, *, seconds: int) -> str:
        """Give a signed address that reads the object until the time is over."""
        return self.bucket.link(key, seconds)

    def _listed(self, prefix: str, *, is_deep: bool = True) -> Iterator[Entry]:
        for page in self.bucket.pages(prefix, "" if is_deep else "/"):
            for item in page.get("Contents", ()):
                yield Entry(
                    key=item["Key"][len(self.bucket.prefix) :],
                    size_bytes=item["Size"],
                    modified_seconds=item["LastModified"].timestamp(),
                    version=_bare(item["ETag"]),
                )

    def _put_alone(self, key: str, body: Body) -> bool:
        """Create an object where the server cannot keep two writers apart."""
        if not self._single_writer:
            raise PutIfAbsentIgnored(self.address, self.bucket.endpoint)
        if self.size(key) is not None:
            return False
        return self._put(key, body)

    def _put(self, key: str, body: Body, **condition: str) -> bool:
        """Write an object under a condition; False when that does not hold."""
        if key.endswith("/") and not self.slash_pages:
            raise ValueError(f"not a safe key: {key!r}")
        letter = Letter.of(body, sha256=self.answers.sha256 != "refused")
        tries_left = _CONFLICT_TRIES
        while True:
            try:
                self.bucket.put(key, letter, **condition)
            except RemoteError as error:
                if _does_not_hold(error, condition):
                    return False
                tries_left -= 1
                if error.status != 409 or not tries_left:
                    raise
            else:
                return True
            # Another write to the key was under way; who won shows in a moment.
            time.sleep(_pause(_CONFLICT_TRIES - tries_left))

    def _is_removed(self, key: str) -> bool:
        """Remove an object where this is allowed."""
        try:
            self.delete(key)
        except RemoteForbidden:
            return False
        return True

    def _is_there(self, key: str) -> bool:
        """Tell whether an object is there, as far as that can be told."""
        with contextlib.suppress(RemoteError):
            return self.size(key) is not None
        return False


def _bare(etag: str) -> str:
    """Take the quotes off an ETag: servers differ in whether they send them."""
    return etag.strip('"')


def _does_not_hold(error: RemoteError, condition: dict[str, Any]) -> bool:
    """Tell whether a write was refused because its condition does not hold."""
    if error.status == 412:
        return True
    # What is not there matches no ETag; AWS says so in this way.
    return "if_match" in condition and error.server_code == "NoSuchKey"


def _pause(turn: int) -> float:
    """Give a time to wait that grows, and differs between those who wait."""
    most = _CONFLICT_PAUSE_SECONDS * 2.0**turn
    return secrets.SystemRandom().uniform(0.0, min(most, 2.0))
