"""One way to use both faces of a client, so that each test is written once.

`Blocking` calls `engineroom.open()` from threads. `Awaited` calls
`engineroom.aio.open()` in a loop that runs in a thread of its own: what a test does at
once are tasks of that loop. The methods are the same and all of them wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from postgres.programs import wait_until

import engineroom
import engineroom.aio

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

__all__ = [
    "Awaited",
    "Blocking",
    "Outcome",
    "Style",
    "figure",
    "measured",
    "own_threads",
]


class Outcome(NamedTuple):
    """How a call ended: what it returned or raised, when it began, how long it took."""

    value: object
    error: Exception | None
    began: float
    seconds: float

    @property
    def ended(self) -> float:
        """When it ended."""
        return self.began + self.seconds

    @property
    def word(self) -> str:
        """The word of its fault, or `answer`."""
        if self.error is None:
            return "answer"
        return str(getattr(self.error, "fault", type(self.error).__name__))


def measured(call: Callable[[], object]) -> Outcome:
    """Make a call and tell how it ended."""
    began = time.monotonic()
    try:
        value, error = call(), None
    except Exception as raised:
        value, error = None, raised
    return Outcome(value, error, began, time.monotonic() - began)


def figure(client: Any, kind: str, name: str) -> float:
    """Return a client's counter or gauge, summed over its labels."""
    found = client.snapshot()[kind]
    return float(
        sum(value for key, value in found.items() if key.split("{")[0] == name)
    )


def own_threads() -> set[threading.Thread]:
    """Return all threads but those that a loop keeps for whatever may block."""
    return {one for one in threading.enumerate() if not one.name.startswith("asyncio_")}


class BlockingCaller:
    """A client of the blocking face.

    Attributes:
        client: itself, for what never waits.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def call(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Call one of the client's methods and wait for it."""
        return getattr(self.client, name)(*arguments, **keywords)

    def together(self, name: str, calls: Sequence[tuple[Any, ...]]) -> list[Outcome]:
        """Make many calls of a method at once, each in a thread of its own."""
        gate = threading.Barrier(len(calls))

        def one(arguments: tuple[Any, ...]) -> Outcome:
            gate.wait()
            return measured(lambda: self.call(name, *arguments))

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(one, calls))

    def transact(
        self,
        statements: Sequence[tuple[Any, ...]],
        *,
        before_last: Callable[[], object] | None = None,
    ) -> None:
        """Run statements in one transaction; do something before the last of them."""
        with self.client.transaction() as connection:
            for statement in statements[:-1]:
                connection.execute(*statement)
            if before_last is not None:
                before_last()
            connection.execute(*statements[-1])

    @contextlib.contextmanager
    def lease(self, **keywords: Any) -> Iterator[None]:
        """Keep a connection of the pool for a while."""
        with self.client.connection(**keywords):
            yield


class AwaitedCaller:
    """A client of the asyncio face; see `BlockingCaller`."""

    def __init__(self, client: Any, run: Callable[[Coroutine[Any, Any, Any]], Any]):
        self.client = client
        self._run = run

    def call(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        return self._run(getattr(self.client, name)(*arguments, **keywords))

    def together(self, name: str, calls: Sequence[tuple[Any, ...]]) -> list[Outcome]:
        """Make many calls of a method at once, each in a task of its own."""

        async def one(arguments: tuple[Any, ...]) -> Outcome:
            began = time.monotonic()
            try:
                value, error = await getattr(self.client, name)(*arguments), None
            except Exception as raised:
                value, error = None, raised
            return Outcome(value, error, began, time.monotonic() - began)

        async def everything() -> list[Outcome]:
            return list(await asyncio.gather(*map(one, calls)))

        outcomes: list[Outcome] = self._run(everything())
        return outcomes

    def transact(
        self,
        statements: Sequence[tuple[Any, ...]],
        *,
        before_last: Callable[[], object] | None = None,
    ) -> None:
        async def everything() -> None:
            async with self.client.transaction() as connection:
                for statement in statements[:-1]:
                    await connection.execute(*statement)
                if before_last is not None:
                    await asyncio.to_thread(before_last)
                await connection.execute(*statements[-1])

        self._run(everything())

    @contextlib.contextmanager
    def lease(self, **keywords: Any) -> Iterator[None]:
        block = self.client.connection(**keywords)
        self._run(block.__aenter__())
        try:
            yield
        finally:
            self._run(block.__aexit__(None, None, None))


class Blocking:
    """The blocking face."""

    name = "blocking"

    @contextlib.contextmanager
    def open(self, url: str, **options: Any) -> Iterator[BlockingCaller]:
        """Open a client, and close it at the end."""
        client = engineroom.open(url, **options)
        try:
            yield BlockingCaller(client)
        finally:
            client.close()

    def close(self) -> None:
        """Nothing of its own is open."""


class Awaited:
    """The asyncio face, and the loop that it runs in."""

    name = "asyncio"

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @contextlib.contextmanager
    def open(self, url: str, **options: Any) -> Iterator[AwaitedCaller]:
        async def opened() -> Any:
            return await engineroom.aio.open(url, **options)

        client = self.run(opened())
        try:
            yield AwaitedCaller(client, self.run)
        finally:
            self.run(client.close())

    def close(self) -> None:
        """End the loop; nothing may be left that goes on in it."""
        wait_until(lambda: not self.run(self._left()), "no task is left", seconds=5)
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _left(self) -> list[str]:
        mine = asyncio.current_task()
        return [str(task) for task in asyncio.all_tasks() if task is not mine]


if TYPE_CHECKING:
    Style = Blocking | Awaited
    Caller = BlockingCaller | AwaitedCaller
