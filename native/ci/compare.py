"""Holds two sets of wheels against each other: the same engines, wherever built.

cibuildwheel builds on a machine of each kind, zig builds all of them on one. If the
engines are the same bytes, what was tested on the one is what the other made. The
rest of a wheel is compared too, but for what names the tool that packed it.
"""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

from native.ci.errors import EnginesDiffer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["differences", "refuse_different"]

# Written by the packing tool, in its own words; RECORD has the hashes of all others.
PACKER = ("METADATA", "RECORD", "WHEEL")
PURE = "-none-any.whl"


def refuse_different(first: Path, second: Path) -> tuple[str, ...]:
    """Return a line for each wheel with engines; both folders must have the same.

    Raises:
        EnginesDiffer: a wheel differs, or is in one of the folders only.
    """
    ours, theirs = _wheels(first), _wheels(second)
    shared = sorted(set(ours) & set(theirs))
    found = [
        f"{name}: {difference}"
        for name in shared
        for difference in differences(_digests(ours[name]), _digests(theirs[name]))
    ]
    found += [
        f"{name}: only in `{first if name in ours else second}`"
        for name in sorted(set(ours) ^ set(theirs))
    ]
    if not shared and not found:
        found = ["neither folder has a wheel with engines"]
    if found:
        raise EnginesDiffer(str(first), str(second), found)
    return tuple(_told(name, _digests(ours[name])) for name in shared)


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Return what differs between two wheels: the sha256 of their members by name."""
    found: list[str] = []
    for name in sorted({*first, *second}):
        if name.rpartition("/")[2] in PACKER and ".dist-info/" in name:
            continue
        ours, theirs = first.get(name), second.get(name)
        if ours is None or theirs is None:
            found.append(f"`{name}` is only in the {'second' if theirs else 'first'}")
        elif ours != theirs:
            found.append(f"`{name}` is {ours[:16]} and {theirs[:16]}")
    return found


def _wheels(folder: Path) -> dict[str, Path]:
    """Return the wheels by name, without the one that has no engine."""
    # cibuildwheel makes wheels for platforms, so that one has no other to compare to.
    found = folder.glob("*.whl")
    return {path.name: path for path in found if not path.name.endswith(PURE)}


def _digests(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as wheel:
        return {
            name: hashlib.sha256(wheel.read(name)).hexdigest()
            for name in wheel.namelist()
        }


def _told(name: str, digests: Mapping[str, str]) -> str:
    engines = [
        f"{member.partition('/engines/')[2]} {digest}"
        for member, digest in digests.items()
        if member.endswith(".so")
    ]
    return f"{name}: {', '.join(engines) or 'no engine'}"
