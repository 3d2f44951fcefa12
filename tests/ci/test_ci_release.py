"""A release is every file it consists of, and no other."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.rows import TARGETS
from engineroom.version import __version__
from native.build import ROOT
from native.ci.errors import ReleaseRefused
from native.ci.release import files, refuse_incomplete

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder with a file of every name."""
    for name in files():
        (tmp_path / name).touch()
    return tmp_path


def refused(folder: Path, tag: str | None = None) -> tuple[str, ...]:
    with pytest.raises(ReleaseRefused) as caught:
        refuse_incomplete(folder, tag)
    return caught.value.problems


def test_a_release_has_every_wheel_the_pure_one_and_the_sdist() -> None:
    tags = {target.wheel_tag for target in TARGETS}

    assert set(files("1.2.3")) == {
        *(f"engineroom-1.2.3-cp39-abi3-{tag}.whl" for tag in tags),
        "engineroom-1.2.3-py3-none-any.whl",
        "engineroom-1.2.3.tar.gz",
    }


def test_the_whole_set_under_its_own_tag_is_a_release(release: Path) -> None:
    assert set(refuse_incomplete(release, f"v{__version__}")) == set(files())


@pytest.mark.parametrize("name", files())
def test_a_release_without_one_of_its_files_is_refused(release, name: str) -> None:
    (release / name).unlink()

    assert refused(release) == (f"`{name}` is missing",)


def test_a_file_too_many_is_refused(release: Path) -> None:
    stray = "engineroom-0.0.9-py3-none-any.whl"
    (release / stray).touch()

    assert refused(release) == (f"`{stray}` does not belong to it",)


@pytest.mark.parametrize("tag", ["v9.9.9", __version__, "main", ""])
def test_a_tag_of_another_version_is_refused(release: Path, tag: str) -> None:
    (problem,) = refused(release, tag)

    assert f"`{tag}`" in problem
    assert f"`{__version__}`" in problem


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    assert len(refused(tmp_path)) == len(files())
    assert len(refused(tmp_path / "nowhere")) == len(files())


def test_the_command_ends_with_1_and_says_what_is_missing(release: Path) -> None:
    (release / files()[0]).unlink()
    command = [sys.executable, "-m", "native.ci", "release", str(release)]

    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "ER6402" in done.stderr
    assert files()[0] in done.stderr
