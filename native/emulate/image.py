"""A Mach-O file as it lies in memory, and what its bytes say before any of it runs.

`lief` reads the structures. `Image` holds what the machine needs of them; placing it,
with its addresses corrected and its imports bound, is what dyld does on a Mac.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lief

from native.emulate.cpu import ARM64, X86_64
from native.emulate.errors import ImageRefused
from native.emulate.memory import BASE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from native.emulate.cpu import Cpu
    from native.emulate.memory import Memory

__all__ = ["Binding", "Image", "read_image", "signature_of"]

_CODE_DIRECTORY = 0xFADE0C02
_HASHES = {1: hashlib.sha1, 2: hashlib.sha256}
_READ_ONLY_LATER = 0x10  # SG_READ_ONLY
_PYTHON_SYMBOL = re.compile(r"__?Py[A-Z_]\w*")


@dataclass(frozen=True)
class Binding:
    """A place that holds the address of a symbol of others.

    Attributes:
        place: where, from the image's start.
        symbol: its name in the file, with the underscore in front.
        addend: added to the address.
        has_library: whether the file says which library has it.
    """

    place: int
    symbol: str
    addend: int
    has_library: bool


class Image:
    """One image of the file.

    Attributes:
        path: the file.
        cpu: the processor it is for.
        raw: its bytes, from its own header on.
        top: the first offset behind its segments.
        bindings: what it takes from others.
        exports: its exported symbols, as offsets.
        symbols: all symbols it has, sorted by offset.
    """

    def __init__(self, path: Path, fat: Any, binary: Any, cpu: Cpu) -> None:
        self.path = path
        self.cpu = cpu
        self.raw = path.read_bytes()[binary.fat_offset :]
        self._fat = fat  # owns what binary points to
        self._binary = binary
        self.top = max(s.virtual_address + s.virtual_size for s in binary.segments)
        self.bindings = tuple(
            Binding(
                b.address, b.symbol.name, getattr(b, "addend", 0), bool(b.has_library)
            )
            for b in binary.bindings
        )
        self.exports = {s.name: s.value for s in binary.exported_symbols}
        self.symbols = sorted(
            (s.value, str(s.name))
            for s in binary.symbols
            if s.value and not s.name.startswith("l_")
        )
        self._check_whole()

    @property
    def loose_symbols(self) -> tuple[str, ...]:
        """What no library is named for and the interpreter does not have either.

        Linking with `-undefined dynamic_lookup` hides them until dyld looks.
        """
        loose = {b.symbol for b in self.bindings if not b.has_library}
        return tuple(sorted(n for n in loose if not _PYTHON_SYMBOL.fullmatch(n)))

    def place(self, memory: Memory) -> tuple[int, int]:
        """Copy the segments to memory and correct the addresses in them.

        Returns:
            How many addresses were corrected, and how many imports there are to bind.
        """
        for segment in self._binary.segments:
            start = segment.file_offset
            data = self.raw[start : start + segment.file_size]
            memory.write(BASE + segment.virtual_address, data)
        origins = lief.MachO.Relocation.ORIGIN
        count = 0
        for fixup in self._binary.relocations:
            at = BASE + fixup.address
            if fixup.origin == origins.CHAINED_FIXUPS:
                memory.set64(at, BASE + fixup.target)
            elif fixup.origin == origins.DYLDINFO:
                memory.set64(at, BASE + memory.u64(at))
            else:
                continue
            count += 1
        return count, len(self.bindings)

    def bind(self, memory: Memory, addresses: Mapping[str, int]) -> None:
        """Write the addresses of its imports into it."""
        for binding in self.bindings:
            address = addresses[binding.symbol] + binding.addend
            memory.set64(BASE + binding.place, address)

    def areas(self) -> list[tuple[int, int, bool, bool]]:
        """Return what to map: offset, size, whether writable, whether executable."""
        found = []
        for segment in self._binary.segments:
            if segment.name == "__LINKEDIT" or not segment.virtual_size:
                continue
            protection = int(segment.init_protection)
            is_fixed = segment.name == "__DATA_CONST" or bool(
                segment.flags & _READ_ONLY_LATER
            )
            found.append(
                (
                    segment.virtual_address,
                    segment.virtual_size,
                    bool(protection & 2) and not is_fixed,
                    bool(protection & 4),
                )
            )
        return found

    def initialisers(self, memory: Memory) -> list[int]:
        """Return the addresses of the functions that dyld runs when it loads it."""
        kinds = lief.MachO.Section.TYPE
        found = []
        for section in self._binary.sections:
            at = BASE + section.virtual_address
            if section.type == kinds.MOD_INIT_FUNC_POINTERS:
                found += [memory.u64(at + i) for i in range(0, section.size, 8)]
            elif section.type == kinds.INIT_FUNC_OFFSETS:
                found += [BASE + memory.u32(at + i) for i in range(0, section.size, 4)]
        return found

    def thread_template(self) -> tuple[int, int]:
        """Return offset and size of what each thread has a copy of."""
        kinds = lief.MachO.Section.TYPE
        parts = [
            s
            for s in self._binary.sections
            if s.type in (kinds.THREAD_LOCAL_REGULAR, kinds.THREAD_LOCAL_ZEROFILL)
        ]
        low = min(s.virtual_address for s in parts)
        return low, max(s.virtual_address + s.size for s in parts) - low

    def signature_range(self) -> tuple[int, int] | None:
        """Return offset and size of the code signature in the file, if it has one."""
        kind = lief.MachO.LoadCommand.TYPE.CODE_SIGNATURE
        for command in self._binary.commands:
            if command.command == kind:
                return command.data_offset, command.data_size
        return None

    def _check_whole(self) -> None:
        for segment in self._binary.segments:
            end = segment.file_offset + segment.file_size
            if end > len(self.raw):
                raise ImageRefused(
                    f"segment {segment.name} ends at byte {end:,}, the file at"
                    f" {len(self.raw):,}"
                )


def read_image(path: Path) -> Image:
    """Read a file, and choose the image that this package can execute.

    Raises:
        ImageRefused: it is damaged, no Mach-O file, or for no processor we emulate.
    """
    lief.logging.disable()
    fat = lief.MachO.parse(str(path))
    if fat is None:
        raise ImageRefused("it is no Mach-O file")
    types = lief.MachO.Header.CPU_TYPE
    known = {types.ARM64: ARM64, types.X86_64: X86_64}
    for index in range(fat.size):
        binary = fat.at(index)
        cpu = known.get(binary.header.cpu_type) if binary is not None else None
        if binary is not None and cpu is not None:
            if not list(binary.segments):
                raise ImageRefused("it has no segments")
            return Image(path, fat, binary, cpu)
    raise ImageRefused("it is for neither arm64 nor x86_64")


def signature_of(image: Image) -> tuple[str, bool]:
    """Compare the code signature's hash of every page with the page.

    macOS ends a process that touches a page with another hash, and on arm64 loads
    nothing that has no signature.

    Returns:
        What was found, and whether macOS would take it.
    """
    place = image.signature_range()
    if place is None:
        return "absent", image.cpu is not ARM64
    offset, size = place
    blob = image.raw[offset : offset + size]
    try:
        for index in range(struct.unpack_from(">I", blob, 8)[0]):
            (start,) = struct.unpack_from(">I", blob, 16 + 8 * index)
            if struct.unpack_from(">I", blob, start)[0] == _CODE_DIRECTORY:
                return _check_pages(blob[start:], image.raw)
    except struct.error:
        return "cut off", False
    return "without a code directory", False


def _check_pages(directory: bytes, raw: bytes) -> tuple[str, bool]:
    hash_offset, _, _, count, limit = struct.unpack_from(">5I", directory, 16)
    size, kind, _, shift = directory[36:40]
    if kind not in _HASHES:
        return f"hash type {kind} is not known", False
    page = 1 << shift
    bad = []
    for index in range(count):
        data = raw[index * page : min((index + 1) * page, limit)]
        start = hash_offset + size * index
        if _HASHES[kind](data).digest()[:size] != directory[start : start + size]:
            bad.append(index)
    if bad:
        return f"{len(bad)} of {count} pages have another hash, first {bad[0]}", False
    return f"{count} pages as signed", True
