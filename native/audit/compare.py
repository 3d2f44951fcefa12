"""Holds a wheel against the wheel of the same name from another build."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

from native.audit.check import Check, judged, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["compare_wheel"]

_RECORD = ".dist-info/RECORD"


def compare_wheel(path: Path, folder: Path) -> Check:
    """Check that a wheel is the same bytes as in another build.

    Args:
        path: the wheel.
        folder: where the other build put its wheels.
    """
    other = folder / path.name
    if not other.is_file():
        return judged(path.name, "reproducible", f"not in {folder}", False)
    if other.resolve() == path.resolve():
        found = f"{folder} is the folder it lies in"
        return judged(path.name, "reproducible", found, False)
    ours, theirs = path.read_bytes(), other.read_bytes()
    digest = hashlib.sha256(ours).hexdigest()
    if ours == theirs:
        return judged(path.name, "reproducible", f"sha256 {digest}", True)
    try:
        with zipfile.ZipFile(path) as one, zipfile.ZipFile(other) as two:
            told = list(_differences(one, two))
    except zipfile.BadZipFile as error:
        told = [f"one of them is no wheel: {error}"]
    # RECORD differs wherever anything else does; alone, it is the finding.
    first = [text for text in told if not text.endswith(f"{_RECORD}: other bytes")]
    found = listed(first or told, "the same members, packed otherwise")
    return judged(path.name, "reproducible", found, False)


def _differences(one: zipfile.ZipFile, two: zipfile.ZipFile) -> Iterator[str]:
    ours = {item.filename: item for item in one.infolist()}
    theirs = {item.filename: item for item in two.infolist()}
    for name in sorted({*ours, *theirs}):
        if name not in theirs:
            yield f"{name}: only here"
        elif name not in ours:
            yield f"{name}: only there"
        elif one.read(name) != two.read(name):
            yield f"{name}: other bytes"
        elif ours[name].date_time != theirs[name].date_time:
            yield f"{name}: other time"
        elif ours[name].external_attr != theirs[name].external_attr:
            yield f"{name}: other mode"
    if list(ours) != list(theirs) and set(ours) == set(theirs):
        yield "the same members in another order"
