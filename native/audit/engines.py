"""Judges one engine: its row in the manifest, then what its format's reader finds."""

from __future__ import annotations

import hashlib
import re
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from native.audit.check import BAD, Check, judged, listed
from native.audit.darwin import check_macho
from native.audit.elf import read_elf
from native.audit.linux import check_elf, newest_glibc
from native.audit.macho import read_macho
from native.build import ROOT
from native.build.backends import BACKENDS
from native.build.cache import cache_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engineroom.platforms.target import Target

__all__ = ["EngineFacts", "check_bytes", "check_row"]

# A source file's path, or a folder that only the building machine has. SQLite looks for
# a place for its temporary files in /tmp and /var/tmp, and those are no findings.
_SOURCE_PATH = re.compile(rb"[\w.~-]*/[\w./~-]+\.[ch]\b")
_HOME_PATH = re.compile(rb"/(?:home|root|Users|private|workspace|build)/[\w./~-]+")
_TMP_PATH = re.compile(rb"/tmp/[\w.~-]+[\w./~-]*")


@dataclass(frozen=True)
class EngineFacts:
    """What the summary tells about an engine.

    Attributes:
        target: the id of its target.
        backend: the name of its backend.
        size_bytes: its size.
        floor: the oldest system it loads on, by what it needs.
        libraries: those it needs.
    """

    target: str
    backend: str
    size_bytes: int
    floor: str
    libraries: tuple[str, ...]

    @property
    def subject(self) -> str:
        """What the checks on it are about."""
        return f"{self.target} {self.backend}"


def check_row(
    row: Mapping[str, str], data: bytes, target: Target | None
) -> tuple[tuple[Check, ...], EngineFacts]:
    """Check an engine against its row in the manifest and its target's row.

    Args:
        row: of the manifest.
        data: the file it names; empty if there is none.
        target: the row of platforms.toml it names; None if there is none.

    Raises:
        ToolUnusable: a list of symbols is missing.
    """
    subject = f"{row['target']} {row['backend']}"
    told = {
        "size_bytes": str(len(data)),
        "crc32": f"{zlib.crc32(data):08x}",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    wrong = [key for key, value in told.items() if row[key] != value]
    found = f"wrong: {listed(wrong)}" if wrong else f"{len(data):,} bytes as listed"
    build_id = row["build_id"]
    has_id = bool(build_id) and build_id.encode() in data
    checks = [
        judged(subject, "target", row["target"], target is not None),
        judged(subject, "manifest", found, not wrong),
        judged(subject, "build id", build_id or "none", has_id),
    ]
    facts = EngineFacts(row["target"], row["backend"], len(data), "unknown", ())
    if target is None:
        return tuple(checks), facts
    file_name = Path(row["file"]).name
    of_format, floor, libraries = check_bytes(subject, data, target, file_name)
    checks += of_format
    named = EngineFacts(target.id, row["backend"], len(data), floor, libraries)
    return tuple(checks), named


def check_bytes(
    subject: str, data: bytes, target: Target, file_name: str
) -> tuple[tuple[Check, ...], str, tuple[str, ...]]:
    """Check the bytes of an engine, whatever a manifest says of them.

    Args:
        subject: what the checks are about.
        data: the engine.
        target: the row of platforms.toml it is for.
        file_name: what it is called.

    Returns:
        The checks, the oldest system it loads on, the libraries it needs.

    Raises:
        ToolUnusable: a list of symbols is missing.
    """
    backend = next((b for b in BACKENDS.values() if b.file_name == file_name), None)
    init = f"PyInit_{backend.module}" if backend else "of one of our backends"
    paths = _check_paths(subject, data)
    wanted = "Mach-O" if target.os == "darwin" else "ELF"
    try:
        if target.os == "darwin":
            macho = read_macho(data)
            checks = check_macho(subject, macho, target, file_name=file_name, init=init)
            floor = f"{macho.platform} {macho.minimum}"
            libraries = tuple(macho.libraries)
        else:
            elf = read_elf(data)
            checks = check_elf(
                subject,
                elf,
                target,
                file_name=file_name,
                init=init,
                speaks_tls=backend is not None and backend.speaks_tls,
            )
            is_musl = target.libc == "musl"
            floor = (
                f"musl {target.libc_floor}"
                if is_musl
                else (f"glibc {newest_glibc(elf)}")
            )
            libraries = elf.libraries
    except ValueError as error:
        reason = f"no {wanted} file: {error}"
        return (paths, Check(subject, "format", reason, BAD)), "unknown", ()
    right = judged(subject, "format", wanted, True)
    return (paths, right, *checks), floor, libraries


def _check_paths(subject: str, data: bytes) -> Check:
    """Look for folders of building machines, this one and others."""
    folders = {str(ROOT), str(cache_root()), str(Path.home()), sys.prefix} - {"/"}
    found = {folder for folder in folders if f"{folder}/".encode() in data}
    for pattern in (_SOURCE_PATH, _HOME_PATH, _TMP_PATH):
        found.update(match.decode() for match in pattern.findall(data))
    return judged(subject, "build paths", listed(sorted(found)), not found)
