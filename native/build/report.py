"""What a build says while it works: one line a step, a moving line for long ones.

The only writer to the terminal in the build. Steps go to standard output, so that a log
reads as a story; what moves goes to standard error, and only to a terminal.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Callable

__all__ = ["Report"]

# Work shorter than this shows no progress, and progress is drawn this often.
_QUIET_SECONDS = 1.0
_REDRAW_SECONDS = 0.1


class Report:
    """Says what is being done.

    Args:
        out: where steps go.
        live: where progress goes; nothing is drawn if it is no terminal.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        live: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out or sys.stdout
        self._live = live or sys.stderr
        self._clock = clock
        self._is_live = self._live.isatty()

    def line(self, text: str = "") -> None:
        """Write a line."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def step(self, name: str, text: str) -> None:
        """Write a line about a finished part of the work."""
        self.line(f"{name:<10} {text}")

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Give a function to call with (done, total); total is 0 where unknown."""
        started = drawn = self._clock()
        is_shown = False

        def advance(done: int, total: int) -> None:
            nonlocal drawn, is_shown
            now = self._clock()
            if now - started < _QUIET_SECONDS or now - drawn < _REDRAW_SECONDS:
                return
            drawn, is_shown = now, True
            amount = f"{done * 100 // total:3d} %" if total else f"{done:,}"
            self._live.write(f"\r\x1b[K{what}  {amount}  {now - started:.0f} s")
            self._live.flush()

        try:
            yield advance if self._is_live else _nothing
        finally:
            if is_shown:
                self._live.write("\r\x1b[K")
                self._live.flush()


def _nothing(done: int, total: int) -> None:
    del done, total
