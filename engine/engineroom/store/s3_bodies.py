"""Bodies on their way to a bucket and back, of any size.

Both ways botocore may start over: an upload is read again from its first byte, and a
download that breaks off goes on from where it was.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from _typeshed import WriteableBuffer

    from engineroom.store.transport import Body

    class Source(Protocol):
        """The part of botocore's StreamingBody that is used."""

        def read(self, amt: int) -> bytes:
            """Give at most so many bytes, and none at the end."""
            ...

        def close(self) -> None:
            """Give the connection back, or close it if there is more to come."""
            ...


__all__ = ["Download", "Upload", "upload"]

# Below this a body is kept in memory: most wheels are, and then one reading is enough
# for the hash, the checksum and the request.
_MEMORY_BYTES = 8 << 20

_TRIES = 4


def upload(body: Body) -> bytes | Upload:
    """Give a body in the form that botocore takes."""
    if isinstance(body, BytesBody):
        return body.data
    if body.size_bytes <= _MEMORY_BYTES:
        return b"".join(body.chunks())
    return Upload(body)


class Upload:
    """A body as a file that can be read again from its start.

    The last chunk is held back until the body has been read to its end, where one that
    changed on disk fails: the server then has too few bytes and keeps none of them.

    Attributes:
        failure: what the body raised; botocore hides it in an error of its own.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self.failure: Exception | None = None
        self.seek(0)

    def __len__(self) -> int:
        return self._body.size_bytes

    def tell(self) -> int:
        """Give how many bytes were read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to the start, or to the end, which only asks for the size."""
        if whence == io.SEEK_END:
            self._position = len(self) + offset
        else:
            assert (offset, whence) == (0, io.SEEK_SET)
            self._position = 0
            self._rest = b""
            self._chunks = _hold_last(self._body.chunks())
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Give the next bytes."""
        left = len(self) - self._position
        wanted = left if size < 0 else min(size, left)
        parts: list[bytes] = []
        while wanted > 0:
            if not self._rest:
                self._rest = self._next_chunk()
            if not self._rest:
                break
            part, self._rest = self._rest[:wanted], self._rest[wanted:]
            self._position += len(part)
            wanted -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _next_chunk(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except Exception as error:
            self.failure = error
            raise


class Download(io.RawIOBase):
    """An object's bytes, read on from where they were when a connection broke.

    Args:
        source: the answer to the first request.
        read_on: asks again, for all from so many bytes after the first.
        broken: what a source raises when asking again may help.
        fail: makes the error to be raised when it has not helped.
    """

    def __init__(
        self,
        source: Source,
        *,
        read_on: Callable[[int], Source],
        broken: type[Exception],
        fail: Callable[[Exception], Exception],
    ) -> None:
        super().__init__()
        self._source = source
        self._read_on = read_on
        self._broken = broken
        self._fail = fail
        self._position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read what comes next; 0 only at the object's true end."""
        view = memoryview(buffer).cast("B")
        data = self._read(len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Give the connection back."""
        if not self.closed:
            self._source.close()
        super().close()

    def _read(self, size: int) -> bytes:
        tries_left = _TRIES
        while True:
            try:
                return self._source.read(size)
            except self._broken as error:  # noqa: PERF203 - a request each turn
                tries_left -= 1
                if not tries_left:
                    raise self._fail(error) from error
                self._source.close()
                self._source = self._read_on(self._position)


def _hold_last(chunks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        if held:
            yield held
        held = chunk
    if held:
        yield held
