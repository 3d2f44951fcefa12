"""A limit of time over several calls: what it ends, and what is left afterwards."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors
from engineroom.connection import open_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from backends.conftest import Backend

ENDLESS = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    "SELECT count(*) FROM c"
)
# Past the limit, on a machine that is busy.
LATE_SECONDS = 1.0


def limit(connection: engineroom.Connection, milliseconds: int) -> None:
    connection._handle.session.limit(milliseconds)


def raised_after(limit_ms: int, kind: type[errors.Error], work: Callable[[], object]):
    """Run what has to fail at the limit, and return the failure."""
    started = time.monotonic()
    with pytest.raises(kind) as caught:
        work()
    taken = time.monotonic() - started
    assert limit_ms / 1000 - 0.01 <= taken < limit_ms / 1000 + LATE_SECONDS
    return caught.value


def test_a_limit_ends_what_runs_and_is_gone_when_it_is_taken_away(
    database: str,
) -> None:
    with closing(engineroom.connect(database, autocommit=True)) as connection:
        limit(connection, 100)
        raised_after(100, errors.TimedOut, lambda: connection.execute(ENDLESS))
    with closing(engineroom.connect(database, autocommit=True)) as connection:
        limit(connection, 1)
        limit(connection, 0)
        assert connection.execute("SELECT 42").fetchone() == (42,)


def test_what_begins_too_late_is_not_begun(database: str) -> None:
    with closing(engineroom.connect(database, autocommit=True)) as connection:
        connection.execute("CREATE TABLE t (a int)")
        limit(connection, -1)
        for work in (
            lambda: connection.execute("INSERT INTO t VALUES (1)"),
            lambda: connection.executemany("INSERT INTO t VALUES (?)", [(1,)]),
            lambda: connection.executescript("INSERT INTO t VALUES (1)"),
            lambda: connection.execute("SELECT 'never prepared'"),
        ):
            with pytest.raises(errors.TimedOut) as caught:
                work()
            assert not caught.value.was_sent
        limit(connection, 0)
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize("given", ["1", 1.5, None, 2**70])
def test_a_limit_is_a_whole_number(
    connection: engineroom.Connection, given: object
) -> None:
    with pytest.raises((TypeError, OverflowError)):
        limit(connection, given)  # type: ignore[arg-type]


@pytest.mark.only("sqlite")
def test_a_file_goes_on_after_its_limit(database: str) -> None:
    with closing(engineroom.connect(database)) as connection:
        connection.execute("CREATE TABLE t (a int)")
        connection.commit()
        connection.execute("INSERT INTO t VALUES (1)")
        limit(connection, 50)
        late = raised_after(50, errors.TimedOut, lambda: connection.execute(ENDLESS))
        assert "limit of 50 ms" in str(late)
        assert connection.in_transaction
        limit(connection, 50)
        sql = f"INSERT INTO t {ENDLESS.replace('count(*)', 'x')}"
        raised_after(50, errors.TimedOut, lambda: connection.execute(sql))
        assert not connection.in_transaction, "SQLite has undone all of it"
        limit(connection, 50)
        rows = ((number,) for number in range(1_000_000_000))
        sql = "INSERT INTO t VALUES (?)"
        raised_after(50, errors.TimedOut, lambda: connection.executemany(sql, rows))
        connection.rollback()
        limit(connection, 0)
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.only("sqlite")
def test_a_lock_is_waited_for_until_the_limit(backend: Backend) -> None:
    with closing(engineroom.connect(backend.url(), autocommit=True)) as holder:
        holder.execute("CREATE TABLE t (a int)")
        patient = backend.url(timeout_seconds=60)
        with closing(engineroom.connect(patient, autocommit=True)) as waiter:
            holder.execute("BEGIN EXCLUSIVE")
            limit(waiter, 100)
            work = waiter.execute
            raised_after(100, errors.DatabaseLocked, lambda: work("SELECT * FROM t"))
            raised_after(
                100,
                errors.DatabaseLocked,
                lambda: open_connection(
                    patient, is_autocommit=None, timeout_seconds=0.1
                ),
            )
            holder.execute("ROLLBACK")
            limit(waiter, 0)
            assert waiter.execute("SELECT * FROM t").fetchall() == []


def test_the_limit_of_opening_is_for_opening_alone(database: str) -> None:
    _, handle = open_connection(database, is_autocommit=True, timeout_seconds=0.5)
    with closing(handle):
        deadline = time.monotonic() + 0.6
        reader = handle.session.reader()
        while time.monotonic() < deadline:
            reader.execute("SELECT 42", None)
            assert reader.fetchone() == (42,)


def test_another_thread_may_shorten_a_call(database: str) -> None:
    with closing(engineroom.connect(database, autocommit=True)) as connection:
        limit(connection, 60_000)
        timer = threading.Timer(0.1, limit, (connection, 50))
        timer.start()
        raised_after(150, errors.TimedOut, lambda: connection.execute(ENDLESS))
        timer.join()
