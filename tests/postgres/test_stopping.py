"""Stopping what runs on the server: from another thread, by Ctrl-C, through TLS."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

from .programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom import Connection

    from .cluster import Cluster

SLEEP = "SELECT pg_sleep(60)"
ROWS = "SELECT generate_series(1, 2000000000)"


@pytest.fixture(params=["disable", "require"])
def connection(
    cluster: Cluster, request: pytest.FixtureRequest
) -> Iterator[Connection]:
    """A connection without TLS, and one with it."""
    url = cluster.url(sslmode=request.param)
    with engineroom.connect(url, autocommit=True) as opened:
        assert bool(opened.info.tls_version) == (request.param == "require")
        yield opened


def is_running(cluster: Cluster, pid: int | None) -> bool:
    sql = f"SELECT state FROM pg_stat_activity WHERE pid = {pid}"
    return cluster.run(sql) == [["active"]]


def stops(connection: Connection, cluster: Cluster, sql: str) -> None:
    """Run a statement in a thread, stop it, and see that the server did."""
    pid = connection.info.backend_pid
    caught: list[Exception] = []

    def run() -> None:
        try:
            connection.execute(sql).fetchall()
        except errors.Error as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: is_running(cluster, pid), "the statement runs")
    started = time.monotonic()
    connection.cancel()
    thread.join(10)
    assert time.monotonic() - started < 5
    (error,) = caught
    assert isinstance(error, errors.Interrupted)
    assert error.sqlstate == "57014"
    assert not is_running(cluster, pid)
    assert connection.execute("SELECT 42").fetchone() == (42,)
    assert connection.info.backend_pid == pid


@pytest.mark.parametrize("sql", [SLEEP, ROWS], ids=["silent", "rows"])
def test_another_thread_stops_it(
    connection: Connection, cluster: Cluster, sql: str
) -> None:
    stops(connection, cluster, sql)


def test_what_is_stopped_inside_a_transaction_fails_it(
    connection: Connection, cluster: Cluster
) -> None:
    with pytest.raises(errors.InFailedTransaction), connection.transaction():
        pid = connection.info.backend_pid
        timer = threading.Timer(0.2, connection.cancel)
        timer.start()
        with pytest.raises(errors.Interrupted):
            connection.execute(SLEEP)
        timer.join()
        assert connection.transaction_status == "failed"
        assert not is_running(cluster, pid)
    assert connection.transaction_status == "idle"


def test_cancelling_what_does_not_run_does_nothing(connection: Connection) -> None:
    connection.cancel()
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.close()
    connection.cancel()


def test_ctrl_c_stops_it_on_the_server(
    connection: Connection, cluster: Cluster
) -> None:
    pid = connection.info.backend_pid
    before = signal.signal(
        signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT)
    )
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            connection.execute(SLEEP)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not is_running(cluster, pid)
    assert connection.execute("SELECT 42").fetchone() == (42,)
    assert connection.info.backend_pid == pid


def test_ctrl_c_stops_a_batch_of_rows(connection: Connection, cluster: Cluster) -> None:
    before = signal.signal(
        signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT)
    )
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in connection.execute(ROWS):
                pass
    finally:
        signal.signal(signal.SIGALRM, before)
    assert connection.execute("SELECT 42").fetchone() == (42,)
    assert not is_running(cluster, connection.info.backend_pid)
