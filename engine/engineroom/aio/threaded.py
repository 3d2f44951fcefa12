"""Connections that wait by themselves: a file's, in a thread of their own."""

from __future__ import annotations

import sys

from engineroom.aio.line import Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any

    from engineroom.aio.line import Row, Step
    from engineroom.connection.conversation import Conversation
    from engineroom.core.handle import Reader
    from engineroom.dbapi.cursor import Parameters

__all__ = ["ThreadedLine"]


class ThreadedLine(Line):
    """The turns of a connection whose work is done in one thread."""

    __slots__ = ("_thread",)

    def __init__(self, conversation: Conversation, thread: ThreadPoolExecutor) -> None:
        super().__init__(conversation, thread)
        self._thread = thread

    def start(
        self, again: Step, first: Step, *arguments: Any
    ) -> Awaitable[object] | None:
        """Begin an operation; there is only one step."""
        del again
        return self.in_thread(first, *arguments)

    async def fetch(self, reader: Reader, rows: list[Row], most: int) -> None:
        """Add rows to the list until it holds the most, or there are no more."""
        if most == sys.maxsize:
            rows += await self.run_in_thread(reader.fetchall)
        else:
            rows += await self.run_in_thread(reader.fetchmany, most - len(rows))

    async def answer(
        self, reader: Reader, operation: str, parameters: Parameters
    ) -> list[Row]:
        """Run a statement and return all its rows, with one turn for both."""
        return await self.run_in_thread(_answer, reader, operation, parameters)

    def abandon(self) -> None:
        """Stop what is being done, whoever does it: the connection is given up."""
        self.handle.interrupt()

    def interrupt(self) -> None:
        """Stop what is being done, from any thread."""
        self.handle.interrupt()

    async def close(self) -> None:
        """Close the connection, with the turn taken."""
        await self.in_thread(self.handle.close)
        self._thread.shutdown(wait=False)


def _answer(reader: Reader, operation: str, parameters: Parameters) -> list[Row]:
    reader.execute(operation, parameters)
    return reader.fetchall() if reader.has_result else []
