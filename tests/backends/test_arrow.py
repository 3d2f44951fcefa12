"""Arrow out: streams, types, values that do not fit."""

from __future__ import annotations

import datetime
import decimal
from typing import TYPE_CHECKING, Any

import pytest

import engineroom
from engineroom import errors

if TYPE_CHECKING:
    from engineroom import Connection

pa = pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")

COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) "

# Declared types are SQLite's here; PostgreSQL's are in tests/postgres.
pytestmark = pytest.mark.only("sqlite")


def test_declared_types_become_arrow_types(connection: Connection) -> None:
    connection.executescript(
        "CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e BOOLEAN, f DATE, g TIME, "
        "h TIMESTAMP, i TIMESTAMPTZ, j DECIMAL(10, 2), k NUMERIC)"
    )
    row = (
        1,
        2.5,
        "three",
        b"four",
        True,
        datetime.date(2024, 2, 29),
        datetime.time(1, 2, 3, 4),
        datetime.datetime(2024, 1, 2, 3, 4, 5, 6),
        datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        decimal.Decimal("-12.50"),
        2.5,
    )
    marks = ", ".join("?" * len(row))
    nulls = (None,) * len(row)
    connection.executemany(f"INSERT INTO t VALUES ({marks})", [nulls, row, nulls])
    table = connection.execute("SELECT * FROM t").fetch_arrow_table()
    table.validate(full=True)
    assert [str(field.type) for field in table.schema] == [
        "int64",
        "double",
        "string",
        "binary",
        "bool",
        "date32[day]",
        "time64[us]",
        "timestamp[us]",
        "timestamp[us, tz=UTC]",
        "decimal128(10, 2)",
        "double",
    ]
    assert table.num_rows == 3
    assert tuple(column[1].as_py() for column in table.columns) == row
    assert all(column.null_count == 2 for column in table.columns)


def test_expressions_become_what_their_values_are(connection: Connection) -> None:
    sql = "SELECT 1, 2.5, 'x', x'00', NULL UNION ALL SELECT NULL, 3, 'y', NULL, NULL"
    table = connection.execute(sql).fetch_arrow_table()
    assert [str(kind) for kind in table.schema.types] == [
        "int64",
        "double",
        "string",
        "binary",
        "null",
    ]
    assert table.column(1).to_pylist() == [2.5, 3.0]


@pytest.mark.parametrize("count", [0, 1, 64, 65, 65_536, 65_537, 200_000])
def test_a_stream_gives_every_row_once(connection: Connection, count: int) -> None:
    connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
    connection.execute(
        COUNT.format(max(count, 1))
        + "INSERT INTO t SELECT x, nullif('row ' || x, 'row 7') FROM c LIMIT ?",
        (count,),
    )
    table = connection.execute("SELECT a, b FROM t").fetch_arrow_table()
    table.validate(full=True)
    assert table.column("a").to_pylist() == list(range(1, count + 1))
    texts: list[Any] = [f"row {x}" for x in range(1, count + 1)]
    if count >= 7:
        texts[6] = None
    assert table.column("b").to_pylist() == texts


def test_a_cursor_is_itself_a_stream(connection: Connection) -> None:
    table = pa.table(connection.execute("SELECT 1 AS a, 'x' AS b"))
    assert table.to_pydict() == {"a": [1], "b": ["x"]}


def test_rows_fetched_before_are_not_in_the_stream(connection: Connection) -> None:
    cursor = connection.execute(COUNT.format(300) + "SELECT x FROM c")
    assert cursor.fetchone() == (1,)
    cursor.fetchmany(100)
    table = cursor.fetch_arrow_table()
    assert table.column("x").to_pylist() == list(range(102, 301))
    assert cursor.description is not None
    with pytest.raises(errors.Misuse):
        cursor.fetchone()


def test_a_stream_is_read_once(connection: Connection) -> None:
    result = connection.execute("SELECT 1").fetch_arrow()
    pa.table(result)
    with pytest.raises(errors.Misuse, match="read once"):
        pa.table(result)


def test_a_stream_that_is_dropped_frees_its_statement(database: str) -> None:
    with engineroom.connect(database) as connection:
        connection.execute(
            "CREATE TABLE t AS " + COUNT.format(9999) + "SELECT x FROM c"
        )
        connection.commit()
        result = connection.execute("SELECT x FROM t").fetch_arrow()
        reader = pa.RecordBatchReader.from_stream(result)
        del reader, result
        with engineroom.connect(f"{database}&timeout_seconds=0") as other:
            other.execute("DROP TABLE t")


def test_a_stream_outlives_its_cursor_but_not_its_connection(database: str) -> None:
    connection = engineroom.connect(database)
    sql = COUNT.format(200_000) + "SELECT x FROM c"
    reader = pa.RecordBatchReader.from_stream(connection.execute(sql))
    assert reader.read_next_batch().num_rows > 0
    connection.close()
    with pytest.raises(pa.ArrowException, match="The connection is closed"):
        reader.read_next_batch()


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("SELECT a FROM t", errors.NotOfDeclaredType, "Row 2 of column `a` holds `x`"),
        ("SELECT b FROM t", errors.NotOfDeclaredType, "Row 2 of column `b`"),
        ("SELECT c FROM t", errors.NotOfDeclaredType, "no Arrow decimal128"),
        ("VALUES (1), ('x')", errors.NotOfDeclaredType, "no Arrow float64"),
        ("SELECT CAST(x'ff' AS TEXT)", errors.NotUtf8, "not UTF-8 from byte 0"),
    ],
)
def test_a_value_that_does_not_fit_is_named(
    connection: Connection, sql: str, kind: type[errors.Error], words: str
) -> None:
    connection.execute("CREATE TABLE t (a INTEGER, b DATE, c DECIMAL(4, 1))")
    connection.execute("INSERT INTO t VALUES (1, '2024-01-01', 1), ('x', 'no', 1.25)")
    cursor = connection.execute(sql)
    with pytest.raises(kind) as caught:
        cursor.fetch_arrow()
    assert words in caught.value.message
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_late_value_that_does_not_fit_stops_the_stream(
    connection: Connection,
) -> None:
    connection.execute("CREATE TABLE t (a INTEGER)")
    connection.executemany("INSERT INTO t VALUES (?)", [(1,)] * 70_000 + [("x",)])
    reader = pa.RecordBatchReader.from_stream(connection.execute("SELECT a FROM t"))
    assert reader.read_next_batch().num_rows == 65_536
    with pytest.raises(pa.ArrowException, match="Row 70001 of column `a` holds `x`"):
        reader.read_next_batch()
