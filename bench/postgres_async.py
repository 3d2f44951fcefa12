"""Selects from many tasks of one event loop, in asyncio's loop or in uvloop's."""

from __future__ import annotations

import asyncio
import time
from importlib import import_module

from bench.postgres_drivers import POINT
from bench.task import peak_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any


class EngineroomSelects:
    """Ours."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.cursor: Any = connection.cursor()

    @classmethod
    async def connect(cls, url: str) -> EngineroomSelects:
        aio: Any = import_module("engineroom.aio")
        return cls(await aio.connect(url, autocommit=True))

    async def point(self, key: int) -> Any:
        await self.cursor.execute(POINT + "?", (key,))
        return await self.cursor.fetchone()

    async def rows(self, sql: str) -> Any:
        await self.cursor.execute(sql)
        return await self.cursor.fetchall()

    async def close(self) -> None:
        await self.connection.close()


class PsycopgSelects:
    """Psycopg's asyncio half."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.cursor: Any = connection.cursor(binary=True)

    @classmethod
    async def connect(cls, url: str) -> PsycopgSelects:
        import psycopg

        connect: Any = psycopg.AsyncConnection.connect
        return cls(await connect(url, autocommit=True, prepare_threshold=0))

    async def point(self, key: int) -> Any:
        await self.cursor.execute(POINT + "%s", (key,))
        return await self.cursor.fetchone()

    async def rows(self, sql: str) -> Any:
        await self.cursor.execute(sql)
        return await self.cursor.fetchall()

    async def close(self) -> None:
        await self.connection.close()


class AsyncpgSelects:
    """asyncpg."""

    def __init__(self, connection: Any, statement: Any) -> None:
        self.connection = connection
        self.point: Any = statement.fetchrow
        self.rows: Any = connection.fetch

    @classmethod
    async def connect(cls, url: str) -> AsyncpgSelects:
        import asyncpg

        connection: Any = await asyncpg.connect(url)
        return cls(connection, await connection.prepare(POINT + "$1"))

    async def close(self) -> None:
        await self.connection.close()


KINDS: dict[str, Any] = {
    "engineroom": EngineroomSelects,
    "psycopg": PsycopgSelects,
    "asyncpg": AsyncpgSelects,
}


def run(driver: str, work: Coroutine[Any, Any, Any]) -> Any:
    """Run in the loop that the driver's name ends with, or in asyncio's own."""
    if not driver.endswith("-uvloop"):
        return asyncio.run(work)
    import uvloop

    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def selects_of_tasks(
    driver: str, url: str, keys: Sequence[int], tasks: int
) -> dict[str, Any]:
    """One-row selects; each task has a connection of its own."""
    kind = KINDS[driver.partition("-")[0]]

    async def work() -> dict[str, Any]:
        connections = [await kind.connect(url) for _ in range(tasks)]

        async def some(connection: Any, own: Sequence[int]) -> None:
            point = connection.point
            for key in own:
                row = await point(key)
            assert len(row) == 6

        async def all_of(keys: Sequence[int]) -> None:
            shares = [keys[start::tasks] for start in range(tasks)]
            await asyncio.gather(*map(some, connections, shares))

        await all_of(keys[: 10 * tasks])
        cpu = time.process_time()
        start = time.perf_counter()
        await all_of(keys)
        seconds = time.perf_counter() - start
        cpu_seconds = time.process_time() - cpu
        for connection in connections:
            await connection.close()
        return {
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "peak_bytes": peak_bytes(),
        }

    taken: dict[str, Any] = run(driver, work())
    return taken


class StepTimer:
    """Measures every step of asyncio's own loop: what runs before others get a turn.

    Attributes:
        longest: the longest step, in seconds.
        longest_cpu: the one that took most of the processor, in seconds; where others
            want the machine too, the first is mostly theirs.
    """

    def __init__(self) -> None:
        self.longest = self.longest_cpu = 0.0
        steps: Any = asyncio.Handle  # Its _run() is the one place that all steps pass.
        run_step = steps._run  # noqa: SLF001 - asyncio has no public hook there
        clock, cpu = time.perf_counter, time.thread_time

        def run_timed(handle: Any) -> None:
            start, start_cpu = clock(), cpu()
            run_step(handle)
            self.longest_cpu = max(self.longest_cpu, cpu() - start_cpu)
            self.longest = max(self.longest, clock() - start)

        steps._run = run_timed  # noqa: SLF001 - likewise


def longest_step(
    driver: str, url: str, *, tasks: int, connections: int
) -> dict[str, Any]:
    """Tasks that each ask for one row and for a hundred, sharing a few connections."""
    kind = KINDS[driver]

    async def work() -> dict[str, Any]:
        free: asyncio.Queue[Any] = asyncio.Queue()
        for _ in range(connections):
            free.put_nowait(await kind.connect(url))

        async def one(number: int) -> None:
            connection = await free.get()
            await connection.point(number + 1)
            sql = f"SELECT a, b, c, d, e, f FROM mixed WHERE id <= {100 + number % 3}"
            assert len(await connection.rows(sql)) >= 100
            free.put_nowait(connection)

        await asyncio.gather(*map(one, range(tasks)))
        timer = StepTimer()
        start = time.perf_counter()
        await asyncio.gather(*map(one, range(tasks)))
        seconds = time.perf_counter() - start
        longest, longest_cpu = timer.longest, timer.longest_cpu
        while not free.empty():
            await free.get_nowait().close()
        return {
            "seconds": seconds,
            "longest_seconds": longest,
            "longest_cpu_seconds": longest_cpu,
            "cpu_seconds": 0.0,
        }

    taken: dict[str, Any] = run(driver, work())
    return taken
