"""Finds the lines on which the keys of a TOML text stand; TOML readers do not tell.

A scan, not a reader: it follows table headers, key paths, strings, comments and
brackets, and knows nothing of values. A key within an inline table has no place of
its own; ask for the nearest key above it. Text that is no TOML gives what was found
before it stopped making sense, because it is asked about such text too.
"""

from __future__ import annotations

import re
from bisect import bisect_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Key", "find_lines"]

Key = tuple[str, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
# The long forms first: two quotes are an empty text only if no third one follows.
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""|'
    r"'''.*?'''|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'",
    re.DOTALL,
)


def find_lines(text: str) -> list[tuple[Key, int]]:
    """Return every table and key of `text` with its line, counted from 1, in order."""
    return list(_Scan(text).run())


class _Scan:
    """One pass over a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.ends = [found.start() for found in re.finditer("\n", text)]

    def run(self) -> Iterator[tuple[Key, int]]:
        table: Key = ()
        while self._to_content():
            line = bisect_left(self.ends, self.position) + 1
            is_header = self._accept("[")
            if is_header:
                self._accept("[")  # one of several tables of the same name
            path = self._path()
            if not path:
                return
            if is_header:
                table = path
                yield table, line
            elif self._accept("="):
                yield (*table, *path), line
            else:
                return
            self._skip_value()

    def _to_content(self) -> bool:
        """Go to what is neither space nor comment; say whether there is any."""
        while self.position < len(self.text):
            if self.text[self.position] == "#":
                self._to_line_end()
            elif self.text[self.position].isspace():
                self.position += 1
            else:
                return True
        return False

    def _to_line_end(self) -> None:
        end = self.text.find("\n", self.position)
        self.position = len(self.text) if end < 0 else end

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found.group()

    def _accept(self, character: str) -> bool:
        self._match(_SPACE)
        if not self.text.startswith(character, self.position):
            return False
        self.position += 1
        return True

    def _path(self) -> Key:
        """Read `a."b c".d`; give () for what is no path."""
        parts: list[str] = []
        while True:
            self._match(_SPACE)
            part = self._match(_BARE)
            if part is None:
                quoted = self._match(_STRING)
                if quoted is None:
                    return ()
                part = quoted[1:-1]  # escapes are left as they stand
            parts.append(part)
            if not self._accept("."):
                return tuple(parts)

    def _skip_value(self) -> None:
        """Go to the end of the line on which what stands here ends."""
        depth = 0
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == "\n" and depth <= 0:
                return
            if character == "#":
                self._to_line_end()
                continue
            if character in "\"'" and self._match(_STRING):
                continue
            depth += (character in "[{") - (character in "]}")
            self.position += 1
