"""Which statements are certain to change nothing, and which are not."""

from __future__ import annotations

import pytest

from engineroom.statement import recognise

BOTH = {
    "select": ("SELECT 1", True),
    "select, at its end a semicolon": ("SELECT 1;", True),
    "select, semicolons and a comment": ("SELECT 1; ; -- done", True),
    "select from a table": ("select a, b from t where c = ? order by a limit 3", True),
    "values": ("VALUES (1, 2), (3, 4)", True),
    "with": ("WITH a AS (SELECT 1) SELECT * FROM a", True),
    "a comment before": ("/* from app.py */ SELECT 1", True),
    "a word of change in a string": ("SELECT 'delete; update'", True),
    "a word of change in a name": ('SELECT "delete" FROM t', True),
    "a word of change in a comment": ("SELECT 1 -- insert\n + 2", True),
    "a word of change within a word": ("SELECT updated_at, inserted FROM t", True),
    "nothing": ("", False),
    "a comment alone": ("-- SELECT 1", False),
    "a bracket alone": ("(", False),
    "two statements": ("SELECT 1; SELECT 2", False),
    "a write behind": ("SELECT 1; DELETE FROM t", False),
    "insert": ("INSERT INTO t VALUES (1)", False),
    "update": ("UPDATE t SET a = 1", False),
    "delete": ("DELETE FROM t", False),
    "merge": ("MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE", False),
    "insert behind with": ("WITH a AS (SELECT 1) INSERT INTO t SELECT 1", False),
    "explain": ("EXPLAIN SELECT 1", True),
    "explain of a write": ("EXPLAIN DELETE FROM t", False),
    "a name that is none": ("SELECTION 1", False),
    "the word in quotes": ('"SELECT" 1', False),
    "a string without an end": ("SELECT 'a", False),
    "a name without an end": ('SELECT "a', False),
    "a comment without an end": ("SELECT 1 /* a", False),
    "a character that ends texts": ("SELECT 1\0", False),
    "transaction": ("BEGIN", False),
    "table": ("CREATE TABLE t (a)", False),
    "vacuum": ("VACUUM", False),
    "letters of other alphabets": ("SELECT größe FROM straße", True),
    "a space that is a letter": ("SELECT\u00a01", False),
}
SQLITE = {
    "any function": ("SELECT my_own(1), count(*) FROM t", True),
    "replace": ("REPLACE INTO t VALUES (1)", False),
    "replace behind with": ("WITH a AS (SELECT 1) REPLACE INTO t SELECT 1", False),
    "the function replace": ("SELECT replace(a, 'b', 'c') FROM t", True),
    "pragma": ("PRAGMA journal_mode = WAL", False),
    "pragma that asks": ("PRAGMA user_version", False),
    "explain query plan": ("EXPLAIN QUERY PLAN SELECT 1", True),
    "explain pragma": ("EXPLAIN PRAGMA journal_mode = WAL", False),
    "comments do not nest": ("SELECT 1 /* /* */", True),
    "names in other quotes": ("SELECT `delete`, [insert] FROM t", True),
    "a name without an end, in `": ("SELECT `a", False),
    "a name without an end, in [": ("SELECT [a", False),
    "parameters": ("SELECT ?1, :a, @b, $c", True),
    "backslashes mean nothing": ("SELECT 'a\\'", True),
    "a return ends no comment": ("SELECT 1 -- \r; DELETE FROM t", True),
    "attach": ("ATTACH 'b.db' AS b", False),
}
POSTGRES = {
    "table": ("TABLE t", True),
    "in brackets": ("(SELECT 1) UNION (SELECT 2)", True),
    "show": ("SHOW search_path", True),
    "explain verbose": ("EXPLAIN VERBOSE SELECT 1", True),
    "explain with options": ("EXPLAIN (COSTS off, FORMAT json) SELECT 1", True),
    "explain analyze": ("EXPLAIN ANALYZE SELECT 1", False),
    "explain analyse": ("EXPLAIN ANALYSE SELECT 1", False),
    "explain with the option analyze": ("EXPLAIN (ANALYZE) SELECT 1", False),
    "explain analyze, in quotes": ('EXPLAIN ("analyze") EXECUTE a', False),
    "explain execute": ("EXPLAIN EXECUTE a", False),
    "explain without an end": ("EXPLAIN (VERBOSE", False),
    "into": ("SELECT 1 INTO t", False),
    "for update": ("SELECT * FROM t FOR UPDATE", False),
    "for no key update": ("SELECT * FROM t FOR NO KEY UPDATE", False),
    "for share": ("SELECT * FROM t FOR SHARE", False),
    "for key share": ("SELECT * FROM t FOR/**/KEY SHARE", False),
    "for, of a substring": ("SELECT substring(a FROM 1 FOR 2) FROM t", True),
    "delete in a with": ("WITH a AS (DELETE FROM t RETURNING *) TABLE a", False),
    "built-in functions": ("SELECT lower(a), now(), count(*) FROM t", True),
    "built-in function, in capitals": ("SELECT LOWER(a) FROM t", True),
    "built-in function, qualified": ("SELECT pg_catalog.lower('A')", True),
    "volatile and harmless": ("SELECT random(), clock_timestamp()", True),
    "pg_sleep": ("SELECT pg_sleep(0)", True),
    "a function of somebody's own": ("SELECT charge(1)", False),
    "one in a schema": ("SELECT shop.lower('A')", False),
    "one in a schema of a database": ("SELECT a.pg_catalog.lower('A')", False),
    "one in quotes": ('SELECT "lower"(a) FROM t', False),
    "one with other letters": ("SELECT ran\u212a(a) FROM t", False),
    "a function named as a keyword": ("SELECT join(1)", False),
    "a space before the bracket": ("SELECT nextval ('s')", False),
    "a comment before the bracket": ("SELECT nextval/* */('s')", False),
    "nextval": ("SELECT nextval('s')", False),
    "nextval, qualified": ("SELECT pg_catalog.nextval('s')", False),
    "nextval, in capitals": ("SELECT NEXTVAL('s')", False),
    "nextval, in quotes": ("SELECT \"nextval\"('s')", False),
    "nextval, escaped": ("SELECT U&\"\\006eextval\"('s')", False),
    "setval": ("SELECT setval('s', 1)", False),
    "set_config": ("SELECT set_config('a.b', 'c', false)", False),
    "pg_notify": ("SELECT pg_notify('a', 'b')", False),
    "advisory lock": ("SELECT pg_advisory_lock(1)", False),
    "advisory lock, tried": ("SELECT pg_try_advisory_xact_lock(1)", False),
    "terminate": ("SELECT pg_terminate_backend(1)", False),
    "txid_current": ("SELECT txid_current()", False),
    "pg_current_xact_id": ("SELECT pg_current_xact_id()", False),
    "large objects": ("SELECT lo_create(0)", False),
    "dblink": ("SELECT * FROM dblink('', 'DELETE FROM t') AS t(a int)", False),
    "a query in a text": ("SELECT query_to_xml('SELECT 1', true, true, '')", False),
    "ts_stat": ("SELECT * FROM ts_stat('SELECT 1')", False),
    "nextval as a field": ("SELECT ('s'::regclass).nextval", False),
    "nextval as a column": ("SELECT n.nextval FROM to_regclass('s') n", False),
    "nextval as a field, in quotes": ('SELECT n."nextval" FROM n', False),
    "nextval as a field, escaped": ('SELECT n.U&"nextval" FROM n', False),
    "nextval of an element": ("SELECT (array['s'::regclass])[1].nextval", False),
    "nextval as a type": ("SELECT TREAT('s' AS nextval)", False),
    "nextval of a parameter that is none": ("SELECT a[1 :nextval('s')]", False),
    "an operator by its name": ("SELECT 1 OPERATOR(pg_catalog.+) f(2)", False),
    "an operator by its name, behind a bracket": (
        "SELECT (1) OPERATOR(pg_catalog.+) f(2)",
        False,
    ),
    "a way to sample": ("SELECT * FROM t TABLESAMPLE mine(1)", False),
    "distinct on, then a call": ("SELECT DISTINCT ON (a) over(b) FROM t", False),
    "distinct": ("SELECT DISTINCT count(*) OVER () FROM (VALUES (1)) v(a)", True),
    "distinct on": ("SELECT DISTINCT ON (a) a, b FROM t", True),
    "a call as definition of columns": ("SELECT * FROM a, f(1) AS (b int)", False),
    "over": ("SELECT sum(a) OVER (PARTITION BY b ORDER BY c) FROM t", True),
    "over nothing": ("SELECT row_number() OVER () FROM t", True),
    "filter": ("SELECT count(*) FILTER (WHERE a > 1) FROM t", True),
    "within group": (
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t",
        True,
    ),
    "types with sizes": (
        (
            "SELECT a::numeric(10,2), CAST(b AS varchar(3)), c::character varying(4),"
            " timestamp(3) '2024-01-01', d::geometry(Point, 4326) FROM t"
        ),
        True,
    ),
    "aliases with columns": ("SELECT * FROM (VALUES (1, 2)) v(a, b)", True),
    "with and its columns": (
        (
            "WITH RECURSIVE a(n) AS (VALUES (1) UNION ALL TABLE a),"
            " b(m) AS NOT MATERIALIZED (TABLE a), c(o) AS (SELECT NOT m FROM b) TABLE b"
        ),
        True,
    ),
    "constructs": (
        (
            "SELECT coalesce(a, b), nullif(a, b), greatest(a, b), exists(SELECT 1),"
            " array(SELECT 1), extract(year FROM c), CASE WHEN (a) THEN (b) END"
            " FROM t WHERE a IN (1) AND (b) OR NOT (c) AND d = ANY (e) GROUP BY (a)"
            " HAVING (b) ORDER BY (c) LIMIT (1) OFFSET (2)"
        ),
        True,
    ),
    "joins": (
        (
            "SELECT * FROM a JOIN (SELECT 1) b ON (true) LEFT JOIN LATERAL (SELECT 2) c"
            " USING (d) CROSS JOIN generate_series(1, 3) AS g(n)"
        ),
        True,
    ),
    "rollup, which may be a function": ("SELECT rollup(a) FROM t", False),
    "nested comments": ("SELECT 1 /* /* */ ; DELETE FROM t */", True),
    "a comment that only seems nested": ("SELECT 1 /*/ */; DELETE FROM t", False),
    "a comment in an operator": ("SELECT 1 +-- ; DELETE FROM t\n 2", True),
    "no comment in an operator": ("SELECT 1 + - nextval('s') - - 2", False),
    "a return ends a comment": ("SELECT 1 -- \r; DELETE FROM t", False),
    "a string in dollars": ("SELECT $a$ ; DELETE $$ FROM $b$ t $a$", True),
    "a string in dollars without an end": ("SELECT $a$ $A$", False),
    "dollars in a name": ("SELECT a$b$ FROM t; DELETE FROM c$b$", False),
    "a string with escapes": (r"SELECT E'\'; DELETE FROM t --'", True),
    "a string that goes on with escapes": ("SELECT E'a'\n'\\'; DELETE --'", True),
    "a string that goes on without": ("SELECT 'a'\n'\\'; DELETE FROM t --'", False),
    "a backslash at the end of a string": ("SELECT '\\', nextval('s') --'", False),
    "parameters of all kinds": ("SELECT ?, :name, $1", True),
    "operators with question marks": ("SELECT a ?? 'b', a ??| c FROM t", True),
    "copy": ("COPY t TO STDOUT", False),
    "call": ("CALL p()", False),
    "do": ("DO $$ BEGIN END $$", False),
    "execute": ("EXECUTE a", False),
    "fetch": ("FETCH 1 FROM c", False),
    "set": ("SET a TO b", False),
    "lock": ("LOCK TABLE t", False),
}
CASES = [
    *((name, backend) for name in BOTH for backend in ("sqlite", "postgres")),
    *((name, "sqlite") for name in SQLITE),
    *((name, "postgres") for name in POSTGRES),
]
OF_BACKEND = {"sqlite": {**BOTH, **SQLITE}, "postgres": {**BOTH, **POSTGRES}}


@pytest.mark.parametrize(
    ("name", "backend"), CASES, ids=[f"{backend}: {name}" for name, backend in CASES]
)
def test_a_statement_is_a_read_only_where_that_is_certain(name, backend):
    sql, is_read = OF_BACKEND[backend][name]
    assert recognise(sql, backend).is_read is is_read
