"""Values in and out: every type both ways, and what does not fit."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
from typing import TYPE_CHECKING, Any

import pytest
from naming import case_name

import engineroom
from engineroom import errors

if TYPE_CHECKING:
    from engineroom import Connection

UTC = datetime.timezone.utc
CEST = datetime.timezone(datetime.timedelta(hours=2))

# What a type is, is each backend's own; PostgreSQL's are in tests/postgres.
pytestmark = pytest.mark.only("sqlite")


class Colour(enum.IntEnum):
    RED = 7


class Index:
    def __index__(self) -> int:
        return 11


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        (0, 0),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (1.5, 1.5),
        (-0.0, 0.0),
        (math.inf, math.inf),
        ("", ""),
        ("text", "text"),
        ("Grüße, 世界 😀", "Grüße, 世界 😀"),
        ("a\0b", "a\0b"),
        (b"", b""),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"cd"), b"cd"),
        (True, 1),
        (Colour.RED, 7),
        (Index(), 11),
        (decimal.Decimal("1.10"), "1.10"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.time(12, 34, 56, 7), "12:34:56.000007"),
        (datetime.datetime(2024, 2, 29, 12, 0), "2024-02-29 12:00:00"),
        (datetime.datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01 00:00:00+00:00"),
    ],
    ids=case_name,
)
def test_a_parameter_arrives_as_it_was_sent(
    connection: Connection, value: Any, stored: Any
) -> None:
    (found,) = connection.execute("SELECT ?", (value,)).fetchone() or (...,)
    assert found == stored
    assert type(found) is type(stored)


def test_nan_becomes_null_as_sqlite_has_it(connection: Connection) -> None:
    assert connection.execute("SELECT ?", (math.nan,)).fetchone() == (None,)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("INTEGER", 5),
        ("BIGINT", 2**40),
        ("REAL", 2.5),
        ("DOUBLE PRECISION", 1e300),
        ("VARCHAR(10)", "abc"),
        ("TEXT", "abc"),
        ("BLOB", b"abc"),
        ("BOOLEAN", True),
        ("BOOL", False),
        ("DATE", datetime.date(1, 1, 1)),
        ("DATE", datetime.date(9999, 12, 31)),
        ("TIME", datetime.time(23, 59, 59, 999999)),
        ("TIMESTAMP", datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)),
        ("DATETIME", datetime.datetime(1, 1, 1)),
        ("DATETIME", datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)),
        ("TIMESTAMP(6)", datetime.datetime(2024, 5, 6, 7, 8, 9)),
        ("TIMESTAMPTZ", datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("TIMESTAMP WITH TIME ZONE", datetime.datetime(2024, 5, 6, tzinfo=UTC)),
        ("TIMESTAMP", datetime.datetime(2024, 5, 6, 7, 8, tzinfo=CEST)),
        ("DECIMAL(10, 2)", decimal.Decimal("12.5")),
        ("NUMERIC", decimal.Decimal("-7")),
        ("DECIMAL", decimal.Decimal("0.1")),
    ],
    ids=case_name,
)
def test_a_value_comes_back_as_its_column_is_declared(
    connection: Connection, declared: str, value: Any
) -> None:
    connection.execute(f"CREATE TABLE t (a {declared})")
    connection.executemany("INSERT INTO t VALUES (?)", [(value,), (None,)])
    rows = connection.execute("SELECT a FROM t").fetchall()
    assert rows == [(value,), (None,)]
    assert type(rows[0][0]) is type(value)


def test_a_moment_keeps_its_offset_or_is_utc_as_declared(
    connection: Connection,
) -> None:
    moment = datetime.datetime(2024, 5, 6, 7, 8, tzinfo=CEST)
    connection.execute("CREATE TABLE t (a TIMESTAMP, b TIMESTAMPTZ)")
    connection.execute("INSERT INTO t VALUES (?, ?)", (moment, moment))
    kept, utc = connection.execute("SELECT * FROM t").fetchone() or (None, None)
    assert kept.utcoffset() == datetime.timedelta(hours=2)
    assert utc.tzinfo is UTC
    assert kept == utc == moment


def test_a_large_decimal_keeps_its_digits_in_a_text_column(
    connection: Connection,
) -> None:
    number = decimal.Decimal("12345678901234567890.123456789")
    connection.execute("CREATE TABLE t (a TEXT)")
    connection.execute("INSERT INTO t VALUES (?)", (number,))
    (text,) = connection.execute("SELECT a FROM t").fetchone() or ("",)
    assert decimal.Decimal(text) == number


def test_a_column_may_hold_values_of_every_kind(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a)")
    values = [1, "two", 3.0, b"four", None, 5, ""]
    connection.executemany("INSERT INTO t VALUES (?)", [(v,) for v in values])
    rows = connection.execute("SELECT a FROM t").fetchall()
    assert [row[0] for row in rows] == values
    assert [type(row[0]) for row in rows] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("declared", "literal", "shown"),
    [
        ("DATE", "'2023-02-30'", "'2023-02-30'"),
        ("DATE", "'2023-02-03 00:00:00'", "'2023-02-03 00:00:00'"),
        ("DATE", "45000", "45000"),
        ("TIME", "'25:00'", "'25:00'"),
        ("TIMESTAMP", "1700000000", "1700000000"),
        ("TIMESTAMP", "'2023-02-03 04:05:06.1234567'", "'2023-02-03 04:05:06.1234567'"),
        ("TIMESTAMPTZ", "'2023-02-03 04:05:06'", "'2023-02-03 04:05:06'"),
        ("BOOLEAN", "2", "2"),
        ("BOOLEAN", "'yes'", "'yes'"),
        ("DECIMAL", "'much'", "'much'"),
        ("DECIMAL", "x'00'", "b'\\x00'"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_named_and_can_be_had_as_stored(
    database: str, declared: str, literal: str, shown: str
) -> None:
    with engineroom.connect(database) as connection:
        connection.execute(f"CREATE TABLE t (a {declared})")
        connection.execute(f"INSERT INTO t VALUES (NULL), ({literal})")
        cursor = connection.execute("SELECT a FROM t")
        with pytest.raises(errors.NotOfDeclaredType) as caught:
            cursor.fetchall()
    assert caught.value.code == "ER2207"
    assert f"Row 2 of column `a` holds `{shown}`" in caught.value.message
    assert "types=stored" in caught.value.hint
    with engineroom.connect(f"{database}&types=stored") as connection:
        rows = connection.execute("SELECT a, a IS NULL FROM t").fetchall()
    assert rows[0] == (None, 1)
    assert repr(rows[1][0]) == shown


def test_types_as_stored_leaves_values_alone(database: str) -> None:
    with engineroom.connect(f"{database}&types=stored") as connection:
        connection.execute("CREATE TABLE t (a BOOLEAN, b DATE, c DECIMAL(5, 2))")
        connection.execute("INSERT INTO t VALUES (?, ?, ?)", (True, "2024-01-01", 1.5))
        assert connection.execute("SELECT * FROM t").fetchone() == (
            1,
            "2024-01-01",
            1.5,
        )


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30], ids=str)
def test_an_integer_past_64_bits_is_refused(connection: Connection, value: int) -> None:
    with pytest.raises(errors.OutOfRange) as caught:
        connection.execute("SELECT ?", (value,))
    assert caught.value.code == "ER2205"
    assert isinstance(caught.value, engineroom.DataError)


@pytest.mark.parametrize(
    "value", [object(), {1}, [1], {"a": 1}, 1j, datetime.timedelta(1)], ids=case_name
)
def test_a_type_that_no_column_can_hold_is_refused(
    connection: Connection, value: object
) -> None:
    with pytest.raises(errors.ParameterTypeUnsupported) as caught:
        connection.execute("SELECT ?", (value,))
    assert caught.value.type_name == type(value).__name__


def test_a_surrogate_is_refused(connection: Connection) -> None:
    with pytest.raises(errors.NotUtf8):
        connection.execute("SELECT ?", ("\ud800",))
    with pytest.raises(errors.NotUtf8):
        connection.execute("SELECT '\ud800'")


def test_text_that_is_not_utf8_is_named_and_its_bytes_can_be_had(
    connection: Connection,
) -> None:
    connection.execute("CREATE TABLE t (a TEXT)")
    connection.execute("INSERT INTO t VALUES ('fine'), (CAST(x'6162ff' AS TEXT))")
    cursor = connection.execute("SELECT a FROM t")
    assert cursor.fetchone() == ("fine",)
    with pytest.raises(errors.NotUtf8) as caught:
        cursor.fetchone()
    assert "Row 2 of column `a`" in caught.value.message
    assert "from byte 2 on" in caught.value.message
    rows = connection.execute("SELECT CAST(a AS BLOB) FROM t").fetchall()
    assert rows == [(b"fine",), (b"ab\xff",)]


def test_a_failed_fetchall_ends_the_result_rather_than_leave_a_gap(
    connection: Connection,
) -> None:
    connection.execute("CREATE TABLE t (a TEXT)")
    connection.executemany("INSERT INTO t VALUES (?)", [("x",)] * 20_000)
    connection.execute("UPDATE t SET a = CAST(x'ff' AS TEXT) WHERE rowid = 15000")
    cursor = connection.execute("SELECT a FROM t")
    with pytest.raises(errors.NotUtf8, match="Row 15000"):
        cursor.fetchall()
    with pytest.raises(errors.Misuse):
        cursor.fetchone()
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (20_000,)


def test_a_utf16_database_gives_the_same_text(connection: Connection) -> None:
    connection.executescript("PRAGMA encoding = 'UTF-16'; CREATE TABLE t (a TEXT)")
    connection.execute("INSERT INTO t VALUES (?)", ("Grüße 😀",))
    assert connection.execute("SELECT a, length(a) FROM t").fetchone() == (
        "Grüße 😀",
        7,
    )


def test_a_blob_of_many_megabytes_goes_there_and_back(connection: Connection) -> None:
    blob = bytes(range(256)) * 80_000
    connection.execute("CREATE TABLE t (a BLOB)")
    connection.execute("INSERT INTO t VALUES (?)", (blob,))
    assert connection.execute("SELECT a, a FROM t").fetchone() == (blob, blob)


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?", ()),
        ("SELECT ?", None),
        ("SELECT ?", (1, 2)),
        ("SELECT 1", (1,)),
        ("SELECT :a", {"b": 1}),
        ("SELECT ?", {"a": 1}),
        ("SELECT ?", "a"),
        ("SELECT ?", b"a"),
        ("SELECT ?", 1),
    ],
    ids=case_name,
)
def test_parameters_that_do_not_fit_are_refused(
    connection: Connection, sql: str, parameters: Any
) -> None:
    with pytest.raises(errors.ParameterError) as caught:
        connection.execute(sql, parameters)
    assert caught.value.code == "ER2202"
    assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("sql", "parameters", "row"),
    [
        ("SELECT ?, ?", (1, 2), (1, 2)),
        ("SELECT ?2, ?1", (1, 2), (2, 1)),
        ("SELECT :a, @b, $c", {"a": 1, "b": 2, "c": 3}, (1, 2, 3)),
        ("SELECT :a, :a", {"a": 1, "unused": 2}, (1, 1)),
        ("SELECT :a, :b", (1, 2), (1, 2)),
        ("SELECT ?, ?", range(2), (0, 1)),
    ],
    ids=case_name,
)
def test_parameters_go_by_place_or_by_name(
    connection: Connection, sql: str, parameters: Any, row: tuple[int, ...]
) -> None:
    assert connection.execute(sql, parameters).fetchone() == row


def test_a_mapping_that_fails_tells_its_own_error(connection: Connection) -> None:
    class Broken(dict[str, int]):
        def __getitem__(self, key: str) -> int:
            raise RuntimeError("broken mapping")

    with pytest.raises(RuntimeError, match="broken mapping"):
        connection.execute("SELECT :a", Broken(a=1))


def test_many_parameters_are_possible(connection: Connection) -> None:
    marks = ", ".join("?" * 2000)
    values = tuple(range(2000))
    assert connection.execute(f"SELECT {marks}", values).fetchone() == values
