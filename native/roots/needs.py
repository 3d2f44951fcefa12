"""What the wheels need, fetched by the machine's pip for another system, and kept.

A root has no network, so its pip is given folders: the wheels on trial, and these.
"""

from __future__ import annotations

import os
import sys
import zipfile
from email.parser import Parser
from typing import TYPE_CHECKING

from native.build.cache import text_sha256
from native.build.programs import run_program

if TYPE_CHECKING:
    from pathlib import Path

    from native.build.cache import Cache
    from native.roots.rows import Tree

__all__ = ["ensure_needs", "pip_platforms", "requirements"]

_CPUS = {"x86_64": "x86_64", "arm64": "aarch64", "x86": "i686"}
# pip is told of every tag that the system takes: it does not conclude from one to
# another.
_TAGS = {
    "debian": ("manylinux_2_28", "manylinux_2_17", "manylinux2014"),
    "musl": ("musllinux_1_2", "musllinux_1_1"),
}


def requirements(wheel: Path) -> tuple[str, ...]:
    """Return what a wheel requires without any extra."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    required: list[str] = Parser().parsestr(text).get_all("Requires-Dist") or []
    return tuple(line for line in required if "extra ==" not in line)


def pip_platforms(tree: Tree, python: str) -> list[str]:
    """Return pip's options that describe the Python of a tree."""
    number = python.replace(".", "")
    options = [
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={python}",
    ]
    options += [f"--abi={abi}" for abi in (f"cp{number}", "abi3", "none")]
    return [
        *options,
        *(f"--platform={tag}_{_CPUS[tree.cpu]}" for tag in _TAGS[tree.kind]),
    ]


def ensure_needs(
    tree: Tree, python: str, required: tuple[str, ...], cache: Cache
) -> Path:
    """Return a folder with all that is required, for a tree.

    Raises:
        StepFailed: pip could not fetch it.
    """
    platforms = pip_platforms(tree, python)
    key = text_sha256(*platforms, *required)[:16]
    place = cache.path("roots", "needs", f"{tree.name}-{key}")
    if place.is_dir():
        return place
    with cache.scratch() as scratch:
        made = scratch / "made"
        made.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--quiet"]
        run_program(
            f"fetching what the wheel needs for {tree.name}",
            [*command, f"--dest={made}", *platforms, *required],
            environment={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )
        cache.keep_folder(made, place)
    return place
