"""Connections that break at the worst moment: an error that says so, soon, every time.

A scenario is played once in peace through the proxy, which notes the messages; then
again and again, cut at each of them. No run may hang, crash or leave a socket.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

from .cluster import OTHER, started_cluster
from .programs import wait_until
from .proxy import CLIENT, SERVER, Cut, started_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom import Connection

    from .cluster import Cluster
    from .proxy import Proxy

pytestmark = pytest.mark.usefixtures("no_socket_left", "no_libpq_environment")

# A run that is cut ends within this; nothing in it waits for anything else.
SOON_SECONDS = 5.0
BROKEN = (errors.ConnectFailed, errors.ConnectionLost)
MANY_ROWS = "SELECT i, repeat('x', 100) FROM generate_series(1, 2000000) i"


def play(url: str) -> None:
    """Do a little of everything on a connection of its own."""
    with engineroom.connect(url) as connection:
        cursor = connection.execute("SELECT ?::int4, 'text', NULL", (42,))
        assert cursor.fetchall() == [(42, "text", None)]
        connection.execute("CREATE TEMPORARY TABLE played (x int4, y text)")
        rows = [(number, "y" * number) for number in range(8)]
        connection.executemany("INSERT INTO played VALUES (?, ?)", rows)
        assert len(connection.execute("SELECT x, y FROM played").fetchall()) == 8
        with pytest.raises(errors.DivisionByZero):
            connection.execute("SELECT 1 / 0").fetchall()
        connection.rollback()


@pytest.fixture
def messages(cluster: Cluster, proxy: Proxy) -> dict[str, int]:
    """How many messages each side sends when the scenario is left in peace."""
    play(cluster.url(port=proxy.port, sslmode="disable"))
    counts = {sender: len(proxy.names(sender)) for sender in (CLIENT, SERVER)}
    assert counts[CLIENT] > 10
    assert counts[SERVER] > 20
    return counts


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("plus_bytes", [0, 3, 5], ids=["before", "in it", "after head"])
@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_a_cut_at_any_message_is_a_clear_error(
    cluster: Cluster,
    proxy: Proxy,
    messages: dict[str, int],
    sender: str,
    plus_bytes: int,
    how: str,
) -> None:
    url = cluster.url(port=proxy.port, sslmode="disable")
    # The last thing a client says is that it goes, to which nobody answers.
    most = messages[sender] - (1 if sender == CLIENT else 0)
    for count in range(most):
        proxy.cut = Cut(sender, count, plus_bytes, how)
        start = time.monotonic()
        with pytest.raises(BROKEN) as caught:
            play(url)
        assert time.monotonic() - start < SOON_SECONDS, f"after {count} messages"
        assert str(caught.value), f"after {count} messages"
        assert "\x00" not in str(caught.value)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_cut_within_tls_is_a_clear_error(
    cluster: Cluster, proxy: Proxy, how: str
) -> None:
    """Messages cannot be seen there; steps are small in the hand-shake, then large."""
    url = cluster.url(port=proxy.port, sslmode="require")
    play(url)
    most = proxy.passed_bytes(SERVER) - 100
    assert most > 3000
    for size in [*range(0, 400, 40), *range(400, most, 300)]:
        proxy.cut = Cut(SERVER, 1, size, how)
        with pytest.raises(BROKEN):
            play(url)


@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_a_stall_ends_at_the_deadline(
    cluster: Cluster, proxy: Proxy, messages: dict[str, int], sender: str
) -> None:
    """Every fifth message, since each run takes as long as the deadline."""
    url = cluster.url(
        port=proxy.port, sslmode="disable", connect_timeout=1, timeout_seconds=1
    )
    for count in range(0, messages[sender] - 3, 5):
        proxy.cut = Cut(sender, count, 0, "stall")
        start = time.monotonic()
        with pytest.raises((errors.TimedOut, errors.ConnectTimedOut)):
            play(url)
        took = time.monotonic() - start
        assert 0.5 < took < SOON_SECONDS, f"after {count} messages: {took:.1f} s"
        proxy.close_all()


def test_a_terminated_backend_says_who_did_it(cluster: Cluster) -> None:
    connection = engineroom.connect(cluster.url(user=OTHER))
    connection.execute("SELECT 1")
    cluster.terminate(OTHER)
    with pytest.raises(errors.OperationalError) as caught:
        connection.execute("SELECT 1").fetchall()
    assert caught.value.sqlstate == "57P01"
    with pytest.raises(errors.OperationalError):
        connection.execute("SELECT 1").fetchall()
    connection.close()


def test_a_backend_that_dies_in_the_middle_of_a_result(cluster: Cluster) -> None:
    connection = engineroom.connect(cluster.url(user=OTHER))
    cursor = connection.execute(MANY_ROWS)
    assert cursor.fetchone() == (1, "x" * 100)
    cluster.terminate(OTHER)
    with pytest.raises(errors.OperationalError):
        for _ in cursor:
            pass
    connection.close()


@pytest.fixture
def doomed_cluster() -> Iterator[Cluster]:
    """A cluster that the test may kill."""
    with started_cluster("doomed") as started:
        yield started
        # One that is just coming back would first finish with that.
        started.stop(at_once=True)


def test_a_server_that_is_killed_in_the_middle_of_a_result(
    doomed_cluster: Cluster,
) -> None:
    connection = engineroom.connect(doomed_cluster.url())
    cursor = connection.execute(MANY_ROWS)
    assert cursor.fetchone() == (1, "x" * 100)
    (backend,) = doomed_cluster.backends()
    # Its postmaster takes every other backend down with it, and begins again.
    os.kill(backend, signal.SIGKILL)
    with pytest.raises(errors.ConnectionLost):
        for _ in cursor:
            pass
    connection.close()


class Worker:
    """A user under load: asks without end and connects again when it fails."""

    def __init__(self, url: str) -> None:
        self.answers = 0
        self.failures: list[errors.Error] = []
        self.surprise: BaseException | None = None
        self._url = url
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            while not self._is_over.is_set():
                self._ask_until_it_fails()
        except BaseException as error:
            self.surprise = error

    def _ask_until_it_fails(self) -> None:
        connection: Connection | None = None
        try:
            connection = engineroom.connect(self._url, autocommit=True)
            while not self._is_over.is_set():
                assert connection.execute("SELECT 42").fetchone() == (42,)
                self.answers += 1
        except errors.Error as error:
            self.failures.append(error)
        finally:
            if connection:
                connection.close()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()


@pytest.mark.parametrize("at_once", [False, True], ids=["in order", "at once"])
def test_a_restart_under_load_is_survived(
    doomed_cluster: Cluster, at_once: bool
) -> None:
    workers = [Worker(doomed_cluster.url()) for _ in range(6)]
    try:
        wait_until(lambda: all(w.answers > 20 for w in workers), "all get answers")
        doomed_cluster.restart(at_once=at_once)
        before = {worker: worker.answers for worker in workers}
        wait_until(
            lambda: all(w.answers > before[w] + 20 for w in workers),
            "all get answers again",
        )
    finally:
        for worker in workers:
            worker.stop()
    assert [worker.surprise for worker in workers] == [None] * 6
    for worker in workers:
        assert worker.failures, "the restart went unnoticed"
        for failure in worker.failures:
            assert isinstance(failure, errors.OperationalError), repr(failure)


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_a_full_socket_buffer_is_waited_for(cluster: Cluster, sslmode: str) -> None:
    """Where both sides only wrote, each would wait for the other for ever."""
    text = "x" * 1_000_000
    with started_proxy(cluster.port, buffer_bytes=4096) as proxy:
        url = cluster.url(port=proxy.port, sslmode=sslmode, timeout_seconds=15)
        with engineroom.connect(url, autocommit=True) as connection:
            assert connection.execute("SELECT ?", (text,)).fetchone() == (text,)
            connection.execute("CREATE TEMPORARY TABLE wide (x text)")
            connection.executemany("INSERT INTO wide VALUES (?)", [(text,)] * 20)
            sql = "SELECT sum(length(x)) FROM wide"
            assert connection.execute(sql).fetchone() == (20_000_000,)


def test_a_sender_whose_receiver_stalls_is_timed_out(cluster: Cluster) -> None:
    with started_proxy(cluster.port, buffer_bytes=4096) as proxy:
        url = cluster.url(port=proxy.port, sslmode="disable", timeout_seconds=1)
        play(url)
        proxy.cut = Cut(CLIENT, proxy.names(CLIENT).index("P"), 0, "stall")
        connection = engineroom.connect(url)
        start = time.monotonic()
        with pytest.raises(errors.TimedOut):
            connection.execute("SELECT length(?)", ("x" * 50_000_000,)).fetchall()
        assert time.monotonic() - start < SOON_SECONDS
        connection.close()


def test_a_query_that_takes_too_long_is_timed_out(cluster: Cluster) -> None:
    connection = engineroom.connect(cluster.url(timeout_seconds=1), autocommit=True)
    start = time.monotonic()
    with pytest.raises(errors.TimedOut) as caught:
        connection.execute("SELECT pg_sleep(30)").fetchall()
    assert 0.9 < time.monotonic() - start < SOON_SECONDS
    assert caught.value.was_sent
    connection.close()


def test_who_lost_the_answer_knows_that_it_was_sent(
    cluster: Cluster, proxy: Proxy
) -> None:
    url = cluster.url(port=proxy.port, sslmode="disable")
    with closing(engineroom.connect(url, autocommit=True)) as connection:
        connection.execute("SELECT 42").fetchall()
        proxy.conversations[-1].hurt_after(1)
        with pytest.raises(errors.ConnectionLost) as caught:
            connection.execute("SELECT 42").fetchall()
        assert caught.value.was_sent
        with pytest.raises(errors.ConnectionLost) as caught:
            connection.execute("SELECT 43").fetchall()
        assert not caught.value.was_sent, "it was known to be lost"


def test_rows_by_the_thousand_are_sent_while_nothing_is_answered(
    cluster: Cluster,
) -> None:
    """A server keeps short answers back until it is asked for all it has."""
    url = cluster.url(sslmode="disable", timeout_seconds=20)
    with engineroom.connect(url) as connection:
        connection.execute("CREATE TEMPORARY TABLE wide (x text)")
        rows = [("x" * 300_000,)] * 10
        connection.executemany("INSERT INTO wide VALUES (?)", rows)
        sql = "SELECT sum(length(x)) FROM wide"
        assert connection.execute(sql).fetchone() == (3_000_000,)


@pytest.mark.parametrize("autocommit", [False, True], ids=["off", "on"])
def test_other_threads_run_while_the_server_is_waited_for(
    cluster: Cluster, autocommit: bool
) -> None:
    """The proxy is a thread of this process: who kept it out would wait for ever."""
    with started_proxy(cluster.port) as proxy:
        url = cluster.url(port=proxy.port, sslmode="disable", timeout_seconds=5)
        with engineroom.connect(url, autocommit=autocommit) as connection:
            connection.execute("CREATE TEMPORARY TABLE short (x int4)")
            connection.executemany("INSERT INTO short VALUES (?)", [(1,), (2,)])
            cursor = connection.execute("SELECT count(*) FROM short")
            assert cursor.fetchone() == (2,)
            connection.executescript("SELECT 1; SELECT 2")
            cursor = connection.execute(f"{MANY_ROWS} LIMIT 50000")
            assert cursor.fetchone() == (1, "x" * 100)
            cursor.close()
            assert connection.execute("SELECT 42").fetchone() == (42,)


def test_forgotten_connections_leave_no_socket(cluster: Cluster) -> None:
    for _ in range(20):
        connection = engineroom.connect(cluster.url())
        connection.execute(MANY_ROWS).fetchone()
        with pytest.warns(ResourceWarning):
            del connection
