"""Makes wheels through the same door as pip: the PEP 517 backend of pyproject.toml.

`hatch_hook` does the work that is ours; this calls the backend in this process's
environment, in which the build requirements have to be installed. A wheel that passed
its audit is kept under a hash of all that it was made of, and not made again.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from typing import TYPE_CHECKING

from native.build import ROOT
from native.build.cache import file_sha256, text_sha256
from native.build.errors import CacheUnwritable
from native.build.programs import run_program
from native.build.settings import BUILD_TARGETS
from native.build.shelf import NO_TARGETS, wheel_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from engineroom.platforms.target import Target
    from native.build.cache import Cache
    from native.build.engine import Engine

__all__ = ["AUDIT", "build_wheel", "keep_wheel", "place_wheel"]

# The backend has to be called from the root of the tree, and in a process of its own:
# its hook puts this tree in front of everything else that can be imported.
_CALL = """
import sys, hatchling.build
print(hatchling.build.build_wheel(sys.argv[1]))
"""
# What a wheel is made of besides engines, and what makes it.
_FOLDERS = (
    "engine/engineroom",
    *(f"native/{x}" for x in ("abi", "audit", "build", "cffi", "postgres", "src")),
)
_FILES = ("LICENSE", "README.md", "platforms.toml", "pyproject.toml")
AUDIT = "audit.txt"
_TOOLS = ("cffi", "hatchling", "ziglang")


def build_wheel(folder: Path, names: Sequence[str] = (), *, tree: Path = ROOT) -> Path:
    """Build a wheel into a folder and return its path.

    Args:
        folder: where to; other wheels in it are left alone.
        names: targets whose engines it is to carry; as the environment says if empty.
        tree: the checkout to build from.

    Raises:
        StepFailed: the backend failed; its words are in the error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    if names:
        environment[BUILD_TARGETS] = " ".join(names)
    written = run_program(
        "building the wheel",
        [sys.executable, "-c", _CALL, str(folder)],
        environment=environment,
        folder=tree,
    )
    return folder / written.split()[-1]


def keep_wheel(
    targets: Sequence[Target],
    engines: Sequence[Engine],
    cache: Cache,
    check: Callable[[Path], str],
    *,
    tree: Path = ROOT,
) -> tuple[Path, bool]:
    """Return the wheel of these targets in the cache, and whether it is new.

    What the check said of it stands beside it in audit.txt.

    Args:
        targets: those that share the wheel; none for the pure one.
        engines: their engines.
        cache: where wheels are kept.
        check: looks at a new wheel; raises if it is not to be kept.
        tree: the checkout to build from.

    Raises:
        StepFailed: the backend failed.
        CacheUnwritable: the disk did not take it.
    """
    key = text_sha256(
        wheel_tag(targets),
        *(f"{engine.target} {engine.sha256}" for engine in engines),
        *(f"{name} {importlib.metadata.version(name)}" for name in _TOOLS),
        *_tree_digests(tree),
    )
    folder = cache.path("wheels", key[:32])
    kept = _whole_wheel(folder)
    if kept is not None:
        return kept, False
    if folder.is_dir():
        cache.put_aside(folder, "changed-on-disk")
    with cache.scratch() as scratch:
        made = scratch / "made"
        names = [target.id for target in targets] or [NO_TARGETS]
        wheel = build_wheel(made, names, tree=tree)
        told = check(wheel)
        try:
            (made / AUDIT).write_text(told, encoding="utf-8")
            (made / "sha256").write_text(file_sha256(wheel), encoding="utf-8")
        except OSError as error:
            raise CacheUnwritable(folder, error.strerror or str(error)) from error
        cache.keep_folder(made, folder)
    return folder / wheel.name, True


def place_wheel(kept: Path, folder: Path) -> Path:
    """Copy a kept wheel into a folder, in one piece, and return its path there.

    Raises:
        CacheUnwritable: the disk did not take it.
    """
    place = folder / kept.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (place.is_file() and file_sha256(place) == file_sha256(kept)):
            unfinished = place.with_suffix(".unfinished")
            shutil.copyfile(kept, unfinished)
            unfinished.replace(place)
    except OSError as error:
        raise CacheUnwritable(place, error.strerror or str(error)) from error
    return place


def _whole_wheel(folder: Path) -> Path | None:
    try:
        wanted = (folder / "sha256").read_text(encoding="utf-8")
        found = [w for w in folder.glob("*.whl") if file_sha256(w) == wanted]
    except OSError:
        return None
    return found[0] if found else None


def _tree_digests(tree: Path) -> Iterator[str]:
    """Tell every file that may have a say in a wheel, with its bytes."""
    paths = [tree / name for name in _FILES]
    for folder in _FOLDERS:
        paths += sorted((tree / folder).rglob("*"))
    shelf = tree / "engine/engineroom/engines"
    for path in paths:
        is_built = shelf in path.parents and path.name != "__init__.py"
        if path.is_file() and "__pycache__" not in path.parts and not is_built:
            yield f"{path.relative_to(tree).as_posix()} {file_sha256(path)}"
