"""engineroom.lock: version, wheel and engines of every configured target, by hash.

The file is TOML of a few fixed forms, sorted, one value a line, so that a change shows
as what it is in a review. It is read strictly and by hand, because Python 3.9 and 3.10
have no TOML reader: whatever `lock_text` does not write is refused with its line.
Fetching writes the file and holds to it, and the check reads it. So it belongs to
neither, because the check is to know nothing of stores and fetching.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from engineroom.errors import LockDiffers, LockUnreadable
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "LOCK_NAME",
    "Lock",
    "LockedEngine",
    "LockedWheel",
    "lock_text",
    "parse_lock",
    "read_lock",
]

LOCK_NAME = "engineroom.lock"
_HEAD = """\
# The engines of every configured target, by version, size and hash.
# Written by `engineroom fetch --lock`; `engineroom fetch --locked` takes nothing else.
# Keep this file in version control and do not edit it by hand.
"""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(r'([a-z0-9_]+) = (?:"([A-Za-z0-9._!+-]*)"|([0-9]{1,15}))')
_TABLES: dict[str, tuple[str, ...]] = {
    "": ("format", "version"),
    "[[wheel]]": ("file", "size_bytes", "sha256"),
    "[[wheel.engine]]": ("target", "backend", "size_bytes", "sha256"),
}
_NUMBERS = ("format", "size_bytes")


class LockedEngine(NamedTuple):
    """An engine that the lock file records."""

    target: str
    backend: str
    size_bytes: int
    sha256: str


class LockedWheel(NamedTuple):
    """A wheel that the lock file records."""

    file: str
    size_bytes: int
    sha256: str
    engines: tuple[LockedEngine, ...]


class Lock(NamedTuple):
    """What the lock file records.

    Attributes:
        path: the file; for messages.
        version: the version of engineroom.
        wheels: the wheels, by file name.
    """

    path: str
    version: str
    wheels: tuple[LockedWheel, ...]

    def wheel_for(self, target: str) -> LockedWheel:
        """Return the wheel that holds a target's engines.

        Raises:
            LockDiffers: the file is of another version, or does not have the target.
        """
        if self.version != __version__:
            raise LockDiffers(
                self.path,
                "the version of engineroom",
                locked=self.version,
                found=__version__,
            )
        for wheel in self.wheels:
            if any(engine.target == target for engine in wheel.engines):
                return wheel
        raise LockDiffers(
            self.path, f"the target `{target}`", locked="", found="a wish for it"
        )

    def engines_for(self, target: str) -> set[tuple[str, int, str]]:
        """Return what a target's engines must be: backend, size and hash."""
        engines = self.wheel_for(target).engines
        return {
            (engine.backend, engine.size_bytes, engine.sha256)
            for engine in engines
            if engine.target == target
        }


def lock_text(wheels: Iterable[LockedWheel]) -> str:
    """Return the text of the lock file."""
    lines = [_HEAD, "format = 1", f'version = "{__version__}"']
    for wheel in sorted(wheels):
        lines += ["", "[[wheel]]", *_values("[[wheel]]", wheel)]
        for engine in sorted(wheel.engines):
            table = "[[wheel.engine]]"
            lines += ["", table, *_values(table, engine)]
    return "\n".join(lines) + "\n"


def _values(table: str, values: tuple[object, ...]) -> list[str]:
    return [
        f"{key} = {value}" if key in _NUMBERS else f'{key} = "{value}"'
        for key, value in zip(_TABLES[table], values)
    ]


def read_lock(path: str) -> Lock:
    """Read a lock file.

    Raises:
        LockUnreadable: it is missing or is no such file.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        raise LockUnreadable(path, "there is no such file") from None
    except OSError as error:
        raise LockUnreadable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise LockUnreadable(path, "it is not UTF-8") from error
    return parse_lock(path, text)


def parse_lock(path: str, text: str) -> Lock:
    """Read the text of a lock file; the path is for messages.

    Raises:
        LockUnreadable: it is no such text.
    """
    try:
        return _lock(path, _tables(text.splitlines()))
    except _Fault as fault:
        raise LockUnreadable(path, fault.reason, line=fault.line) from None


class _Fault(Exception):
    """A line does not belong where it stands, or lacks something."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


class _Table(NamedTuple):
    name: str
    line: int
    values: dict[str, str]


def _tables(lines: list[str]) -> list[_Table]:
    tables = [_Table("", 1, {})]
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        if line in _TABLES:
            tables.append(_Table(line, number, {}))
            continue
        match = _LINE.fullmatch(line)
        key = match[1] if match else ""
        name, _, values = tables[-1]
        is_number = match is not None and match[3] is not None
        if (
            match is None
            or key not in _TABLES[name]
            or key in values
            or is_number is not (key in _NUMBERS)
        ):
            raise _Fault(number, f"`{line[:80]}` does not belong there")
        values[key] = match[3] if is_number else match[2]
    for table in tables:
        lacking = [key for key in _TABLES[table.name] if key not in table.values]
        if lacking:
            name = table.name or "the head"
            raise _Fault(table.line, f"`{name}` lacks `{lacking[0]}`")
        sha256 = table.values.get("sha256")
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise _Fault(table.line, f"`{sha256}` is no sha256")
    return tables


def _lock(path: str, tables: list[_Table]) -> Lock:
    head = tables[0].values
    if head["format"] != "1":
        reason = f"it has format {head['format']}, and this version reads 1"
        raise _Fault(0, reason)
    wheels: list[LockedWheel] = []
    for name, line, values in tables[1:]:
        size, sha256 = int(values["size_bytes"]), values["sha256"]
        if name == "[[wheel]]":
            wheels.append(LockedWheel(values["file"], size, sha256, ()))
            continue
        if not wheels:
            raise _Fault(line, "an engine stands before the first wheel")
        engine = LockedEngine(values["target"], values["backend"], size, sha256)
        last = wheels[-1]
        wheels[-1] = last._replace(engines=(*last.engines, engine))
    return Lock(path, head["version"], tuple(wheels))
