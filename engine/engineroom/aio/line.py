"""What a connection's operations go through, one after the other, on an event loop.

An operation takes its turn, does its work and passes the turn on. How the work waits
differs: a file's database waits in a thread (threaded.py), a server's is done in steps
(stepped.py) and only what is rare uses a thread.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import CancelledError, events
from collections import deque
from functools import partial
from math import ceil

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor
    from typing import Any, TypeVar, Union

    from engineroom.aio.pipeline import Pipeline
    from engineroom.connection.conversation import Conversation
    from engineroom.core.handle import Reader
    from engineroom.dbapi.cursor import Parameters

    Row = tuple[Any, ...]
    Result = TypeVar("Result")
    # Answers None when it is done, else what it has to wait for.
    Step = Callable[..., Union[int, None]]

__all__ = ["CancelledError", "Line", "running_loop"]

# How long after one interruption the next follows: the first may come before the work.
_AGAIN_SECONDS = 0.02

running_loop = events._get_running_loop  # noqa: SLF001 - does not raise without a loop


class Line:
    """The turns of one connection.

    Args:
        conversation: of the connection.
        executor: where work is done that waits by itself; None for the loop's own.

    Attributes:
        conversation: what the connection is in the middle of.
        handle: the connection itself.
        holder: the task that keeps the turn for a block, if any.
        is_taken: whether an operation has the turn.
        loop: the only one in which the connection may be used.
        pipelines: the blocks that are open, the outermost first.
    """

    __slots__ = (
        "__weakref__",
        "_executor",
        "_listeners",
        "_pid",
        "_queue",
        "conversation",
        "handle",
        "holder",
        "is_taken",
        "loop",
        "pipelines",
    )

    def __init__(self, conversation: Conversation, executor: Executor | None) -> None:
        self.conversation = conversation
        self.handle = conversation.handle
        self.holder: asyncio.Task[Any] | None = None
        self.is_taken = False
        self.pipelines: list[Pipeline] = []
        self._listeners: list[asyncio.Future[None]] = []
        self.loop = events.get_running_loop()
        self._executor = executor
        self._pid = os.getpid()
        self._queue: deque[asyncio.Future[None]] = deque()

    def check_loop(self) -> None:
        """Refuse every loop but the one that the connection was opened in.

        Raises:
            UsedAfterFork: that one is the parent process's.
            UsedByAnotherLoop: it is another of this process.
        """
        if running_loop() is self.loop:
            return
        self.handle.about("server_version")  # raises where the process is another
        raise errors.UsedByAnotherLoop(
            "The connection was opened in another event loop",
            hint="open a connection in each loop",
        )

    async def take_turn(self) -> None:
        """Return when all who came before have had their turns, and it is ours."""
        self.check_loop()
        if not self.is_taken:
            self.is_taken = True
            return
        if self.holder is not None and asyncio.current_task() is self.holder:
            raise errors.Misuse(
                "The connection is in the middle of a COPY",
                hint="use another connection inside the block",
            )
        turn = self.loop.create_future()
        self._queue.append(turn)
        try:
            await turn
        except CancelledError:
            if turn.done() and not turn.cancelled():
                self.pass_on()
            raise

    def pass_on(self) -> None:
        """Give the turn to who has waited longest."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.is_taken = False

    def start(
        self, again: Step, first: Step, *arguments: Any
    ) -> Awaitable[object] | None:
        """Begin an operation, with the turn taken.

        Args:
            again: what goes on with it, where it is done in steps.
            first: what begins it.
            arguments: for `first`.

        Returns:
            What has to be awaited; None if it is done.
        """
        raise NotImplementedError

    async def run(self, again: Step, first: Step, *arguments: Any) -> None:
        """Do an operation from taking the turn to passing it on."""
        if self.is_taken:
            await self.take_turn()
        self.is_taken = True
        try:
            waiting = self.start(again, first, *arguments)
            if waiting is not None:
                await waiting
        finally:
            self.pass_on()

    async def run_in_thread(
        self, work: Callable[..., Result], *arguments: Any
    ) -> Result:
        """Do work that waits by itself, from taking the turn to passing it on."""
        await self.take_turn()
        try:
            return await self.in_thread(work, *arguments)
        finally:
            self.pass_on()

    async def in_thread(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do work that waits by itself in a thread, with the turn taken.

        A task that is cancelled meanwhile stops the work and sees it end.
        """
        self.check_loop()
        if self.handle.is_closed:
            return work(*arguments)  # the engine refuses it at once
        future = self.loop.run_in_executor(self._executor, work, *arguments)
        cancelled: CancelledError | None = None
        while not future.done():
            pause = None if cancelled is None else _AGAIN_SECONDS
            try:
                await asyncio.wait((future,), timeout=pause)
            except CancelledError as error:
                cancelled = error
            if cancelled is not None and not future.done():
                self.handle.interrupt()
        if cancelled is not None:
            future.exception()  # looked at, or the loop would speak of it
            raise cancelled
        try:
            return future.result()
        finally:
            del future  # whose failure's traceback knows this frame

    async def run_script(self, sql: str) -> None:
        """Run statements, from taking the turn to passing it on."""
        step = partial(self.handle.session.executescript, sql)
        await self.run(step, step)

    async def settle(self) -> None:
        """Wait for all that pipelines have sent; raise the first failure."""
        for pipeline in self.pipelines:
            await pipeline.sync()

    async def listen(self, timeout_seconds: float | None) -> None:
        """Wait until something may have come unasked, or the time is up."""
        self.check_loop()
        arrival = self.loop.create_future()
        self._listeners.append(arrival)
        try:
            await asyncio.wait((arrival,), timeout=timeout_seconds)
        finally:
            if arrival in self._listeners:
                self._listeners.remove(arrival)

    def announce(self) -> None:
        """Tell those who listen that something may have come."""
        listeners, self._listeners = self._listeners, []
        for arrival in listeners:
            if not arrival.done():
                arrival.set_result(None)

    async def fetch(self, reader: Reader, rows: list[Row], most: int) -> None:
        """Add rows to the list until it holds the most, or there are no more."""
        raise NotImplementedError

    async def answer(
        self, reader: Reader, operation: str, parameters: Parameters
    ) -> list[Row]:
        """Run a statement and return all its rows, with one turn for both."""
        raise NotImplementedError

    def limit(self, seconds: float) -> None:
        """Have every operation end within so many seconds from now.

        Args:
            seconds: 0 takes the limit away; less is a time that has passed already.
        """
        milliseconds = ceil(seconds * 1000)
        if not milliseconds and seconds:
            milliseconds = -1  # 0 would be no limit
        self.handle.session.limit(milliseconds)

    def interrupt(self) -> None:
        """Stop what is being done, from any thread."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Stop what is being done, whoever does it: the connection is given up."""
        raise NotImplementedError

    async def end(self) -> None:
        """Close the connection when all who came before have had their turns."""
        if self._pid != os.getpid():
            self.handle.close()  # touches nothing of the parent's
            return
        if self.handle.is_closed:
            return
        await self.take_turn()
        try:
            if not self.handle.is_closed:
                await self.close()
        finally:
            self.pass_on()

    async def close(self) -> None:
        """Close the connection, with the turn taken."""
        raise NotImplementedError
