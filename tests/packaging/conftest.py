"""What these tests share: the wheel of this tree, and copies of the tree to break.

A light tree pins an SQLite of one line, with the real header: everything else is
compiled as ever, in seconds. What is made of it is linked and never loaded.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from native.build import ROOT
from native.build.cache import Cache, cache_root
from native.build.pins import load_sources
from native.build.report import Report
from native.build.sources import ensure_source, source_folder
from native.build.wheel import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# All that a wheel is made of.
TREE = ("engine", "native", "platforms.toml", "pyproject.toml", "LICENSE", "README.md")
CALL = """
import sys, hatchling.build
print(getattr(hatchling.build, sys.argv[1])(sys.argv[2]))
"""
LIGHT_SQLITE = b"extern int qe_light;\nint qe_light = 1;\n"


@pytest.fixture(scope="session")
def cache() -> Cache:
    """The cache of the machine: what was compiled before is not compiled again."""
    return Cache(cache_root())


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel for this machine, made from this tree."""
    return build_wheel(tmp_path_factory.mktemp("wheel"), ["native"])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tree, to be changed at will."""
    return copy_tree(tmp_path / "tree")


@pytest.fixture
def copy_of_tree() -> Callable[[Path], Path]:
    """Copies the tree into a folder that is not there yet."""
    return copy_tree


@pytest.fixture
def light(tmp_path: Path, cache: Cache) -> Light:
    """A light tree with an empty cache of its own."""
    return Light(tmp_path / "light", tmp_path / "light-cache", cache)


class Light:
    """A light tree and how it is built.

    Attributes:
        tree: the tree.
        cache: its cache; holds CPython's headers and nothing else at first.
    """

    def __init__(self, tree: Path, own_cache: Path, machine: Cache) -> None:
        self.tree = copy_tree(tree)
        self.cache = Cache(own_cache)
        self._hand = own_cache / "by-hand"
        self._hand.mkdir(parents=True)
        sources = load_sources()
        report = Report()
        header = ensure_source(sources["sqlite"], machine, report) / "sqlite3.h"
        shutil.copy2(header, self._hand)
        (self._hand / "sqlite3.c").write_bytes(LIGHT_SQLITE)
        shutil.copytree(
            ensure_source(sources["cpython"], machine, report),
            source_folder(sources["cpython"], self.cache),
        )
        # What needs perl to be made is taken as the machine has it.
        (own_cache / "openssl").symlink_to(machine.path("openssl"))
        for name in ("openssl", "postgresql"):
            place = source_folder(sources[name], self.cache)
            place.symlink_to(ensure_source(sources[name], machine, report))
        real = sources["sqlite"].files[0].sha256
        light = hashlib.sha256(LIGHT_SQLITE).hexdigest()
        self.edit("native/build/sources.toml", real, light)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in a file of the tree."""
        path = self.tree / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """Return the command line and environment of `python -m native.build`.

        An engine is that of the light SQLite where no backend is named.
        """
        if words[0] == "engine" and "--backend" not in words:
            words = (*words, "--backend", "sqlite")
        return [sys.executable, "-m", "native.build", *words], {
            # No PATH: what is not called by its full path cannot be called at all.
            "PATH": "",
            "HOME": str(self.cache.root),
            # Before whatever is installed, because the tree is a changed copy.
            "PYTHONPATH": f"{self.tree / 'engine'}{os.pathsep}{self.tree}",
            "ENGINEROOM_CACHE": str(self.cache.root),
        }

    def build(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m native.build` as a user does."""
        command, environment = self.command(*words)
        return subprocess.run(
            command,
            cwd=self.tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def engine(self, *words: str) -> bytes:
        """Build the engine of this machine and return its bytes."""
        done = self.build("engine", *words)
        assert done.returncode == 0, done.stderr
        (path,) = {
            line.split()[3]
            for line in done.stdout.splitlines()
            if line.startswith("engine ")
        }
        with open(path, "rb") as file:
            return file.read()


def copy_tree(folder: Path) -> Path:
    folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "manifest.csv")
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def call_backend() -> Callable[..., Path]:
    """Calls a hook of the PEP 517 backend in a tree, as pip does."""

    def call(tree: Path, hook: str, folder: Path, **environment: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", CALL, hook, str(folder)],
            cwd=tree,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return folder / done.stdout.split()[-1]

    return call
