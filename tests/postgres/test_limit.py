"""A limit of time: calls end at it, and so does what the server does for them."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors
from engineroom.connection import open_connection

from .cluster import OWNER
from .programs import wait_until
from .proxy import CLIENT, Cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster
    from .proxy import Proxy

LONG = "SELECT pg_sleep(60)"
LIMIT_MS = 200
# Past the limit: the request to stop, and a machine that is busy.
LATE_SECONDS = 1.0


def limit(connection: engineroom.Connection, milliseconds: int) -> None:
    connection._handle.session.limit(milliseconds)


def is_idle(cluster: Cluster, pid: int | None) -> bool:
    """Whether the server's process does nothing, or is gone."""
    sql = f"SELECT state FROM pg_stat_activity WHERE pid = {pid}"
    return cluster.run(sql) != [["active"]]


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_a_query_ends_at_the_limit_on_both_sides(
    cluster: Cluster, sslmode: str
) -> None:
    url = cluster.url(sslmode=sslmode)
    with closing(engineroom.connect(url, autocommit=True)) as connection:
        pid = connection.info.backend_pid
        started = time.monotonic()
        limit(connection, LIMIT_MS)
        assert connection.execute("SELECT 42").fetchone() == (42,)
        with pytest.raises(errors.TimedOut) as caught:
            connection.execute(LONG)
        taken = time.monotonic() - started
        assert LIMIT_MS / 1000 <= taken < LIMIT_MS / 1000 + LATE_SECONDS
        assert caught.value.was_sent
        assert f"the time limit of {LIMIT_MS} ms" in str(caught.value)
        wait_until(partial(is_idle, cluster, pid), "it has stopped", seconds=1)
        limit(connection, 0)
        with pytest.raises(errors.TimedOut) as caught:
            connection.execute("SELECT 42")
        assert not caught.value.was_sent


def test_the_timeout_of_the_url_stops_the_server_too(cluster: Cluster) -> None:
    url = cluster.url(timeout_seconds=0.2)
    with closing(engineroom.connect(url, autocommit=True)) as connection:
        pid = connection.info.backend_pid
        with pytest.raises(errors.TimedOut, match="200 ms"):
            connection.execute(LONG)
        wait_until(partial(is_idle, cluster, pid), "it has stopped", seconds=1)


def test_a_limit_that_passes_at_once_stops_the_server_too(cluster: Cluster) -> None:
    """The request to stop may come before the server has begun, and is repeated."""
    for _ in range(10):
        with closing(engineroom.connect(cluster.url(), autocommit=True)) as connection:
            connection.execute("SELECT pg_sleep(?)", (0,)).fetchall()
            pid = connection.info.backend_pid
            limit(connection, 1)
            with pytest.raises(errors.TimedOut):
                connection.execute("SELECT pg_sleep(?)", (60,))
            wait_until(partial(is_idle, cluster, pid), "it stops", seconds=1)


def test_what_is_not_begun_in_time_does_no_harm(cluster: Cluster) -> None:
    with closing(engineroom.connect(cluster.url())) as connection:
        connection.execute("CREATE TEMPORARY TABLE t (a int4)")
        limit(connection, -1)
        with pytest.raises(errors.TimedOut) as caught:
            connection.execute("INSERT INTO t VALUES (1)")
        assert not caught.value.was_sent
        with pytest.raises(errors.TimedOut) as caught:
            connection.commit()
        assert not caught.value.was_sent
        limit(connection, 0)
        assert connection.in_transaction
        connection.rollback()
        assert connection.execute("SELECT 42").fetchone() == (42,)


def test_many_rows_in_a_transaction_of_their_own_are_undone(cluster: Cluster) -> None:
    cluster.run("CREATE TABLE limited (a int4); GRANT ALL ON limited TO PUBLIC;")
    try:
        with closing(engineroom.connect(cluster.url(), autocommit=True)) as connection:
            rows = ((number,) for number in range(100_000_000))
            limit(connection, LIMIT_MS)
            started = time.monotonic()
            with pytest.raises(errors.TimedOut):
                connection.executemany("INSERT INTO limited VALUES (?)", rows)
            assert time.monotonic() - started < LIMIT_MS / 1000 + LATE_SECONDS
            assert cluster.run("SELECT count(*) FROM limited") == [["0"]]
    finally:
        cluster.run("DROP TABLE limited")


def test_a_server_that_cannot_be_asked_is_given_up_in_time(
    cluster: Cluster, proxy: Proxy
) -> None:
    """The request to stop goes the same way as the query, and into the same hole."""
    url = cluster.url(port=proxy.port, sslmode="disable")
    with closing(engineroom.connect(url, autocommit=True)) as connection:
        connection.execute("SELECT 42").fetchall()
        proxy.cut = Cut(CLIENT, how="stall")
        proxy.conversations[-1].hurt_after(1, "stall")
        limit(connection, LIMIT_MS)
        started = time.monotonic()
        with pytest.raises(errors.TimedOut):
            connection.execute("SELECT 42")
        assert time.monotonic() - started < LIMIT_MS / 1000 + LATE_SECONDS


# Opening.


@pytest.fixture
def hole() -> Iterator[str]:
    """A URL with two hosts that take a connection and never say anything."""
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
        ports = f"{first.getsockname()[1]},{second.getsockname()[1]}"
        hosts = "host=127.0.0.1,127.0.0.1"
        yield f"postgresql://{OWNER}@/none?{hosts}&port={ports}&connect_timeout=30"


@pytest.fixture
def full() -> Iterator[str]:
    """A URL of a host that does not even take a connection: its queue is full."""
    with socket.socket() as listener, socket.socket() as inside:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        inside.connect(listener.getsockname())
        yield f"postgresql://{OWNER}@127.0.0.1:{listener.getsockname()[1]}/none"


@pytest.mark.parametrize("place", ["hole", "full"])
@pytest.mark.usefixtures("no_socket_left")
def test_opening_takes_no_longer_than_it_may(
    place: str, request: pytest.FixtureRequest
) -> None:
    url: str = request.getfixturevalue(place)
    started = time.monotonic()
    with pytest.raises(errors.ConnectTimedOut, match="300 ms"):
        open_connection(url, is_autocommit=None, timeout_seconds=0.3)
    assert 0.3 <= time.monotonic() - started < 0.3 + LATE_SECONDS


def test_opening_in_time_is_not_hindered(cluster: Cluster) -> None:
    _, handle = open_connection(cluster.url(), is_autocommit=None, timeout_seconds=30)
    with closing(handle):
        assert not handle.in_transaction
