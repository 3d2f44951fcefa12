"""What a pool costs: queries through one, leases alone, and the wait for a connection.

Each pool is used as its users would: ours and asyncpg's run a statement themselves,
psycopg_pool's lends a connection for it. All have as many connections from the start
as they may have. What a query costs more through our client than on a bare connection
is work and no waiting, so it is told in time of the processor, and measured in one
process in turns of some hundred queries each.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from contextlib import contextmanager
from importlib import import_module

from bench.postgres_async import run
from bench.postgres_drivers import POINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence
    from typing import Any

CONNECTIONS = 10
CLIENTS = 64
LEASES = 20_000
# Turns of pool and bare connection, and the queries of each.
TURNS = 60
QUERIES = 300
WAITERS = 10_000
# Longer than anything here takes.
PATIENCE_SECONDS = 300.0

# Of rows that all tables have.
KEYS = 10_000


class EngineroomPool:
    """Ours."""

    def __init__(self, client: Any) -> None:
        self.lease: Any = client.connection
        self.close: Any = client.close
        self._fetchone = client.fetchone

    @classmethod
    async def open(cls, url: str) -> EngineroomPool:
        return cls(await import_module("engineroom.aio").open(url, **_sizes()))

    def point(self, key: int) -> Awaitable[Any]:
        found: Awaitable[Any] = self._fetchone(POINT + "?", (key,))
        return found


class AsyncpgPool:
    """asyncpg's own."""

    def __init__(self, pool: Any) -> None:
        self.lease: Any = pool.acquire
        self.close: Any = pool.close
        self._fetchrow = pool.fetchrow

    @classmethod
    async def open(cls, url: str) -> AsyncpgPool:
        asyncpg: Any = import_module("asyncpg")
        pool = await asyncpg.create_pool(
            url, min_size=CONNECTIONS, max_size=CONNECTIONS
        )
        return cls(pool)

    def point(self, key: int) -> Awaitable[Any]:
        found: Awaitable[Any] = self._fetchrow(POINT + "$1", key)
        return found


class PsycopgPool:
    """psycopg_pool's, with connections that prepare and answer in binary."""

    def __init__(self, pool: Any) -> None:
        self.lease: Any = pool.connection
        self.close: Any = pool.close

    @classmethod
    async def open(cls, url: str) -> PsycopgPool:
        psycopg_pool: Any = import_module("psycopg_pool")
        pool = psycopg_pool.AsyncConnectionPool(url, open=False, **_psycopg_sizes())
        await pool.open(wait=True)
        return cls(pool)

    async def point(self, key: int) -> Any:
        async with self.lease() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(POINT + "%s", (key,))
            return await cursor.fetchone()


KINDS: dict[str, Any] = {
    "engineroom": EngineroomPool,
    "asyncpg": AsyncpgPool,
    "psycopg": PsycopgPool,
}


def _sizes() -> dict[str, Any]:
    return {
        "min_size": CONNECTIONS,
        "max_size": CONNECTIONS,
        "deadline_seconds": PATIENCE_SECONDS,
    }


def _psycopg_sizes() -> dict[str, Any]:
    return {
        "min_size": CONNECTIONS,
        "max_size": CONNECTIONS,
        "timeout": PATIENCE_SECONDS,
        "kwargs": {"autocommit": True, "prepare_threshold": 0},
    }


def kind_of(driver: str) -> Any:
    return KINDS[driver.partition("-")[0]]


def taken_since(start: float, cpu: float, count: int) -> dict[str, Any]:
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "per_second": count / seconds,
    }


def pooled(driver: str, url: str, keys: Sequence[int]) -> dict[str, Any]:
    """One-row selects of 64 tasks that share ten connections."""

    async def work() -> dict[str, Any]:
        pool = await kind_of(driver).open(url)

        async def some(own: Sequence[int]) -> None:
            point = pool.point
            for key in own:
                row = await point(key)
            assert len(row) == 6

        async def all_of(keys: Sequence[int]) -> None:
            await asyncio.gather(*(some(keys[at::CLIENTS]) for at in range(CLIENTS)))

        await all_of(keys[: 10 * CLIENTS])
        cpu, start = time.process_time(), time.perf_counter()
        await all_of(keys)
        taken = taken_since(start, cpu, len(keys))
        await pool.close()
        return taken

    taken: dict[str, Any] = run(driver, work())
    return taken


# Leases.


def lease_awaited(driver: str, url: str) -> dict[str, Any]:
    """Take a connection and give it back, on an event loop, and do nothing with it."""

    async def work() -> dict[str, Any]:
        pool = await kind_of(driver).open(url)

        async def some(count: int) -> None:
            lease = pool.lease
            for _ in range(count):
                async with lease():
                    pass

        await some(LEASES // 10)
        cpu, start = time.process_time(), time.perf_counter()
        await some(LEASES)
        taken = taken_since(start, cpu, LEASES)
        await pool.close()
        return taken

    taken: dict[str, Any] = run(driver, work())
    return taken


@contextmanager
def opened(driver: str, url: str) -> Iterator[Any]:
    """Give a pool of the blocking kind."""
    if driver == "engineroom":
        pool = import_module("engineroom").open(url, **_sizes())
    else:
        psycopg_pool: Any = import_module("psycopg_pool")
        pool = psycopg_pool.ConnectionPool(url, open=True, **_psycopg_sizes())
        pool.wait()
    try:
        yield pool
    finally:
        pool.close()


def lease(driver: str, url: str) -> dict[str, Any]:
    """The same in a thread."""

    def some(count: int) -> None:
        take = pool.connection
        for _ in range(count):
            with take():
                pass

    with opened(driver, url) as pool:
        some(LEASES // 10)
        cpu, start = time.process_time(), time.perf_counter()
        some(LEASES)
        return taken_since(start, cpu, LEASES)


# What a query costs more.


@contextmanager
def small_file() -> Iterator[str]:
    """Give the URL of a file of SQLite's that has the table, and few rows."""
    from bench.data import INSERT, MIXED_TABLE, mixed_row

    engineroom: Any = import_module("engineroom")
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/small.db?mode=rwc"
        with engineroom.connect(url) as connection:
            connection.execute(MIXED_TABLE)
            connection.executemany(INSERT, [mixed_row(chance) for _ in range(KEYS)])
        yield url


class Turns:
    """Turns of queries: what they took, of the processor and by the clock."""

    def __init__(self) -> None:
        self._cpu: list[float] = []
        self._clock: list[float] = []

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Measure one."""
        cpu, start = time.process_time(), time.perf_counter()
        yield
        self._cpu.append(time.process_time() - cpu)
        self._clock.append(time.perf_counter() - start)

    def cpu(self) -> float:
        """Return the median for one query, the first turns left out."""
        return statistics.median(self._cpu[TURNS // 10 :]) / QUERIES

    def clock(self) -> float:
        """Return the same by the clock."""
        return statistics.median(self._clock[TURNS // 10 :]) / QUERIES


def _told(bare: Turns, pooled: Turns, sql: str) -> dict[str, Any]:
    """Tell what a query takes, what of that is the client, and what its counting."""
    metrics: Any = import_module("engineroom.metrics.shapes")
    statement: Any = import_module("engineroom.statement")
    add = metrics.Shapes().stats(statement.recognise(sql, "postgres")).add
    counting = Turns()
    for _ in range(TURNS):
        with counting.turn():
            for _ in range(QUERIES):
                add(0.000123, 1)
    return {
        "bare_seconds": bare.clock(),
        "seconds": pooled.clock(),
        "cpu_seconds": pooled.cpu(),
        "overhead_seconds": pooled.cpu() - bare.cpu(),
        "counting_seconds": counting.cpu(),
        "counting_share": counting.cpu() / pooled.clock(),
    }


def overhead(_driver: str, url: str) -> dict[str, Any]:
    """One-row selects through a client, and on a bare connection, in turns."""
    engineroom: Any = import_module("engineroom")
    sql = POINT + "?"
    bare, pooled = Turns(), Turns()
    with (
        engineroom.open(url) as client,
        engineroom.connect(url, autocommit=True) as connection,
    ):
        execute, fetchone = connection.execute, client.fetchone
        for _ in range(TURNS):
            with bare.turn():
                for key in range(1, QUERIES + 1):
                    row = execute(sql, (key,)).fetchone()
            assert len(row) == 6
            with pooled.turn():
                for key in range(1, QUERIES + 1):
                    row = fetchone(sql, (key,))
            assert len(row) == 6
        return _told(bare, pooled, sql)


def overhead_awaited(driver: str, url: str) -> dict[str, Any]:
    """The same on an event loop."""
    aio: Any = import_module("engineroom.aio")
    sql = POINT + "?"

    async def work() -> dict[str, Any]:
        bare, pooled = Turns(), Turns()
        async with (
            aio.open(url) as client,
            aio.connect(url, autocommit=True) as connection,
        ):
            execute, fetchone = connection.execute, client.fetchone
            for _ in range(TURNS):
                with bare.turn():
                    for key in range(1, QUERIES + 1):
                        row = await (await execute(sql, (key,))).fetchone()
                assert len(row) == 6
                with pooled.turn():
                    for key in range(1, QUERIES + 1):
                        row = await fetchone(sql, (key,))
                assert len(row) == 6
            return _told(bare, pooled, sql)

    taken: dict[str, Any] = run(driver, work())
    return taken


# Waiting.


def _told_of_waits(waits: list[float]) -> dict[str, Any]:
    assert len(waits) == WAITERS
    return {
        "longest_seconds": max(waits),
        "median_seconds": statistics.median(waits),
        "longest_to_median": max(waits) / statistics.median(waits),
    }


def waiters(driver: str, url: str) -> dict[str, Any]:
    """Ten thousand tasks want one of ten connections, all at once."""

    async def work() -> dict[str, Any]:
        pool = await kind_of(driver).open(url)

        async def all_of(count: int) -> list[float]:
            waits: list[float] = []
            start = time.perf_counter()

            async def one(key: int) -> None:
                async with pool.lease() as connection:
                    waits.append(time.perf_counter() - start)
                    await _ask(driver, connection, key)

            await asyncio.gather(*(one(key) for key in range(1, count + 1)))
            return waits

        await all_of(10 * CONNECTIONS)
        waits = await all_of(WAITERS)
        await pool.close()
        return _told_of_waits(waits)

    taken: dict[str, Any] = run(driver, work())
    return taken


async def _ask(driver: str, connection: Any, key: int) -> None:
    if driver.startswith("asyncpg"):
        await connection.fetchrow(POINT + "$1", key)
    elif driver.startswith("psycopg"):
        await connection.execute(POINT + "%s", (key,))
    else:
        await connection.execute(POINT + "?", (key,))
