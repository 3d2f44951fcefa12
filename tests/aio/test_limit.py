"""A limit of time on the event loop: what it ends, and what goes on."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from postgres.proxy import CLIENT, Cut

from aio.test_stopping import SLEEPERS, answer, sockets, until
from engineroom import errors
from engineroom.aio import Connection, connect
from engineroom.aio.opening import open_line

if TYPE_CHECKING:
    from postgres.cluster import Cluster
    from postgres.proxy import Proxy

# Past the limit: the request to stop, and a machine that is busy.
LATE_SECONDS = 1.0


def now() -> float:
    return asyncio.get_running_loop().time()


def limit(connection: Connection, seconds: float) -> None:
    connection._line.limit(seconds)


async def test_a_query_ends_at_the_limit(database: str, endless: str) -> None:
    connection = await connect(database, autocommit=True)
    assert await answer(connection) == (42,)
    started = now()
    limit(connection, 0.2)
    assert await answer(connection) == (42,)
    with pytest.raises(errors.TimedOut, match="limit of 200 ms"):
        await connection.execute(endless)
    assert 0.19 <= now() - started < 0.2 + LATE_SECONDS
    await connection.close()


async def test_the_server_has_stopped_too(cluster: Cluster) -> None:
    for seconds in (0.2, 0.001):
        connection = await connect(cluster.url(), autocommit=True)
        await connection.execute("SELECT pg_sleep(?)", (0,))
        limit(connection, seconds)
        with pytest.raises(errors.TimedOut) as caught:
            await connection.execute("SELECT pg_sleep(?)", (60,))
        assert caught.value.was_sent
        assert connection.closed
        deadline = now() + 1
        while await asyncio.to_thread(cluster.run, SLEEPERS) != [["0"]]:
            assert now() < deadline, "it has stopped"


async def test_a_server_that_cannot_be_asked_is_given_up_in_time(
    cluster: Cluster, proxy: Proxy
) -> None:
    url = cluster.url(port=proxy.port, sslmode="disable")
    connection = await connect(url, autocommit=True)
    assert await answer(connection) == (42,)
    proxy.cut = Cut(CLIENT, how="stall")
    proxy.conversations[-1].hurt_after(1, "stall")
    started = now()
    limit(connection, 0.2)
    with pytest.raises(errors.TimedOut):
        await answer(connection)
    assert now() - started < 0.2 + LATE_SECONDS


async def test_what_begins_too_late_is_not_begun(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        assert await answer(connection) == (42,)
        for seconds in (-1, -0.0001):
            limit(connection, seconds)
            with pytest.raises(errors.TimedOut) as caught:
                await answer(connection)
            assert not caught.value.was_sent
        limit(connection, 0)
        assert await answer(connection) == (42,)


async def test_a_limit_that_is_taken_away_ends_nothing(
    database: str, backend: str
) -> None:
    slow = (
        "SELECT 42 FROM pg_sleep(0.5)"
        if backend == "postgres"
        else "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
        "LIMIT 3000000) SELECT 42 FROM c WHERE x = 3000000"
    )
    async with connect(database, autocommit=True) as connection:
        assert await answer(connection) == (42,)
        for seconds in (0, 60):
            limit(connection, 0.1)
            assert await answer(connection) == (42,)  # a timer runs from now on
            limit(connection, seconds)
            assert await (await connection.execute(slow)).fetchone() == (42,)


async def test_a_limit_is_heeded_before_a_longer_timeout(cluster: Cluster) -> None:
    for seconds, given, said in ((0.1, 60, "limit of 100"), (60, 0.1, "100 ms")):
        url = cluster.url(timeout_seconds=given)
        connection = await connect(url, autocommit=True)
        assert await answer(connection) == (42,)
        limit(connection, seconds)
        with pytest.raises(errors.TimedOut, match=said):
            await connection.execute("SELECT pg_sleep(60)")


async def test_a_task_that_is_cancelled_before_the_limit_keeps_its_connection(
    database: str, endless: str
) -> None:
    async with connect(database, autocommit=True) as connection:
        limit(connection, 30)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connection.execute(endless), 0.1)
        assert await answer(connection) == (42,)


async def test_a_call_in_a_thread_has_the_limit_too(cluster: Cluster) -> None:
    connection = await connect(cluster.url(), autocommit=True)
    await connection.execute("CREATE TEMPORARY TABLE t (a int4)")
    sql = "INSERT INTO t SELECT 1 FROM pg_sleep(?)"
    limit(connection, 0.2)
    started = now()
    with pytest.raises(errors.TimedOut, match="limit of 200 ms"):
        await connection.executemany(sql, [(60,)])
    assert now() - started < 0.2 + LATE_SECONDS
    await connection.close()


# Opening.


async def test_opening_takes_no_longer_than_it_may() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        port = listener.getsockname()[1]
        hosts = f"host=127.0.0.1,127.0.0.1&port={port},{port}&connect_timeout=30"
        before = sockets()
        started = now()
        with pytest.raises(errors.ConnectTimedOut, match="300 ms"):
            url = f"postgresql://me@/none?{hosts}"
            await open_line(url, is_autocommit=None, timeout_seconds=0.3)
        assert 0.3 <= now() - started < 0.3 + LATE_SECONDS
        await until(lambda: sockets() == before, "the socket is closed")


async def test_opening_in_time_is_not_hindered(database: str) -> None:
    _, line = await open_line(database, is_autocommit=None, timeout_seconds=30)
    await line.end()
