from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from postgres.cluster import OWNER
from postgres.proxy import Cut

from engineroom import errors
from engineroom.aio import Connection, connect

if TYPE_CHECKING:
    from postgres.cluster import Cluster
    from postgres.proxy import Proxy

SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' "
SLEEPERS += f"AND state = 'active' AND usename = '{OWNER}'"


async def until(condition: object, what: str) -> None:
    """Wait for a condition without holding up the loop."""
    deadline = asyncio.get_running_loop().time() + 10
    while not condition():  # type: ignore[operator]
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.005)


async def begun(cluster: Cluster | None, database: str) -> None:
    """Wait until the endless query runs."""
    if database.startswith("sqlite"):
        await asyncio.sleep(0.05)  # it runs or will: both are to be stopped
        return
    assert cluster is not None
    await asyncio.to_thread(_wait_for_sleeper, cluster)


def _wait_for_sleeper(cluster: Cluster) -> None:
    while cluster.run(SLEEPERS) == [["0"]]:
        pass


@pytest.fixture
def server(backend: str, request: pytest.FixtureRequest) -> Cluster | None:
    return request.getfixturevalue("cluster") if backend == "postgres" else None


async def answer(connection: Connection) -> object:
    return await (await connection.execute("SELECT 42")).fetchone()


async def test_a_cancelled_task_stops_its_query_and_the_connection_goes_on(
    database: str, endless: str, server: Cluster | None
) -> None:
    async with connect(database, autocommit=True) as connection:
        task = asyncio.create_task(connection.execute(endless))
        await begun(server, database)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await answer(connection) == (42,)
        if server:
            assert server.run(SLEEPERS) == [["0"]]


async def test_a_timeout_of_asyncio_stops_the_query(
    database: str, endless: str
) -> None:
    async with connect(database, autocommit=True) as connection:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connection.execute(endless), 0.1)
        assert await answer(connection) == (42,)


async def test_a_script_that_is_cancelled_is_stopped(
    database: str, endless: str
) -> None:
    async with connect(database, autocommit=True) as connection:
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(connection.executescript(endless), 0.1)
        assert await answer(connection) == (42,)


async def test_a_task_cancelled_before_its_turn_lets_the_others_have_theirs(
    database: str, endless: str, server: Cluster | None
) -> None:
    async with connect(database, autocommit=True) as connection:
        first = asyncio.create_task(connection.execute(endless))
        second = asyncio.create_task(answer(connection))
        third = asyncio.create_task(answer(connection))
        await begun(server, database)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        first.cancel()
        assert await third == (42,)
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_an_interruption_from_a_thread_is_told_to_the_task(
    database: str, endless: str, server: Cluster | None
) -> None:
    async with connect(database, autocommit=True) as connection:
        task = asyncio.create_task(connection.execute(endless))
        await begun(server, database)
        thread = threading.Thread(target=connection.interrupt)
        thread.start()
        with pytest.raises(errors.Interrupted):
            await task
        thread.join()
        assert await answer(connection) == (42,)
        connection.interrupt()
        assert await answer(connection) == (42,)


async def test_a_query_cancelled_as_it_begins_is_stopped_too(
    database: str, endless: str
) -> None:
    """A request that comes before the server has begun has no effect."""
    async with connect(database, autocommit=True) as connection:
        for _ in range(25):
            task = asyncio.create_task(connection.execute(endless))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await answer(connection) == (42,)


async def test_cancelling_at_every_moment_leaves_the_connection_usable(
    database: str,
) -> None:
    async with connect(database, autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")
        await connection.executemany("INSERT INTO t VALUES (?)", zip(range(3000)))

        async def work(number: int) -> None:
            sql = f"SELECT a FROM t WHERE a >= ? OR {number} = 0 ORDER BY a"
            cursor = await connection.execute(sql, (0,))
            assert len(await cursor.fetchall()) == 3000

        for number in range(60):
            task = asyncio.create_task(work(number))
            for _ in range(number % 20):
                await asyncio.sleep(0)
            await asyncio.sleep(number / 20000)
            task.cancel()
            await asyncio.wait((task,))
            assert task.cancelled() or task.exception() is None
            assert await answer(connection) == (42,)


async def test_cancelling_in_a_transaction_undoes_it_at_the_end_of_the_block(
    cluster: Cluster,
) -> None:
    async with connect(cluster.url(sslmode="require")) as connection:
        with pytest.raises(asyncio.TimeoutError):
            async with connection.transaction():
                await connection.execute("CREATE TABLE undone (a INTEGER)")
                await asyncio.wait_for(connection.execute("SELECT pg_sleep(60)"), 0.1)
        assert not connection.in_transaction
        cursor = await connection.execute("SELECT to_regclass('undone') IS NULL")
        assert await cursor.fetchone() == (True,)


async def test_a_server_that_does_not_stop_costs_the_connection(
    cluster: Cluster,
) -> None:
    connection = await connect(cluster.url(), autocommit=True)
    cursor = await connection.execute("SELECT pg_backend_pid()")
    row = await cursor.fetchone()
    assert row is not None
    task = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
    await begun(cluster, "postgresql")
    os.kill(row[0], signal.SIGSTOP)
    try:
        task.cancel()
        started = asyncio.get_running_loop().time()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 4 < asyncio.get_running_loop().time() - started < 20
    finally:
        os.kill(row[0], signal.SIGCONT)
    assert connection.closed
    with pytest.raises(errors.ConnectionClosed):
        await cursor.execute("SELECT 1")


async def test_the_timeout_of_the_url_is_kept_on_the_loop(cluster: Cluster) -> None:
    url = cluster.url(timeout_seconds="0.3")
    connection = await connect(url, autocommit=True)
    assert await answer(connection) == (42,)
    with pytest.raises(errors.TimedOut) as caught:
        await connection.execute("SELECT pg_sleep(60)")
    assert caught.value.was_sent
    assert "300 ms" in str(caught.value)
    with pytest.raises(errors.InterfaceError):
        await connection.execute("SELECT 1")
    await connection.close()


async def test_a_connection_lost_while_idle_is_noticed(cluster: Cluster) -> None:
    connection = await connect(cluster.url(), autocommit=True)
    await answer(connection)
    await asyncio.to_thread(cluster.terminate)
    about = connection._handle.about
    await until(lambda: about("is_lost") == "yes", "the loss is noticed")
    assert not connection._line._is_watched  # type: ignore[attr-defined]
    with pytest.raises(errors.ConnectionLost):
        await connection.execute("SELECT 1")
    await connection.close()


async def test_a_connection_lost_in_a_query_says_so(cluster: Cluster) -> None:
    async def work() -> None:
        async with connect(cluster.url(), autocommit=True) as connection:
            await connection.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(work())
    await begun(cluster, "postgresql")
    await asyncio.to_thread(cluster.terminate)
    with pytest.raises(errors.ConnectionLost) as caught:
        await task
    assert caught.value.was_sent


def sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            continue
    return found


async def test_connecting_is_given_up_when_its_task_is_cancelled(
    cluster: Cluster, proxy: Proxy
) -> None:
    proxy.cut = Cut("server", how="stall")
    url = cluster.url(port=proxy.port)
    await answer_of(cluster)  # whatever is imported once is
    before = sockets()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(_open(url), 0.3)
    proxy.close_all()
    await until(lambda: sockets() == before, "the socket is closed")


async def answer_of(cluster: Cluster) -> None:
    async with connect(cluster.url()) as connection:
        await answer(connection)


async def _open(url: str) -> Connection:
    return await connect(url)


async def test_connecting_ends_after_its_timeout(
    cluster: Cluster, proxy: Proxy
) -> None:
    proxy.cut = Cut("server", how="stall")
    url = cluster.url(port=proxy.port, connect_timeout=2)
    started = asyncio.get_running_loop().time()
    with pytest.raises(errors.ConnectTimedOut):
        await connect(url)
    assert 1 < asyncio.get_running_loop().time() - started < 10


async def test_a_wrong_password_is_told_as_the_blocking_face_tells_it(
    cluster: Cluster,
) -> None:
    with pytest.raises(errors.InvalidPassword) as caught:
        await connect(cluster.url(password="not it"))
    assert "not it" not in str(caught.value)


async def test_what_one_connection_reads_does_not_hold_up_another(
    cluster: Cluster,
) -> None:
    """A result is drained in turns, also one that nobody wants."""
    async with connect(cluster.url(), autocommit=True) as connection:
        sql = "SELECT repeat('x', 1000) FROM generate_series(1, 300000)"
        cursor = await connection.execute(sql)
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counter = asyncio.create_task(count())
        await asyncio.sleep(0)
        before = turns
        await cursor.execute("SELECT 1")
        assert turns > before + 10
        counter.cancel()
