"""What mends it is said in the words of whoever installed engineroom."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engineroom.loader.remedy import bring_back, reinstall
from engineroom.loader.settings import Overrides
from engineroom.platforms.mounts import mount_of
from engineroom.version import __version__

PIP = f"python -m pip install --force-reinstall engineroom=={__version__}"
UV = f"uv pip install --reinstall engineroom=={__version__}"


@pytest.mark.parametrize(
    ("noted", "command"),
    [
        pytest.param("uv", UV, id="uv"),
        pytest.param("pip\n", PIP, id="pip"),
        pytest.param(None, PIP, id="a source tree"),
    ],
)
def test_the_command_is_that_of_the_installer(tmp_path, noted, command):
    if noted is not None:
        folder = tmp_path / f"engineroom-{__version__}.dist-info"
        folder.mkdir()
        (folder / "INSTALLER").write_text(noted)
    assert reinstall(site=str(tmp_path)) == command


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_installers_note_themselves_where_it_is_looked_for(tmp_path, installer):
    """With a wheel of our name and version that has nothing in it."""
    name = f"engineroom-{__version__}"
    info = tmp_path / "wheel" / f"{name}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: engineroom\nVersion: {__version__}\n"
    )
    (info / "WHEEL").write_text(
        "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n"
    )
    (info / "RECORD").write_text(
        "".join(f"{info.name}/{f},,\n" for f in os.listdir(info))
    )
    code = "import shutil, sys; shutil.make_archive(sys.argv[2], 'zip', sys.argv[1])"
    wheel = tmp_path / f"{name}-py3-none-any.whl"
    subprocess.run(
        [sys.executable, "-c", code, info.parent, tmp_path / "made"], check=True
    )
    (tmp_path / "made.zip").rename(wheel)
    words = ["install", "--no-deps", "--no-index", "--target", str(tmp_path / "site")]
    command = [sys.executable, "-m", "pip", *words]
    if installer == "uv":
        uv = Path(sys.executable).with_name("uv")
        if not uv.exists():
            pytest.skip("uv is not here")
        command = [str(uv), "pip", *words, "--python", sys.executable]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    assert reinstall(site=str(tmp_path / "site")) == (UV if installer == "uv" else PIP)


def test_a_list_in_the_package_is_brought_back_by_the_installer(tmp_path):
    shelf = tmp_path / "engines"
    file = str(shelf / "rhel-x86_64" / "_qe_sqlite.abi3.so")
    assert bring_back(file, "rhel-x86_64", Overrides(), str(shelf)) == PIP


def test_an_engine_of_another_folder_is_fetched_into_that_folder(tmp_path):
    folder = tmp_path / "of ann"
    file = folder / "rhel-x86_64" / "_qe_sqlite.abi3.so"
    file.parent.mkdir(parents=True)
    (folder / "manifest.csv").touch()
    command = f"engineroom fetch --target rhel-x86_64 --into '{folder}'"
    assert bring_back(str(file), "rhel-x86_64", Overrides()) == command
    assert bring_back(str(folder), "", Overrides()) == command.replace(
        "rhel-x86_64", "native"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists mounts so")
def test_the_mount_of_a_file_is_the_innermost_one_above_it():
    assert mount_of("/").point == "/"
    assert mount_of("/proc/self/status").point == "/proc"
    assert mount_of("/proc-no-such").point == "/"
