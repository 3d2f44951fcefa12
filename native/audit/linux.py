"""Judges an ELF engine by its target's row. A pure function of what `elf` read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engineroom.platforms.target import version_numbers
from native.audit.check import Check, judged, listed
from native.audit.symbols import WEAK_START, musl, stable_abi
from native.build.openssl_functions import SYMBOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.platforms.target import Target
    from native.audit.elf import Elf

__all__ = ["check_elf", "newest_glibc"]

# RHEL 8's kernel for arm64 has pages of 64 KiB.
_PAGE_BYTES = {"arm64": 65536, "x86_64": 4096}


def check_elf(
    subject: str,
    elf: Elf,
    target: Target,
    *,
    file_name: str,
    init: str,
    speaks_tls: bool = False,
) -> tuple[Check, ...]:
    """Check what was read of an ELF engine.

    Args:
        subject: what the checks are about.
        elf: what was read.
        target: the row of platforms.toml it is for.
        file_name: what it has to be called.
        init: the one symbol it has to export.
        speaks_tls: whether it is of a backend that does.
    """
    tls = target.tls_libraries if speaks_tls else ()
    foreign = set(elf.libraries) - {*target.libraries, *tls}
    page = _PAGE_BYTES[target.cpu]
    told = [
        (
            "file type",
            f"{elf.kind}, {elf.bits} bit",
            elf.kind == "shared library" and elf.bits == 64,
        ),
        ("CPU", elf.cpu, elf.cpu == target.cpu),
        ("own name", elf.name or "none", elf.name == file_name),
        (
            "needed libraries",
            listed(elf.libraries),
            bool(elf.libraries) and not foreign and set(tls) <= set(elf.libraries),
        ),
        *_imports(elf, target),
        _openssl(elf, is_needed=bool(tls)),
        ("exports", listed(elf.exports), elf.exports == (init,)),
        ("run path", listed(elf.run_paths), not elf.run_paths),
        ("debug information", listed(elf.debug_sections), not elf.debug_sections),
        _without("text relocations", elf.has_text_relocations),
        _without("executable stack", elf.is_stack_executable),
        _without("writable code", elf.has_writable_code),
        _without("packed relocations", elf.has_packed_relocations),
        ("page size", f"{elf.page_bytes:,} bytes", elf.page_bytes >= page),
        ("RELRO", _yes(elf.is_relocation_read_only), elf.is_relocation_read_only),
        ("bound when loaded", _yes(elf.is_bound_now), elf.is_bound_now),
    ]
    return tuple(judged(subject, name, found, is_ok) for name, found, is_ok in told)


def _openssl(elf: Elf, *, is_needed: bool) -> tuple[str, str, bool]:
    """Hold the versions of OpenSSL's symbols against what every OpenSSL 3 has."""
    found = sorted({v for v in elf.versions if v.startswith("OPENSSL_")})
    known = [SYMBOL_VERSION] if is_needed else []
    return "OpenSSL symbols", listed(found), set(found) <= set(known)


def newest_glibc(elf: Elf) -> str:
    """Return the newest version of glibc that a symbol is of; empty if none is."""
    return ".".join(map(str, max(_glibc_versions(elf), default=())))


def _glibc_versions(elf: Elf) -> Iterator[tuple[int, ...]]:
    for version in elf.versions:
        if version.startswith("GLIBC_"):
            yield version_numbers(version[len("GLIBC_") :]) or (99,)


def _imports(elf: Elf, target: Target) -> Iterator[tuple[str, str, bool]]:
    newest = max(_glibc_versions(elf), default=())
    ours = stable_abi()
    skipped = WEAK_START.intersection(elf.weak_imports)
    loose = [n for n in elf.loose_imports if n not in ours and n not in skipped]
    if target.libc == "musl":
        # musl gives its symbols no versions; a name that is not in its list is newer,
        # or nobody's.
        known = musl(target.cpu)
        newer = [name for name in loose if name not in known]
        found = listed(newer, f"{len(loose)} within {target.libc_floor}")
        yield "glibc needed", newest_glibc(elf) or "none", not newest
        yield "musl symbols", found, not newer
        return
    wanted = newest_glibc(elf) or "none"
    is_old = bool(newest) and newest <= version_numbers(target.libc_floor)
    yield "glibc needed", f"{wanted}, floor {target.libc_floor}", is_old
    yield "open symbols", listed(loose, "the stable ABI's only"), not loose


def _without(name: str, is_there: bool) -> tuple[str, str, bool]:
    return name, _yes(is_there), not is_there


def _yes(value: bool) -> str:
    return "yes" if value else "no"
