"""Connections that work in steps: a server's, on the event loop.

The loop watches the connection's socket for as long as both live. When something has
come, the operation that has the turn makes its next step, and when that was the last
its task goes on there and then: to wake it through a future would take the loop another
round, and such rounds are much of what a short query costs here.

A task that is cancelled does not leave before what it began is over: the server is
asked to stop, over a connection of its own, and what it still sends is read.
"""

from __future__ import annotations

import os
from asyncio import sleep
from functools import partial
from sys import maxsize
from weakref import ref

from engineroom import errors
from engineroom.aio.clock import Clock
from engineroom.aio.line import CancelledError, Line, running_loop
from engineroom.aio.stop import PATIENCE_SECONDS, STOP_SECONDS, Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Awaitable, Callable, Generator
    from contextvars import Context
    from typing import Any

    from engineroom.aio.line import Result, Row, Step
    from engineroom.connection.conversation import Conversation
    from engineroom.core import Handle
    from engineroom.core.handle import Reader
    from engineroom.dbapi.cursor import Parameters

__all__ = ["SteppedLine"]

# How long a server may take to hear that the time is up, and until it is asked again.
_LATE_STOP_SECONDS = 0.1
_LATE_PATIENCE_SECONDS = 0.02
# How long rows may be made before others get a turn of the loop.
_SHARE_SECONDS = 0.001
# qe_status, as native/abi/qe_abi.h numbers it.
_WANT_READ = 14


class SteppedLine(Line):
    """The turns of a connection that works in steps.

    It is itself what the task awaits, for asyncio takes for a future what has
    `_asyncio_future_blocking` and the methods of one:
    https://docs.python.org/3/library/asyncio-future.html#asyncio.isfuture
    One operation at a time has the turn, so there need not be one for each.

    Args:
        conversation: of an open connection with a socket.
        timeout_seconds: how long one operation may wait for the server; 0 for ever.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_clock",
        "_context",
        "_error",
        "_is_done",
        "_is_watched",
        "_is_writing",
        "_share_until",
        "_socket",
        "_step",
        "_stop",
        "_stop_timer",
        "_stopped_with",
        "_wake",
    )

    def __init__(self, conversation: Conversation, timeout_seconds: float) -> None:
        super().__init__(conversation, None)
        self._asyncio_future_blocking = False
        self._context: Context | None = None
        self._wake: Callable[[Any], object] | None = None
        self._step: Step | None = None
        self._is_done = True
        self._error: BaseException | None = None
        self._stop: Stop | None = None
        self._stop_timer: TimerHandle | None = None
        self._stopped_with: BaseException | None = None
        self._is_watched = False
        self._is_writing = False
        self._share_until = 0.0
        self._socket = self.handle.socket
        self._clock = Clock(self.loop, timeout_seconds, partial(_on_time, ref(self)))
        self.handle.set_stepped(True)
        self._watch()

    # Operations.

    def start(
        self, again: Step, first: Step, *arguments: Any
    ) -> Awaitable[object] | None:
        """Begin an operation; return what has to be awaited, None if it is done."""
        if running_loop() is not self.loop:
            self.check_loop()
        want = first(*arguments)
        if want is None:
            # What it read on the way may have had something for those who listen.
            if self._listeners:
                self.announce()
            return None
        self._step = again
        self._error = None
        self._is_done = False
        if not self._is_watched:
            self._watch()
        if want != _WANT_READ:
            self._watch_writing()
        if self._clock.is_wanted:
            self._clock.start()
        return self

    async def fetch(self, reader: Reader, rows: list[Row], most: int) -> None:
        """Add rows to the list until it holds the most, or there are no more."""
        await self.take_turn()
        try:
            await self._load(reader, rows, most)
        finally:
            self.pass_on()

    async def answer(
        self, reader: Reader, operation: str, parameters: Parameters
    ) -> list[Row]:
        """Run a statement and return all its rows, with one turn for both."""
        if self.is_taken:
            await self.take_turn()
        self.is_taken = True
        try:
            waiting = self.start(reader.resume, reader.execute, operation, parameters)
            if waiting is not None:
                await waiting
            rows = reader.take(maxsize) if reader.has_result else []
            if reader.is_running:
                await self._load(reader, rows, maxsize)
        finally:
            self.pass_on()
        return rows

    async def _load(self, reader: Reader, rows: list[Row], most: int) -> None:
        clock = self.loop.time
        while len(rows) < most and reader.is_running:
            waiting = self.start(reader.load, reader.load)
            if waiting is not None:
                await waiting
                self._share_until = clock() + _SHARE_SECONDS
            elif clock() > self._share_until:
                await sleep(0)
                self._share_until = clock() + _SHARE_SECONDS
            rows += reader.take(most - len(rows))

    async def in_thread(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do work that waits by itself in a thread; with the turn taken."""
        self.check_loop()
        self._unwatch()
        self.handle.set_stepped(False)
        try:
            return await super().in_thread(work, *arguments)
        finally:
            if not self.handle.is_closed:
                self.handle.set_stepped(True)
                self._watch()
            self.announce()

    def interrupt(self) -> None:
        """Stop what is being done, from any thread."""
        self.handle.interrupt()  # what a thread does
        if running_loop() is self.loop:
            self._interrupt()
        else:
            self.loop.call_soon_threadsafe(self._interrupt)

    async def close(self) -> None:
        """Close the connection; with the turn taken."""
        self.check_loop()
        self._shut()

    def abandon(self) -> None:
        """Stop what is being done, whoever does it: the connection is given up."""
        if self._is_done:
            self._shut()
        else:
            late = errors.LeaseEnded()
            self._begin_stop(late, _LATE_STOP_SECONDS, _LATE_PATIENCE_SECONDS)

    # What the loop calls.

    def go_on(self) -> None:
        """Make the next step: the socket can be read, or written to."""
        step = self._step
        if step is None:
            self._look()
            return
        try:
            want = step()
        except BaseException as error:
            self._error = error
            want = None
        # The task goes on in here, so not while the error is being handled: it would
        # be the context of whatever the task raises next.
        if want is None:
            self._finish()
        elif (want != _WANT_READ) is not self._is_writing:
            if self._is_writing:
                self._unwatch_writing()
            else:
                self._watch_writing()

    def _look(self) -> None:
        """Something has come that nobody waits for."""
        handle = self.handle
        try:
            if handle.about("is_idle") == "yes":
                handle.poll()
                self.announce()
                self.conversation.deliver()
                return
        except errors.Error:
            # The connection is lost, which the next operation says.
            self.announce()
        # Or there are rows of a result that is not read to its end: they stay where
        # they are until they are asked for.
        self._unwatch()

    def _finish(self) -> None:
        """Note that the operation is over, and end it unless it is being stopped."""
        self._step = None
        if self._is_writing:
            self._unwatch_writing()
        if self._listeners:
            self.announce()
        if self._stop is None:
            self._end()
        elif not self._stop.is_asking:
            self._end_stopped()

    def _end(self) -> None:
        """Wake the task. It may begin another operation before this returns."""
        self._is_done = True
        wake, context = self._wake, self._context
        self._wake = self._context = None
        if wake is not None and context is not None:
            context.run(wake, self)

    # Stopping.

    def _begin_stop(
        self,
        reason: BaseException,
        seconds: float = STOP_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        if not isinstance(self._stopped_with, CancelledError):  # which goes first
            self._stopped_with = reason
        if self._stop is None:
            self._stop = Stop(
                self.loop, self.handle, self._stop_is_heard, patience_seconds
            )
            self._stop_timer = self.loop.call_later(seconds, self._give_up)
            self._stop.go_on()

    def _stop_is_heard(self) -> None:
        if self._step is None and not self._is_done:
            self._end_stopped()

    def _end_stopped(self) -> None:
        reason, self._stopped_with = self._stopped_with, None
        timer, self._stop_timer = self._stop_timer, None
        if timer is not None:
            timer.cancel()
        if self._stop is not None:
            self._stop.end()
            self._stop = None
        # What was to be interrupted may have come to its end before; not so a task that
        # was cancelled, which has to hear of it, or one whose time is up.
        if isinstance(reason, errors.TimedOut):
            self._shut()
        if self._error is not None or not isinstance(reason, errors.Interrupted):
            self._error = reason
        self._end()

    def _give_up(self) -> None:
        """End a connection whose server does not stop."""
        if self._stop is not None:
            self._stop.end()  # before its socket is closed
        self._shut()
        self._step = None
        self._error = self._stopped_with
        self._end_stopped()

    def _interrupt(self) -> None:
        if not self._is_done:
            stopped = errors.Interrupted("The query was stopped")
            stopped.was_sent = True
            self._begin_stop(stopped)

    # Time.

    def limit(self, seconds: float) -> None:
        """Have every operation end within so many seconds from now.

        Args:
            seconds: 0 takes the limit away; less is a time that has passed already.
        """
        super().limit(seconds)  # refuses what begins too late, and is a thread's
        self._clock.limit(seconds)
        if not self._is_done and self._clock.is_wanted:
            self._clock.start()

    def look_at_clock(self) -> None:
        """Have the operation stopped and the connection given up: the time is up.

        The server would else go on for as long as the statement takes.
        """
        if not self._is_done and self._stop is None:
            late = self._clock.why()
            self._begin_stop(late, _LATE_STOP_SECONDS, _LATE_PATIENCE_SECONDS)

    # Being a future.

    def __await__(self) -> Generator[Any, None, None]:
        self._asyncio_future_blocking = True
        yield self

    def add_done_callback(
        self, wake: Callable[[Any], object], *, context: Context
    ) -> None:
        """Note whom to wake."""
        self._wake = wake
        self._context = context

    def cancel(self, msg: object = None) -> bool:
        """Begin to stop the operation; its task hears of it at the end."""
        if self._is_done:
            return False
        self._begin_stop(CancelledError() if msg is None else CancelledError(msg))
        return True

    def done(self) -> bool:
        """Whether the operation is over."""
        return self._is_done

    def get_loop(self) -> AbstractEventLoop:
        """Return the loop."""
        return self.loop

    def result(self) -> None:
        """Raise what the operation failed with."""
        error, self._error = self._error, None
        if error is None:
            return
        try:
            raise error
        finally:
            del error  # whose traceback knows this frame

    # The socket.

    def _watch(self) -> None:
        self._is_watched = True
        self.loop.add_reader(self._socket, _on_ready, ref(self))

    def _unwatch(self) -> None:
        if self._is_writing:
            self._unwatch_writing()
        if self._is_watched:
            self._is_watched = False
            self.loop.remove_reader(self._socket)

    def _watch_writing(self) -> None:
        self._is_writing = True
        self.loop.add_writer(self._socket, _on_ready, ref(self))

    def _unwatch_writing(self) -> None:
        self._is_writing = False
        self.loop.remove_writer(self._socket)

    def _shut(self) -> None:
        self._unwatch()
        self.announce()
        self.handle.close()

    def __del__(self) -> None:
        if not self._is_watched or self.loop.is_closed():
            return
        if self._pid != os.getpid():
            return  # what the loop watches is the parent's
        if running_loop() is not self.loop and self.loop.is_running():
            # The handle lives until then, and with it the socket's number.
            self.loop.call_soon_threadsafe(
                _forget, self.loop, self._socket, self.handle
            )
        else:
            self._unwatch()


# The loop holds a connection only weakly, so that one that is forgotten warns.
def _on_ready(line: Callable[[], SteppedLine | None]) -> None:
    found = line()
    if found is not None:
        found.go_on()


def _on_time(line: Callable[[], SteppedLine | None]) -> None:
    found = line()
    if found is not None:
        found.look_at_clock()


def _forget(loop: AbstractEventLoop, socket: int, _handle: Handle) -> None:
    loop.remove_reader(socket)
    loop.remove_writer(socket)
