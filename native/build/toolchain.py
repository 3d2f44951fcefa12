"""The compiler: zig, from the package `ziglang`, and nothing of the machine's own.

It runs with an environment of its own making: no PATH, so that no other compiler,
assembler or linker can be found, and no variable that would change what it makes.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from native.build import ROOT
from native.build.errors import ToolUnusable

if TYPE_CHECKING:
    from native.build.cache import Cache

__all__ = ["Toolchain", "find_zig", "pinned_version"]


@dataclass(frozen=True)
class Toolchain:
    """A compiler and how it is run.

    Attributes:
        name: the compiler and its version; part of the name of all it makes.
        command: the words that come before its arguments.
        environment: all that it finds in its environment.
        library: where its own headers are; what it reads there needs no pin. None
            for a compiler of the machine, which reads what it likes.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    library: Path | None


def pinned_version(package: str, pyproject: Path = ROOT / "pyproject.toml") -> str:
    """Return the version of a build requirement that pyproject.toml pins with `==`."""
    text = pyproject.read_text(encoding="utf-8")
    found = re.search(rf'"{re.escape(package)}==([^";\s]+)', text)
    if found is None:
        raise ToolUnusable(
            package,
            f"{pyproject} pins no version of it",
            hint="name it with == among the build requirements",
        )
    return found.group(1)


def find_zig(cache: Cache) -> Toolchain:
    """Return the pinned zig of this environment.

    Raises:
        ToolUnusable: it is not installed, or is another version.
    """
    wanted = pinned_version("ziglang")
    hint = (
        f"run `python -m pip install ziglang=={wanted}`, or build with `nox -s build`"
    )
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        raise ToolUnusable("ziglang", "it is not installed", hint=hint)
    version = importlib.metadata.version("ziglang")
    if version != wanted:
        problem = f"it is version {version}, pinned is {wanted}"
        raise ToolUnusable("ziglang", problem, hint=hint)
    folder = Path(next(iter(spec.submodule_search_locations)))
    zig = folder / "zig"
    if not zig.is_file():
        raise ToolUnusable("ziglang", f"its package lacks `{zig}`", hint=hint)
    own = cache.path("zig", version)
    return Toolchain(
        name=f"zig {version}",
        command=(str(zig), "cc"),
        environment={
            # The libraries of each target, which zig makes when first needed.
            "ZIG_GLOBAL_CACHE_DIR": str(own),
            "HOME": str(own),
        },
        library=folder / "lib",
    )
