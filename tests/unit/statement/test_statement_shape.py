"""The shapes of statements: what stays of them when their values are gone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engineroom.statement import recognise

BOTH = ("sqlite", "postgres")

SHAPES = [
    ("", ""),
    (" ; ", ""),
    ("SELECT 1", "select ?"),
    ("select -1, +2", "select ?"),
    ("SELECT a-1, b - 1", "select a - ?, b - ?"),
    ('Select Name, "Name" From T;', 'select name, "Name" from T'),
    ("SELECT * FROM t WHERE a IN (1, 2, 3)", "select * from t where a in (?)"),
    ("SELECT * FROM t WHERE a=-1.5e3", "select * from t where a = ?"),
    ("INSERT INTO t(a) VALUES (1, 'x'), (2, NULL)", "insert into t(a) values (?)"),
    (
        "INSERT INTO t VALUES (1, now()), (2, now()), (3, now())",
        "insert into t values (?, now())",
    ),
    ("SELECT a FROM t WHERE b IS NULL", "select a from t where b is null"),
    ("UPDATE t SET a = TRUE", "update t set a = ?"),
    ("SELECT 'it''s' -- why\n, ?", "select ?"),
    ("SELECT /* here */ x'ff'", "select ?"),
    ("SELECT 'no end", "select ?"),
    ("SELECT 1; SELECT 'no end", "select ?; select ?"),
    ("SELECT ((1, a), (1, a))", "select ((?, a))"),
]


@pytest.mark.parametrize("backend", BOTH)
@pytest.mark.parametrize(("sql", "shape"), SHAPES, ids=[sql for sql, _ in SHAPES])
def test_a_shape_is_as_written_here(sql, shape, backend):
    assert recognise(sql, backend).shape == shape


SAME = {
    "literals": [
        "SELECT a FROM t WHERE b = 'x' AND c > 2",
        "SELECT a FROM t WHERE b = '' AND c > -3.5e7",
        "SELECT a FROM t WHERE b = x'00' AND c > 'it''s'",
    ],
    "parameters": [
        "SELECT a FROM t WHERE b = ?",
        "SELECT a FROM t WHERE b = :name",
        "SELECT a FROM t WHERE b = 5",
        "SELECT a FROM t WHERE b=NULL",
    ],
    "space": [
        "SELECT f(a, b) FROM t WHERE (a=b OR c>=-1)",
        "SELECT f ( a,b )\nFROM\tt\r\nWHERE ( a = b OR c >= - 1 ) ;",
    ],
    "comments": [
        "SELECT a FROM t",
        "/* app */ SELECT a -- b\n FROM/**/t -- end",
    ],
    "case of keywords": [
        "SELECT DISTINCT a FROM t ORDER BY a DESC NULLS LAST",
        "select Distinct a from t order By a desc nulls last",
    ],
    "length of a list": [
        "SELECT a FROM t WHERE b IN (1)",
        "SELECT a FROM t WHERE b IN (1, 'x', ?, NULL)",
        f"SELECT a FROM t WHERE b IN ({', '.join(map(str, range(2000)))})",
    ],
    "number of rows": [
        "INSERT INTO t (a, b) VALUES (?, ?)",
        "INSERT INTO t (a, b) VALUES (?, ?), (1, 'b'), (-1, NULL)",
    ],
    "number of rows that are calculated": [
        "INSERT INTO t VALUES (1, lower('a'), (2))",
        "INSERT INTO t VALUES (1, lower('a'), (2)), (3, lower('b'), (4))",
    ],
}
SAME_POSTGRES = {
    "literals of all kinds": [
        "SELECT 'a', 1",
        "SELECT E'a\\'b', U&'a', $$a$$, $b$ $$ $b$, B'01', N'a', .5, 1_000, 0xff",
    ],
    "numbers of parameters": ["SELECT a WHERE b = $1", "SELECT a WHERE b = $2"],
    "casts": ["SELECT a::int, $1::text", "SELECT a :: int, 'b'::text"],
    "comments in each other": ["SELECT 1", "SELECT /* a /* b */ c */ 1"],
    "elements": ["SELECT a[1]", "SELECT a [ 2 ]"],
}
SAME_SQLITE = {
    "parameters": ["SELECT a=?1", "SELECT a=@a", "SELECT a=$b", "SELECT a=:c"],
    "comments": ["SELECT 1", "SELECT 1 /* /* */", "-- a\r\nSELECT 1"],
}
GROUPS = [
    *((backend, name, SAME[name]) for backend in BOTH for name in SAME),
    *(("postgres", name, SAME_POSTGRES[name]) for name in SAME_POSTGRES),
    *(("sqlite", name, SAME_SQLITE[name]) for name in SAME_SQLITE),
]


@pytest.mark.parametrize(
    ("backend", "statements"),
    [(backend, statements) for backend, _, statements in GROUPS],
    ids=[f"{backend}: {name}" for backend, name, _ in GROUPS],
)
def test_statements_that_differ_in_these_only_have_one_fingerprint(backend, statements):
    assert len({recognise(sql, backend).fingerprint for sql in statements}) == 1


DIFFERENT = [
    ("SELECT a FROM t", "SELECT b FROM t"),
    ('SELECT "a" FROM t', 'SELECT "A" FROM t'),
    ("SELECT a - 1", "SELECT a + 1"),
    ("SELECT a FROM t WHERE b IS NULL", "SELECT a FROM t WHERE b IS NOT NULL"),
    ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = c"),
    ("SELECT (a, b)", "SELECT (a), (b)"),
    ("INSERT INTO t VALUES (1, a)", "INSERT INTO t VALUES (1, a), (1, b)"),
]


@pytest.mark.parametrize("backend", BOTH)
@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=[one for one, _ in DIFFERENT])
def test_other_statements_have_other_fingerprints(one, other, backend):
    assert recognise(one, backend).fingerprint != recognise(other, backend).fingerprint


def test_a_fingerprint_is_the_same_in_every_run():
    assert recognise("SELECT 1", "sqlite").fingerprint == "b9a4c90ce4157373"


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("SELECT 1", "select"),
        (" -- a\n ((VALUES (1)))", "values"),
        ("; Insert into t values (1)", "insert"),
        ("Nonsense", "nonsense"),
        ("1", ""),
        ("'a'", ""),
        ("x'00'", ""),
        ('"select"', ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("backend", BOTH)
def test_the_first_word_is_told(sql, word, backend):
    assert recognise(sql, backend).word == word


@pytest.mark.parametrize("code", ["import engineroom", "import engineroom.statement"])
def test_names_are_read_when_they_are_needed(code):
    """What nobody asks for costs the start of a program nothing."""
    ask = "from sys import modules; names = modules.get('engineroom.statement.names')"
    tell = "print(names.read_names.cache_info().currsize if names else 'none')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {ask}; {tell}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == {"import engineroom": "none"}.get(code, "0")
