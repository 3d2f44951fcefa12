"""What statements leave on their connection, and what they do to transactions."""

from __future__ import annotations

import pytest

from engineroom.statement import recognise

SESSION = {
    "postgres": {
        "SET search_path TO a": True,
        "set session a.b = 1": True,
        "SET ROLE a": True,
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY": True,
        "SET LOCAL a = 1": False,
        "SET TRANSACTION READ ONLY": False,
        "SET CONSTRAINTS ALL DEFERRED": False,
        "RESET ALL": True,
        "LISTEN a": True,
        "UNLISTEN *": True,
        "NOTIFY a": False,
        "PREPARE a AS SELECT 1": True,
        "PREPARE TRANSACTION 'a'": False,
        "DEALLOCATE a": True,
        "DISCARD ALL": True,
        "LOAD 'a'": True,
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1": True,
        "DECLARE c CURSOR FOR SELECT 1": False,
        "CREATE TEMP TABLE t (a int)": True,
        "CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1": True,
        "CREATE TABLE pg_temp.t (a int)": True,
        "CREATE TABLE t (a int)": False,
        "SELECT 1 INTO TEMP t": True,
        "SELECT temp FROM weather": False,
        "INSERT INTO temp VALUES (1)": False,
        "EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1": True,
        "DO $$ BEGIN SET a = 1; END $$": True,
        "CALL p()": False,
        "SELECT pg_advisory_lock(1)": True,
        "SELECT pg_try_advisory_lock_shared(1)": True,
        "SELECT pg_advisory_unlock_all()": True,
        "SELECT pg_advisory_xact_lock(1)": False,
        "SELECT set_config('a.b', 'c', false)": True,
        "SELECT 'SET a = 1'": False,
        "SELECT 1; SET a = 1": True,
        "; ; SET a = 1": True,
        "BEGIN": False,
        "UPDATE t SET a = 1": False,
        "SELECT 1": False,
        "": False,
    },
    "sqlite": {
        "ATTACH 'a.db' AS a": True,
        "DETACH a": True,
        "PRAGMA foreign_keys = ON": True,
        "PRAGMA foreign_keys(ON)": True,
        "PRAGMA foreign_keys": False,
        "PRAGMA main.table_info(product)": False,
        "PRAGMA user_version = 3": False,
        "CREATE TEMP TABLE t (a)": True,
        "CREATE TABLE temp.t (a)": True,
        "CREATE TABLE t (a)": False,
        "SELECT load_extension('a')": True,
        "INSERT INTO t VALUES (1)": False,
        "REINDEX": False,
        "SELECT 1": False,
        "": False,
    },
}
TRANSACTIONS = {
    "postgres": {
        "BEGIN": True,
        "begin isolation level serializable": True,
        "START TRANSACTION": True,
        "COMMIT": True,
        "END": True,
        "ROLLBACK": True,
        "ABORT": True,
        "SAVEPOINT a": True,
        "RELEASE a": True,
        "ROLLBACK TO a": True,
        "PREPARE TRANSACTION 'a'": True,
        "COMMIT PREPARED 'a'": True,
        "SET TRANSACTION READ ONLY": True,
        "PREPARE a AS SELECT 1": False,
        "SET a = 1": False,
        "SELECT 1; COMMIT": True,
        "/* a */ COMMIT": True,
        "DO $$ BEGIN COMMIT; END $$": False,
        "SELECT 'BEGIN'": False,
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END": False,
        "SELECT CASE WHEN a THEN b END FROM t": False,
        "": False,
    },
    "sqlite": {
        "BEGIN IMMEDIATE": True,
        "COMMIT": True,
        "END": True,
        "ROLLBACK": True,
        "SAVEPOINT a": True,
        "RELEASE a": True,
        "CREATE TRIGGER a AFTER INSERT ON t BEGIN DELETE FROM u; END": False,
        "SELECT 1": False,
        "": False,
    },
}


def listed(table):
    cases = [(b, sql, is_so) for b in table for sql, is_so in table[b].items()]
    return pytest.mark.parametrize(
        ("backend", "sql", "is_so"), cases, ids=[f"{b}: {sql}" for b, sql, _ in cases]
    )


@listed(SESSION)
def test_what_stays_on_the_connection_is_noticed(backend, sql, is_so):
    assert recognise(sql, backend).changes_session is is_so


@listed(TRANSACTIONS)
def test_what_begins_or_ends_a_transaction_is_noticed(backend, sql, is_so):
    assert recognise(sql, backend).controls_transaction is is_so
