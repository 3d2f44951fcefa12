"""Judges a Mach-O engine by its target's row. A pure function of what `macho` read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from native.audit.availability import newer_symbols
from native.audit.bindings import DYNAMIC_LOOKUP
from native.audit.check import Check, judged, listed
from native.audit.macho import is_writable_code
from native.audit.symbols import libsystem, stable_abi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.platforms.target import Target
    from native.audit.macho import MachO

__all__ = ["check_macho"]

LIBSYSTEM = "/usr/lib/libSystem.B.dylib"
# zig's linker makes these two and exports them, whatever it is told to export. They are
# the beginning of the file, and with two levels of names nobody mistakes them.
_LINKER_MADE = frozenset({"___dso_handle", "__mh_dylib_header"})


def check_macho(
    subject: str, macho: MachO, target: Target, *, file_name: str, init: str
) -> tuple[Check, ...]:
    """Check what was read of a Mach-O engine.

    Args:
        subject: what the checks are about.
        macho: what was read.
        target: the row of platforms.toml it is for.
        file_name: what it has to be called.
        init: the one symbol it has to export, as C has it.

    Raises:
        ToolUnusable: a list of symbols is missing.
    """
    foreign = [name for name in macho.libraries if name not in target.libraries]
    exports = [name for name in macho.exports if name not in _LINKER_MADE]
    told = [
        ("file type", f"{macho.kind}, 64 bit", macho.kind == "shared library"),
        ("CPU", macho.cpu, macho.cpu == target.cpu),
        ("own name", macho.name or "none", macho.name == file_name),
        (
            "needed libraries",
            listed(macho.libraries),
            bool(macho.libraries) and not foreign,
        ),
        (
            "macOS needed",
            f"{macho.platform} {macho.minimum}, floor {target.libc_floor}",
            (macho.platform, macho.minimum) == ("macOS", target.libc_floor),
        ),
        *_imports(macho, target),
        ("exports", listed(exports), exports == [f"_{init}"]),
        *_layout(macho),
        _signature(macho, target),
    ]
    return tuple(judged(subject, name, found, is_ok) for name, found, is_ok in told)


def _layout(macho: MachO) -> Iterator[tuple[str, str, bool]]:
    writable = [part.name for part in macho.segments if is_writable_code(part)]
    for name, found in (
        ("run path", macho.run_paths),
        ("debug information", macho.debug),
        ("text relocations", macho.written_code),
        ("writable code", writable),
    ):
        yield name, listed(found), not found
    stack = macho.is_stack_executable
    yield "executable stack", "yes" if stack else "no", not stack
    levels = "two levels" if macho.is_two_level else "flat"
    yield "namespace", levels, macho.is_two_level


def _imports(macho: MachO, target: Target) -> Iterator[tuple[str, str, bool]]:
    python = {f"_{name}" for name in stable_abi()}
    system = libsystem(target.cpu)
    nobodys: list[str] = []
    elsewhere: list[str] = []
    taken: set[str] = set()
    for name, library in macho.imports:
        if name in python:
            if library != DYNAMIC_LOOKUP:
                elsewhere.append(f"{name} from {_origin(macho, library)}")
        elif name not in system:
            nobodys.append(name)
        else:
            taken.add(name)
            if _origin(macho, library) != LIBSYSTEM:
                elsewhere.append(f"{name} from {_origin(macho, library)}")
    found = listed(sorted(set(nobodys)), "the stable ABI's and libSystem's only")
    yield "open symbols", found, not nobodys
    right = f"{len(taken)} from libSystem, the rest from anywhere"
    yield "symbol origins", listed(sorted(elsewhere), right), not elsewhere
    newer = newer_symbols(frozenset(taken), target)
    right = f"none of {len(taken)} after {target.libc_floor}"
    yield "newer macOS", listed(newer, right), not newer


def _origin(macho: MachO, library: int) -> str:
    if 0 < library <= len(macho.libraries):
        return macho.libraries[library - 1]
    return "any library" if library == DYNAMIC_LOOKUP else f"library {library}"


def _signature(macho: MachO, target: Target) -> tuple[str, str, bool]:
    signature = macho.signature
    if signature is None:
        # An Intel Mac runs what is not signed, and zig signs for arm64 alone.
        return "signature", "none", target.cpu == "x86_64"
    if signature.problem:
        return "signature", signature.problem, False
    kind = "ad hoc" if signature.is_ad_hoc else "of somebody"
    return "signature", f"{kind}, {signature.pages} pages right", signature.is_ad_hoc
