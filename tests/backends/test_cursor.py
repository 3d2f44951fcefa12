"""Cursors: running statements and reading their rows."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

if TYPE_CHECKING:
    from engineroom import Connection

COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) "


def test_fetchone_gives_rows_in_order_and_then_none(connection: Connection) -> None:
    cursor = connection.execute("VALUES (1, 'a'), (2, 'b')")
    assert cursor.fetchone() == (1, "a")
    assert cursor.fetchone() == (2, "b")
    assert cursor.fetchone() is None
    assert cursor.fetchone() is None


def test_fetchmany_gives_arraysize_or_what_is_asked(connection: Connection) -> None:
    cursor = connection.execute(COUNT.format(10) + "SELECT x FROM c")
    assert cursor.fetchmany() == [(1,)]
    cursor.arraysize = 3
    assert cursor.fetchmany() == [(2,), (3,), (4,)]
    assert cursor.fetchmany(0) == []
    assert cursor.fetchmany(100) == [(5,), (6,), (7,), (8,), (9,), (10,)]
    assert cursor.fetchmany(100) == []


# Sizes around the batches that the engine reads in, and past where a second thread
# begins to help.
@pytest.mark.parametrize(
    "count", [0, 1, 7, 8, 9, 63, 64, 65, 575, 576, 577, 4160, 50_000]
)
def test_fetchall_gives_every_row_once(connection: Connection, count: int) -> None:
    sql = COUNT.format(max(count, 1)) + "SELECT x, 'row ' || x FROM c LIMIT ?"
    rows = connection.execute(sql, (count,)).fetchall()
    assert rows == [(x, f"row {x}") for x in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 65, 5_000])
def test_iteration_gives_every_row_once(connection: Connection, count: int) -> None:
    sql = COUNT.format(count) + "SELECT x FROM c"
    assert [x for (x,) in connection.execute(sql)] == list(range(1, count + 1))


def test_ways_of_fetching_can_be_mixed(connection: Connection) -> None:
    cursor = connection.execute(COUNT.format(10_000) + "SELECT x FROM c")
    assert cursor.fetchone() == (1,)
    assert next(cursor) == (2,)
    assert cursor.fetchmany(100)[-1] == (102,)
    assert len(cursor.fetchall()) == 10_000 - 102
    assert list(cursor) == []


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 40])
def test_rows_may_have_any_number_of_columns(
    connection: Connection, width: int
) -> None:
    columns = ", ".join(str(index) for index in range(width))
    assert connection.execute(f"SELECT {columns}").fetchall() == [tuple(range(width))]


@pytest.mark.only("sqlite")
def test_description_follows_the_declared_types(connection: Connection) -> None:
    connection.executescript(
        "CREATE TABLE t (a INTEGER, b REAL, c VARCHAR(20), d BLOB, e BOOLEAN, f DATE, "
        "g TIME, h TIMESTAMP, i TIMESTAMPTZ, j DECIMAL(10, 2), k)"
    )
    cursor = connection.execute("SELECT * FROM t")
    assert cursor.description is not None
    assert [column[:2] for column in cursor.description] == [
        ("a", "integer"),
        ("b", "float"),
        ("c", "text"),
        ("d", "blob"),
        ("e", "boolean"),
        ("f", "date"),
        ("g", "time"),
        ("h", "timestamp"),
        ("i", "timestamptz"),
        ("j", "decimal"),
        ("k", "any"),
    ]
    assert cursor.description[9] == ("j", "decimal", None, None, 10, 2, None)
    assert cursor.description[0][1] == engineroom.NUMBER
    assert cursor.description[7][1] == engineroom.DATETIME
    assert cursor.description[2][1] != engineroom.NUMBER


@pytest.mark.only("sqlite")
def test_an_expression_is_described_by_its_values(connection: Connection) -> None:
    cursor = connection.execute("SELECT 1 AS a, 2.5 AS b, 'x' AS c, NULL AS d")
    assert [column[:2] for column in cursor.description or ()] == [
        ("a", "integer"),
        ("b", "float"),
        ("c", "text"),
        ("d", "any"),
    ]


@pytest.mark.only("sqlite")
def test_an_expression_is_not_described_by_an_earlier_run(
    connection: Connection,
) -> None:
    cursor = connection.cursor()
    sql = "SELECT ? AS a"
    assert [c[1] for c in cursor.execute(sql, ("text",)).description or ()] == ["text"]
    assert [c[1] for c in cursor.execute(sql, (None,)).description or ()] == ["any"]
    assert [c[1] for c in cursor.execute(sql, (1,)).description or ()] == ["integer"]


def test_description_stays_after_the_last_row_and_goes_with_the_next_statement(
    connection: Connection,
) -> None:
    cursor = connection.execute("SELECT 1 AS a")
    cursor.fetchall()
    assert cursor.description is not None
    cursor.execute("CREATE TABLE t (a INTEGER)")
    assert cursor.description is None


def test_rowcount_counts_changes_and_is_minus_one_for_reads(
    connection: Connection,
) -> None:
    cursor = connection.cursor()
    assert cursor.rowcount == -1
    assert cursor.execute("CREATE TABLE t (a INTEGER)").rowcount == -1
    assert cursor.execute("INSERT INTO t VALUES (1), (2), (3)").rowcount == 3
    assert cursor.execute("UPDATE t SET a = a + 1 WHERE a > 1").rowcount == 2
    assert cursor.execute("SELECT * FROM t").rowcount == -1
    assert cursor.execute("DELETE FROM t").rowcount == 3
    assert cursor.execute("DELETE FROM t").rowcount == 0
    assert cursor.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)]).rowcount == 2
    assert cursor.executemany("INSERT INTO t VALUES (?)", []).rowcount == 0


@pytest.mark.only("sqlite")
def test_lastrowid_is_of_this_cursor(connection: Connection) -> None:
    first, second = connection.cursor(), connection.cursor()
    assert first.lastrowid is None
    first.execute("CREATE TABLE t (a)")
    assert first.execute("INSERT INTO t VALUES ('x')").lastrowid == 1
    assert second.execute("INSERT INTO t VALUES ('y')").lastrowid == 2
    assert first.lastrowid == 1


def test_returning_gives_rows_and_counts(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
    sql = "INSERT INTO t VALUES (1, 'x'), (2, 'y') RETURNING a, b"
    cursor = connection.execute(sql)
    assert cursor.rowcount == 2
    assert cursor.fetchone() == (1, "x")
    connection.commit()
    assert cursor.fetchall() == [(2, "y")]


def test_two_cursors_run_the_same_text_without_disturbing_each_other(
    connection: Connection,
) -> None:
    sql = COUNT.format(1000) + "SELECT x FROM c"
    first, second = connection.execute(sql), connection.execute(sql)
    assert first.fetchmany(70)[-1] == (70,)
    assert second.fetchall()[-1] == (1000,)
    assert first.fetchall()[0] == (71,)


@pytest.mark.only("sqlite")
def test_a_result_abandoned_half_way_leaves_no_lock_behind(database: str) -> None:
    with engineroom.connect(database) as writer:
        writer.execute("CREATE TABLE t (a INTEGER)")
        writer.executemany("INSERT INTO t VALUES (?)", ((i,) for i in range(5000)))
    with (
        engineroom.connect(database) as reader,
        engineroom.connect(f"{database}&timeout_seconds=0") as writer,
    ):
        cursor = reader.execute("SELECT a FROM t")
        cursor.fetchone()
        del cursor
        writer.execute("DROP TABLE t")


def test_a_cursor_that_is_reused_gives_up_its_result(connection: Connection) -> None:
    cursor = connection.execute(COUNT.format(5000) + "SELECT x FROM c")
    cursor.fetchone()
    assert cursor.execute("SELECT 'other'").fetchall() == [("other",)]


def test_an_empty_statement_does_nothing(connection: Connection) -> None:
    cursor = connection.execute("  -- nothing here\n /* nor here */ ;")
    assert cursor.description is None
    with pytest.raises(errors.Misuse):
        cursor.fetchone()


def test_fetching_without_a_result_is_refused(connection: Connection) -> None:
    cursor = connection.cursor()
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall):
        with pytest.raises(errors.Misuse, match="There is no result to fetch from"):
            fetch()
    cursor.execute("CREATE TABLE t (a INTEGER)")
    with pytest.raises(errors.Misuse):
        cursor.fetchone()


def test_a_closed_cursor_refuses_everything(connection: Connection) -> None:
    cursor = connection.execute("SELECT 1")
    cursor.close()
    cursor.close()
    with pytest.raises(errors.CursorClosed) as caught:
        cursor.execute("SELECT 1")
    assert caught.value.code == "ER2302"
    for use in (cursor.fetchone, cursor.fetchall, cursor.fetch_arrow, cursor.__next__):
        with pytest.raises(errors.CursorClosed):
            use()


def test_a_cursor_closes_at_the_end_of_its_block(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    with pytest.raises(errors.CursorClosed):
        cursor.fetchone()


def test_executemany_takes_any_iterable(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
    sql = "INSERT INTO t VALUES (?, ?)"
    connection.executemany(sql, [(1, "a"), [2, "b"]])
    connection.executemany(sql, ((index, "c") for index in (3, 4)))
    connection.executemany("INSERT INTO t VALUES (:x, :y)", [{"x": 5, "y": "d"}])
    assert connection.execute("SELECT a, b FROM t ORDER BY a").fetchall() == [
        (1, "a"),
        (2, "b"),
        (3, "c"),
        (4, "c"),
        (5, "d"),
    ]


@pytest.mark.parametrize("count", [1, 255, 256, 257, 10_000])
def test_executemany_runs_every_row_once(connection: Connection, count: int) -> None:
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
    rows = [(index, f"text {index}") for index in range(count)]
    cursor = connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    assert cursor.rowcount == count
    assert connection.execute("SELECT a, b FROM t ORDER BY a").fetchall() == rows


def test_executemany_may_read_from_the_same_connection(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a INTEGER)")
    source = connection.execute(COUNT.format(3000) + "SELECT x FROM c")
    connection.executemany("INSERT INTO t VALUES (?)", source)
    assert connection.execute("SELECT count(*), sum(a) FROM t").fetchone() == (
        3000,
        3000 * 3001 // 2,
    )


@pytest.mark.parametrize("count", [10, 10_000], ids=["one thread", "two threads"])
def test_executemany_names_the_row_that_failed(
    connection: Connection, count: int
) -> None:
    connection.execute("CREATE TABLE t (a INTEGER UNIQUE)")
    rows = [(index,) for index in range(count)]
    rows[count - 3] = (0,)
    with pytest.raises(errors.ConstraintViolated) as caught:
        connection.executemany("INSERT INTO t VALUES (?)", rows)
    assert f"row {count - 2} of the parameters" in caught.value.message
    assert caught.value.sqlstate == "23505"
    connection.rollback()


@pytest.mark.parametrize("count", [10, 10_000], ids=["one thread", "two threads"])
def test_executemany_with_autocommit_is_all_or_nothing(
    database: str, count: int
) -> None:
    with engineroom.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (a INTEGER UNIQUE)")
        rows = [(index,) for index in range(count)]
        with pytest.raises(errors.ConstraintViolated):
            connection.executemany("INSERT INTO t VALUES (?)", [*rows, (0,)])
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        connection.executemany("INSERT INTO t VALUES (?)", rows)
        assert not connection.in_transaction
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (count,)


def test_executemany_refuses_a_statement_that_gives_rows(
    connection: Connection,
) -> None:
    with pytest.raises(errors.Misuse):
        connection.executemany("SELECT ?", [(1,)])


def test_a_generator_that_fails_stops_executemany(connection: Connection) -> None:
    def rows() -> object:
        yield (1,)
        raise LookupError("no more")

    connection.execute("CREATE TABLE t (a INTEGER)")
    with pytest.raises(LookupError, match="no more"):
        connection.executemany("INSERT INTO t VALUES (?)", rows())
    assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.skipif(sys.platform != "linux", reason="bounds threads as Linux does")
def test_long_results_and_inserts_need_no_second_thread() -> None:
    """fetchall() once waited for ever for a thread that could not be made."""
    code = """
import os, resource
import engineroom
connection = engineroom.connect("sqlite://:memory:")
connection.execute("CREATE TABLE t (a INTEGER)")
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
if os.geteuid() == 0:  # root may have as many as it likes; be nobody
    os.setresuid(65534, 65534, 65534)
rows = [(n,) for n in range(20_000)]
connection.cursor().executemany("INSERT INTO t VALUES (?)", rows)
assert connection.execute("SELECT a FROM t ORDER BY a").fetchall() == rows
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
