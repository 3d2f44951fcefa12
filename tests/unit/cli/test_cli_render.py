from __future__ import annotations

import io
import json
import os
import sys
import time

import pytest

from engineroom.cli.render import PROGRESS_AFTER_SECONDS, Render, visible
from engineroom.errors import CursorClosed, UnknownTarget


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def render(terminal=False, **environment):
    kind = Terminal if terminal else io.StringIO
    out, err = kind(), kind()
    return Render(out, err, environment), out, err


def test_table_off_a_terminal_is_aligned_text_that_is_never_cut_off():
    show, out, _ = render()
    long = "x" * 300
    show.table(("name", "size"), [("a", 1), (long, 12345), (None, None)])
    assert out.getvalue() == (
        f"{'name':300}   size\n{'a':300}      1\n{long}  12345\n\n"
    )


def test_table_with_wide_and_combining_letters_is_still_aligned():
    show, out, _ = render()
    show.table(("a", "b"), [("日本", "x"), ("e\u0301", "y"), ("four", "z")])
    assert out.getvalue() == "a     b\n日本  x\ne\u0301     y\nfour  z\n"


def test_table_without_rows_shows_its_columns():
    show, out, _ = render()
    show.table(("a", "b"), [])
    assert out.getvalue() == "a  b\n"


@pytest.mark.parametrize(
    ("cells", "is_right"),
    [
        pytest.param([1, 22], True, id="whole numbers"),
        pytest.param(["1", "-2.5"], True, id="numbers as text"),
        pytest.param([1, None], True, id="numbers and nothing"),
        pytest.param([1, "x"], False, id="a number and a word"),
        pytest.param([None, None], False, id="nothing"),
        pytest.param(["1.2.3", "2"], False, id="versions"),
    ],
)
def test_table_aligns_columns_of_numbers_to_the_right(cells, is_right):
    show, out, _ = render()
    show.table(("column", "z"), [(cell, "z") for cell in cells])
    line = out.getvalue().splitlines()[1]
    assert line.startswith(" ") == (is_right or cells[0] is None)


def test_a_cell_cannot_steer_the_terminal_or_break_its_row():
    for terminal in (False, True):
        show, out, _ = render(terminal, TERM="dumb")
        show.table(("a",), [("\x1b]0;title\x07\n\u202eevil",)])
        assert out.getvalue() == "a\n\\x1b]0;title\\x07\\n\\u202eevil\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本", "plain é 日本"),
        ("tab\tend", "tab\\tend"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("nul\x00", "nul\\x00"),
        ("c1\x9b", "c1\\x9b"),
        ("\udc80", "\\udc80"),
    ],
)
def test_visible_text_shows_controls_as_escapes(text, shown):
    assert visible(text) == shown


def test_a_line_on_a_terminal_keeps_its_newlines_and_shows_other_controls():
    show, out, _ = render(terminal=True, TERM="xterm")
    show.line("one\ntwo\x1b[2J")
    assert out.getvalue() == "one\ntwo\\x1b[2J\n"


def test_a_line_off_a_terminal_is_left_as_it_is():
    show, out, _ = render()
    show.line("one\x1b[2J")
    assert out.getvalue() == "one\x1b[2J\n"


def rich_table(**environment):
    pytest.importorskip("rich")
    show, out, _ = render(terminal=True, TERM="xterm-256color", **environment)
    show.table(("name", "size"), [("[bold]a[/bold] :smile:", 1), ("b" * 200, 2)])
    return out.getvalue()


def test_table_on_a_terminal_is_rich_s_and_takes_text_as_text():
    text = rich_table()
    assert "[bold]a[/bold] :smile:" in text
    assert text.count("b") >= 200  # folded, not cut off
    assert "…" not in text


def test_table_under_no_color_has_no_colour(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = [
        code for code in ("\x1b[3", "\x1b[9") if code in rich_table(NO_COLOR="1")
    ]
    # Italics are \x1b[3m and no colour; nothing of ours is italic.
    assert coloured == []


def test_json_is_indented_and_keeps_letters():
    show, out, _ = render()
    show.json({"name": "é", "list": [1, None]})
    assert (
        out.getvalue() == '{\n  "name": "é",\n  "list": [\n    1,\n    null\n  ]\n}\n'
    )


def test_json_on_a_stream_that_knows_no_utf_8_is_escaped():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    show = Render(out, io.StringIO(), {})
    show.json({"name": "é"})
    show.line("é")
    show.flush()
    assert raw.getvalue() == b'{\n  "name": "\\u00e9"\n}\n\\xe9\n'


def test_raw_bytes_come_out_as_they_are_and_in_order():
    raw = io.BytesIO()
    show = Render(io.TextIOWrapper(raw, encoding="utf-8"), io.StringIO(), {})
    show.line("first")
    show.raw(b"\xff\x00")
    show.line("last")
    show.flush()
    assert raw.getvalue() == b"first\n\xff\x00last\n"


def failure():
    return UnknownTarget("x", nearest=["y"], known=["y"], built_for="For nothing.")


def test_an_error_goes_to_standard_error_with_code_and_hint():
    show, out, err = render()
    show.error(failure())
    assert out.getvalue() == ""
    assert err.getvalue() == (
        "error ER1101: No target is called `x`. For nothing.\n\n"
        "hint: did you mean `y`? `engineroom targets` lists all\n"
        "more: `engineroom explain ER1101`\n"
    )


def test_an_error_without_a_page_names_none():
    show, _, err = render()
    show.error(CursorClosed("It is closed"))
    assert err.getvalue() == "error ER2302: It is closed\n"


def test_an_error_as_json_goes_to_standard_output_by_its_parts():
    show, out, err = render()
    show.error(failure(), as_json=True)
    assert err.getvalue() == ""
    assert json.loads(out.getvalue()) == {
        "error": {
            "code": "ER1101",
            "class": "UnknownTarget",
            "message": "No target is called `x`. For nothing.",
            "hint": "did you mean `y`? `engineroom targets` lists all",
        }
    }


def test_progress_of_short_work_shows_nothing():
    show, _, err = render(terminal=True, TERM="xterm")
    with show.progress("Working") as progress:
        progress.advance()
    assert err.getvalue() == ""


def test_progress_off_a_terminal_shows_nothing_and_starts_nothing():
    show, _, err = render()
    with show.progress("Working", total=2) as progress:
        progress.update("Still working", done=1)
    assert progress._thread is None
    assert err.getvalue() == ""


def test_progress_of_long_work_is_drawn_and_wiped_away():
    show, _, err = render(terminal=True, TERM="xterm")
    deadline = time.monotonic() + 30
    with show.progress("Working", total=3) as progress:
        progress.advance(2)
        while "2 of 3" not in err.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        waited = time.monotonic() - progress._started
    assert waited >= PROGRESS_AFTER_SECONDS
    assert "\r\x1b[KWorking  2 of 3  1 s" in err.getvalue()
    assert err.getvalue().endswith("\r\x1b[K")


def test_progress_ends_when_its_work_fails():
    show, _, _ = render(terminal=True, TERM="xterm")
    with pytest.raises(ValueError, match="boom"), show.progress("Working") as progress:
        raise ValueError("boom")
    assert not progress._thread.is_alive()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX pipe")
def test_output_that_nobody_reads_any_more_is_dropped_in_silence():
    read, write = os.pipe()
    os.close(read)
    out = os.fdopen(write, "w")
    show = Render(out, io.StringIO(), {})
    show.line("never read")
    with pytest.raises(BrokenPipeError):
        show.flush()
    show.abandon()
    out.close()  # flushes once more, into nothing
