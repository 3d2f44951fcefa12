"""Answers: what they say about themselves, and how their bytes get to slow readers.

Bytes leave in pieces of one size, each when the one before has gone, so that a reader
who takes his time costs one piece of memory. Files are read in other threads.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from engineroom.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from starlette.types import Message, Receive, Scope, Send

__all__ = ["SECURITY_HEADERS", "BytesAnswer", "FileAnswer", "text_answer"]

log = logging.getLogger("engineroom.store.serve")

_PIECE_BYTES = 128 << 10
_READ_BYTES = 256 << 10

# No script runs on any page of this server, whatever a project calls itself.
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class BytesAnswer(Response):
    """An answer whose bytes are in memory and leave it in pieces."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if len(self.body) <= _PIECE_BYTES or scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        await send(_start(self))
        for start in range(0, len(self.body), _PIECE_BYTES):
            end = start + _PIECE_BYTES
            piece = bytes(self.body[start:end])
            await send(_body(piece, more=end < len(self.body)))


class FileAnswer(Response):
    """An answer whose bytes come from an open file, which is closed at the end.

    Args:
        file: where the bytes are.
        size_bytes: how many are to be sent.
        status: the status.
        headers: the headers.
    """

    def __init__(
        self, file: BinaryIO, size_bytes: int, status: int, headers: Mapping[str, str]
    ) -> None:
        length = {"content-length": str(size_bytes)}
        super().__init__(None, status, {**headers, **length})
        self._file = file
        self._size_bytes = size_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, until the end or until the reader has gone."""
        request = Request(scope, receive)
        with self._file:
            await send(_start(self))
            left = self._size_bytes
            while left and not await request.is_disconnected():
                piece = await to_thread.run_sync(self._read)
                left -= len(piece)
                if not piece or left < 0:
                    # The server closes the connection when the promised length is
                    # not reached, so the reader knows that it has not everything.
                    log.error("cut off with %d bytes to go: %s", left, scope["path"])
                    return
                await send(_body(piece, more=True))
            if not left:
                await send(_body(b"", more=False))

    def _read(self) -> bytes:
        """Read a piece; give nothing when the store's place fails."""
        try:
            return self._file.read(_READ_BYTES)
        except (OSError, StoreError) as error:
            log.error("%s", error)
            return b""


def _start(answer: Response) -> Message:
    return {
        "type": "http.response.start",
        "status": answer.status_code,
        "headers": answer.raw_headers,
    }


def _body(piece: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


def text_answer(
    status: int, text: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a sentence for whoever reads the installer's output."""
    return BytesAnswer(
        f"{text}\n",
        status,
        {"cache-control": "no-cache", **(headers or {})},
        media_type="text/plain",
    )
