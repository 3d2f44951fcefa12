"""What a store asks of the place it is kept in: a dozen primitives, and no more.

A transport knows keys and bytes and nothing of wheels, journals or pages. Everything
safe about publishing rests on one promise: `put_if_absent` has one winner however many
try. `replace` helps: where the place can compare, it changes a page only from the
version the caller has read. A new transport is right when it passes
tests/store/test_store_transport.py.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from engineroom.errors import WheelChanged, WheelUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "CHUNK_BYTES",
    "Body",
    "BytesBody",
    "Entry",
    "FileBody",
    "Stored",
    "Transport",
]

CHUNK_BYTES = 1 << 20


class Body(Protocol):
    """Bytes on their way into a store, with their size and hash known beforehand."""

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""
        ...

    @property
    def sha256(self) -> str:
        """Their hash, in lower-case hex."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Give the bytes from the start; may be called again for another try."""
        ...


@dataclass(frozen=True)
class BytesBody:
    """A body in memory: journal entries, pages, metadata."""

    data: bytes

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    @property
    def sha256(self) -> str:
        """Their hash, in lower-case hex."""
        return hashlib.sha256(self.data).hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Give the bytes."""
        yield self.data


@dataclass(frozen=True)
class FileBody:
    """A body in a file that was hashed before and must still be the same.

    Other programs may write to the file between its check and its upload, so the bytes
    are hashed again as they pass, and a difference stops the upload at its end.
    """

    path: Path
    size_bytes: int
    sha256: str

    def chunks(self) -> Iterator[bytes]:
        """Give the file's bytes.

        Raises:
            WheelUnreadable: when the file has gone or cannot be read.
            WheelChanged: at the end, when these were not the bytes that were hashed.
        """
        digest = hashlib.sha256()
        try:
            with open(self.path, "rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    yield chunk
        except OSError as error:
            reason = error.strerror or str(error)
            raise WheelUnreadable(str(self.path), reason) from error
        if digest.hexdigest() != self.sha256:
            raise WheelChanged(
                str(self.path),
                f"it had sha256 {self.sha256} when it was checked and"
                f" {digest.hexdigest()} when it was read to be stored",
            )


@dataclass(frozen=True)
class Stored:
    """An object as it was read.

    Attributes:
        data: its bytes.
        version: what `replace` compares; opaque, and different for different bytes.
    """

    data: bytes
    version: str


@dataclass(frozen=True)
class Entry:
    """An object as a listing tells of it.

    Attributes:
        key: where it is.
        size_bytes: how many bytes it has.
        modified_seconds: when it was last written, by the clock of `Transport.now`.
        version: what `Stored.version` of these bytes is, where a listing tells it.
    """

    key: str
    size_bytes: int
    modified_seconds: float
    version: str | None


class Transport(Protocol):
    """A place that keeps objects under keys.

    Every method may be called from several threads at once, and raises `StoreError`
    when the place fails.
    """

    @property
    def address(self) -> str:
        """The place as a person would write it; for messages."""
        ...

    @property
    def index_url(self) -> str:
        """The address of the page of all projects, as installers take it."""
        ...

    @property
    def replaces_conditionally(self) -> bool:
        """Whether `replace` compares; else its callers read back what they wrote."""
        ...

    @property
    def checks_bytes(self) -> bool:
        """Whether it refuses an object whose bytes are not those that were sent.

        Where it does not, what was written is read back.
        """
        ...

    @property
    def slash_pages(self) -> bool:
        """Whether a key may end in `/`, as the addresses that installers ask for do."""
        ...

    @property
    def parallel(self) -> int:
        """How many calls at once are worth the trouble."""
        ...

    def get(self, key: str) -> Stored | None:
        """Read a small object whole, or give None when it is absent."""
        ...

    def version_of(self, data: bytes) -> str:
        """Give what `Stored.version` is expected to be of these bytes.

        Only for saving a read: a place may have its reasons for giving another.
        """
        ...

    def open(
        self, key: str, *, start: int = 0, stop: int | None = None
    ) -> BinaryIO | None:
        """Open an object of any size for reading, or give None when it is absent.

        Args:
            key: the object.
            start: the first byte to read, from 0.
            stop: the byte to end before; None reads to the end. As with a slice, what
                lies beyond the end is empty.

        Returns:
            A file that the caller closes.
        """
        ...

    def size(self, key: str) -> int | None:
        """Give an object's size in bytes, or None when it is absent."""
        ...

    def put_if_absent(self, key: str, body: Body) -> bool:
        """Create an object whole, or leave what is there.

        Of any number of callers at once at most one is told True. When this returns,
        the object is there and durable, whoever made it: False may also mean that an
        earlier try within this very call made it and the answer was lost. A caller to
        whom that matters has something of its own in the bytes, and reads them.
        """
        ...

    def replace(self, key: str, body: Body, *, expected: str | None) -> bool:
        """Put new bytes in an object's place at one instant.

        Args:
            key: the object.
            body: its new bytes.
            expected: the version to be replaced; None when it must be absent.

        Returns:
            False when the object is not as expected any more; as with `put_if_absent`,
            an earlier try within this call may be what changed it.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is absent is fine."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Give the keys under a prefix (empty, or ending in `/`), in no set order."""
        ...

    def entries(self, prefix: str, *, is_deep: bool = True) -> Iterator[Entry]:
        """Give what a listing tells of each object under a prefix, in no set order.

        Args:
            prefix: empty, or ending in `/`.
            is_deep: False leaves out what is in a folder below.
        """
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Give the names that stand between a prefix and the next `/`, each once."""
        ...

    def sweep(self, *, older_than_seconds: float) -> tuple[str, ...]:
        """Remove what writers that died left half-written; tell what was removed.

        Such things are never visible as objects. Age guards the writers still at work.
        """
        ...

    def now(self) -> float:
        """Give the time, in seconds, by the clock that stamps `modified_seconds`."""
        ...

    def link(self, key: str, *, seconds: int) -> str | None:
        """Give an address that anyone may read an object from for a while.

        None where the place has no such thing. It is a secret for as long as it works.
        """
        ...
