"""What the audit reads of a Mach-O file: header, load commands and symbols.

Written from the format and not through `engineroom.platforms.binary`, which the loader
uses: two readers that share no code check each other. What the dynamic linker follows
lies in tables of its own, which `bindings` reads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from native.audit.bindings import Binding, Tables, read_tables
from native.audit.signature import Signature, read_signature

__all__ = ["MACHO_MAGIC", "MachO", "Segment", "is_writable_code", "read_macho"]

MACHO_MAGIC = b"\xcf\xfa\xed\xfe"

_CPUS = {0x01000007: "x86_64", 0x0100000C: "arm64"}
_KINDS = {2: "program", 6: "shared library", 8: "bundle", 1: "object file"}
_PLATFORMS = {1: "macOS", 2: "iOS", 6: "Mac Catalyst"}
_TWO_LEVEL, _STACK_EXECUTION = 0x80, 0x20000
_WRITE, _EXECUTE = 2, 4
_STAB, _PRIVATE, _TYPE, _EXTERNAL = 0xE0, 0x10, 0x0E, 0x01

_SEGMENT, _SYMTAB, _DYSYMTAB, _ID = 0x19, 0x2, 0xB, 0xD
_LOADS = (0xC, 0x80000018, 0x8000001F, 0x20, 0x80000023)
_RUN_PATH, _SIGNATURE = 0x8000001C, 0x1D
_DYLD_INFO, _EXPORTS, _FIXUPS = (0x22, 0x80000022), 0x80000033, 0x80000034
_MINIMUM, _BUILD_VERSION = 0x24, 0x32


@dataclass(frozen=True)
class Segment:
    """A part of the file that is mapped as one.

    Attributes:
        name: what the linker calls it.
        address: where it wants to lie.
        protection: 1 for read, 2 for write, 4 for execute, added up.
    """

    name: str
    address: int
    protection: int


@dataclass
class MachO:
    """Facts about a Mach-O file.

    Attributes:
        cpu: our word for it, or the number in the file.
        kind: `shared library`, `bundle`, `program` or `object file`.
        is_two_level: whether each symbol says which library it comes from.
        is_stack_executable: whether it asks for that.
        name: the install name.
        libraries: those it needs, in their order: a symbol names one by its number.
        run_paths: folders it would search for libraries.
        platform: the system it was built for.
        minimum: the lowest version of that.
        segments: in their order.
        exports: the symbols it defines for others, sorted.
        imports: the symbols it takes from others, each with the library's number.
        debug: what only debuggers read.
        written_code: segments that are not writable and are written to at load.
        signature: the code signature; None if there is none.
    """

    cpu: str
    kind: str
    is_two_level: bool
    is_stack_executable: bool
    name: str = ""
    libraries: list[str] = field(default_factory=list)
    run_paths: list[str] = field(default_factory=list)
    platform: str = "none"
    minimum: str = "none"
    segments: list[Segment] = field(default_factory=list)
    exports: tuple[str, ...] = ()
    imports: tuple[Binding, ...] = ()
    debug: list[str] = field(default_factory=list)
    written_code: tuple[str, ...] = ()
    signature: Signature | None = None


def read_macho(data: bytes) -> MachO:
    """Read a 64-bit Mach-O file for one CPU.

    Raises:
        ValueError: it is none, or is damaged.
    """
    if not data.startswith(MACHO_MAGIC):
        raise ValueError("it does not begin as a 64-bit Mach-O file for one CPU")
    try:
        return _Reader(data).read()
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"it is damaged: {error}") from error


class _Reader:
    """Walks over the load commands once and fills a `MachO`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        _, cpu, _, kind, self._count, self._size, flags, _ = struct.unpack_from(
            "<8I", data
        )
        self._macho = MachO(
            cpu=_CPUS.get(cpu, f"{cpu:#x}"),
            kind=_KINDS.get(kind, str(kind)),
            is_two_level=bool(flags & _TWO_LEVEL),
            is_stack_executable=bool(flags & _STACK_EXECUTION),
        )
        self._tables = Tables()
        self._symtab = (0, 0, 0)
        self._relocations = 0
        self._signature: tuple[int, int] | None = None

    def read(self) -> MachO:
        at, end = 32, 32 + self._size
        if end > len(self._data):
            raise ValueError("its load commands reach beyond its end")
        for _ in range(self._count):
            command, size = struct.unpack_from("<2I", self._data, at)
            if size < 8 or at + size > end:
                raise ValueError("its load commands do not add up")
            self._command(command, self._data[at : at + size])
            at += size
        macho = self._macho
        followed = read_tables(self._data, self._tables, len(macho.segments))
        exports, imports = self._symbols()
        macho.exports = tuple(sorted({*exports, *followed.exports}))
        # Where both know a symbol, the dynamic linker's tables say whence it comes.
        bound = {binding.name for binding in followed.imports}
        left = {binding for binding in imports if binding.name not in bound}
        macho.imports = tuple(sorted({*left, *followed.imports}))
        macho.written_code = self._written(followed.segments)
        if self._signature is not None:
            macho.signature = read_signature(self._data, *self._signature)
        return macho

    def _command(self, command: int, body: bytes) -> None:
        macho, numbers = self._macho, struct.unpack_from
        if command == _SEGMENT:
            self._segment(body)
        elif command in _LOADS:
            macho.libraries.append(_text(body))
        elif command == _ID:
            macho.name = _text(body)
        elif command == _RUN_PATH:
            macho.run_paths.append(_text(body))
        elif command == _SYMTAB:
            offset, count, strings, _ = numbers("<4I", body, 8)
            self._symtab = (offset, count, strings)
        elif command == _DYSYMTAB:
            self._relocations = sum(numbers("<20I", body)[i] for i in (17, 19))
        elif command == _SIGNATURE:
            self._signature = numbers("<2I", body, 8)
        else:
            self._version(command, body)
            self._tables_at(command, body)

    def _version(self, command: int, body: bytes) -> None:
        macho = self._macho
        if command == _MINIMUM:
            macho.platform = "macOS"
            macho.minimum = _version(struct.unpack_from("<I", body, 8)[0])
        elif command == _BUILD_VERSION:
            platform, minimum = struct.unpack_from("<2I", body, 8)
            macho.platform = _PLATFORMS.get(platform, f"platform {platform}")
            macho.minimum = _version(minimum)

    def _tables_at(self, command: int, body: bytes) -> None:
        places = struct.unpack_from(f"<{(len(body) - 8) // 4}I", body, 8)
        tables = self._tables
        if command in _DYLD_INFO:
            pairs = list(zip(places[::2], places[1::2]))
            tables.rebase, tables.bind, tables.weak, tables.lazy, tables.trie = pairs
        elif command == _EXPORTS:
            tables.trie = (places[0], places[1])
        elif command == _FIXUPS:
            tables.fixups = (places[0], places[1])

    def _segment(self, body: bytes) -> None:
        name = _name(body, 8)
        (address,) = struct.unpack_from("<Q", body, 24)
        _, protection, sections, _ = struct.unpack_from("<4I", body, 56)
        self._macho.segments.append(Segment(name, address, protection))
        for index in range(sections):
            section = _name(body, 72 + 80 * index)
            if name == "__DWARF" or section.startswith("__debug"):
                self._macho.debug.append(section)

    def _symbols(self) -> tuple[set[str], set[Binding]]:
        """Read the symbol table, which linkers and debuggers read."""
        offset, count, strings = self._symtab
        exports: set[str] = set()
        imports: set[Binding] = set()
        notes = 0
        for index in range(count):
            at, kind, _, description, value = struct.unpack_from(
                "<IBBHQ", self._data, offset + 16 * index
            )
            name = _string(self._data, strings + at)
            if kind & _STAB:
                notes += 1
            elif kind & _PRIVATE or not kind & _EXTERNAL:
                continue
            elif kind & _TYPE:
                exports.add(name)
            elif not value:
                number = description >> 8
                imports.add(Binding(name, number - 256 if number > 253 else number))
        if notes:
            self._macho.debug.append(f"{notes} symbols for debuggers")
        return exports, imports

    def _written(self, numbers: frozenset[int]) -> tuple[str, ...]:
        segments = self._macho.segments
        names = [
            segments[number].name
            for number in sorted(numbers)
            if not segments[number].protection & _WRITE
        ]
        if self._relocations:
            names.append(f"{self._relocations} relocations of the old kind")
        return tuple(names)


def is_writable_code(segment: Segment) -> bool:
    """Whether a segment can be written to and executed."""
    return bool(segment.protection & _WRITE and segment.protection & _EXECUTE)


def _text(body: bytes) -> str:
    return _string(body, struct.unpack_from("<I", body, 8)[0])


def _string(data: bytes, at: int) -> str:
    end = data.find(b"\0", at)
    if at > len(data) or end < 0:
        raise ValueError("a name in it has no end")
    return data[at:end].decode()


def _name(body: bytes, at: int) -> str:
    return body[at : at + 16].split(b"\0")[0].decode()


def _version(number: int) -> str:
    text = f"{number >> 16}.{number >> 8 & 0xFF}"
    return f"{text}.{number & 0xFF}" if number & 0xFF else text
