"""Opens a connection without holding up the event loop.

A server's is opened in steps. To look up a host's name and to compute what TLS and a
password need takes its time, so each step is made in a thread; the waits between them
are the loop's. A file's is opened in the thread that is going to serve it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from math import inf

from engineroom import errors
from engineroom.aio.stepped import SteppedLine
from engineroom.aio.threaded import ThreadedLine
from engineroom.connection import explain, locate
from engineroom.connection.conversation import Conversation
from engineroom.core.handle import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from typing import Any, TypeVar

    from engineroom.aio.line import Line
    from engineroom.connection import Location

    Result = TypeVar("Result")

__all__ = ["open_line", "open_location"]

_WANT_READ = 14
_VALUES = {
    "sqlite": ("datetime", "decimal", "engineroom.core.values"),
    "postgres": ("datetime", "uuid", "engineroom.core.postgres_values"),
}
# How long to wait before a step may look whether the server has had its time.
_SLICE_SECONDS = 0.2


async def open_line(
    url: str, *, is_autocommit: bool | None, timeout_seconds: float | None = None
) -> tuple[Location, Line]:
    """Return where the URL leads and the line of a new connection to it.

    Args:
        url: see `engineroom.connection.url`.
        is_autocommit: overrides the URL's setting where it is not None.
        timeout_seconds: how long it may take in all, over every host and address.

    Raises:
        Error: as `engineroom.connection.open_connection`.
    """
    location = locate(url, is_autocommit=is_autocommit)
    return location, await open_location(location, timeout_seconds)


async def open_location(location: Location, timeout_seconds: float | None) -> Line:
    """Return the line of a new connection to where a URL leads; as `open_line()`."""
    try:
        if location.server is None:
            return await _open_file(location, timeout_seconds)
        return await _open_server(location, timeout_seconds)
    except errors.Error as error:
        better = explain(location, error)
        if better is error:
            raise
        raise better from (None if location.server else error)


async def _open_file(location: Location, timeout_seconds: float | None) -> Line:
    thread = ThreadPoolExecutor(1, "engineroom")
    try:
        begin = partial(_begin, location, timeout_seconds)
        opening = await _in_thread(thread, begin)
        want = await _in_thread(thread, opening.step, opening)
        assert want is None, "a file is opened in one step"
        return ThreadedLine(Conversation(opening.finish()), thread)
    except BaseException:
        thread.shutdown(wait=False)
        raise


async def _open_server(location: Location, timeout_seconds: float | None) -> Line:
    opening = await _in_thread(None, partial(_begin, location, timeout_seconds))
    step = partial(_in_thread, None, opening.step, opening)
    while (want := await step(opening.left())) is not None:
        await _wait(opening, want)
    timeout_ms = int(location.settings.get("timeout_ms", "0"))
    return SteppedLine(Conversation(opening.finish()), timeout_ms / 1000)


def _begin(location: Location, timeout_seconds: float | None) -> Opening:
    # What values are made of, which would else be imported when the first one comes,
    # with the whole loop waiting.
    for name in _VALUES[location.backend]:
        import_module(name)
    return Opening(
        location.backend, location.settings, location.display, timeout_seconds
    )


async def _in_thread(
    executor: Executor | None,
    work: Callable[[], Result],
    opening: Opening | None = None,
    timeout_seconds: float = inf,
) -> Result:
    """Do the work in a thread.

    It cannot be stopped, but has an end. Of a task that is cancelled, or whose time is
    up, the opening is given up then.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, work)
    timeout = None if timeout_seconds == inf else timeout_seconds
    try:
        await asyncio.wait((future,), timeout=timeout)
    except asyncio.CancelledError:
        _give_up_after(future, opening)
        raise
    if not future.done() and opening is not None:
        _give_up_after(future, opening)
        raise opening.why_late()
    return future.result()


def _give_up_after(future: asyncio.Future[Any], opening: Opening | None) -> None:
    def give_up(ended: asyncio.Future[Any]) -> None:
        ended.exception()  # looked at, or the loop would speak of it
        if opening is not None:
            opening.give_up()

    future.add_done_callback(give_up)


async def _wait(opening: Opening, want: int) -> None:
    """Wait until the socket can do what is asked for, or for a moment."""
    loop = asyncio.get_running_loop()
    slice_seconds = min(_SLICE_SECONDS, opening.left())
    socket = opening.socket
    ready = loop.create_future()
    watch, unwatch = loop.add_reader, loop.remove_reader
    if want != _WANT_READ:
        watch, unwatch = loop.add_writer, loop.remove_writer
    timer = loop.call_later(slice_seconds, _wake, ready)
    watch(socket, _wake, ready)
    try:
        await ready
    except asyncio.CancelledError:
        unwatch(socket)
        opening.give_up()
        raise
    finally:
        unwatch(socket)
        timer.cancel()


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
