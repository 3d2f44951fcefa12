"""What is said of statements, held against a real server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engineroom
from engineroom import errors
from engineroom import statement as package
from engineroom.statement import recognise
from engineroom.statement.names import Names, read_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster

FOLDER = Path(package.__file__).parent
SET_UP = """
CREATE TABLE product (id int PRIMARY KEY, name text, tags text[], facts jsonb);
INSERT INTO product VALUES (1, 'Nut', '{small}', '{"a": 1}'), (2, 'Bolt', '{}', '{}');
CREATE SEQUENCE counter;
CREATE FUNCTION charge(int) RETURNS int LANGUAGE sql
AS 'INSERT INTO product VALUES ($1) RETURNING id';
CREATE FUNCTION "over"(int) RETURNS int LANGUAGE sql AS 'SELECT charge($1)';
CREATE FUNCTION "join"(int) RETURNS int LANGUAGE sql AS 'SELECT charge($1)';
CREATE FUNCTION "rollup"(int) RETURNS int LANGUAGE sql AS 'SELECT charge($1)';
"""
READS = [
    "SELECT 1",
    "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1;",
    "VALUES (1, 'a'), (2, 'b')",
    "TABLE product",
    "SHOW search_path",
    "SHOW ALL",
    "EXPLAIN SELECT * FROM product",
    "EXPLAIN (COSTS off, FORMAT json) SELECT * FROM product",
    "EXPLAIN VERBOSE TABLE product",
    "SELECT p.id, count(*) FILTER (WHERE p.id > 1) FROM product p GROUP BY (p.id)",
    "SELECT lower(name), pg_catalog.upper(name), length(name) FROM product",
    "SELECT row_number() OVER (), sum(id) OVER (ORDER BY id) FROM product",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM product",
    "SELECT DISTINCT ON (name) name, id FROM product",
    "SELECT * FROM (VALUES (1, 2)) v(a, b) CROSS JOIN generate_series(1, 2) AS g(n)",
    (
        "WITH RECURSIVE a(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM a WHERE n < 3),"
        " b(m) AS NOT MATERIALIZED (SELECT 2) SELECT * FROM a, b"
    ),
    (
        "SELECT coalesce(name, 'x'), nullif(id, 2), greatest(id, 3),"
        " CAST(id AS numeric(9,2)), name::character varying(2), ARRAY(SELECT 1),"
        " (ARRAY[1, 2])[1], ROW(1, 2),"
        " extract(year FROM now()), substring(name FROM 1 FOR 2),"
        " trim(both ' ' FROM name),"
        " position('u' IN name), overlay(name PLACING 'x' FROM 1), EXISTS(SELECT 1),"
        " timestamp(3) '2024-01-01', interval(0) '1 hour' FROM product"
        " WHERE id = ANY (ARRAY[1, 2]) AND NOT (name LIKE 'x%') OR id IN (1, 2)"
        " LIMIT (5)"
    ),
    "SELECT now(), clock_timestamp(), random(), version(), pg_sleep(0)",
    "SELECT gen_random_uuid(), current_setting('work_mem'), to_regclass('product')",
    "SELECT facts->'a', facts @> '{}', jsonb_each(facts), tags[1:2] FROM product",
    "SELECT string_agg(name, ',' ORDER BY id), json_agg(p) FROM product p",
    "SELECT to_tsvector('english', name) @@ to_tsquery('nut') FROM product",
    "SELECT regexp_replace(name, 'u', 'o'), split_part(name, 'u', 1) FROM product",
    "SELECT pg_total_relation_size('product'), pg_size_pretty(1::bigint)",
    "SELECT $$; DELETE FROM product$$, E'\\'; DELETE FROM product --', '--'",
    "SELECT 1 /* /* */ ; DELETE FROM product */ -- ; DELETE FROM product",
    "SELECT E'a'\n'\\'; DELETE FROM product --'",
    "SELECT currval FROM (SELECT 1 AS currval) s",
    "SELECT relname FROM pg_catalog.pg_class WHERE pg_table_is_visible(oid)",
    (
        "SELECT attname, format_type(atttypid, atttypmod), pg_get_expr(adbin, adrelid)"
        " FROM pg_attribute a LEFT JOIN pg_attrdef d ON (a.attrelid, a.attnum) ="
        " (d.adrelid, d.adnum) WHERE a.attrelid = 'product'::regclass"
    ),
]
# The server itself says that these write: they fail with 25006 in such a transaction.
WRITES = [
    "INSERT INTO product VALUES (3)",
    "UPDATE product SET name = 'x'",
    "DELETE FROM product",
    (
        "MERGE INTO product p USING (VALUES (1)) v(i) ON p.id = v.i"
        " WHEN MATCHED THEN DELETE"
    ),
    "WITH gone AS (DELETE FROM product RETURNING *) SELECT * FROM gone",
    "WITH n AS (SELECT 3) INSERT INTO product SELECT * FROM n",
    "SELECT * INTO copied FROM product",
    "SELECT * FROM product FOR UPDATE",
    "SELECT * FROM product FOR NO KEY UPDATE",
    "SELECT * FROM product FOR SHARE",
    "SELECT * FROM product FOR KEY SHARE",
    "EXPLAIN ANALYZE DELETE FROM product",
    "EXPLAIN (ANALYZE) INSERT INTO product VALUES (3)",
    'EXPLAIN ("analyze") DELETE FROM product',
    "CREATE TABLE other (a int)",
    "CREATE TABLE other AS TABLE product",
    "TRUNCATE product",
    "DO $$ BEGIN DELETE FROM product; END $$",
    "SELECT nextval('counter')",
    "SELECT pg_catalog . \"nextval\" ('counter')",
    "SELECT U&\"\\006eextval\"('counter')",
    "SELECT setval('counter', 5)",
    "SELECT ('counter'::regclass).nextval",
    "SELECT (ARRAY['counter'::regclass])[1].nextval",
    "SELECT n.nextval FROM to_regclass('counter') n",
    "SELECT n.\"nextval\" FROM to_regclass('counter') n",
    "SELECT n.U&\"next!0076al\" UESCAPE '!' FROM to_regclass('counter') n",
    "SELECT TREAT('counter' AS nextval)",
    "SELECT charge(3)",
    "SELECT public.charge(3)",
    'SELECT "charge"(3)',
    "SELECT join(3)",
    "SELECT rollup(3)",
    "SELECT DISTINCT ON (1) over(3)",
    "SELECT 1 OPERATOR(pg_catalog.+) over(3)",
    "SELECT count(*) OPERATOR(pg_catalog.+) over(3)",
    "SELECT * FROM generate_series(1, 1), charge(3) AS c(a)",
    "SELECT * FROM ROWS FROM (generate_series(1, 1), charge(3)) AS r(a, b)",
    "SELECT 1 -- \r, charge(3)",
    "SELECT 'a'\n'\\', charge(3) --'",
]
# These change something that a transaction which may only read can change too.
SILENT = [
    "SELECT lo_create(0)",
    "SELECT pg_notify('a', 'b')",
    "NOTIFY a",
    "LISTEN a",
    "SELECT set_config('work_mem', '1MB', false)",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1)",
    "SELECT pg_advisory_unlock_all()",
    "SELECT setseed(0.5)",
    "SELECT txid_current()",
    "SELECT pg_current_xact_id()",
    "SELECT pg_cancel_backend(0)",
    "SELECT pg_terminate_backend(0)",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "SET work_mem = '1MB'",
    "PREPARE one AS SELECT 1",
    "LOCK TABLE product IN ACCESS SHARE MODE",
]
# Put into others, at any place.
PIECES = [
    *sorted({word for sql in READS + WRITES for word in sql.split(" ")}),
    *("charge(3)", "nextval('counter')", "'counter'::regclass", ".nextval"),
    *("operator(pg_catalog.+)", "distinct on (1)"),
    *("'", '"', "--", "/*", "*/", "$$", "\r"),
]


@pytest.fixture(scope="module")
def reader(cluster: Cluster) -> Iterator[engineroom.Connection]:
    """A connection whose user owns what the statements are about."""
    with engineroom.connect(cluster.url(), autocommit=True) as opened:
        cluster.run(SET_UP, user="engine")
        # A mixture may ask for rows without end.
        opened.execute("SET statement_timeout = '2s'")
        yield opened


def state_of(connection: engineroom.Connection, sql: str) -> str:
    """Run a text where nothing may be written; return the SQLSTATE it fails with."""
    connection.execute("BEGIN READ ONLY")
    try:
        connection.execute(sql).fetchall()
    except errors.DatabaseError as error:
        # Some are refused before the server has seen them: a parameter has no value.
        return error.sqlstate or type(error).__name__
    else:
        return ""
    finally:
        connection.execute("ROLLBACK")


@pytest.mark.parametrize("sql", READS)
def test_what_is_called_a_read_runs_where_nothing_may_be_written(reader, sql):
    assert recognise(sql, "postgres").is_read
    assert state_of(reader, sql) == ""


@pytest.mark.parametrize("sql", WRITES)
def test_what_the_server_calls_a_write_is_not_called_a_read(reader, sql):
    assert not recognise(sql, "postgres").is_read
    assert state_of(reader, sql) == "25006"


@pytest.mark.parametrize("sql", SILENT)
def test_what_changes_more_than_tables_is_not_called_a_read(sql):
    assert not recognise(sql, "postgres").is_read


@st.composite
def mixtures(draw: st.DrawFn) -> str:
    """A statement from the lists with pieces of others put into it."""
    words = draw(st.sampled_from(READS + WRITES)).split(" ")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(words)))
        words[at:at] = [draw(st.sampled_from(PIECES))]
    return draw(st.sampled_from([" ", " ", "\n"])).join(words)


@settings(max_examples=500, deadline=None)
@given(sql=mixtures())
def test_no_mixture_that_the_server_calls_a_write_is_called_a_read(reader, sql):
    if recognise(sql, "postgres").is_read:
        assert state_of(reader, sql) != "25006"


def test_the_file_of_names_is_what_the_server_says(cluster):
    sql = (FOLDER / "postgres_names.sql").read_text("utf-8")
    lines = [row[0] for row in cluster.run(sql, database="postgres")]
    kept = (FOLDER / "postgres_names.txt").read_text("ascii").splitlines()
    if lines[0] == kept[0]:
        assert lines == kept
    # A server of another age may know other names, but not change its mind.
    told = Names("\n".join(lines))
    assert not read_names().harmless & told.harmful
