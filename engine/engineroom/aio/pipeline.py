"""A pipeline as a block of asyncio: statements are sent without waiting for answers.

What is kept and raised is as in `engineroom.connection.pipeline`; here the waits are
awaited.
"""

from __future__ import annotations

from collections import deque

from engineroom import errors
from engineroom.connection import pipeline as blocking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from engineroom.aio.line import Line
    from engineroom.core.handle import Reader

__all__ = ["Pipeline"]


class Pipeline:
    """The context manager that `Connection.pipeline()` returns. Used once."""

    __slots__ = ("_block", "_line", "_pending")

    def __init__(self, line: Line) -> None:
        self._line = line
        self._block = blocking.Pipeline(line.conversation)
        self._pending: deque[Reader] = deque()

    @property
    def is_open(self) -> bool:
        """Whether the block has begun and not ended."""
        return self._block.is_open

    @property
    def failures(self) -> list[errors.Error]:
        """Why runs failed, in their order; the first sixteen."""
        return self._block.failures

    @property
    def failure_count(self) -> int:
        """How many have failed."""
        return self._block.failure_count

    async def add(self, reader: Reader) -> None:
        """Take care of a run that was sent."""
        self._pending.append(reader)
        if len(self._pending) >= blocking.WINDOW:
            await self._settle(blocking.WINDOW // 2)

    async def sync(self) -> None:
        """Wait for all that was sent, and raise the first failure not raised yet."""
        await self._settle(len(self._pending))
        self._block.sync()

    async def _settle(self, count: int) -> None:
        for _ in range(min(count, len(self._pending))):
            if not self._pending:
                return  # another task was quicker
            reader = self._pending.popleft()
            try:
                await self._line.run(reader.settle, reader.settle)
            except errors.Error as error:
                self._block.note(error)

    async def __aenter__(self) -> Pipeline:
        line = self._line
        await line.take_turn()
        try:
            self._block.__enter__()
        finally:
            line.pass_on()
        if line.conversation.is_server:
            line.pipelines.append(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._settle(len(self._pending))
        except BaseException as other:
            self._leave(type(other), other, None)
            raise
        self._leave(kind, error, traceback)

    def _leave(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pending.clear()
        if self in self._line.pipelines:
            self._line.pipelines.remove(self)
        self._block.__exit__(kind, error, traceback)

    def __repr__(self) -> str:
        state = "open" if self.is_open else "not open"
        return f"<engineroom.aio.Pipeline {state}, {len(self._pending)} on their way>"
