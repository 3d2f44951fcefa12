"""The shapes of statements: what stays of them when their values are gone."""

from __future__ import annotations

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
