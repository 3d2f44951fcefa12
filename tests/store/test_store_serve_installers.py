"""Real pip, new and old, and real uv install from the web server."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engineroom.store import FolderTransport, publish

from .conftest import Installer
from .served import served
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .served import Served

TOKEN = "0123456789-abcdefghij"
INSTALLED = {"widget.py", "widget-1.1.dist-info", "Gad.get.py", "Gad.get-2.5.dist-info"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderTransport:
    """Give a store of two projects, one of which needs the other."""
    folder = tmp_path_factory.mktemp("serve")
    transport = FolderTransport(folder / "store")
    wheels = [
        make_wheel(folder, version="1.0"),
        make_wheel(folder, version="1.1", requires=["gad.get>=2"]),
        make_wheel(folder, version="2.0", requires_python=">=99"),
        make_wheel(folder, project="Gad.get", version="2.5"),
    ]
    publish(transport, wheels)
    return transport


@pytest.fixture(scope="module")
def server(
    store: FolderTransport, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with served(str(store.root), tmp_path_factory.mktemp("open")) as running:
        yield running


@pytest.fixture(scope="module")
def closed(
    store: FolderTransport, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("closed")
    tokens = {"ENGINEROOM_SERVE_TOKENS": TOKEN}
    with served(str(store.root), folder, environment=tokens) as running:
        yield running


@pytest.fixture(scope="session")
def newest_pip(tmp_path_factory: pytest.TempPathFactory) -> Installer:
    """Give the newest pip there is."""
    return _pip(tmp_path_factory.mktemp("newest-pip"), "pip", reads_metadata=True)


@pytest.fixture(scope="session")
def old_pip(tmp_path_factory: pytest.TempPathFactory) -> Installer:
    """Give pip 22.0, which distributions will bring for years to come.

    It knows neither JSON pages nor metadata files.
    """
    folder = tmp_path_factory.mktemp("old-pip")
    return _pip(folder, "pip==22.0.4", reads_metadata=False)


def _pip(folder: Path, requirement: str, *, reads_metadata: bool) -> Installer:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = str(folder / "bin" / "python")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    done = subprocess.run([*command, requirement], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"{requirement} cannot be had on this machine")
    options = ["--isolated", "--disable-pip-version-check", "--no-cache-dir"]
    arguments = ["--index-url", "{index}", "--target", "{target}"]
    install = [python, "-m", "pip", "install", *options, *arguments]
    return Installer(install, reads_metadata=reads_metadata)


@pytest.fixture(params=["newest_pip", "old_pip", "uv"])
def installer(request: pytest.FixtureRequest) -> Installer:
    """Give each installer in turn."""
    found: Installer = request.getfixturevalue(request.param)
    return found


def test_an_installer_takes_the_server_as_its_index(
    server: Served, installer: Installer, tmp_path: Path
) -> None:
    """It resolves a dependency, and leaves out what is for another Python."""
    found = installer.install(server.index_url, "widget", target=tmp_path / "target")
    assert found >= INSTALLED


def test_an_installer_asks_for_metadata_and_for_no_wheel_in_vain(
    store: FolderTransport, installer: Installer, tmp_path: Path
) -> None:
    with served(str(store.root), tmp_path) as server:
        installer.install(server.index_url, "GAD_GET", target=tmp_path / "target")
        assert server.logs(r"GET /blobs/\S+/Gad\.get-2\.5-py3-none-any\.whl 200 ")
        has_metadata = ".whl.metadata 200" in server.log
        assert has_metadata is installer.reads_metadata
        assert " 404 " not in server.log


def test_an_installer_takes_json_alone_as_its_index(
    server: Served, installer: Installer, tmp_path: Path
) -> None:
    if not installer.reads_metadata:
        pytest.skip("this pip reads HTML only")
    index_url = f"{server.url}json/"
    found = installer.install(index_url, "widget", target=tmp_path / "target")
    assert found >= INSTALLED


def test_an_installer_gives_the_token_of_its_address(
    closed: Served, installer: Installer, tmp_path: Path
) -> None:
    address = closed.index_url.replace("://", f"://__token__:{TOKEN}@")
    found = installer.install(address, "widget", target=tmp_path / "target")
    assert found >= INSTALLED
    assert TOKEN not in closed.log


def test_an_installer_without_a_token_gets_nothing(
    closed: Served, installer: Installer, tmp_path: Path
) -> None:
    address = closed.index_url.replace("://", "://__token__:wrong@")
    done = installer.run(address, "widget", "--no-deps", target=tmp_path / "target")
    assert done.returncode != 0
    assert not list((tmp_path / "target").glob("widget*"))
