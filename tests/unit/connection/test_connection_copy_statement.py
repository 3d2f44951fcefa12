"""What is read from the text of a COPY."""

from __future__ import annotations

import pytest

from engineroom.connection.copy_statement import BINARY, CSV, TEXT, read_copy


@pytest.mark.parametrize(
    ("sql", "shape", "form", "is_plain"),
    [
        ("COPY t FROM STDIN", "SELECT * FROM t", TEXT, True),
        ("copy t from stdin;", "SELECT * FROM t", TEXT, True),
        ("COPY t FROM STDIN (FORMAT binary)", "SELECT * FROM t", BINARY, True),
        ("COPY t FROM STDIN WITH (FORMAT 'binary')", "SELECT * FROM t", BINARY, True),
        ("COPY t FROM STDIN (FREEZE, FORMAT csv)", "SELECT * FROM t", CSV, True),
        ("COPY t FROM STDIN WHERE a > 1", "SELECT * FROM t", TEXT, True),
        ("COPY t FROM STDIN (FORMAT csv, HEADER)", "SELECT * FROM t", CSV, False),
        ("COPY t FROM STDIN (DELIMITER ',')", "SELECT * FROM t", TEXT, False),
        ("COPY t FROM STDIN (DELIMITER ')')", "SELECT * FROM t", TEXT, False),
        ("COPY t FROM STDIN BINARY", "SELECT * FROM t", BINARY, False),
        ("COPY t FROM STDIN WITH CSV HEADER", "SELECT * FROM t", TEXT, False),
        ('COPY "a ""b"."(c" (d) TO STDOUT', 'SELECT d FROM "a ""b"."(c"', TEXT, True),
        ('COPY s.t (a, "b, (c") FROM STDIN', 'SELECT a , "b, (c" FROM s.t', TEXT, True),
        ("/* /* ( */ */ COPY -- (\n t FROM STDIN", "SELECT * FROM t", TEXT, True),
        (
            "COPY (SELECT ')', $x$)$x$, E'\\')' /* ) */ -- )\n, (1)) TO STDOUT",
            "SELECT ')', $x$)$x$, E'\\')' /* ) */ -- )\n, (1)",
            TEXT,
            True,
        ),
    ],
)
def test_target_format_and_options_are_found(
    sql: str, shape: str, form: int, is_plain: bool
) -> None:
    read = read_copy(sql)
    assert (read.shape, read.format, read.is_plain) == (shape, form, is_plain)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "COPY",
        "SELECT 1",
        "COPY t",
        "COPY (SELECT 1 TO STDOUT",
        "COPY t ( FROM",
        "'",
    ],
)
def test_what_is_not_understood_is_left_to_the_server(sql: str) -> None:
    assert read_copy(sql).shape is None
