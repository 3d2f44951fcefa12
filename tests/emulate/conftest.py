"""Engines of macOS to be executed: of this tree, and of a tree with a fault put in."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.rows import TARGETS
from native.build import ROOT
from native.build.cache import Cache, cache_root
from native.build.engine import build_engines
from native.build.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DARWIN = {target.cpu: target for target in TARGETS if target.os == "darwin"}


@pytest.fixture(scope="session")
def cache() -> Cache:
    """The cache of the machine: what was compiled before is not compiled again."""
    return Cache(cache_root())


@pytest.fixture(params=sorted(DARWIN))
def cpu(request: pytest.FixtureRequest) -> str:
    """Each processor that macOS runs on."""
    return str(request.param)


@pytest.fixture
def engine(cpu: str, cache: Cache) -> Path:
    """The SQLite engine of this tree."""
    (made,) = build_engines([DARWIN[cpu]], cache, Report(), backends=["sqlite"])
    return made.path


@pytest.fixture
def faulty_engine(tmp_path: Path, cpu: str, cache: Cache) -> Callable[..., Path]:
    """Makes an engine of a tree in which one text of a file is another."""

    def make(name: str, old: str, new: str) -> Path:
        tree = tmp_path / "tree"
        shutil.copytree(
            ROOT / "native", tree / "native", ignore=shutil.ignore_patterns("__pyc*")
        )
        path = tree / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")
        (made,) = build_engines(
            [DARWIN[cpu]], cache, Report(), backends=["sqlite"], tree=tree
        )
        return made.path

    return make
