"""Stops a task of the event loop at one chosen step, and looks what it left behind.

A coroutine is gone through as its task does it, and each thing that it waits for is
counted. At the chosen one its task is cancelled: as soon as it waits (`waiting`), or
when what it waits for has come and it has not gone on yet (`woken`), or twice.
"""

from __future__ import annotations

import asyncio
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

__all__ = ["books", "other_tasks", "settled", "stopped_at"]


class _Stopped:
    """A coroutine whose task is cancelled at its step of this number.

    Attributes:
        steps: how often it has waited.
    """

    def __init__(self, at: int, manner: str) -> None:
        self.steps = 0
        self._at = at
        self._manner = manner
        self.task: asyncio.Task[Any] | None = None

    @types.coroutine
    def through(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Go through a coroutine."""
        send: Callable[[Any], Any] = work.send
        given: Any = None
        while True:
            try:
                waits_for = send(given)
            except StopIteration as end:
                return end.value
            if self.steps == self._at:
                self._cancel(waits_for)
            self.steps += 1
            try:
                given = yield waits_for
            except BaseException as error:
                send, given = work.throw, error
            else:
                send = work.send

    def _cancel(self, waits_for: Any) -> None:
        assert self.task is not None
        loop, cancel = asyncio.get_running_loop(), self.task.cancel
        if self._manner == "woken" and isinstance(waits_for, asyncio.Future):
            waits_for.add_done_callback(lambda _: cancel())
            return
        loop.call_soon(cancel)
        if self._manner == "twice":
            loop.call_soon(lambda: loop.call_soon(cancel))


async def stopped_at(
    at: int, manner: str, work: Callable[[], Coroutine[Any, Any, Any]]
) -> tuple[bool, BaseException | None]:
    """Run work in a task that is stopped.

    Returns:
        Whether it ended before it could be stopped, and what it failed with.
    """
    stop = _Stopped(at, manner)

    async def whole() -> Any:
        return await stop.through(work())

    stop.task = asyncio.get_running_loop().create_task(whole())
    done, _ = await asyncio.wait((stop.task,), timeout=20)
    assert done, f"a task that was cancelled at step {at} ({manner}) goes on for ever"
    if stop.task.cancelled():
        return False, asyncio.CancelledError()
    return stop.steps <= at, stop.task.exception()


def books(client: Any) -> dict[str, tuple[int, int, int, bool]]:
    """Return what must be nothing where nobody uses a client, by lane."""
    return {
        lane.name: (lane.in_use, lane.waiting, lane.opening, lane.is_starting)
        for lane in client._pool.lanes
    }


async def settled(is_so: Callable[[], object], note: object) -> None:
    """Wait until something is so."""
    loop = asyncio.get_running_loop()
    until = loop.time() + 10
    while not is_so():
        assert loop.time() < until, note
        await asyncio.sleep(0.001)


def other_tasks(*known: object) -> list[asyncio.Task[Any]]:
    """Return the tasks of the loop but this one and those that are known."""
    expected = (asyncio.current_task(), *known)
    return [task for task in asyncio.all_tasks() if task not in expected]
