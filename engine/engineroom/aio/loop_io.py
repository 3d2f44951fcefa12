"""What waits, in the awaited face of the client: steps yield it, and it is awaited."""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

import asyncio
from inspect import GEN_CREATED, getgeneratorstate, isawaitable

from engineroom.aio.connection import Connection
from engineroom.aio.line import running_loop
from engineroom.aio.opening import open_location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Any, TypeVar

    from engineroom import errors
    from engineroom.connection import Location
    from engineroom.pool.lane import Slot
    from engineroom.pool.pool import Steps

    T = TypeVar("T")

__all__ = ["LoopIO", "LoopWaiter", "drive"]


async def drive(steps: Steps[T]) -> T:
    """Go through steps, and await what they yield."""
    try:
        waiting = next(steps)
        while True:
            try:
                done = await waiting
            except BaseException as error:  # noqa: PERF203 - the steps decide
                waiting = steps.throw(error)
            else:
                waiting = steps.send(done)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


class LoopWaiter:
    """A task that waits for a connection.

    Attributes:
        slot: the connection, when it has come.
        error: why none will come.
    """

    __slots__ = ("_future", "_is_woken", "error", "slot")

    def __init__(self) -> None:
        self.slot: Slot | None = None
        self.error: errors.Error | None = None
        self._is_woken = False
        self._future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let it go on."""
        self._is_woken = True
        self._end()

    def _end(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, seconds: float) -> bool:
        """Wait to be woken; false when the time is up."""
        if not self._is_woken and seconds > 0:
            loop = asyncio.get_running_loop()
            self._future = loop.create_future()
            timer = loop.call_later(seconds, self._end)
            try:
                await self._future
            finally:
                timer.cancel()
        return self._is_woken


class LoopIO:
    """Begins what steps ask for, to be awaited.

    Attributes:
        loop: the only one that the client works in.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._left: set[asyncio.Task[Any]] = set()

    def begin_anew(self) -> None:
        """Work in the loop that runs: this is a forked child of where the other is."""
        self.loop = asyncio.get_running_loop()
        # They never go on; but one that nobody holds would be complained of.
        self._left |= self._tasks
        self._tasks = set()

    def make_waiter(self) -> LoopWaiter:
        """Return what a task waits with."""
        return LoopWaiter()

    def wait(self, waiter: LoopWaiter, seconds: float) -> Awaitable[bool]:
        """Wait to be woken; false when the time is up."""
        return waiter.wait(seconds)

    def pause(self, seconds: float) -> Awaitable[None]:
        """Let time pass."""
        return asyncio.sleep(seconds)

    async def open(self, location: Location, seconds: float) -> Connection:
        """Open a connection within the time."""
        return Connection(location, await open_location(location, seconds))

    def close(self, connection: Connection) -> Awaitable[None]:
        """Close a connection."""
        return connection.close()

    def script(self, connection: Connection, sql: str) -> Awaitable[None]:
        """Run statements whose rows nobody wants."""
        return connection.executescript(sql)

    def prepare(self, connection: Connection, sql: str) -> Awaitable[None]:
        """Prepare a statement without running it."""
        line = connection._line
        reader = line.conversation.make_reader()
        return line.run(reader.resume, reader.prepare, sql)

    def ask(self, slot: Slot, sql: str) -> Awaitable[Any]:
        """Run a statement to its end."""
        line = slot.connection._line
        return line.answer(slot.conversation.make_reader(), sql, None)  # type: ignore[no-any-return]

    def rollback(self, connection: Connection) -> Awaitable[None]:
        """Undo what is open."""
        session = connection._handle.session
        return connection._line.run(session.rollback, session.rollback)

    def reach(
        self, connection: Connection
    ) -> tuple[Callable[[int], object], Callable[[], bool], Callable[[], object]]:
        """Return what a slot takes: `limit`, `is_gone` and `end`."""
        line = connection._line

        def limit(milliseconds: int) -> None:
            line.limit(milliseconds / 1000)

        # What is lost is left to its own finaliser: the loop watches its socket.
        return limit, connection._handle.session.is_gone, bool

    async def call(self, hook: Callable[..., Any], *arguments: Any) -> Any:
        """Call somebody's function, and await what it returns where it can be."""
        result = hook(*arguments)
        return await result if isawaitable(result) else result

    def do(self, work: Callable[[Slot], Awaitable[T]], slot: Slot) -> Awaitable[T]:
        """Do a call's work."""
        return work(slot)

    async def gather(self, every: Sequence[Steps[Any]]) -> list[Any]:
        """Go through several at once; return what each gave or failed with."""
        return await asyncio.gather(*map(drive, every), return_exceptions=True)

    def spawn(
        self, steps: Steps[Any], unbegun: Callable[[BaseException], object]
    ) -> None:
        """Go through them in a task of their own.

        Args:
            steps: what to do.
            unbegun: called with the reason where the task is cancelled before that.
        """

        def look(task: asyncio.Task[Any]) -> None:
            if task.cancelled() and getgeneratorstate(steps) == GEN_CREATED:
                unbegun(asyncio.CancelledError())

        task = self.settle(steps)
        if task is not None:
            task.add_done_callback(look)

    def settle(self, steps: Steps[Any]) -> asyncio.Task[Any] | None:
        """Go through what ends soon, in a task of its own."""
        if running_loop() is not self.loop:
            steps.close()  # the loop has ended, and with it what they are about
            return None
        return self.start(drive(steps))

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task, and keep hold of it until it ends."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def join(self, seconds: float) -> None:
        """Wait for the tasks that were started; end those that last longer."""
        this = asyncio.current_task()
        others = [task for task in self._tasks if task is not this]
        if not others:
            return
        _, late = await asyncio.wait(others, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
