"""COPY for asyncio: blocks whose work is done in a thread.

The bytes of a COPY come and go by the megabyte, so a thread for each piece costs
nothing that matters. The block keeps the connection's turn until it is left.
"""

from __future__ import annotations

import asyncio
from itertools import islice

from engineroom.dbapi import copy as blocking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Any, BinaryIO, TypeVar, Union

    from engineroom.aio.line import Line
    from engineroom.dbapi.copy import ArrowStream, Bytes

    Result = TypeVar("Result")
    Block = Union[blocking.CopyIn, blocking.CopyOut]

__all__ = ["CopyIn", "CopyOut"]

# Rows that are handed over from the thread at once.
_ROWS = 512


class _Copy:
    """The turn of the line, kept from entering the block to leaving it."""

    __slots__ = ("_entered", "_line")

    def __init__(self, line: Line, block: Block) -> None:
        self._line = line
        self._entered = block

    @property
    def rowcount(self) -> int:
        """How many rows passed, as the server says at the end; -1 before."""
        return self._entered.rowcount

    async def _do(self, work: Callable[..., Result], *arguments: Any) -> Result:
        line = self._line
        if line.holder is None:  # outside of the block, which the engine's half tells
            return work(*arguments)
        return await line.in_thread(work, *arguments)

    async def _enter(self) -> None:
        line = self._line
        await line.settle()
        await line.take_turn()
        line.holder = asyncio.current_task()
        try:
            await line.in_thread(self._entered.__enter__)
        except BaseException as error:
            await self._leave(error)
            raise

    async def _leave(self, error: BaseException | None) -> None:
        line = self._line
        try:
            await line.in_thread(self._entered.end, error)
        finally:
            line.holder = None
            line.pass_on()
            line.conversation.deliver()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave(error)


class CopyIn(_Copy):
    """Data on its way into the database. Made by `Connection.copy_in()`.

    Where the block fails, the server undoes what was written in it.
    """

    __slots__ = ("_block",)

    def __init__(self, line: Line, statement: str) -> None:
        self._block = blocking.CopyIn(line.conversation, statement)
        super().__init__(line, self._block)

    async def __aenter__(self) -> CopyIn:
        await self._enter()
        return self

    async def write(self, data: Bytes) -> None:
        """Send bytes in the format of the statement, cut anywhere."""
        await self._do(self._block.write, data)

    async def write_rows(self, rows: Iterable[Sequence[Any]]) -> int:
        """Send rows of values, which are read in another thread; return how many."""
        return await self._do(self._block.write_rows, rows)

    async def write_arrow(self, data: ArrowStream) -> int:
        """Send the rows of an Arrow stream, read in another thread; return how many."""
        return await self._do(self._block.write_arrow, data)


class CopyOut(_Copy):
    """Data on its way out of the database. Made by `Connection.copy_out()`.

    Iterating gives bytes. What was not read when the block is left is dropped.
    """

    __slots__ = ("_block",)

    def __init__(self, line: Line, statement: str) -> None:
        self._block = blocking.CopyOut(line.conversation, statement)
        super().__init__(line, self._block)

    async def __aenter__(self) -> CopyOut:
        await self._enter()
        return self

    async def read(self) -> bytes:
        """Return the next bytes, as many as have come; empty at the end."""
        return await self._do(self._block.read)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while block := await self.read():
            yield block

    async def write_to(self, file: BinaryIO) -> int:
        """Write all bytes to a file, in another thread; return how many."""
        return await self._do(self._block.write_to, file)

    async def rows(self) -> AsyncIterator[tuple[Any, ...]]:
        """Give the rows of a binary COPY as `Cursor.fetchone()` would.

        Raises:
            NotSupportedError: the format is another.
        """
        given = self._block.rows()

        def take() -> list[tuple[Any, ...]]:
            return [*islice(given, _ROWS)]

        while rows := await self._do(take):
            for row in rows:
                yield row
