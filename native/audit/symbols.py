"""Which symbols an engine may leave open: lists of names, each from whoever rules them.

CPython's come from abi3info, macOS's from the list that zig links against, musl's from
a file beside this one, because no package has them. None is a pattern: what a user's
machine lacks does not begin with other letters than what it has.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

from native.build.errors import ToolUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PYTHON_FLOOR", "WEAK_START", "libsystem", "musl", "stable_abi"]

# The lowest Python of the tag cp39-abi3.
PYTHON_FLOOR = (3, 9)
MUSL_FILE = Path(__file__).with_name("musl-1.2.0.txt")
# What start files ask for and do without: weak, and compared with NULL before use.
WEAK_START = frozenset(
    {
        "_ITM_deregisterTMCloneTable",
        "_ITM_registerTMCloneTable",
        "__cxa_finalize",
        "__deregister_frame_info",
        "__gmon_start__",
        "__register_frame_info",
    }
)
# An entry of the list: its targets, then lists of symbols of one kind or another.
_ENTRY = re.compile(r"- targets:\s*\[([^]]*)\]((?:\s*[a-z-]+:\s*\[[^]]*\])+)")
_SYMBOLS = re.compile(r"symbols:\s*\[([^]]*)\]")
_TBD_CPUS = {"arm64": ("arm64-macos", "arm64e-macos"), "x86_64": ("x86_64-macos",)}


@functools.cache
def stable_abi() -> frozenset[str]:
    """Return the names of CPython's stable ABI as of `PYTHON_FLOOR`.

    Raises:
        ToolUnusable: abi3info is not installed.
    """
    try:
        from abi3info import (  # type: ignore[import-untyped] # it has no types
            DATAS,
            FUNCTIONS,
        )
    except ImportError as error:
        raise _missing("abi3info") from error
    known = (*FUNCTIONS.values(), *DATAS.values())
    return frozenset(
        item.symbol.name
        for item in known
        if (item.added.major, item.added.minor) <= PYTHON_FLOOR
    )


@functools.cache
def musl(cpu: str) -> frozenset[str]:
    """Return the names that musl 1.2.0 exports on a CPU."""
    return frozenset(_musl_names(MUSL_FILE.read_text(encoding="utf-8"), cpu))


def _musl_names(text: str, cpu: str) -> Iterator[str]:
    for line in text.splitlines():
        name, *cpus = line.partition("#")[0].split()[:2] or ("",)
        if name and (not cpus or cpu in cpus):
            yield name


@functools.cache
def libsystem(cpu: str) -> frozenset[str]:
    """Return the names in macOS's libSystem and what it passes on, for a CPU.

    They are those of the macOS that zig was made with; whether they are as old as an
    engine's floor is another question.

    Raises:
        ToolUnusable: ziglang is not installed.
    """
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        raise _missing("ziglang")
    folder = Path(next(iter(spec.submodule_search_locations)))
    path = folder / "lib" / "libc" / "darwin" / "libSystem.tbd"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolUnusable(
            "ziglang",
            f"its package lacks `{path}`",
            hint="install the version that pyproject.toml pins",
        ) from error
    names: set[str] = set()
    for targets, lists in _ENTRY.findall(text):
        if {part.strip() for part in targets.split(",")}.isdisjoint(_TBD_CPUS[cpu]):
            continue
        for listed in _SYMBOLS.findall(lists):
            names.update(name.strip(" \n'\"") for name in listed.split(","))
    # Names that begin so tell linkers what older systems lack; they are no symbols.
    return frozenset(name for name in names if not name.startswith("$ld$"))


def _missing(package: str) -> ToolUnusable:
    hint = f"run `python -m pip install {package}`, or `nox -s verify`"
    return ToolUnusable(package, "it is not installed", hint=hint)
