"""What waits, in the blocking face: it is done when it is asked for."""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

import threading
import time
from _thread import allocate_lock

from engineroom.connection import open_location
from engineroom.dbapi import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from engineroom import errors
    from engineroom.connection import Location
    from engineroom.pool.lane import Slot
    from engineroom.pool.pool import Steps

    T = TypeVar("T")

__all__ = ["ThreadIO", "ThreadWaiter", "run"]


def run(steps: Steps[T]) -> T:
    """Go through steps; what they yield has been done when they yield it."""
    given: Any = None
    generator: Any = steps
    while True:
        try:
            try:
                given = steps.send(given)
            except BaseException as error:
                if generator.gi_frame is None:  # it is theirs
                    raise
                # It came between two of them, as Ctrl-C does: they have to hear of it.
                given = steps.throw(error)
        except StopIteration as end:  # noqa: PERF203 - once
            return end.value  # type: ignore[no-any-return]


class ThreadWaiter:
    """A thread that waits for a connection.

    Attributes:
        slot: the connection, when it has come.
        error: why none will come.
    """

    __slots__ = ("_gate", "error", "slot")

    def __init__(self) -> None:
        self.slot: Slot | None = None
        self.error: errors.Error | None = None
        self._gate = allocate_lock()
        self._gate.acquire()

    def wake(self) -> None:
        """Let it go on."""
        if self._gate.locked():
            self._gate.release()

    def wait(self, seconds: float) -> bool:
        """Wait to be woken; false when the time is up."""
        return self._gate.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))


class ThreadIO:
    """Does what steps ask for, in the thread that goes through them."""

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()

    def make_waiter(self) -> ThreadWaiter:
        """Return what a thread waits with."""
        return ThreadWaiter()

    def wait(self, waiter: ThreadWaiter, seconds: float) -> bool:
        """Wait to be woken; false when the time is up."""
        return waiter.wait(seconds)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def open(self, location: Location, seconds: float) -> Connection:
        """Open a connection within the time."""
        return Connection(location, open_location(location, seconds))

    def close(self, connection: Connection) -> None:
        """Close a connection."""
        connection.close()

    def script(self, connection: Connection, sql: str) -> None:
        """Run statements whose rows nobody wants."""
        connection.executescript(sql)

    def prepare(self, connection: Connection, sql: str) -> None:
        """Prepare a statement without running it."""
        connection._conversation.make_reader().prepare(sql)

    def ask(self, slot: Slot, sql: str) -> None:
        """Run a statement to its end."""
        reader = slot.conversation.make_reader()
        reader.execute(sql, None)
        reader.fetchall()

    def rollback(self, connection: Connection) -> None:
        """Undo what is open."""
        connection._handle.session.rollback()

    def reach(
        self, connection: Connection
    ) -> tuple[Callable[[int], object], Callable[[], bool], Callable[[], object]]:
        """Return what a slot takes: `limit`, `is_gone` and `end`."""
        handle = connection._handle
        return handle.session.limit, handle.session.is_gone, handle.forget

    def call(self, hook: Callable[..., T], *arguments: Any) -> T:
        """Call somebody's function."""
        return hook(*arguments)

    def do(self, work: Callable[[Slot], T], slot: Slot) -> T:
        """Do a call's work."""
        return work(slot)

    def gather(self, every: Sequence[Steps[Any]]) -> list[Any]:
        """Go through several at once; return what each gave or failed with."""
        outcomes: list[Any] = [None] * len(every)

        def go(index: int) -> None:
            try:
                outcomes[index] = run(every[index])
            except BaseException as error:
                outcomes[index] = error

        threads = [threading.Thread(target=go, args=(n,)) for n in range(len(every))]
        for thread in threads:
            thread.daemon = True
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes

    def spawn(
        self, steps: Steps[Any], unbegun: Callable[[BaseException], object]
    ) -> None:
        """Go through them in a thread of their own.

        Args:
            steps: what to do.
            unbegun: called with the reason where there is no thread to be had.
        """

        def go() -> None:
            try:
                run(steps)
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=go, name="engineroom", daemon=True)
        try:
            self._threads.add(thread)
            thread.start()
        except BaseException as error:
            if thread.ident is None:
                self._threads.discard(thread)
                unbegun(error)
            raise

    def settle(self, steps: Steps[Any]) -> None:
        """Go through what ends soon, here and now."""
        run(steps)

    def join(self, seconds: float) -> None:
        """Wait for the threads that were started."""
        until = time.monotonic() + seconds
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
