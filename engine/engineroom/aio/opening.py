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
    from typing import TypeVar

    from engineroom.aio.line import Line
    from engineroom.connection import Location

    Result = TypeVar("Result")

__all__ = ["open_line"]

_WANT_READ = 14
_VALUES = {
    "sqlite": ("datetime", "decimal", "engineroom.core.values"),
    "postgres": ("datetime", "uuid", "engineroom.core.postgres_values"),
}
# How long to wait before a step may look whether the server has had its time.
_SLICE_SECONDS = 0.2


async def open_line(url: str, *, is_autocommit: bool | None) -> tuple[Location, Line]:
    """Return where the URL leads and the line of a new connection to it.

    Raises:
        Error: as `engineroom.connection.open_connection`.
    """
    location = locate(url, is_autocommit=is_autocommit)
    try:
        if location.server is None:
            return location, await _open_file(location)
        return location, await _open_server(location)
    except errors.Error as error:
        better = explain(location, error)
        if better is error:
            raise
        raise better from (None if location.server else error)


async def _open_file(location: Location) -> Line:
    thread = ThreadPoolExecutor(1, "engineroom")
    try:
        opening = await _in_thread(thread, partial(_begin, location))
        want = await _in_thread(thread, opening.step, opening)
        assert want is None, "a file is opened in one step"
        return ThreadedLine(Conversation(opening.finish()), thread)
    except BaseException:
        thread.shutdown(wait=False)
        raise


async def _open_server(location: Location) -> Line:
    opening = await _in_thread(None, partial(_begin, location))
    while (want := await _in_thread(None, opening.step, opening)) is not None:
        await _wait(opening, want)
    timeout_ms = int(location.settings.get("timeout_ms", "0"))
    return SteppedLine(Conversation(opening.finish()), timeout_ms / 1000)


def _begin(location: Location) -> Opening:
    # What values are made of, which would else be imported when the first one comes,
    # with the whole loop waiting.
    for name in _VALUES[location.backend]:
        import_module(name)
    return Opening(location.backend, location.settings, location.display)


async def _in_thread(
    executor: Executor | None,
    work: Callable[[], Result],
    opening: Opening | None = None,
) -> Result:
    """Do the work in a thread; of a task that is cancelled the opening is given up."""
    future = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if opening is not None:
            # The step cannot be stopped, but has an end.
            future.add_done_callback(lambda _: opening.give_up())
        raise


async def _wait(opening: Opening, want: int) -> None:
    """Wait until the socket can do what is asked for, or for a moment."""
    loop = asyncio.get_running_loop()
    socket = opening.socket
    ready = loop.create_future()
    watch, unwatch = loop.add_reader, loop.remove_reader
    if want != _WANT_READ:
        watch, unwatch = loop.add_writer, loop.remove_writer
    timer = loop.call_later(_SLICE_SECONDS, _wake, ready)
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
