"""Pipelines: everything is sent, answered in order, and nothing fails unheard."""

from __future__ import annotations

import resource
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

if TYPE_CHECKING:
    from engineroom import Connection

    from .cluster import Cluster

NUMBERS = "SELECT generate_series(1, ?::int) AS n"


@pytest.fixture
def connection(other: Connection) -> Connection:
    """A connection with autocommit on, and a table."""
    other.execute("CREATE TEMP TABLE t (a int PRIMARY KEY, b text)")
    return other


def rows(connection: Connection) -> list[int]:
    return [a for (a,) in connection.execute("SELECT a FROM t ORDER BY a")]


def insert(connection: Connection, *numbers: int) -> None:
    for number in numbers:
        connection.execute("INSERT INTO t VALUES (?)", (number,))


def test_every_cursor_gets_its_own_rows(connection: Connection) -> None:
    with connection.pipeline():
        cursors = [connection.execute(NUMBERS, (n,)) for n in range(200)]
    for count, cursor in enumerate(cursors):
        assert [n for (n,) in cursor.fetchall()] == list(range(1, count + 1))
        assert cursor.description is not None


def test_statements_are_sent_without_waiting_for_answers(
    connection: Connection, cluster: Cluster
) -> None:
    """The first waits for a lock that is let go only after all were sent."""
    lock, unlock = "SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)"
    connection.execute("SELECT ?::int", (0,))
    with engineroom.connect(cluster.url(), autocommit=True) as holder:
        holder.execute(lock)
        with connection.pipeline():
            waiting = connection.execute(lock)
            cursors = [connection.execute("SELECT ?::int", (n,)) for n in range(100)]
            assert holder.execute(unlock).fetchone() == (True,)
    assert waiting.rowcount == -1
    assert [cursor.fetchone() for cursor in cursors] == [(n,) for n in range(100)]


def test_fetching_inside_the_block_waits_for_that_run(connection: Connection) -> None:
    with connection.pipeline():
        insert(connection, 1, 2)
        first = connection.execute("SELECT count(*) FROM t")
        insert(connection, 3)
        assert first.fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(3,)]


def test_counts_are_known_when_asked_for_and_after_the_block(
    connection: Connection,
) -> None:
    with connection.pipeline():
        cursor = connection.execute("INSERT INTO t VALUES (1), (2)")
        assert cursor.rowcount == 2
        later = connection.execute("DELETE FROM t")
        returning = connection.execute("INSERT INTO t VALUES (5), (6) RETURNING a")
        assert returning.fetchall() == [(5,), (6,)]
        assert returning.rowcount == 2
    assert later.rowcount == 2


def test_a_cursor_that_runs_again_leaves_its_run_to_the_pipeline(
    connection: Connection,
) -> None:
    cursor = connection.cursor()
    with pytest.raises(errors.UniqueViolation), connection.pipeline() as pipeline:
        for number in (1, 1, 2, 3):
            cursor.execute("INSERT INTO t VALUES (?)", (number,))
    assert pipeline.failure_count == 1
    assert cursor.rowcount == 1
    assert rows(connection) == [1, 2, 3]


def test_a_cursor_closed_inside_the_block_hides_no_failure(
    connection: Connection,
) -> None:
    insert(connection, 1)
    with pytest.raises(errors.UniqueViolation), connection.pipeline():
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(errors.CursorClosed):
            cursor.fetchone()


def test_with_autocommit_a_failure_takes_no_other_with_it(
    connection: Connection,
) -> None:
    with pytest.raises(errors.UniqueViolation) as caught, connection.pipeline() as p:
        insert(connection, 1, 1, 2, 2, 3)
        last = connection.execute("SELECT count(*) FROM t")
    assert last.fetchone() == (3,)
    assert rows(connection) == [1, 2, 3]
    assert p.failure_count == 2
    assert p.failures[0] is caught.value
    assert "(1)" in caught.value.detail
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == [
            "1 more of the pipeline's statements failed after it"
        ]


def test_in_a_transaction_the_first_failure_is_the_one_that_is_raised(
    connection: Connection,
) -> None:
    connection.autocommit = False
    with pytest.raises(errors.UniqueViolation), connection.pipeline() as pipeline:
        insert(connection, 1, 1, 2)
        # Another text has to be prepared, which the failed transaction refuses.
        connection.execute("DELETE FROM t")
    assert connection.transaction_status == "failed"
    assert type(pipeline.failures[1]) is errors.InFailedTransaction
    connection.rollback()
    assert rows(connection) == []


def test_a_commit_waits_and_refuses_what_has_failed(connection: Connection) -> None:
    connection.autocommit = False
    with connection.pipeline():
        insert(connection, 1, 2)
        connection.commit()
        assert connection.transaction_status == "idle"
        insert(connection, 2)
        with pytest.raises(errors.UniqueViolation):
            connection.commit()
        connection.rollback()
        insert(connection, 3)
    connection.commit()
    assert rows(connection) == [1, 2, 3]


def test_blocks_of_transactions_work_inside(connection: Connection) -> None:
    with connection.pipeline():
        with connection.transaction():
            insert(connection, 1)
            with pytest.raises(errors.UniqueViolation), connection.transaction():
                insert(connection, 2, 1)
            insert(connection, 3)
        with pytest.raises(errors.UniqueViolation), connection.transaction():
            insert(connection, 4, 3)
    assert connection.transaction_status == "idle"
    assert rows(connection) == [1, 3]


def test_a_failure_behind_rows_is_raised_too(connection: Connection) -> None:
    bad = "SELECT 1 / (30 - n) FROM generate_series(1, 40) n"
    with pytest.raises(errors.DivisionByZero), connection.pipeline():
        cursor = connection.execute(bad)
        # Waiting for what comes after it takes its rows in.
        assert connection.execute("SELECT 5").fetchone() == (5,)
    with pytest.raises(errors.Misuse):
        cursor.fetchall()


def test_what_the_block_itself_raises_goes_first(connection: Connection) -> None:
    insert(connection, 1)
    with pytest.raises(LookupError), connection.pipeline() as pipeline:
        insert(connection, 1)
        raise LookupError
    assert pipeline.failure_count == 1
    assert rows(connection) == [1]


def test_a_failure_is_raised_once(connection: Connection) -> None:
    insert(connection, 1)
    with connection.pipeline() as pipeline:
        insert(connection, 1)
        with pytest.raises(errors.UniqueViolation):
            pipeline.sync()
        pipeline.sync()
    assert pipeline.failure_count == 1


def test_blocks_nest(connection: Connection) -> None:
    with connection.pipeline() as outer:
        insert(connection, 1)
        with pytest.raises(errors.UniqueViolation), connection.pipeline() as inner:
            insert(connection, 1)
        assert (outer.is_open, inner.is_open) == (True, False)
        with connection.pipeline():
            insert(connection, 2)
        insert(connection, 3)
    assert rows(connection) == [1, 2, 3]
    assert outer.failure_count == 0


def test_a_block_is_entered_once(connection: Connection) -> None:
    with connection.pipeline() as pipeline:
        pass
    with pytest.raises(errors.Misuse), pipeline:
        pass


def test_executemany_works_inside(connection: Connection) -> None:
    with connection.pipeline():
        insert(connection, 1)
        cursor = connection.cursor()
        cursor.execute("INSERT INTO t VALUES (2)")
        cursor.executemany("INSERT INTO t VALUES (?)", [(3,), (4,)])
        assert cursor.rowcount == 2
    assert rows(connection) == [1, 2, 3, 4]


def test_a_script_inside_waits_for_what_was_sent(connection: Connection) -> None:
    with pytest.raises(errors.UniqueViolation), connection.pipeline():
        insert(connection, 1, 1)
        connection.executescript("DELETE FROM t")
    assert rows(connection) == [1]


def test_a_hundred_thousand_statements_stay_within_bounds(
    connection: Connection,
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with connection.pipeline():
        insert(connection, *range(100_000))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (100_000,)
    assert grown_kib < 32 * 1024


def test_large_values_both_ways_stay_within_bounds(connection: Connection) -> None:
    """Neither side's socket can hold what both have to say: one must go on reading."""
    value = "x" * 1_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with connection.pipeline():
        for _ in range(300):
            connection.execute("SELECT ?::text", (value,))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 96 * 1024


def test_an_interrupt_ends_the_block_and_leaves_the_connection_usable(
    connection: Connection,
) -> None:
    insert(connection, 0)
    timer = threading.Timer(0.2, connection.cancel)
    with pytest.raises(errors.Interrupted), connection.pipeline():
        connection.execute("SELECT pg_sleep(60)")
        insert(connection, 1)
        timer.start()
    timer.join()
    with connection.pipeline():
        insert(connection, 2)
    assert rows(connection) == [0, 1, 2]


def test_a_connection_that_is_lost_ends_the_block(
    connection: Connection,
) -> None:
    pid = connection.info.backend_pid
    with pytest.raises(errors.ConnectionLost), connection.pipeline() as pipeline:
        for _ in range(10):
            connection.execute("SELECT pg_terminate_backend(?)", (pid,))
    # The first may have given its answer before it took effect.
    assert pipeline.failure_count >= 9
    assert connection.transaction_status == "lost"


def test_a_connection_closed_inside_ends_the_block(connection: Connection) -> None:
    with pytest.raises(errors.ConnectionClosed), connection.pipeline():
        insert(connection, 1)
        connection.close()


def test_many_of_one_text_leave_other_statements_prepared(
    connection: Connection,
) -> None:
    connection.execute("SELECT 'rare'")
    with connection.pipeline():
        cursors = [connection.execute("SELECT ?::int", (n,)) for n in range(600)]
    del cursors
    prepared = connection.execute("SELECT statement FROM pg_prepared_statements")
    assert "SELECT 'rare'" in [text for (text,) in prepared]


def test_sqlite_runs_the_block_as_it_stands() -> None:
    with engineroom.connect("sqlite://:memory:", autocommit=True) as connection:
        with connection.pipeline() as pipeline:
            connection.execute("CREATE TABLE t (a UNIQUE)")
            connection.execute("INSERT INTO t VALUES (1)")
            pipeline.sync()
        with pytest.raises(errors.UniqueViolation), connection.pipeline():
            connection.execute("INSERT INTO t VALUES (1)")
