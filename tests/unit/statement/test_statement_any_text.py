"""What holds for any text, and for any value within a text."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engineroom.statement import recognise

BACKENDS = st.sampled_from(["sqlite", "postgres"])
# Pieces that together look like SQL, right and wrong, more often than characters do.
PIECES = r"""
    select SELECT Select from values null NULL true is not in and x T "Q" `b` [c]
    ( ) , , . ; : :: ::: := = - + * / < > -- /* */ ' '' 'a' E'\' '\' U& u&"n" $$ $t$ $1
    $ ? ?? ?1 ?| :n @n @ # | 1 2 .5 1e5 1e 0xF 1_0 a1 \
"""
PIECED = st.builds(
    lambda pieces, between: between.join(pieces),
    st.lists(st.sampled_from([*PIECES.split(), "\n", "\r", "\t"]), max_size=25),
    st.sampled_from(["", " ", "\n"]),
)
ANY_TEXT = st.one_of(st.text(), PIECED)


@given(ANY_TEXT, BACKENDS)
@example("a : ::b", "postgres")
@example("((?), (?)), ((?))", "sqlite")
@example("\ud800", "sqlite")
@example('u&"', "postgres")
@example('U&"a" U&"b', "postgres")
def test_the_shape_of_a_shape_is_itself(sql, backend):
    shape = recognise(sql, backend).shape
    assert recognise(shape, backend).shape == shape


@given(st.text(), BACKENDS)
@example("\\", "postgres")
@example("--", "sqlite")
@example("$$", "postgres")
def test_a_string_of_any_content_changes_nothing(content, backend):
    quoted = "'" + content.replace("\0", "").replace("'", "''") + "'"
    for frame in ("SELECT a FROM t WHERE b = {} AND c IN (1, {})", "DELETE FROM {}"):
        plain = recognise(frame.replace("{}", "'a'"), backend)
        other = recognise(frame.replace("{}", quoted), backend)
        assert other.shape == plain.shape
        assert other.is_read == plain.is_read == frame.startswith("SELECT")


@given(st.text())
@example("'")
@example("\\")
def test_a_string_of_any_content_with_escapes_changes_nothing(content):
    written = content.replace("\0", "").replace("\\", "\\\\").replace("'", "\\'")
    plain = recognise("SELECT lower('a')", "postgres")
    other = recognise(f"SELECT lower(e'{written}')", "postgres")
    assert (other.shape, other.is_read) == (plain.shape, True)


@given(st.text())
@example("$")
@example("$$")
@example("$tag")
def test_a_string_of_any_content_in_dollars_changes_nothing(content):
    inside = content.replace("\0", "").replace("$tag$", "")
    if inside.endswith("$tag"):
        inside += " "
    plain = recognise("SELECT lower('a')", "postgres")
    other = recognise(f"SELECT lower($tag${inside}$tag$)", "postgres")
    assert (other.shape, other.is_read) == (plain.shape, True)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False), BACKENDS)
def test_any_number_changes_nothing(number, backend):
    plain = recognise("SELECT 1 FROM t WHERE a = 2 LIMIT 3", backend)
    other = recognise(
        f"SELECT {number} FROM t WHERE a={number} LIMIT {number}", backend
    )
    assert (other.shape, other.is_read) == (plain.shape, True)


@given(ANY_TEXT, BACKENDS)
def test_what_is_behind_an_unclosed_quote_is_in_no_shape(secret, backend):
    found = recognise(f"SELECT 'a{secret.replace(chr(39), '')}", backend)
    assert (found.shape, found.is_read) == ("select ?", False)


@given(ANY_TEXT, BACKENDS)
def test_a_write_behind_any_text_is_seen(before, backend):
    """Where the text ends within a quote or a comment, it cannot be read to its end."""
    assert not recognise(f"{before}\n; DELETE FROM t", backend).is_read


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
@pytest.mark.parametrize(
    "sql",
    [
        *(one * 20001 for one in ("'", '"', "(", "/*", "$a$", "-", ",", ":", "f(")),
        *(one * 20000 for one in ("1e", "E'\\", "?,", "/*/", "a,", "(1),", "(1),(2),")),
    ],
    ids=lambda sql: sql[:8],
)
def test_a_long_text_takes_no_longer_than_its_length(sql, backend):
    start = time.process_time()
    recognise(sql, backend)
    assert time.process_time() - start < 1.0
