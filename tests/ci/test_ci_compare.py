"""Two builds of a wheel are the same, or it is said what differs."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from native.build.wheel import build_wheel
from native.ci.compare import refuse_different
from native.ci.errors import EnginesDiffer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with this machine's wheel."""
    folder = tmp_path_factory.mktemp("built")
    build_wheel(folder, ["native"])
    return folder


def copy(
    built: Path, folder: Path, change: Callable[[str, bytes], bytes | None]
) -> Path:
    """Copy the wheel; `change` gives each member's bytes, or None to leave it out."""
    folder.mkdir()
    (wheel,) = built.glob("*.whl")
    with (
        zipfile.ZipFile(wheel) as old,
        zipfile.ZipFile(folder / wheel.name, "w") as new,
    ):
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return folder


def refused(built: Path, other: Path) -> str:
    with pytest.raises(EnginesDiffer) as caught:
        refuse_different(built, other)
    (difference,) = caught.value.differences
    return difference


def test_another_packer_of_the_same_files_makes_the_same_wheel(
    built: Path, tmp_path: Path
) -> None:
    def change(name: str, data: bytes) -> bytes:
        return data + b"\n" if name.endswith((".dist-info/WHEEL", "RECORD")) else data

    (line,) = refuse_different(built, copy(built, tmp_path / "other", change))

    assert "_qe_sqlite.abi3.so " in line


def test_a_flipped_bit_in_an_engine_is_found(built: Path, tmp_path: Path) -> None:
    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("_qe_sqlite.abi3.so"):
            return data
        return data[:4096] + bytes([data[4096] ^ 1]) + data[4097:]

    difference = refused(built, copy(built, tmp_path / "other", change))

    assert "_qe_sqlite.abi3.so` is " in difference


def test_another_python_file_is_found(built: Path, tmp_path: Path) -> None:
    def change(name: str, data: bytes) -> bytes:
        return data + b"\n" if name == "engineroom/version.py" else data

    assert "version.py" in refused(built, copy(built, tmp_path / "other", change))


def test_a_file_that_one_lacks_is_found(built: Path, tmp_path: Path) -> None:
    def change(name: str, data: bytes) -> bytes | None:
        return None if name == "engineroom/py.typed" else data

    difference = refused(built, copy(built, tmp_path / "other", change))

    assert difference.endswith("`engineroom/py.typed` is only in the first")


def test_a_wheel_that_only_one_folder_has_is_found(built: Path, tmp_path: Path) -> None:
    assert f"only in `{built}`" in refused(built, tmp_path)


def test_two_folders_without_wheels_are_no_success(tmp_path: Path) -> None:
    assert "neither folder" in refused(tmp_path, tmp_path)


def test_the_wheel_without_engines_needs_no_other(built: Path, tmp_path: Path) -> None:
    other = copy(built, tmp_path / "other", lambda _, data: data)
    (other / "engineroom-0.1.0-py3-none-any.whl").touch()

    assert refuse_different(built, other)
