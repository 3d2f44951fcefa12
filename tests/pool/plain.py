"""The awaited face, used as if it were the blocking one: a test is written once.

`opened()` gives a client of either face. Of the blocking face it is the client itself;
of the awaited one an object with the same names, whose calls are awaited in the loop of
the style while the test waits. So a test reads like a user's blocking program, and its
threads are tasks of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from faults.styles import Awaited, Outcome, measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from faults.styles import Style

__all__ = ["Plain", "all_at_once", "opened"]


class Plain:
    """An object of the awaited face with the manners of the blocking one."""

    def __init__(self, awaited: Any, style: Awaited) -> None:
        self.__dict__["awaited"] = awaited
        self.__dict__["_style"] = style

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.awaited, name)
        if not callable(found):
            return found

        @wraps(found)
        def call(*arguments: Any, **keywords: Any) -> Any:
            if name == "run":
                arguments = (self._in_thread(arguments[0]), *arguments[1:])
            return self._settle(found(*arguments, **keywords))

        return call

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.awaited, name, value)

    def _in_thread(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Let a blocking function be the work of `Client.run()`."""

        async def awaited_work(connection: Any, *arguments: Any) -> Any:
            plain = Plain(connection, self._style)
            return await asyncio.to_thread(work, plain, *arguments)

        return awaited_work

    def _settle(self, found: Any) -> Any:
        if isawaitable(found):
            found = self._style.run(_awaited(found))
        is_ours = type(found).__module__.startswith("engineroom.aio")
        return Plain(found, self._style) if is_ours else found

    def __enter__(self) -> Any:
        return self._settle(self.awaited.__aenter__())

    def __exit__(self, *left: Any) -> Any:
        return self._settle(self.awaited.__aexit__(*left))

    def __iter__(self) -> Iterator[Any]:
        rows = self.awaited.__aiter__()
        while True:
            try:
                yield self._settle(rows.__anext__())
            except StopAsyncIteration:
                return


async def _awaited(found: Any) -> Any:
    return await found


@contextlib.contextmanager
def opened(style: Style, url: str, **options: Any) -> Iterator[Any]:
    """Open a client; close it at the end."""
    with style.open(url, **options) as caller:
        is_awaited = isinstance(style, Awaited)
        yield Plain(caller.client, style) if is_awaited else caller.client


def all_at_once(calls: Sequence[Callable[[], object]]) -> list[Outcome]:
    """Make calls in as many threads, all from the same moment on."""
    gate = threading.Barrier(len(calls))

    def one(call: Callable[[], object]) -> Outcome:
        gate.wait()
        return measured(call)

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(one, calls))
