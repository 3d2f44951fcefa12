"""Judges what a wheel says it is: name, tag, targets, manifest, licences, SBOM."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from email.parser import Parser
from typing import TYPE_CHECKING

from native.audit.archive import information_folder
from native.audit.check import Check, judged, listed
from native.build.shelf import wheel_tag

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Sequence
    from email.message import Message
    from pathlib import Path

    from engineroom.platforms.target import Target

__all__ = ["MANIFEST", "SHELF", "WHEEL_BYTES", "check_contents", "manifest_rows"]

SHELF = "engineroom/engines/"
MANIFEST = f"{SHELF}manifest.csv"
WHEEL_BYTES = 3_500_000
_KEYS = ("target", "backend", "file", "size_bytes", "crc32", "sha256", "build_id")


def manifest_rows(wheel: zipfile.ZipFile) -> list[dict[str, str]]:
    """Return the rows of a wheel's manifest; none if it has no manifest.

    Raises:
        ValueError: it cannot be understood.
    """
    if MANIFEST not in wheel.namelist():
        return []
    head, *lines = wheel.read(MANIFEST).decode().splitlines()
    if not head.startswith("# engineroom engines, format 1, package "):
        raise ValueError("it does not begin as format 1 does")
    reader = csv.DictReader(io.StringIO("\n".join(lines)))
    if tuple(reader.fieldnames or ()) != _KEYS:
        raise ValueError("its columns are others")
    rows = list(reader)
    if any(None in row or None in row.values() for row in rows):
        raise ValueError("a row has too few columns or too many")
    return rows


def check_contents(
    path: Path,
    wheel: zipfile.ZipFile,
    rows: Sequence[dict[str, str]],
    targets: Sequence[Target],
) -> tuple[Check, ...]:
    """Check what a wheel says about itself.

    Args:
        path: the wheel.
        wheel: the same, open.
        rows: of its manifest.
        targets: the rows of platforms.toml.
    """
    carried = {row["target"] for row in rows}
    chosen = [target for target in targets if target.id in carried]
    known = {target.id for target in chosen}
    sharing = {t.id for t in targets if chosen and t.wheel_tag == chosen[0].wheel_tag}
    size = path.stat().st_size
    subject = path.name
    return (
        _metadata(path, wheel),
        _tag(path, wheel, chosen),
        judged(subject, "targets", listed(sorted(carried)), known == sharing),
        judged(
            subject,
            "size",
            f"{size:,} bytes, budget {WHEEL_BYTES:,}",
            size <= WHEEL_BYTES,
        ),
        _licences(subject, wheel),
        _bill(subject, wheel, rows),
        _engine_files(subject, wheel, rows),
    )


def _headers(wheel: zipfile.ZipFile, name: str) -> Message:
    try:
        text = wheel.read(information_folder(wheel) + name).decode()
    except (KeyError, UnicodeDecodeError):
        text = ""
    return Parser().parsestr(text)


def _metadata(path: Path, wheel: zipfile.ZipFile) -> Check:
    headers = _headers(wheel, "METADATA")
    name = re.sub(r"[-_.]+", "_", str(headers["Name"])).lower()
    told = f"{name}-{headers['Version']}"
    is_right = "-".join(path.stem.split("-")[:-3]) == told
    is_right = is_right and information_folder(wheel) == f"{told}.dist-info/"
    return judged(path.name, "metadata", told.replace("-", " ", 1), is_right)


def _tag(path: Path, wheel: zipfile.ZipFile, chosen: Sequence[Target]) -> Check:
    tag = "-".join(path.stem.split("-")[-3:])
    headers = _headers(wheel, "WHEEL")
    written = headers.get_all("Tag") or []
    is_right = tag == wheel_tag(chosen) and written == [tag]
    purity = "false" if chosen else "true"
    is_right = is_right and str(headers["Root-Is-Purelib"]).lower() == purity
    found = tag if written == [tag] else f"{tag}, inside: {listed(written)}"
    return judged(path.name, "tag", found, is_right)


def _licences(subject: str, wheel: zipfile.ZipFile) -> Check:
    folder = f"{information_folder(wheel)}licenses/"
    names = [name for name in wheel.namelist() if name.startswith(folder)]
    told = _headers(wheel, "METADATA").get_all("License-File") or []
    is_right = bool(names) and {folder + name for name in told} == set(names)
    found = listed(name[len(folder) :] for name in names)
    return judged(subject, "licences", found, is_right)


def _bill(
    subject: str, wheel: zipfile.ZipFile, rows: Sequence[dict[str, str]]
) -> Check:
    folder = f"{information_folder(wheel)}sboms/"
    names = [name for name in wheel.namelist() if name.startswith(folder)]
    if not rows:
        return judged(subject, "bill of materials", "none; no engine", not names)
    wanted = {
        SHELF + row["file"]: hashlib.sha256(_read(wheel, SHELF + row["file"]))
        for row in rows
    }
    told: dict[str, str] = {}
    try:
        for name in names:
            document = json.loads(wheel.read(name))
            for part in document["metadata"]["component"]["components"]:
                told[part["name"]] = part["hashes"][0]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return judged(subject, "bill of materials", f"unreadable: {error}", False)
    is_right = told == {name: value.hexdigest() for name, value in wanted.items()}
    found = listed(name[len(folder) :] for name in names)
    if not is_right:
        found += ": its engines are not those in the wheel"
    return judged(subject, "bill of materials", found, is_right)


def _read(wheel: zipfile.ZipFile, name: str) -> bytes:
    return wheel.read(name) if name in wheel.namelist() else b""


def _engine_files(
    subject: str, wheel: zipfile.ZipFile, rows: Sequence[dict[str, str]]
) -> Check:
    binaries = {
        name
        for name in wheel.namelist()
        if name.endswith((".so", ".dylib", ".pyd", ".a", ".o")) or ".so." in name
    }
    loose = sorted(binaries ^ {SHELF + row["file"] for row in rows})
    found = (
        f"not both there and listed: {listed(loose)}"
        if loose
        else (f"{len(binaries)} for {len(rows)} rows")
    )
    return judged(subject, "engine files", found, not loose)
