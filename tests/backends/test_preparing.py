"""Statements that are prepared before they are needed, and connections looked at."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

if TYPE_CHECKING:
    from backends.conftest import Backend
    from engineroom import Connection

ENDLESS = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    "SELECT count(*) FROM c"
)


def prepare(connection: Connection, sql: str) -> None:
    reader = connection._handle.session.reader()
    assert reader.prepare(sql) is None
    assert not reader.has_result
    reader.close()


def test_preparing_runs_nothing(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a int)")
    connection.commit()
    prepare(connection, "INSERT INTO t VALUES (1)")
    prepare(connection, "INSERT INTO t VALUES (1)")
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert connection.execute("INSERT INTO t VALUES (1)").rowcount == 1


def test_a_reader_can_prepare_between_two_runs(connection: Connection) -> None:
    reader = connection._handle.session.reader()
    sql = "SELECT 42"
    reader.execute(sql, None)
    reader.prepare(sql)
    assert not reader.has_result
    reader.execute(sql, None)
    assert reader.fetchall() == [(42,)]
    reader.close()


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT * FROM nowhere"])
def test_what_cannot_be_prepared_fails_as_it_would_when_run(
    connection: Connection, sql: str
) -> None:
    with pytest.raises(errors.SqlError) as run:
        connection.execute(sql)
    connection.rollback()
    with pytest.raises(type(run.value)) as prepared:
        prepare(connection, sql)
    assert str(prepared.value) == str(run.value)
    assert prepared.value.query_position == run.value.query_position
    assert connection.execute("SELECT 42").fetchone() == (42,)


def test_preparing_without_a_cache_does_nothing(backend: Backend) -> None:
    url = backend.url(statement_cache=0)
    with closing(engineroom.connect(url)) as connection:
        prepare(connection, "never looked at")


# Looking.


def test_a_connection_that_is_open_looks_so(connection: Connection) -> None:
    is_gone = connection._handle.session.is_gone
    assert not is_gone()
    cursor = connection.execute("SELECT 42")
    assert not is_gone()
    assert cursor.fetchall() == [(42,)]
    assert not is_gone()
    connection.close()
    assert is_gone()


def test_a_result_that_is_half_read_is_not_disturbed(connection: Connection) -> None:
    cursor = connection.execute(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
        "WHERE x < 50000) SELECT x FROM c"
    )
    for number in range(1, 50001):
        assert cursor.fetchone() == (number,)
        if number % 1000 == 0:
            assert not connection._handle.session.is_gone()
    assert cursor.fetchone() is None


def test_whoever_looks_while_another_thread_works_is_told(database: str) -> None:
    with closing(engineroom.connect(database, autocommit=True)) as connection:
        session = connection._handle.session
        refused = threading.Event()

        def look() -> None:
            while not refused.is_set():
                try:
                    session.is_gone()
                except errors.UsedByAnotherThread:
                    refused.set()
            connection.interrupt()

        thread = threading.Thread(target=look)
        session.limit(20_000)
        thread.start()
        with pytest.raises((errors.Interrupted, errors.UsedByAnotherThread)):
            # The one who looks may be inside just then.
            connection.execute(ENDLESS)
        refused.set()
        thread.join()
