"""Signals during long work: a handler that raises stops it, and nothing is broken.

Each test asks for a signal in a moment and then starts something that would take for
ever. How soon the signal is seen is measured by `nox -s bench`.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

import engineroom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom import Connection

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "

pytestmark = [
    pytest.mark.skipif(
        not hasattr(signal, "setitimer"), reason="there are no interval timers here"
    ),
    # What a server does is stopped in tests/postgres.
    pytest.mark.only("sqlite"),
]


class Stop(Exception):
    """What the signal's handler raises."""


@pytest.fixture
def soon() -> Iterator[None]:
    """A signal a little later, whose handler raises `Stop`."""

    def stop(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def is_usable(connection: Connection) -> bool:
    return connection.execute("SELECT 42").fetchone() == (42,)


@pytest.mark.usefixtures("soon")
def test_a_query_that_is_running_is_stopped(connection: Connection) -> None:
    with pytest.raises(Stop):
        connection.execute(ENDLESS + "SELECT count(*) FROM c")
    assert is_usable(connection)


@pytest.mark.usefixtures("soon")
def test_fetchall_is_stopped_also_with_two_threads(connection: Connection) -> None:
    cursor = connection.execute(ENDLESS + "SELECT x FROM c WHERE x < 10000 OR x < 0")
    with pytest.raises(Stop):
        cursor.fetchall()
    assert is_usable(connection)


@pytest.mark.usefixtures("soon")
def test_iteration_is_stopped(connection: Connection) -> None:
    def read() -> None:
        for _ in connection.execute(ENDLESS + "SELECT x FROM c"):
            pass

    with pytest.raises(Stop):
        read()
    assert is_usable(connection)


@pytest.mark.usefixtures("soon")
def test_an_arrow_stream_is_stopped_while_it_begins(connection: Connection) -> None:
    cursor = connection.execute(ENDLESS + "SELECT x FROM c WHERE x < 100")
    with pytest.raises(Stop):
        cursor.fetch_arrow()
    assert is_usable(connection)


@pytest.mark.usefixtures("soon")
def test_executemany_is_stopped_between_rows(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a)")
    with pytest.raises(Stop):
        connection.executemany("INSERT INTO t VALUES (?)", iter(lambda: (1,), None))
    connection.rollback()
    assert is_usable(connection)


@pytest.mark.usefixtures("soon")
def test_executemany_with_two_threads_is_stopped_within_a_row(
    connection: Connection,
) -> None:
    connection.execute("CREATE TABLE t (a)")
    sql = "INSERT INTO t " + ENDLESS + "SELECT count(*) FROM c WHERE x < ?"
    with pytest.raises(Stop):
        connection.executemany(sql, [(1,)] * 10_000)
    connection.rollback()
    assert is_usable(connection)


def test_waiting_for_a_lock_is_stopped(
    database: str, request: pytest.FixtureRequest
) -> None:
    with (
        engineroom.connect(database) as holder,
        engineroom.connect(f"{database}&timeout_seconds=3600") as waiter,
    ):
        holder.execute("CREATE TABLE t (a)")
        request.getfixturevalue("soon")
        with pytest.raises(Stop):
            waiter.execute("CREATE TABLE u (a)")
        assert is_usable(waiter)
        holder.rollback()


@pytest.mark.usefixtures("soon")
def test_a_script_is_stopped(connection: Connection) -> None:
    with pytest.raises(Stop):
        connection.executescript(ENDLESS + "SELECT count(*) FROM c")
    assert is_usable(connection)


def test_ctrl_c_is_a_keyboard_interrupt(connection: Connection) -> None:
    before = signal.signal(
        signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT)
    )
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            connection.execute(ENDLESS + "SELECT count(*) FROM c")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert is_usable(connection)
