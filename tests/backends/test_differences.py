"""Where backends differ: each difference is one that the documentation tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engineroom import errors

if TYPE_CHECKING:
    from engineroom import Connection

    from .conftest import Quirks


def test_reading_begins_a_transaction_or_not(
    connection: Connection, quirks: Quirks
) -> None:
    connection.execute("SELECT 1")
    assert connection.in_transaction == quirks.begins_for_reads
    connection.execute("CREATE TABLE t (a INTEGER)")
    assert connection.in_transaction


def test_a_failure_spoils_the_transaction_or_not_and_never_a_block(
    connection: Connection, quirks: Quirks
) -> None:
    connection.execute("CREATE TABLE t (a INTEGER UNIQUE)")
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(errors.IntegrityError), connection.transaction():
        connection.execute("INSERT INTO t VALUES (1)")
    assert connection.transaction_status == "open"
    with pytest.raises(errors.IntegrityError):
        connection.execute("INSERT INTO t VALUES (1)")
    assert (connection.transaction_status == "failed") == quirks.is_spoiled
    if quirks.is_spoiled:
        with pytest.raises(errors.InFailedTransaction):
            connection.execute("SELECT a FROM t")
    else:
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
    connection.rollback()


def test_an_inserted_row_has_a_number_or_not(
    connection: Connection, quirks: Quirks
) -> None:
    cursor = connection.execute("CREATE TABLE t (a INTEGER)")
    cursor.execute("INSERT INTO t VALUES (7)")
    assert cursor.lastrowid == (1 if quirks.has_row_ids else None)


def test_an_expression_has_a_type_before_it_has_values_or_not(
    connection: Connection, quirks: Quirks
) -> None:
    cursor = connection.execute("SELECT 1 + 1 AS n WHERE 1 = 0")
    assert cursor.description is not None
    known = "integer" if quirks.knows_expressions else "any"
    assert cursor.description[0][:2] == ("n", known)


def test_procedures_are_called_or_refused(
    connection: Connection, quirks: Quirks
) -> None:
    cursor = connection.cursor()
    if not quirks.has_procedures:
        with pytest.raises(errors.NotSupportedError):
            cursor.callproc("lower", ("FOO",))
        return
    assert cursor.callproc("pg_catalog.lower", ("FOO",)) == ["FOO"]
    assert cursor.fetchall() == [("foo",)]
    cursor.callproc("regexp_split_to_table", ("a,b,c", ","))
    assert cursor.fetchall() == [("a",), ("b",), ("c",)]
    cursor.callproc('"lower"', ("X",))
    for name in ("lower('x'); --", "a b", "", "1a", '"', "a..b", "a.b.c.d"):
        with pytest.raises(errors.Misuse, match="No function can be named"):
            cursor.callproc(name)
