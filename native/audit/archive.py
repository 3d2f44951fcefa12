"""Judges a wheel as an archive: its members, their times and modes, its RECORD."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import stat
import time
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from native.audit.check import Check, judged, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_archive", "information_folder"]

# What hatchling writes where SOURCE_DATE_EPOCH says nothing: 2 February 2020.
_HATCHLING_TIME = (2020, 2, 2, 0, 0, 0)
# hatchling says no kind of the texts it writes itself.
_KINDS = (0, stat.S_IFREG)
_MODES = (0o644, 0o755)


def check_archive(
    subject: str, wheel: zipfile.ZipFile, environ: Mapping[str, str] = os.environ
) -> tuple[Check, ...]:
    """Check the members of a wheel and what its RECORD says of them.

    Args:
        subject: what the checks are about.
        wheel: the wheel, open.
        environ: where SOURCE_DATE_EPOCH is looked up.
    """
    broken = _broken(wheel)
    checks = [judged(subject, "archive", listed(broken, "whole"), not broken)]
    odd = list(_odd_members(wheel, _fixed_time(environ)))
    right = f"{len(wheel.infolist())} as built"
    checks.append(judged(subject, "members", listed(odd, right), not odd))
    if not broken:
        wrong = sorted(_record_faults(wheel))
        checks.append(judged(subject, "RECORD", listed(wrong, "right"), not wrong))
        twice = list(_stored_twice(wheel))
        checks.append(judged(subject, "stored once", listed(twice, "yes"), not twice))
    return tuple(checks)


def information_folder(wheel: zipfile.ZipFile) -> str:
    """Return the name of the `.dist-info` folder with its slash; empty if none."""
    folders = {
        name.partition("/")[0] + "/"
        for name in wheel.namelist()
        if name.partition("/")[0].endswith(".dist-info")
    }
    return folders.pop() if len(folders) == 1 else ""


def _broken(wheel: zipfile.ZipFile) -> list[str]:
    names = wheel.namelist()
    broken = sorted({name for name in names if names.count(name) > 1})
    broken += [
        name
        for name in names
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts
    ]
    faults = ((item.filename, _fault(wheel, item)) for item in wheel.infolist())
    return broken + [f"{name}: {fault}" for name, fault in faults if fault]


def _fault(wheel: zipfile.ZipFile, item: zipfile.ZipInfo) -> str:
    try:
        wheel.read(item)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        return str(error)
    return ""


def _fixed_time(environ: Mapping[str, str]) -> tuple[int, ...]:
    epoch = environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch.isdigit():
        return _HATCHLING_TIME
    moment = time.gmtime(max(int(epoch), 315532800))  # no zip file is older than 1980
    return (*moment[:5], moment[5] // 2 * 2)  # in steps of two seconds


def _odd_members(wheel: zipfile.ZipFile, fixed: tuple[int, ...]) -> Iterator[str]:
    for item in wheel.infolist():
        mode = item.external_attr >> 16
        if item.date_time not in (fixed, _HATCHLING_TIME):
            yield f"{item.filename}: time {item.date_time}"
        if stat.S_IFMT(mode) not in _KINDS or stat.S_IMODE(mode) not in _MODES:
            yield f"{item.filename}: mode {mode:o}"


def _record_faults(wheel: zipfile.ZipFile) -> Iterator[str]:
    name = f"{information_folder(wheel)}RECORD"
    try:
        text = wheel.read(name).decode()
        rows = [(row[0], row[1], row[2]) for row in csv.reader(io.StringIO(text))]
    except (KeyError, IndexError, UnicodeDecodeError, csv.Error) as error:
        yield f"unreadable: {error}"
        return
    listed_names = [row[0] for row in rows]
    members = [item for item in wheel.namelist() if not item.endswith("/")]
    for path in sorted({*members} - {*listed_names}):
        yield f"not listed: {path}"
    for path in sorted({path for path in listed_names if listed_names.count(path) > 1}):
        yield f"listed twice: {path}"
    for path, digest, size in rows:
        if path not in members:
            yield f"not there: {path}"
        elif path == name:
            if digest or size:
                yield "it has a hash of itself"
        else:
            data = wheel.read(path)
            if digest != _digest(data):
                yield f"other hash: {path}"
            if size != str(len(data)):
                yield f"other size: {path}"


def _digest(data: bytes) -> str:
    value = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={value.rstrip(b'=').decode()}"


def _stored_twice(wheel: zipfile.ZipFile) -> Iterator[str]:
    """Find files stored twice; what is empty takes no place."""
    first: dict[bytes, str] = {}
    for name in wheel.namelist():
        data = wheel.read(name)
        if data:
            before = first.setdefault(hashlib.sha256(data).digest(), name)
            if before != name:
                yield f"{before} and {name}"
