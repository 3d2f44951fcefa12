"""Judges one wheel: opens it, asks each part of the audit, keeps what they say."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engineroom.platforms.rows import TARGETS
from native.audit.archive import check_archive
from native.audit.check import BAD, Check
from native.audit.contents import SHELF, check_contents, manifest_rows
from native.audit.engines import EngineFacts, check_row
from native.audit.programs import PROGRAMS, check_programs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engineroom.platforms.target import Target

__all__ = ["Audit", "audit_wheel", "examine_wheel"]


@dataclass(frozen=True)
class Audit:
    """What was found in a wheel.

    Attributes:
        path: the wheel.
        sha256: the hash of its bytes.
        size_bytes: its size.
        engines: the engines that its manifest lists.
        checks: all that was looked at.
    """

    path: Path
    sha256: str
    size_bytes: int
    engines: tuple[EngineFacts, ...]
    checks: tuple[Check, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing is bad."""
        return all(check.verdict != BAD for check in self.checks)


def audit_wheel(
    path: Path,
    targets: Sequence[Target] = TARGETS,
    *,
    programs: Sequence[str] = tuple(PROGRAMS),
) -> tuple[Check, ...]:
    """Check a wheel; nothing is raised for what is found.

    Args:
        path: the wheel.
        targets: the rows of platforms.toml.
        programs: which programs of others are asked, by the names of their checks.

    Raises:
        OSError: the file cannot be read.
        ToolUnusable: one of the tools that check is missing.
    """
    return examine_wheel(path, targets, programs=programs).checks


def examine_wheel(
    path: Path,
    targets: Sequence[Target] = TARGETS,
    *,
    programs: Sequence[str] = tuple(PROGRAMS),
) -> Audit:
    """Check a wheel and tell what it carries.

    Args:
        path: the wheel.
        targets: the rows of platforms.toml.
        programs: which programs of others are asked, by the names of their checks.

    Raises:
        OSError: the file cannot be read.
        ToolUnusable: one of the tools that check is missing.
    """
    data = path.read_bytes()
    checks: list[Check] = []
    engines: list[EngineFacts] = []
    try:
        with zipfile.ZipFile(path) as wheel:
            checks += check_archive(path.name, wheel)
            if all(check.verdict != BAD for check in checks[:1]):
                found, engines = _inside(path, wheel, targets)
                checks += found
    except zipfile.BadZipFile as error:
        checks.append(Check(path.name, "archive", str(error), BAD))
    if checks[0].verdict != BAD:
        carried = {engine.target for engine in engines}
        chosen = [target for target in targets if target.id in carried]
        checks += check_programs(path, chosen, programs)
    # The wheel's own first, then the engines'.
    checks.sort(key=lambda check: check.subject != path.name)
    sha256 = hashlib.sha256(data).hexdigest()
    return Audit(path, sha256, len(data), tuple(engines), tuple(checks))


def _inside(
    path: Path, wheel: zipfile.ZipFile, targets: Sequence[Target]
) -> tuple[list[Check], list[EngineFacts]]:
    checks: list[Check] = []
    engines: list[EngineFacts] = []
    try:
        rows = manifest_rows(wheel)
    except ValueError as error:
        rows = []
        checks.append(Check(path.name, "manifest", str(error), BAD))
    checks += check_contents(path, wheel, rows, targets)
    names = wheel.namelist()
    for row in rows:
        file = SHELF + row["file"]
        data = wheel.read(file) if file in names else b""
        target = next((t for t in targets if t.id == row["target"]), None)
        found, facts = check_row(row, data, target)
        checks += found
        engines.append(facts)
    return checks, engines
