"""Reads the keys of a YAML file, each with the keys above it, its value and its line.

No reader of YAML: it follows indentation, and knows what people write in compose files
besides plain lines: braces, blocks of text, anchors and merges. What else there is
gives no keys, or texts as they stand, and never an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Key", "read_keys"]

_LINE = re.compile(r"""( *)(?:"([^"]+)"|'([^']+)'|([\w./-]+|<<))\s*:(?:\s+(.*))?$""")
# `- NAME=value`, as build arguments may be listed.
_ITEM = re.compile(r"""( *)- *["']?(\w+)=([^"'#]*)""")
_BLOCK = re.compile(r"[|>][-+\d]*")
_MARKS = re.compile(r"(?:!\S*\s*)?&(\S+)\s*|!\S*\s*")
_ALIAS = re.compile(r"\*([^\s,\]}]+)")
_MERGE = "<<"
# Aliases of aliases grow without end: a file of kilobytes can hold billions of keys.
_KEYS_MAX = 50_000
_DEPTH_MAX = 20


class Key(NamedTuple):
    """A key: those above it with itself, its value, and its line counted from 1."""

    path: tuple[str, ...]
    value: str
    line: int


class _Reader:
    """One pass over the lines of a file."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.at = 0
        self.keys: list[Key] = []
        # Which keys an anchor stands for.
        self.anchors: dict[str, tuple[str, ...]] = {}

    def read(self) -> None:
        above: list[tuple[int, str]] = []
        while self.at < len(self.lines):
            line = self.lines[self.at].replace("\t", "  ")
            self.at += 1
            found, item = _LINE.match(line), _ITEM.match(line)
            if found:
                depth = len(found.group(1))
                name = found.group(2) or found.group(3) or found.group(4)
                value = found.group(5) or ""
            elif item:
                depth, name, value = len(item.group(1)) + 1, item.group(2), item[3]
            else:
                continue
            while above and above[-1][0] >= depth:
                above.pop()
            above.append((depth, name))
            self._add(tuple(part for _, part in above), value, depth)

    def _add(self, path: tuple[str, ...], value: str, depth: int) -> None:
        line = self.at
        value = _without_comment(value)
        if _BLOCK.fullmatch(value):
            self.keys.append(Key(path, self._block(depth), line))
            return
        while _is_open(value) and self.at < len(self.lines):
            value += f" {_without_comment(self.lines[self.at])}"
            self.at += 1
        self._put(path, value, line)

    def _block(self, depth: int) -> str:
        """Return the lines that stand deeper than their key."""
        start = self.at
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip()) <= depth:
                break
            self.at += 1
        return "\n".join(self.lines[start : self.at])

    def _put(self, path: tuple[str, ...], value: str, line: int) -> None:
        mark = _MARKS.match(value)
        if mark:
            value = value[mark.end() :]
            if mark.group(1):
                self.anchors[mark.group(1)] = path
        if not value.startswith("{") or len(path) > _DEPTH_MAX:
            self.keys.append(Key(path, _unquoted(value), line))
            return
        self.keys.append(Key(path, "", line))
        for member in _members(value.strip()[1:-1]):
            name, _, inner = member.partition(":")
            self._put((*path, _unquoted(name.strip())), inner.strip(), line)


def read_keys(text: str) -> list[Key]:
    """Return the keys of a file in order, with aliases and merges put in."""
    reader = _Reader(text)
    reader.read()
    places = _Places(reader)
    for key in reader.keys:
        if key.path[-1] == _MERGE:
            places.copy(key, key.path[:-1])
        elif key.value.startswith("*"):
            places.copy(key, key.path)
        else:
            places.put(key)
    return places.keys


class _Places:
    """The keys as they are in the end; what an alias stands for is copied to it."""

    def __init__(self, reader: _Reader) -> None:
        self.keys: list[Key] = []
        self._anchors = reader.anchors
        self._starts: dict[tuple[str, ...], int] = {}
        # What stands in a place itself goes before what is merged into it.
        self._taken = {key.path for key in reader.keys}

    def put(self, key: Key) -> None:
        self._starts.setdefault(key.path, len(self.keys))
        self.keys.append(key)

    def copy(self, key: Key, path: tuple[str, ...]) -> None:
        """Copy what the aliases in a key's value stand for to a path."""
        for name in _ALIAS.findall(key.value):
            anchor = self._anchors.get(name, ())
            # An anchor stands before its aliases, and what it holds without a gap.
            end = len(self.keys)
            for at in range(self._starts.get(anchor, end), end):
                other = self.keys[at]
                if other.path[: len(anchor)] != anchor:
                    break
                inner = path + other.path[len(anchor) :]
                is_own = inner in self._taken and inner != key.path
                if is_own or len(self.keys) >= _KEYS_MAX:
                    continue
                self._taken.add(inner)
                self.put(Key(inner, other.value, key.line))


def _members(text: str) -> Iterator[str]:
    """Yield what stands between the commas of braces."""
    depth, quote, start = 0, "", 0
    for at, mark in enumerate(f"{text},"):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
        elif mark == "," and not depth:
            yield text[start:at].strip()
            start = at + 1


def _is_open(value: str) -> bool:
    """Say whether braces begin here that end on a later line."""
    begins = _MARKS.sub("", value, count=1) if _MARKS.match(value) else value
    return begins.startswith("{") and value.count("{") > value.count("}")


def _without_comment(text: str) -> str:
    return re.sub(r"(?:^|\s)#.*$", "", text.strip()).strip()


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        return text[1:-1]
    return text
