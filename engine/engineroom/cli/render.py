"""The only writer to standard output and standard error.

Commands say what there is to show; here it is decided how: as a table of rich on a
terminal that has it, as aligned text anywhere else, as JSON when that was asked for.
Nothing is cut off where it would be read by a program, and text from databases and
files cannot steer the terminal.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Any, TextIO, Union

    from rich.console import Console
    from rich.table import Table

    from engineroom.errors import Error

    # A line of text, or the columns and the rows of a table.
    Part = Union[str, tuple[Sequence[str], Sequence[Sequence[object]]]]

__all__ = ["Progress", "Render", "Screen", "visible"]

# Shorter work is over before a display could be read.
PROGRESS_AFTER_SECONDS = 1.0
PROGRESS_EVERY_SECONDS = 0.1


class Render:
    """Writes results to `out`, and errors and notes to `err`.

    Args:
        out: where results go; standard output if None.
        err: where errors, notes and progress go; standard error if None.
        environment: where `NO_COLOR` and `TERM` are looked up.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        err: TextIO | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.environment = environment
        for stream in (self.out, self.err):
            # A terminal that knows no UTF-8 shows an escape rather than a traceback.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")

    def line(self, text: str = "") -> None:
        """Write a line, or several, of text."""
        self._write(self.out, text)

    def note(self, text: str) -> None:
        """Write a line to standard error: something to know that is no result."""
        self._write(self.err, text)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write rows under the names of their columns; None is an empty cell.

        Columns in which every cell is a number are aligned to the right.
        """
        console = self._console()
        if console is not None:
            console.print(_rich_table(columns, rows))
            return
        names, cells, right = _laid_out(columns, rows)
        widths = [
            max(_width(row[index]) for row in [names, *cells])
            for index in range(len(names))
        ]
        for row in [names, *cells]:
            padded = (
                " " * (width - _width(text)) + text
                if is_right
                else text + " " * (width - _width(text))
                for text, width, is_right in zip(row, widths, right)
            )
            self.out.write("  ".join(padded).rstrip() + "\n")

    def parts(self, parts: Iterable[Part]) -> None:
        """Write lines and tables in turn, with an empty line between tables."""
        is_table = False
        for part in parts:
            if isinstance(part, str):
                self.line(part)
            else:
                if is_table:
                    self.line()
                self.table(*part)
            is_table = not isinstance(part, str)

    def screen(self) -> Screen | None:
        """Return the whole screen to draw on; None without rich or a terminal."""
        console = self._console()
        return None if console is None else Screen(console)

    def json(self, value: object) -> None:
        """Write a value as JSON."""
        encoding = (getattr(self.out, "encoding", None) or "utf-8").lower()
        text = json.dumps(
            value, indent=2, ensure_ascii=encoding not in ("utf-8", "utf8")
        )
        self.out.write(text + "\n")

    def raw(self, data: bytes) -> None:
        """Write bytes as they are, such as an Arrow stream."""
        self.out.flush()
        self.out.buffer.write(data)

    def error(self, error: Error, *, as_json: bool = False) -> None:
        """Write a failure: as JSON to standard output, or as text to standard error."""
        if as_json:
            self.failure(error.code, type(error).__name__, error.message, error.hint)
            return
        from engineroom.errors.pages import has_page

        self.note(f"error {error}")
        if has_page(error.code):
            self.note(f"more: `engineroom explain {error.code}`")

    def failure(self, code: str, kind: str, message: str, hint: str = "") -> None:
        """Write a failure as JSON, by its parts."""
        parts = {"code": code, "class": kind, "message": message, "hint": hint}
        self.json({"error": parts})

    def progress(self, text: str, total: int | None = None) -> Progress:
        """Show what is going on while a `with` block runs; see `Progress`."""
        is_shown = self._is_terminal(self.err)
        return Progress(self.err if is_shown else None, text, total)

    def flush(self) -> None:
        """Hand everything written to the operating system."""
        self.out.flush()
        self.err.flush()

    def abandon(self) -> None:
        """Forget what could not be written: whoever read standard output has gone."""
        # Python flushes once more when it ends, and would complain then.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.out.fileno())
        os.close(nowhere)

    def _write(self, stream: TextIO, text: str) -> None:
        if self._is_terminal(stream):
            text = visible(text, keep="\n\t")
        stream.write(text + "\n")

    def _is_terminal(self, stream: TextIO) -> bool:
        return stream.isatty() and self.environment.get("TERM") != "dumb"

    def _console(self) -> Console | None:
        """Return rich's console; None without rich, or where nobody watches."""
        if not self._is_terminal(self.out):
            return None
        try:
            from rich.console import Console
        except ImportError:
            return None
        return Console(file=self.out, no_color=bool(self.environment.get("NO_COLOR")))


class Screen:
    """A terminal's whole screen, on which each picture takes the place of the last.

    What was there comes back when the `with` block ends.
    """

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._live = Live(console=console, screen=True, auto_refresh=False)

    def show(self, parts: Iterable[Part]) -> None:
        """Show a picture; what the screen has no room for is left out."""
        from rich.columns import Columns
        from rich.console import Group
        from rich.text import Text

        drawn: list[Text | Columns] = []
        tables: list[Table] = []
        for part in (*parts, ""):
            if not isinstance(part, str):
                tables.append(_rich_table(*part, fills_screen=True))
                continue
            if tables:
                # Those that follow each other stand side by side where there is room.
                drawn.append(Columns(tables, padding=(0, 3)))
                tables = []
            drawn.append(Text(visible(part, keep="\n")))
        self._live.update(Group(*drawn), refresh=True)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()


class Progress:
    """Shows on a terminal what work that takes longer than a second is doing.

    Used as `with render.progress("Uploading", total=6) as progress:`. A thread draws,
    so that one long call shows its age too; `stream` is None where nobody watches.
    """

    def __init__(self, stream: TextIO | None, text: str, total: int | None) -> None:
        self._stream = stream
        self._text = text
        self._total = total
        self._done = 0
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        self._started = time.monotonic()

    def update(
        self,
        text: str | None = None,
        *,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        """Change what is shown."""
        self._text = self._text if text is None else text
        self._done = self._done if done is None else done
        self._total = self._total if total is None else total

    def advance(self, by: int = 1) -> None:
        """Count more as done."""
        self._done += by

    def __enter__(self) -> Progress:
        if self._stream is not None:
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _draw(self) -> None:
        stream = self._stream
        assert stream is not None
        if self._is_over.wait(PROGRESS_AFTER_SECONDS):
            return
        while True:
            stream.write(f"\r\x1b[K{self._state()}")
            stream.flush()
            if self._is_over.wait(PROGRESS_EVERY_SECONDS):
                break
        stream.write("\r\x1b[K")
        stream.flush()

    def _state(self) -> str:
        seconds = time.monotonic() - self._started
        count = ""
        if self._total is not None:
            count = f"  {self._done} of {self._total}"
        elif self._done:
            count = f"  {self._done}"
        return f"{visible(self._text)}{count}  {seconds:.0f} s"


def visible(text: str, keep: str = "") -> str:
    """Return `text` with control characters written as escapes, except those kept."""
    if text.isprintable():
        return text
    return "".join(
        # Cc and Cf are controls and invisible marks, such as those that turn the
        # direction of writing; Cs cannot be written at all.
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in ("Cc", "Cf", "Cs")
        and character not in keep
        else character
        for character in text
    )


def _cell(value: object) -> str:
    return "" if value is None else visible(str(value))


def _laid_out(
    columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[list[str], list[list[str]], list[bool]]:
    """Return names, cells, and which columns hold numbers, as texts to be shown."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [
        all(_is_number(row[index]) for row in cells if row[index])
        and any(row[index] for row in cells)
        for index in range(len(columns))
    ]
    return [visible(name) for name in columns], cells, right


def _rich_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    fills_screen: bool = False,
) -> Table:
    """Return a table of rich; on a screen of its own it has a line for each row."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names, cells, right = _laid_out(columns, rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=not fills_screen)
    for name, is_right in zip(names, right):
        justify: Any = "right" if is_right else "left"
        # Folded, never cut off: what does not fit goes to the next line.
        table.add_column(Text(name), justify=justify, overflow="fold")
    for row in cells:
        if fills_screen:
            texts = [Text(text, no_wrap=True, overflow="ellipsis") for text in row]
        else:
            texts = [Text(text) for text in row]
        table.add_row(*texts)
    return table


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal()


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    width = 0
    for character in text:
        if unicodedata.east_asian_width(character) in "WF":
            width += 2
        elif not unicodedata.combining(character):
            width += 1
    return width
