"""Judges engineroom.lock: are its targets those that are needed, and its version?

What is told here is what `engineroom fetch --locked` would refuse later, in an image
or on a machine without a network.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from engineroom.check.findings import Finding
from engineroom.check.needs import listed_targets
from engineroom.errors import LockUnreadable
from engineroom.lockfile import LOCK_NAME, parse_lock
from engineroom.platforms.rows import TARGETS

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from engineroom.check.needs import Need
    from engineroom.check.projects import Pin
    from engineroom.lockfile import Lock, LockedWheel

__all__ = ["LockFile", "judge_lock", "lock_above", "read_lock_file"]


class LockFile(NamedTuple):
    """The engineroom.lock that a service is held to.

    Attributes:
        file: where it is.
        lock: what it records; None if it cannot be read.
        text: the file.
        findings: why it cannot be read.
    """

    file: str
    lock: Lock | None
    text: str
    findings: tuple[Finding, ...] = ()

    @property
    def version(self) -> str:
        """The version of engineroom that it records."""
        return self.lock.version if self.lock else ""

    @property
    def wheels(self) -> list[tuple[int, LockedWheel]]:
        """The wheels that it records, each with its line."""
        wheels = self.lock.wheels if self.lock else ()
        return [(self.line_of(f'file = "{wheel.file}"'), wheel) for wheel in wheels]

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets whose engines it records, in the order of the targets."""
        wheels = self.lock.wheels if self.lock else ()
        there = {engine.target for wheel in wheels for engine in wheel.engines}
        return tuple(target.id for target in TARGETS if target.id in there)

    def line_of(self, begins: str) -> int:
        """Return the first line that begins so, counted from 1."""
        lines = enumerate(self.text.splitlines(), 1)
        return next((number for number, line in lines if line.startswith(begins)), 1)


def lock_above(folder: str, files: Container[str]) -> str:
    """Return the lock file of a folder, or of the nearest above it, or nothing."""
    while True:
        file = f"{folder}/{LOCK_NAME}" if folder else LOCK_NAME
        if file in files:
            return file
        if not folder:
            return ""
        folder = folder.rpartition("/")[0]


def read_lock_file(file: str, text: str) -> LockFile:
    """Read a lock file; what is wrong with it becomes a finding."""
    try:
        lock = parse_lock(file, text)
    except LockUnreadable as error:
        message = f"The lock file cannot be used: {error.reason}"
        hint = f"`engineroom fetch --lock{_at(file)}` writes it again"
        broken = Finding("lock-broken", file, max(error.line, 1), message, hint)
        return LockFile(file, None, text, (broken,))
    return LockFile(file, lock, text)


def judge_lock(
    locked: LockFile, needs: Sequence[Need], pins: Sequence[Pin], version: str
) -> list[Finding]:
    """Return what is wrong with a lock file for a service.

    Args:
        locked: the lock file.
        needs: the targets that the service needs.
        pins: the versions that the service's own files pin.
        version: the version of engineroom that checks.
    """
    if locked.lock is None:
        return list(locked.findings)
    found = _judge_version(locked, pins, version)
    there = locked.targets
    lacking = tuple(n for n in needs if n.target and n.target not in there)
    if lacking:
        message = f"The lock file has no engines for {listed_targets(lacking)}"
        hint = _lock_hint(locked.file, {*there, *(need.target for need in lacking)})
        found.append(
            Finding("lock-lacks-targets", locked.file, 1, message, hint, lacking)
        )
    return found


def _judge_version(
    locked: LockFile, pins: Sequence[Pin], version: str
) -> list[Finding]:
    found: list[Finding] = []
    file, line = locked.file, locked.line_of("version = ")
    hint = _lock_hint(file, locked.targets)
    for pin in pins:
        if not _is_same(pin.version, locked.version):
            message = (
                f"The lock file is of engineroom {locked.version}, and"
                f" `{pin.file}` pins {pin.version} in line {pin.line}"
            )
            first = f"with engineroom {pin.version} installed, {hint}"
            found.append(Finding("lock-version-differs", file, line, message, first))
    if not pins and not _is_same(version, locked.version):
        message = (
            f"The lock file is of engineroom {locked.version}, and {version} is the one"
            " that checks; nothing here pins the one that will be installed"
        )
        found.append(Finding("lock-version-unpinned", file, line, message, hint))
    return found


def _lock_hint(file: str, targets: Container[str]) -> str:
    """Return the command that writes the lock file for these targets."""
    named = [target.id for target in TARGETS if target.id in targets]
    words = "" if len(named) == len(TARGETS) else f" --target {' '.join(named)}"
    return f"`engineroom fetch --lock{_at(file)}{words}` writes it again"


def _at(file: str) -> str:
    return "" if file == LOCK_NAME else f" --lock-file {shlex.quote(file)}"


def _is_same(one: str, other: str) -> bool:
    """Say whether two versions are equal; trailing zeros mean nothing."""
    return re.sub(r"(\.0)+$", "", one) == re.sub(r"(\.0)+$", "", other)
