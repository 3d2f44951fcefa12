"""What the audit reads of an ELF file, through pyelftools.

Not through `engineroom.platforms.binary`, which the loader uses: two readers that share
no code check each other (tests/audit holds them against each other).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Elf", "read_elf"]

_CPUS = {"EM_X86_64": "x86_64", "EM_AARCH64": "arm64"}
_KINDS = {"ET_DYN": "shared library", "ET_EXEC": "program", "ET_REL": "object file"}
_BIND_NOW = 0x8  # DF_BIND_NOW
_NOW = 0x1  # DF_1_NOW
_TEXT_RELOCATIONS = 0x4  # DF_TEXTREL


@dataclass(frozen=True)
class Elf:
    """Facts about an ELF file.

    Attributes:
        bits: 32 or 64.
        cpu: our word for it, or ELF's.
        kind: `shared library`, `program` or `object file`.
        libraries: those it needs.
        versions: the symbol versions it needs of them, sorted.
        name: its soname.
        run_paths: folders it would search for libraries.
        exports: the symbols it defines for others, sorted.
        loose_imports: symbols that it wants and that no library's version vouches for,
            sorted.
        weak_imports: those of them that it can do without.
        has_text_relocations: whether loading it writes into its code.
        is_stack_executable: whether it asks for that.
        is_relocation_read_only: whether its tables are made read-only after loading.
        is_bound_now: whether all symbols are bound when it is loaded.
        debug_sections: sections that only debuggers read.
        has_packed_relocations: whether it has relocations in the form of DT_RELR.
        has_writable_code: whether a part of it can be written to and executed.
        page_bytes: the largest page it can be loaded with.
    """

    bits: int
    cpu: str
    kind: str
    libraries: tuple[str, ...]
    versions: tuple[str, ...]
    name: str
    run_paths: tuple[str, ...]
    exports: tuple[str, ...]
    loose_imports: tuple[str, ...]
    weak_imports: tuple[str, ...]
    has_text_relocations: bool
    is_stack_executable: bool
    is_relocation_read_only: bool
    is_bound_now: bool
    debug_sections: tuple[str, ...]
    has_packed_relocations: bool
    has_writable_code: bool
    page_bytes: int


def read_elf(data: bytes) -> Elf:
    """Read an ELF file.

    Raises:
        ValueError: it is none, or is damaged.
    """
    from elftools.elf.elffile import ELFFile

    try:
        return _read(ELFFile(io.BytesIO(data)))
    except Exception as error:  # what is damaged makes pyelftools fail in many ways
        raise ValueError(str(error) or type(error).__name__) from error


def _read(file: Any) -> Elf:
    dynamic = _dynamic_tags(file)
    flags = sum(dynamic.get("DT_FLAGS", []))
    flags_1 = sum(dynamic.get("DT_FLAGS_1", []))
    segments = {segment["p_type"]: segment for segment in file.iter_segments()}
    loads = [s for s in file.iter_segments() if s["p_type"] == "PT_LOAD"]
    stack = segments.get("PT_GNU_STACK")
    symbols = file.get_section_by_name(".dynsym")
    named = [symbol for symbol in symbols.iter_symbols() if symbol.name]
    loose = _loose_imports(file, symbols)
    return Elf(
        bits=file.elfclass,
        cpu=_CPUS.get(file["e_machine"], str(file["e_machine"])),
        kind=_KINDS.get(file["e_type"], str(file["e_type"])),
        libraries=tuple(dynamic.get("DT_NEEDED", [])),
        versions=_needed_versions(file),
        name="".join(dynamic.get("DT_SONAME", [])),
        run_paths=(*dynamic.get("DT_RPATH", []), *dynamic.get("DT_RUNPATH", [])),
        exports=tuple(sorted(s.name for s in named if s["st_shndx"] != "SHN_UNDEF")),
        loose_imports=tuple(sorted(loose)),
        weak_imports=tuple(sorted(name for name in loose if loose[name])),
        has_text_relocations="DT_TEXTREL" in dynamic or bool(flags & _TEXT_RELOCATIONS),
        # Without the segment the kernel makes the stack executable.
        is_stack_executable=stack is None or bool(stack["p_flags"] & 1),
        is_relocation_read_only="PT_GNU_RELRO" in segments,
        is_bound_now=(
            "DT_BIND_NOW" in dynamic or bool(flags & _BIND_NOW) or bool(flags_1 & _NOW)
        ),
        debug_sections=tuple(
            section.name
            for section in file.iter_sections()
            if section.name.startswith((".debug", ".zdebug", ".symtab", ".stab"))
        ),
        has_packed_relocations="DT_RELR" in dynamic or "DT_RELRSZ" in dynamic,
        has_writable_code=any(s["p_flags"] & 3 == 3 for s in loads),
        page_bytes=min((s["p_align"] for s in loads), default=0),
    )


def _dynamic_tags(file: Any) -> dict[str, list[Any]]:
    """Return the entries of the dynamic section: texts for names, else numbers."""
    texts = {
        "DT_NEEDED": "needed",
        "DT_SONAME": "soname",
        "DT_RPATH": "rpath",
        "DT_RUNPATH": "runpath",
    }
    tags: dict[str, list[Any]] = {}
    section = file.get_section_by_name(".dynamic")
    for tag in section.iter_tags() if section is not None else ():
        name = tag.entry.d_tag
        value = getattr(tag, texts[name]) if name in texts else tag.entry.d_val
        tags.setdefault(name, []).append(value)
    return tags


def _loose_imports(file: Any, symbols: Any) -> dict[str, bool]:
    """Return the symbols wanted without a version, and whether each is weak."""
    versions = file.get_section_by_name(".gnu.version")
    loose: dict[str, bool] = {}
    for index, symbol in enumerate(symbols.iter_symbols()):
        if symbol["st_shndx"] != "SHN_UNDEF" or not symbol.name:
            continue
        number = versions.get_symbol(index)["ndx"] if versions is not None else 0
        if not isinstance(number, int) or number <= 1:  # 0 and 1 stand for none
            loose[symbol.name] = symbol["st_info"]["bind"] == "STB_WEAK"
    return loose


def _needed_versions(file: Any) -> tuple[str, ...]:
    section = file.get_section_by_name(".gnu.version_r")
    if section is None:
        return ()
    return tuple(
        sorted(
            version.name
            for _, versions in section.iter_versions()
            for version in versions
        )
    )
