"""Reads a wheel as its users will, and refuses one that would fail them.

Every statement that a wheel makes is checked against the bytes in it: its tag against
platforms.toml, its manifest against the engines, each engine against the row of its
target. The checks on an engine are pure functions of what `elf` read, so that a test
can give them any fault. Mach-O files are counted and not read yet.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.platforms.rows import TARGETS
from engineroom.platforms.target import version_numbers
from native.build import ROOT
from native.build.backends import BACKENDS
from native.build.cache import cache_root
from native.build.elf import read_elf
from native.build.errors import AuditFailed, ToolUnusable
from native.build.shelf import wheel_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from engineroom.platforms.target import Target
    from native.build.elf import Elf

__all__ = ["Check", "audit_wheel", "check_elf", "refuse_bad", "table"]

SHELF = "engineroom/engines/"
MANIFEST = f"{SHELF}manifest.csv"
WHEEL_BYTES = 2_500_000
OK, BAD, SKIPPED = "ok", "BAD", "skipped"
_MACHO = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_SOURCE_PATH = re.compile(rb"[\w.~-]*/[\w./~-]+\.[ch]\b")
# Linking a library leaves open what it does not find. The interpreter's own symbols
# have to be; any other would end the load on the user's machine.
_PYTHON_SYMBOL = re.compile(r"_?Py[A-Z_]\w*")


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        subject: the wheel, or a file in it.
        name: what was looked at.
        found: what is there.
        verdict: `ok`, `BAD` or `skipped`.
    """

    subject: str
    name: str
    found: str
    verdict: str


def audit_wheel(path: Path, targets: Sequence[Target] = TARGETS) -> tuple[Check, ...]:
    """Check a wheel; nothing is raised for what is found.

    Args:
        path: the wheel.
        targets: the rows of platforms.toml.

    Raises:
        ToolUnusable: one of the tools that check is missing.
    """
    checks: list[Check] = []
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        rows = _manifest_rows(wheel) if MANIFEST in names else []
        carried = {row["target"] for row in rows}
        chosen = tuple(target for target in targets if target.id in carried)
        checks += _check_tag(path, wheel, chosen, carried, targets)
        checks += _check_size(path)
        checks += _check_texts(path, names, bool(rows))
        engines = [name for name in names if name.endswith((".so", ".dylib"))]
        checks += _check_listed(path, engines, rows)
        for row in rows:
            file = SHELF + row["file"]
            data = wheel.read(file) if file in names else b""
            target = next((t for t in targets if t.id == row["target"]), None)
            checks += _check_engine(row, data, target)
    if rows:
        checks.append(_check_abi3(path))
    return tuple(checks)


def refuse_bad(path: Path, checks: Iterable[Check]) -> None:
    """Raise `AuditFailed` if any check is bad."""
    findings = [(c.subject, c.name, c.found) for c in checks if c.verdict == BAD]
    if findings:
        raise AuditFailed(path, findings)


def table(checks: Sequence[Check]) -> str:
    """Return the checks as lines, one block for each subject."""
    width = max((len(check.name) for check in checks), default=0)
    lines: list[str] = []
    subject = ""
    for check in checks:
        if check.subject != subject:
            subject = check.subject
            lines.append(subject)
        lines.append(f"  {check.verdict:<7}  {check.name:<{width}}  {check.found}")
    return "\n".join(lines)


def check_elf(subject: str, elf: Elf, target: Target) -> tuple[Check, ...]:
    """Check what was read of an ELF engine against its target's row."""
    backend = next((b for b in BACKENDS.values() if b.file_name == elf.name), None)
    init = f"PyInit_{backend.module}" if backend else "no init function of ours"
    newest = max(_glibc_versions(elf), default=())
    foreign = [name for name in elf.libraries if name not in target.libraries]
    if target.libc == "musl":
        # The linker names musl by its development link; the musl loader takes both
        # names for itself.
        foreign = [name for name in foreign if name != "libc.so"]
    told = [
        (
            "file type",
            f"{elf.kind}, {elf.bits} bit",
            elf.kind == "shared library" and elf.bits == 64,
        ),
        ("CPU", elf.cpu, elf.cpu == target.cpu),
        (
            "needed libraries",
            ", ".join(elf.libraries),
            bool(elf.libraries) and not foreign,
        ),
        _glibc_told(target, newest),
        _loose_told(target, elf),
        ("exports", ", ".join(elf.exports), elf.exports == (init,)),
        ("own name", elf.name, backend is not None),
        ("run path", ", ".join(elf.run_paths) or "none", not elf.run_paths),
        (
            "text relocations",
            _yes(elf.has_text_relocations),
            not elf.has_text_relocations,
        ),
        (
            "executable stack",
            _yes(elf.is_stack_executable),
            not elf.is_stack_executable,
        ),
        ("RELRO", _yes(elf.is_relocation_read_only), elf.is_relocation_read_only),
        ("bound when loaded", _yes(elf.is_bound_now), elf.is_bound_now),
        (
            "debug information",
            ", ".join(elf.debug_sections) or "none",
            not elf.debug_sections,
        ),
    ]
    return tuple(Check(subject, name, found, _verdict(ok)) for name, found, ok in told)


def _glibc_versions(elf: Elf) -> Iterator[tuple[int, ...]]:
    for version in elf.versions:
        if version.startswith("GLIBC_"):
            yield version_numbers(version[len("GLIBC_") :]) or (99,)


def _glibc_told(target: Target, newest: tuple[int, ...]) -> tuple[str, str, bool]:
    if target.libc != "glibc":
        return "glibc needed", _dotted(newest) or "none", not newest
    floor = version_numbers(target.libc_floor)
    return (
        "glibc needed",
        f"{_dotted(newest)}, floor {target.libc_floor}",
        bool(newest) and newest <= floor,
    )


def _loose_told(target: Target, elf: Elf) -> tuple[str, str, bool]:
    if target.libc != "glibc":  # musl gives its symbols no versions
        return "open symbols", "not told apart", True
    missing = [n for n in elf.loose_imports if not _PYTHON_SYMBOL.fullmatch(n)]
    return "open symbols", ", ".join(missing) or "the interpreter's only", not missing


def _check_engine(
    row: Mapping[str, str], data: bytes, target: Target | None
) -> list[Check]:
    subject = f"{row['target']} {row['backend']}"
    told = {
        "size_bytes": str(len(data)),
        "crc32": f"{zlib.crc32(data):08x}",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    wrong = [key for key, value in told.items() if row[key] != value]
    checks = [
        Check(
            subject,
            "manifest",
            f"wrong: {', '.join(wrong)}" if wrong else f"{len(data):,} bytes as listed",
            _verdict(not wrong),
        ),
        Check(
            subject,
            "build id",
            row["build_id"],
            _verdict(bool(row["build_id"]) and row["build_id"].encode() in data),
        ),
        _check_paths(subject, data),
    ]
    if target is None:
        return [*checks, Check(subject, "target", "not in platforms.toml", BAD)]
    if data.startswith(_MACHO):
        found = "a Mach-O file; this audit reads ELF only"
        is_right = target.os == "darwin"
        return [*checks, Check(subject, "format", found, SKIPPED if is_right else BAD)]
    try:
        elf = read_elf(data)
    except ValueError as error:
        return [*checks, Check(subject, "format", f"no ELF file: {error}", BAD)]
    is_right = target.os == "linux"
    checks.append(Check(subject, "format", "ELF", _verdict(is_right)))
    return [*checks, *check_elf(subject, elf, target)]


def _check_paths(subject: str, data: bytes) -> Check:
    """Look for folders of the building machine, and for any path of a source file."""
    folders = {str(ROOT), str(cache_root()), str(Path.home()), sys.prefix} - {"/"}
    found = [folder for folder in sorted(folders) if f"{folder}/".encode() in data]
    found += [match.decode() for match in _SOURCE_PATH.findall(data)]
    return Check(
        subject, "build paths", ", ".join(found) or "none", _verdict(not found)
    )


def _check_tag(
    path: Path,
    wheel: zipfile.ZipFile,
    chosen: Sequence[Target],
    carried: set[str],
    targets: Sequence[Target],
) -> list[Check]:
    tag = "-".join(path.stem.split("-")[-3:])
    written = [
        line[len("Tag: ") :]
        for name in wheel.namelist()
        if name.endswith(".dist-info/WHEEL")
        for line in wheel.read(name).decode().splitlines()
        if line.startswith("Tag: ")
    ]
    sharing = {t.id for t in targets if chosen and t.wheel_tag == chosen[0].wheel_tag}
    wanted = wheel_tag(chosen)
    return [
        Check(path.name, "tag", tag, _verdict(tag == wanted and written == [tag])),
        Check(
            path.name,
            "targets",
            ", ".join(sorted(carried)) or "none",
            _verdict(carried == sharing),
        ),
    ]


def _check_size(path: Path) -> list[Check]:
    size = path.stat().st_size
    found = f"{size:,} bytes, budget {WHEEL_BYTES:,}"
    return [Check(path.name, "size", found, _verdict(size <= WHEEL_BYTES))]


def _check_texts(path: Path, names: Sequence[str], has_engines: bool) -> list[Check]:
    licenses = [name for name in names if ".dist-info/licenses/" in name]
    sboms = [name for name in names if ".dist-info/sboms/" in name]
    return [
        Check(path.name, "licences", str(len(licenses)), _verdict(bool(licenses))),
        Check(
            path.name,
            "bill of materials",
            ", ".join(Path(name).name for name in sboms) or "none",
            _verdict(bool(sboms) or not has_engines),
        ),
    ]


def _check_listed(
    path: Path, engines: Sequence[str], rows: Sequence[Mapping[str, str]]
) -> list[Check]:
    listed = {SHELF + row["file"] for row in rows}
    loose = sorted(set(engines) ^ listed)
    found = (
        f"not both there and listed: {', '.join(loose)}" if loose else str(len(listed))
    )
    return [Check(path.name, "engine files", found, _verdict(not loose))]


def _check_abi3(path: Path) -> Check:
    """Have abi3audit compare what the engines want with CPython's stable ABI."""
    command = [sys.executable, "-m", "abi3audit", "--report", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        specs = json.loads(done.stdout)["specs"]
    except (ValueError, KeyError) as error:
        raise ToolUnusable(
            "abi3audit",
            (done.stderr.strip() or "it wrote no report").splitlines()[-1],
            hint="run `python -m pip install abi3audit`, or `nox -s build`",
        ) from error
    results = [
        item["result"] for spec in specs.values() for item in spec.get("wheel", [])
    ]
    bad = [
        symbol
        for result in results
        for symbol in (*result["non_abi3_symbols"], *result["future_abi3_objects"])
    ]
    is_right = bool(results) and all(
        result["is_abi3"] and result["is_abi3_baseline_compatible"]
        for result in results
    )
    found = ", ".join(map(str, bad)) or f"{len(results)} engines within it"
    return Check(path.name, "limited API", found, _verdict(is_right))


def _manifest_rows(wheel: zipfile.ZipFile) -> list[dict[str, str]]:
    lines = wheel.read(MANIFEST).decode().splitlines()[1:]
    return list(csv.DictReader(io.StringIO("\n".join(lines))))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _verdict(is_ok: bool) -> str:
    return OK if is_ok else BAD
