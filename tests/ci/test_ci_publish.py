"""`nox -s publish` gives a store the wheels of this version, and the store judges."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.rows import TARGETS
from engineroom.version import __version__
from native.build import ROOT
from native.ci.release import files
from tests.store.wheels import engine_files, make_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as `nox -s build -- all` leaves it, with an older wheel besides."""
    folder = tmp_path / "wheels"
    for name in files():
        if not name.endswith(".whl"):
            continue
        tag = "-".join(name[: -len(".whl")].split("-")[-3:])
        targets = [row.id for row in TARGETS if tag.endswith(row.wheel_tag)]
        engines = engine_files({"a/_qe.abi3.so": tag.encode()}, targets=targets)
        make_wheel(
            folder,
            project="engineroom",
            version=__version__,
            tag=tag,
            files=engines if targets else None,
        )
    make_wheel(folder, project="engineroom", version="0.0.1")
    return folder


def publish(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "native.ci", "publish", "--folder", str(folder)]
    return subprocess.run(
        [*command, "--", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"engine{os.pathsep}."},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_wheels_of_this_version_are_published(built: Path, tmp_path: Path) -> None:
    done = publish(built, "--store", tmp_path / "store")

    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert sorted(row[0] for row in rows if row[-1:] == ["published"]) == sorted(
        name for name in files() if name.endswith(".whl")
    )


def test_a_release_that_is_not_whole_is_refused(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*-macosx_*_arm64.whl")
    wheel.unlink()

    done = publish(built, "--store", tmp_path / "store")

    assert done.returncode == 6
    assert "`engineroom`" in done.stderr
    assert "no engines for `darwin-arm64`" in done.stderr
    assert not (tmp_path / "store").exists()
    assert publish(built, "--store", tmp_path / "store", "--partial").returncode == 0


def test_a_folder_without_wheels_of_this_version_is_refused(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", project="engineroom", version="0.0.1")

    done = publish(tmp_path / "wheels", "--store", tmp_path / "store")

    assert done.returncode == 1
    assert f"it holds no wheel of {__version__}" in done.stderr
