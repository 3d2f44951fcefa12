"""The tables of a Mach-O file that the dynamic linker follows.

There are two forms: small programs of opcodes (LC_DYLD_INFO, what zig writes) and
chained fixups (what Apple's linker writes for newer systems). Both name what is taken
from which library, and both may be at odds with the symbol table, which only linkers
read; so the audit reads all of them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["DYNAMIC_LOOKUP", "Binding", "Followed", "Tables", "read_tables"]

# In place of a library's number: whichever loaded library has the symbol.
DYNAMIC_LOOKUP = -2
_WEAK_LOOKUP = -3
_LONGEST_NAME = 4096


class Binding(NamedTuple):
    """A symbol taken from elsewhere.

    Attributes:
        name: the symbol.
        library: the number of a library, counted from 1, or `DYNAMIC_LOOKUP`.
    """

    name: str
    library: int


@dataclass
class Tables:
    """Where the tables are: offset and size, or zeros.

    Attributes:
        rebase: addresses to be moved.
        bind: symbols bound when the file is loaded.
        weak: symbols that may be defined more than once.
        lazy: symbols bound when first called.
        trie: what is exported.
        fixups: chained fixups, which stand for the first four.
    """

    rebase: tuple[int, int] = (0, 0)
    bind: tuple[int, int] = (0, 0)
    weak: tuple[int, int] = (0, 0)
    lazy: tuple[int, int] = (0, 0)
    trie: tuple[int, int] = (0, 0)
    fixups: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Followed:
    """What the tables say.

    Attributes:
        exports: names of the symbols exported.
        imports: symbols taken from elsewhere.
        segments: the numbers of segments that are written to.
    """

    exports: frozenset[str]
    imports: frozenset[Binding]
    segments: frozenset[int]


def read_tables(data: bytes, tables: Tables, segment_count: int) -> Followed:
    """Read all tables of a file.

    Args:
        data: the file.
        tables: where they are.
        segment_count: how many segments it has.

    Raises:
        ValueError: a table is damaged.
        IndexError: a table ends too early.
    """
    imports: set[Binding] = set()
    segments: set[int] = set()
    _Opcodes(_cut(data, tables.rebase)).rebase(segments)
    for place, library, is_lazy in (
        (tables.bind, 0, False),
        (tables.weak, _WEAK_LOOKUP, False),
        (tables.lazy, 0, True),
    ):
        _Opcodes(_cut(data, place)).bind(imports, segments, library, is_lazy)
    if tables.fixups != (0, 0):
        _chained(_cut(data, tables.fixups), imports, segments)
    if segments and max(segments) >= segment_count:
        raise ValueError("a table names a segment that is not there")
    exports = frozenset(_trie(_cut(data, tables.trie)))
    return Followed(exports, frozenset(imports), frozenset(segments))


def _cut(data: bytes, place: tuple[int, int]) -> bytes:
    offset, size = place
    if offset + size > len(data):
        raise ValueError("a table reaches beyond its end")
    return data[offset : offset + size]


@dataclass
class _Opcodes:
    """A program of opcodes being run, as far as names and segments go."""

    code: bytes
    at: int = field(default=0)

    def rebase(self, segments: set[int]) -> None:
        # Numbers that follow each opcode: none where it is not listed.
        follow = {0x20: 1, 0x30: 1, 0x60: 1, 0x70: 1, 0x80: 2}
        while self.at < len(self.code):
            opcode, small = self._opcode()
            if opcode == 0x00:
                return
            if opcode == 0x20:
                segments.add(small)
            if opcode > 0x80:
                raise ValueError(f"unknown rebase opcode {opcode:#x}")
            for _ in range(follow.get(opcode, 0)):
                self._number()

    def bind(
        self,
        imports: set[Binding],
        segments: set[int],
        library: int,
        is_lazy: bool,
    ) -> None:
        follow = {0x60: 1, 0x70: 1, 0x80: 1, 0xA0: 1, 0xC0: 2}
        name = ""
        while self.at < len(self.code):
            opcode, small = self._opcode()
            if opcode == 0x00 and not is_lazy:
                return  # in lazy tables it ends one symbol, not all
            if opcode in (0x10, 0x20, 0x30):
                library = self._library(opcode, small)
            elif opcode == 0x40:
                name = self._name()
            elif opcode == 0x70:
                segments.add(small)
            elif 0x90 <= opcode <= 0xC0:
                imports.add(Binding(name, library))
            elif opcode > 0xC0:
                raise ValueError(f"unknown bind opcode {opcode:#x}")
            for _ in range(follow.get(opcode, 0)):
                self._number()

    def _library(self, opcode: int, small: int) -> int:
        if opcode == 0x20:
            return self._number()
        if opcode == 0x10:
            return small
        return small - 16 if small else 0  # below zero: no library by its number

    def _opcode(self) -> tuple[int, int]:
        byte = self.code[self.at]
        self.at += 1
        return byte & 0xF0, byte & 0x0F

    def _name(self) -> str:
        end = self.code.index(b"\0", self.at)
        name = self.code[self.at : end].decode()
        self.at = end + 1
        return name

    def _number(self) -> int:
        number, self.at = _uleb(self.code, self.at)
        return number


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number, at


def _trie(data: bytes) -> list[str]:
    """Return the names in a trie; each edge carries a piece of them."""
    names: list[str] = []
    waiting = [(0, "")] if data else []
    seen: set[int] = set()
    while waiting:
        at, prefix = waiting.pop()
        if at in seen or len(prefix) > _LONGEST_NAME:
            raise ValueError("its export trie runs in a circle")
        seen.add(at)
        size, at = _uleb(data, at)
        if size:
            names.append(prefix)
        at += size
        count = data[at]
        at += 1
        for _ in range(count):
            end = data.index(b"\0", at)
            piece = data[at:end].decode()
            child, at = _uleb(data, end + 1)
            waiting.append((child, prefix + piece))
    return names


def _chained(data: bytes, imports: set[Binding], segments: set[int]) -> None:
    _, starts, table, symbols, count, form, _ = struct.unpack_from("<7I", data)
    for index in range(count):
        if form in (1, 2):  # with or without an addend
            (word,) = struct.unpack_from("<I", data, table + (4, 8)[form - 1] * index)
            library, at = word & 0xFF, word >> 9
            library = library - 256 if library > 0xF0 else library
        elif form == 3:
            (word,) = struct.unpack_from("<Q", data, table + 16 * index)
            library, at = word & 0xFFFF, word >> 32
            library = library - 65536 if library > 0xFFF0 else library
        else:
            raise ValueError(f"unknown form {form} of chained imports")
        end = data.index(b"\0", symbols + at)
        imports.add(Binding(data[symbols + at : end].decode(), library))
    (number,) = struct.unpack_from("<I", data, starts)
    offsets = struct.unpack_from(f"<{number}I", data, starts + 4)
    segments.update(index for index, offset in enumerate(offsets) if offset)
