"""Each awaited operation, cancelled at each of its steps: nothing is lost by it."""

from __future__ import annotations

import asyncio
import gc
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import engineroom.aio
from engineroom import errors

from .steps import books, other_tasks, settled, stopped_at

if TYPE_CHECKING:
    from postgres.cluster import Cluster

MANNERS = ("waiting", "woken", "twice")
MOST = 2
QUIET = (0, 0, 0, False)


async def _read(client: Any) -> None:
    assert await client.fetchvalue("SELECT 41 + 1") == 42


async def _write(client: Any) -> None:
    await client.execute("INSERT INTO t VALUES (1)")


async def _read_many(client: Any) -> None:
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        " SELECT i FROM n"
    )
    assert len(await client.fetchall(sql)) == 3000


async def _with_deadline(client: Any) -> None:
    assert await client.fetchvalue("SELECT 1", deadline_seconds=3) == 1


async def _many(client: Any) -> None:
    await client.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(3)])


async def _lease(client: Any) -> None:
    async with client.connection() as connection:
        cursor = await connection.execute("SELECT 7")
        assert await cursor.fetchone() == (7,)


async def _transact(client: Any) -> None:
    async with client.transaction() as connection:
        await connection.execute("INSERT INTO t VALUES (2)")
        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES (3)")


async def _roll_back(client: Any) -> None:
    with suppress(ZeroDivisionError):
        async with client.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES (4)")
            raise ZeroDivisionError


async def _run(client: Any) -> None:
    async def work(connection: Any, number: int) -> int:
        await connection.execute("INSERT INTO t VALUES (?)", (number,))
        return number

    assert await client.run(work, 5) == 5


async def _health(client: Any) -> None:
    assert (await client.health()).is_healthy


async def _reconnect(client: Any) -> None:
    await client.reconnect()


async def _fail(client: Any) -> None:
    with pytest.raises(errors.SqlError):
        await client.execute("SELECT nothing FROM nowhere")


async def _half_read(client: Any) -> None:
    async with client.connection() as connection:
        cursor = await connection.execute("SELECT 1 UNION ALL SELECT 2")
        await cursor.fetchone()


async def _dirty(client: Any) -> None:
    async with client.connection() as connection:
        await connection.execute("CREATE TEMP TABLE mine (n int)")


OPERATIONS = (
    _read,
    _read_many,
    _write,
    _with_deadline,
    _many,
    _lease,
    _transact,
    _roll_back,
    _run,
    _health,
    _reconnect,
    _fail,
    _half_read,
    _dirty,
)


async def _is_whole(client: Any, note: object) -> None:
    """All is as if nothing had been begun, and every connection answers for itself."""

    def is_quiet() -> bool:
        return all(each == QUIET for each in books(client).values())

    await settled(is_quiet, note)
    await settled(lambda: not other_tasks(client._keeper), note)
    sizes = {lane.name: len(lane.idle) for lane in client._pool.lanes}
    assert all(size <= MOST for size in sizes.values()), (note, sizes)
    words = [f"word {n}" for n in range(MOST + 1)]
    asked = [client.fetchvalue("SELECT ?", (word,)) for word in words]
    assert await asyncio.gather(*asked) == words, note
    for lane in client._pool.lanes:
        for slot in lane.idle:
            assert not slot.conversation.handle.in_transaction, note


@pytest.mark.parametrize("work", OPERATIONS, ids=lambda work: work.__name__[1:])
def test_an_operation_that_is_cancelled_at_any_step_leaves_nothing_behind(
    url: str, work: Any
) -> None:
    async def attack() -> None:
        options: Any = {"max_size": MOST, "health_cache_seconds": 0}
        async with engineroom.aio.open(url, **options) as client:
            await client.execute("CREATE TABLE t (n int)")
            for manner in MANNERS:
                for at in itertools.count():
                    note = (manner, at)
                    is_over, error = await stopped_at(at, manner, lambda: work(client))
                    await _is_whole(client, note)
                    if is_over:
                        assert error is None, note
                        break
                    if not isinstance(error, asyncio.CancelledError):
                        # All had been done when the request came.
                        assert (manner, error) == ("woken", None), note

    asyncio.run(attack())


@pytest.mark.parametrize("manner", MANNERS)
def test_a_first_call_that_is_cancelled_at_any_step_leaves_nothing_behind(
    url: str, manner: str
) -> None:
    async def attack() -> None:
        for at in itertools.count():
            options: Any = {"min_size": MOST, "max_size": MOST, "start": "first use"}
            async with engineroom.aio.open(url, **options) as client:
                is_over, error = await stopped_at(at, manner, lambda: _read(client))
                await _is_whole(client, (manner, at))
                if is_over:
                    assert error is None
                    return
                assert isinstance(error, asyncio.CancelledError), (manner, at)

    asyncio.run(attack())


@pytest.mark.parametrize("manner", MANNERS)
def test_a_call_that_is_cancelled_while_it_waits_leaves_nothing_behind(
    url: str, manner: str
) -> None:
    async def attack() -> None:
        options: Any = {"max_size": 1}
        async with engineroom.aio.open(url, **options) as client:
            await client.execute("CREATE TABLE t (n int)")
            for at in itertools.count():
                async with client.connection():
                    first = asyncio.create_task(client.fetchvalue("SELECT 'first'"))
                    work = stopped_at(at, manner, lambda: _write(client))
                    second = asyncio.create_task(work)
                    third = asyncio.create_task(client.fetchvalue("SELECT 'third'"))
                    for _ in range(5):
                        await asyncio.sleep(0)
                is_over, error = await second
                assert (await first, await third) == ("first", "third")
                await _is_whole(client, (manner, at))
                if is_over:
                    assert error is None
                    return
                assert isinstance(error, asyncio.CancelledError), (manner, at)

    asyncio.run(attack())


@pytest.mark.parametrize("manner", MANNERS)
def test_an_opening_that_is_cancelled_at_any_step_leaves_no_connection(
    cluster: Cluster, manner: str
) -> None:
    url = cluster.url(application_name="opening")

    async def opened() -> None:
        client = await engineroom.aio.open(url, min_size=2)
        await client.close()

    async def attack() -> None:
        watcher = await engineroom.aio.connect(cluster.url())
        for at in itertools.count():
            gc.disable()  # so that nobody but the client closes what it has opened
            try:
                is_over, error = await stopped_at(at, manner, opened)
                await settled(lambda: not other_tasks(), (manner, at))
                await _is_gone(watcher, "opening", (manner, at))
            finally:
                gc.enable()
            if is_over:
                assert error is None
                break
            assert isinstance(error, asyncio.CancelledError), (manner, at)
        await watcher.close()

    asyncio.run(attack())


async def _is_gone(watcher: Any, name: str, note: object) -> None:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = ?"
    until = asyncio.get_running_loop().time() + 10
    while True:
        cursor = await watcher.execute(sql, (name,))
        (count,) = await cursor.fetchone()
        await watcher.rollback()
        if not count:
            return
        assert asyncio.get_running_loop().time() < until, (note, count)


@pytest.mark.parametrize("manner", MANNERS)
def test_a_close_that_is_cancelled_at_any_step_is_ended_by_the_next(
    cluster: Cluster, manner: str
) -> None:
    url = cluster.url(application_name="closing")

    async def attack() -> None:
        watcher = await engineroom.aio.connect(cluster.url())
        for at in itertools.count():
            client = await engineroom.aio.open(url, min_size=3, max_size=3)
            block = client.connection()
            await block.__aenter__()
            gc.disable()
            try:
                task = asyncio.create_task(stopped_at(at, manner, client.close))
                for _ in range(3):
                    await asyncio.sleep(0)
                await block.__aexit__(None, None, None)
                is_over, error = await task
                await client.close()
                await _is_gone(watcher, "closing", (manner, at))
            finally:
                gc.enable()
            assert client.state.name == "closed", (manner, at)
            assert books(client) == {"primary": QUIET}, (manner, at)
            assert len(client._pool.primary.slots) == 0
            if is_over:
                assert error is None
                break
            assert isinstance(error, asyncio.CancelledError), (manner, at)
        await watcher.close()

    asyncio.run(attack())


@pytest.mark.parametrize("least", [1, MOST])
def test_a_client_goes_on_after_all_tasks_were_cancelled_at_any_moment(
    url: str, least: int
) -> None:
    options: Any = {"min_size": least, "max_size": MOST, "start": "first use"}

    async def attack() -> None:
        for turns in itertools.count():
            client = await engineroom.aio.open(url, **options)
            first = asyncio.create_task(_read(client))
            # The loop looks at its sockets in each turn; a thread needs a while.
            for _ in range(turns):
                await asyncio.sleep(0.0002)
            is_over = first.done()
            others = other_tasks()
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await _is_whole(client, turns)
            await client.close(1)
            assert [len(lane.slots) for lane in client._pool.lanes] == [
                0 for _ in client._pool.lanes
            ], turns
            assert client._pool.primary.trouble is None
            if is_over:
                return

    asyncio.run(attack())


def test_a_client_that_is_closed_while_it_grows_keeps_nothing(url: str) -> None:
    async def attack() -> None:
        for turns in range(12):
            client = await engineroom.aio.open(url, max_size=MOST)
            async with client.connection():
                waiting = asyncio.create_task(client.execute("CREATE TABLE t (n int)"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                closing = asyncio.create_task(client.close(10))
                await asyncio.sleep(0)
            began = asyncio.get_running_loop().time()
            await closing
            assert asyncio.get_running_loop().time() - began < 5
            with suppress(errors.ClientClosed, errors.SqlError):
                await waiting
            assert not any(lane.slots for lane in client._pool.lanes), turns
            assert client.state.name == "closed"

    asyncio.run(attack())


def test_a_time_limit_around_a_call_ends_it_and_nothing_else(cluster: Cluster) -> None:
    async def attack() -> None:
        async with engineroom.aio.open(cluster.url(), max_size=MOST) as client:
            for seconds in (0, 0.001, 0.05):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(
                        client.execute("SELECT pg_sleep(60)"), seconds
                    )
                await _is_whole(client, seconds)
            group = [client.execute("SELECT pg_sleep(60)") for _ in range(MOST + 2)]
            tasks = [asyncio.create_task(each) for each in group]
            await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended)
            await _is_whole(client, "group")

    asyncio.run(attack())
