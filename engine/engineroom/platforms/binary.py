"""The few ELF and Mach-O fields that decide whether a process can load a file.

`read_header` works on anything that can be read at an offset, so that a Python of
30 MB costs a few small reads and an engine already in memory costs none. Every
offset and size in the file is distrusted: a file that lies or ends early raises
`MalformedBinary`, never anything else. Numbers are taken with int.from_bytes because
importing struct costs as much as reading a whole header here.

References: the ELF chapters of the System V ABI, elf(5), and Apple's
<mach-o/loader.h>. What the fields mean for this process is for others to decide.
"""

from __future__ import annotations

import os

from engineroom.errors import MalformedBinary
from engineroom.platforms.target import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Callable, Literal

    # Returns up to `size` bytes from `offset`; fewer only where the file ends.
    Read = Callable[[int, int], bytes]

__all__ = ["Header", "read_bytes", "read_file", "read_header"]

ELF_CPUS = {
    2: "sparc", 3: "x86", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm",
    43: "sparc64", 62: "x86_64", 183: "arm64", 243: "riscv", 258: "loongarch",
}  # fmt: skip
ELF_KINDS = {1: "object file", 2: "program", 3: "shared library", 4: "core dump"}

MACHO_CPUS = {
    7: "x86", 12: "arm", 18: "ppc",
    0x01000007: "x86_64", 0x0100000C: "arm64", 0x01000012: "ppc64",
}  # fmt: skip
MACHO_KINDS = {
    1: "object file", 2: "program", 4: "core dump", 6: "shared library",
    8: "bundle", 9: "symbols stub", 10: "debug symbols",
}  # fmt: skip

# More than any real file has; a bound on the work that a damaged count can cause.
MOST_ENTRIES = 4096
LONGEST_NAME = 4096


class Header:
    """What a binary says about itself.

    Attributes:
        format: `ELF` or `Mach-O`.
        cpu: our word for the CPU, or `machine N` where we have none.
        bits: 32 or 64.
        kind: `shared library`, `bundle`, `program`, `object file`, ...
        interpreter: the program that loads it, for an ELF program; else empty.
        libraries: the libraries it needs, in order.
        versions: the symbol versions it needs of them, such as `GLIBC_2.14`.
        name: the name it carries within itself (soname, install name), or empty.
        run_paths: the folders it would search for libraries.
        floor: the oldest macOS it runs on as numbers, for Mach-O; else empty.
    """

    __slots__ = (
        "bits",
        "cpu",
        "floor",
        "format",
        "interpreter",
        "kind",
        "libraries",
        "name",
        "run_paths",
        "versions",
    )

    def __init__(
        self,
        format: Literal["ELF", "Mach-O"],  # noqa: A002 - the field's name
        cpu: str,
        bits: int,
        kind: str,
    ) -> None:
        self.format = format
        self.cpu = cpu
        self.bits = bits
        self.kind = kind
        self.interpreter = ""
        self.libraries: tuple[str, ...] = ()
        self.versions: tuple[str, ...] = ()
        self.name = ""
        self.run_paths: tuple[str, ...] = ()
        self.floor: tuple[int, ...] = ()

    @property
    def glibc_needed(self) -> tuple[int, ...]:
        """The newest glibc that a needed symbol names, or () where none does."""
        needed: tuple[int, ...] = ()
        for version in self.versions:
            if version == "GLIBC_ABI_DT_RELR":  # a file format, not a symbol's version
                needed = max(needed, (2, 36))
            elif version.startswith("GLIBC_"):
                needed = max(needed, version_numbers(version[len("GLIBC_") :]))
        return needed

    @property
    def libc(self) -> str:
        """The libc it was linked with: a word of platforms.toml, or empty if unsaid."""
        if self.format == "Mach-O":
            return "libSystem"
        names = self.libraries
        if "libc.so.6" in names or self.glibc_needed:
            return "glibc"
        # Linkers that have no musl at hand write the name of its development link.
        if "libc.so" in names or any(n.startswith("libc.musl-") for n in names):
            return "musl"
        return ""


def read_file(path: str, *, cpu: str = "") -> Header:
    """Read the header of the file at `path`.

    Args:
        path: the file.
        cpu: which part to read of a file for several CPUs; the first one if empty.

    Raises:
        OSError: the file cannot be opened or read.
        MalformedBinary: it is no ELF or Mach-O file, or ends too early.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        size = os.fstat(descriptor).st_size

        def read(offset: int, count: int) -> bytes:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, count)

        return read_header(read, size, cpu=cpu)
    finally:
        os.close(descriptor)


def read_bytes(data: bytes, *, cpu: str = "") -> Header:
    """Read the header of a file whose bytes are at hand; see `read_file`."""
    return read_header(
        lambda offset, size: data[offset : offset + size], len(data), cpu=cpu
    )


def read_header(read: Read, size_bytes: int, *, cpu: str = "") -> Header:
    """Read a header through `read`, from a file of `size_bytes`; see `read_file`."""
    magic = read(0, 4)
    if magic == b"\x7fELF":
        return _Elf(read, size_bytes).header()
    if magic in _MACHO_MAGIC:
        return _macho(_View(read, 0, size_bytes, _MACHO_MAGIC[magic]), magic)
    if magic == b"\xca\xfe\xba\xbe":
        return _fat(_View(read, 0, size_bytes, "big"), cpu)
    if size_bytes == 0:
        raise MalformedBinary("it is empty", is_truncated=True)
    raise MalformedBinary(_what_instead(magic))


def _what_instead(magic: bytes) -> str:
    if magic[:2] == b"MZ":
        return "it is a Windows binary"
    if magic == b"\x00asm":
        return "it is a WebAssembly module"
    if magic[:2] == b"#!":
        return "it is a script"
    if magic[:2] == b"PK":
        return "it is a zip archive"
    return f"it is neither ELF nor Mach-O: it starts with {magic!r}"


class _View:
    """A stretch of a file, read by offset from its start, in one byte order."""

    __slots__ = ("_order", "_read", "_start", "size")

    def __init__(
        self, read: Read, start: int, size: int, order: Literal["little", "big"]
    ) -> None:
        self._read = read
        self._start = start
        self._order: Literal["little", "big"] = order
        self.size = size

    def _check(self, offset: int, size: int, what: str) -> None:
        if offset < 0 or size < 0 or offset + size > self.size:
            raise MalformedBinary(
                f"it is cut off: {what} should end at byte {offset + size},"
                f" and there are {self.size}",
                is_truncated=True,
            )

    def take(self, offset: int, size: int, what: str) -> bytes:
        self._check(offset, size, what)
        data = self._read(self._start + offset, size)
        if len(data) != size:
            raise MalformedBinary(f"it is cut off within {what}", is_truncated=True)
        return data

    def number(self, offset: int, size: int, what: str) -> int:
        return int.from_bytes(self.take(offset, size, what), self._order)

    def part(self, offset: int, size: int, what: str) -> _View:
        self._check(offset, size, what)
        return _View(self._read, self._start + offset, size, self._order)

    def text(self, offset: int, what: str) -> str:
        """Return the text that starts at `offset` and ends before a zero byte."""
        if not 0 <= offset < self.size:
            raise MalformedBinary(f"{what} lies outside its table of names")
        data = self.take(offset, min(LONGEST_NAME, self.size - offset), what)
        end = data.find(b"\x00")
        if end < 0:
            raise MalformedBinary(f"{what} has no end")
        return data[:end].decode("utf-8", "backslashreplace")

    def ordered(self, order: Literal["little", "big"]) -> _View:
        return _View(self._read, self._start, self.size, order)

    def decode(self, data: bytes) -> int:
        return int.from_bytes(data, self._order)


# ELF. A loader sees a file through its program headers alone, so they alone are read:
# section headers may be stripped.

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = (
    1,
    5,
    10,
    14,
    15,
    29,
)
_DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF


class _Elf:
    """One ELF file while it is being read."""

    def __init__(self, read: Read, size_bytes: int) -> None:
        ident = _View(read, 0, size_bytes, "little").take(0, 16, "the ELF header")
        if ident[4] not in (1, 2) or ident[5] not in (1, 2):
            raise MalformedBinary("its ELF identification is damaged")
        self.bits = 32 * ident[4]
        self.view = _View(read, 0, size_bytes, "little" if ident[5] == 1 else "big")
        self.word = self.bits // 8
        # (address, offset in the file, size in the file) of each part that is mapped.
        self.loads: list[tuple[int, int, int]] = []
        self.dynamic = (0, 0)
        self.interpreter = (0, 0)

    def header(self) -> Header:
        view, word = self.view, self.word
        kind = view.number(16, 2, "the ELF header")
        machine = view.number(18, 2, "the ELF header")
        table = view.number(24 + word, word, "the ELF header")
        counts = 24 + 3 * word + 6
        entry_size = view.number(counts, 2, "the ELF header")
        entries = view.number(counts + 2, 2, "the ELF header")
        if entries and entry_size < (32 if self.bits == 32 else 56):
            raise MalformedBinary(f"its program headers have {entry_size} bytes each")
        self._programs(
            view.take(table, entries * entry_size, "the program headers"), entry_size
        )

        header = Header(
            "ELF",
            ELF_CPUS.get(machine, f"machine {machine}"),
            self.bits,
            ELF_KINDS.get(kind, f"type {kind}"),
        )
        if self.interpreter[1]:
            header.interpreter = view.text(
                self.interpreter[0], "the interpreter's path"
            )
        if self.dynamic[1]:
            self._dynamic(header)
        return header

    def _programs(self, table: bytes, entry_size: int) -> None:
        for start in range(0, len(table), entry_size or 1):
            entry = table[start : start + entry_size]
            kind = self.view.decode(entry[:4])
            if self.bits == 64:
                offset, address, size = (
                    self.view.decode(entry[at : at + 8]) for at in (8, 16, 32)
                )
            else:
                offset, address, size = (
                    self.view.decode(entry[at : at + 4]) for at in (4, 8, 16)
                )
            if kind == _PT_LOAD:
                self.view.take(offset + size, 0, "a part that is loaded")
                self.loads.append((address, offset, size))
            elif kind == _PT_DYNAMIC:
                self.dynamic = (offset, size)
            elif kind == _PT_INTERP:
                self.interpreter = (offset, size)

    def _offset(self, address: int, what: str) -> int:
        for start, offset, size in self.loads:
            if start <= address < start + size:
                return offset + address - start
        raise MalformedBinary(
            f"{what} lies at address {address:#x}, which is not loaded"
        )

    def _dynamic(self, header: Header) -> None:
        wanted: list[tuple[int, int]] = []
        places: dict[int, int] = {}
        for tag, value in self._tags():
            if tag in (_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH):
                wanted.append((tag, value))
            else:
                places[tag] = value
        if _DT_STRTAB not in places:
            if wanted:
                raise MalformedBinary("it names libraries but has no table of names")
            return
        offset = self._offset(places[_DT_STRTAB], "the table of names")
        names = self.view.part(offset, places.get(_DT_STRSZ, 0), "the table of names")

        libraries: list[str] = []
        run_paths: list[str] = []
        for tag, value in wanted:
            name = names.text(value, "a name")
            if tag == _DT_NEEDED:
                libraries.append(name)
            elif tag == _DT_SONAME:
                header.name = name
            else:
                run_paths += name.split(":")
        header.libraries = tuple(libraries)
        header.run_paths = tuple(run_paths)
        if _DT_VERNEED in places:
            header.versions = tuple(
                self._versions(
                    places[_DT_VERNEED], places.get(_DT_VERNEEDNUM, 0), names
                )
            )

    def _tags(self) -> Iterator[tuple[int, int]]:
        offset, size = self.dynamic
        word, decode = self.word, self.view.decode
        table = self.view.take(
            offset, min(size, MOST_ENTRIES * 2 * word), "the dynamic table"
        )
        for start in range(0, len(table) - 2 * word + 1, 2 * word):
            tag = decode(table[start : start + word])
            if tag == 0:
                return
            yield tag, decode(table[start + word : start + 2 * word])

    def _versions(self, address: int, count: int, names: _View) -> Iterator[str]:
        # Two linked lists, one within the other: the libraries, and for each one the
        # versions that are needed of it. A link is a distance forward; zero ends it.
        view, what = self.view, "the table of needed versions"
        library = self._offset(address, what)
        left = MOST_ENTRIES
        for _ in range(min(count, MOST_ENTRIES)):
            entry = view.take(library, 16, what)
            version = library + view.decode(entry[8:12])
            for _ in range(min(view.decode(entry[2:4]), left)):
                left -= 1
                item = view.take(version, 16, what)
                yield names.text(view.decode(item[8:12]), "a version")
                step = view.decode(item[12:16])
                if not step:
                    break
                version += step
            step = view.decode(entry[12:16])
            if not step:
                break
            library += step


# Mach-O. Load commands follow the header; each starts with its kind and its size.

_MACHO_MAGIC: dict[bytes, Literal["little", "big"]] = {
    b"\xcf\xfa\xed\xfe": "little",
    b"\xce\xfa\xed\xfe": "little",
    b"\xfe\xed\xfa\xcf": "big",
    b"\xfe\xed\xfa\xce": "big",
}
_MACHO_64 = (b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf")
_LC_SEGMENT, _LC_SEGMENT_64 = 0x1, 0x19
_LC_ID_DYLIB, _LC_RPATH = 0xD, 0x8000001C
_LC_LIBRARIES = (
    0xC,
    0x80000018,
    0x8000001F,
    0x80000023,
)  # plain, weak, re-export, upward
_LC_VERSION_MIN_MACOSX, _LC_BUILD_VERSION = 0x24, 0x32


def _fat(view: _View, cpu: str) -> Header:
    """Read one part of a file that holds the same binary for several CPUs."""
    count = view.number(4, 4, "the list of CPUs")
    # The same four bytes start a Java class, whose version number stands here.
    if not 0 < count < 20:
        raise MalformedBinary("it is neither ELF nor Mach-O: it is a Java class")
    chosen = None
    for index in range(count):
        entry = 8 + 20 * index
        machine = view.number(entry, 4, "the list of CPUs")
        if chosen is None or MACHO_CPUS.get(machine) == cpu:
            start = view.number(entry + 8, 4, "the list of CPUs")
            chosen = view.part(
                start, view.number(entry + 12, 4, "the list of CPUs"), "one CPU's part"
            )
        if MACHO_CPUS.get(machine) == cpu:
            break
    assert chosen is not None
    magic = chosen.take(0, 4, "the Mach-O header")
    if magic not in _MACHO_MAGIC:
        raise MalformedBinary("one CPU's part is no Mach-O file")
    return _macho(chosen.ordered(_MACHO_MAGIC[magic]), magic)


def _macho(view: _View, magic: bytes) -> Header:
    is_64 = magic in _MACHO_64
    start = 32 if is_64 else 28
    fields = view.take(0, start, "the Mach-O header")
    machine, kind, count, size = (
        view.decode(fields[at : at + 4]) for at in (4, 12, 16, 20)
    )
    header = Header(
        "Mach-O",
        MACHO_CPUS.get(machine, f"machine {machine}"),
        64 if is_64 else 32,
        MACHO_KINDS.get(kind, f"type {kind}"),
    )
    libraries: list[str] = []
    run_paths: list[str] = []
    commands = view.part(start, size, "the load commands")
    for command, body in _commands(commands, count):
        if command in _LC_LIBRARIES:
            libraries.append(_macho_text(body))
        elif command == _LC_ID_DYLIB:
            header.name = _macho_text(body)
        elif command == _LC_RPATH:
            run_paths.append(_macho_text(body))
        elif command == _LC_VERSION_MIN_MACOSX:
            header.floor = _macho_version(body.number(8, 4, "the oldest macOS"))
        elif command == _LC_BUILD_VERSION:
            header.floor = _macho_version(body.number(12, 4, "the oldest macOS"))
        elif command == _LC_SEGMENT_64:
            end = body.number(40, 8, "a segment") + body.number(48, 8, "a segment")
            view.take(end, 0, "a part that is loaded")
        elif command == _LC_SEGMENT:
            end = body.number(32, 4, "a segment") + body.number(36, 4, "a segment")
            view.take(end, 0, "a part that is loaded")
    header.libraries = tuple(libraries)
    header.run_paths = tuple(run_paths)
    return header


def _commands(view: _View, count: int) -> Iterator[tuple[int, _View]]:
    offset = 0
    for _ in range(min(count, MOST_ENTRIES)):
        command = view.number(offset, 4, "a load command")
        size = view.number(offset + 4, 4, "a load command")
        if size < 8:
            raise MalformedBinary(f"a load command has {size} bytes")
        yield command, view.part(offset, size, "a load command")
        offset += size


def _macho_text(body: _View) -> str:
    return body.text(body.number(8, 4, "a load command"), "a name")


def _macho_version(packed: int) -> tuple[int, ...]:
    return packed >> 16, packed >> 8 & 0xFF
