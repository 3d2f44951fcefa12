"""What the tests of the store share: the transports there are, and real installers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engineroom.store import FolderTransport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engineroom.store import Transport


def _folder(root: Path) -> Transport:
    return FolderTransport(root)


def _folder_without_links(root: Path) -> Transport:
    return FolderTransport(root, hard_links=False)


# A new transport is one line here, and then runs through every test of the store.
TRANSPORTS: dict[str, Callable[[Path], Transport]] = {
    "folder": _folder,
    "folder without hard links": _folder_without_links,
}


@pytest.fixture(params=list(TRANSPORTS.values()), ids=list(TRANSPORTS))
def make_transport(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[], Transport]:
    """Give a way to open the same place again, as another process would."""
    make: Callable[[Path], Transport] = request.param
    return lambda: make(tmp_path / "store")


@pytest.fixture
def transport(make_transport: Callable[[], Transport]) -> Transport:
    """Give an empty place."""
    return make_transport()


class Installer:
    """A real installer that knows of one index and nothing else."""

    def __init__(self, install: list[str], *, reads_metadata: bool) -> None:
        self._install = install
        self.reads_metadata = reads_metadata
        # No configuration of the machine may lend it another index.
        drop = ("PIP_", "UV_", "HTTP", "http", "PYTHONPATH")
        self._environment = {
            key: value for key, value in os.environ.items() if not key.startswith(drop)
        }
        self._environment["PIP_CONFIG_FILE"] = os.devnull
        self._environment["NO_PROXY"] = "*"

    def run(
        self, index_url: str, *requirements: str, target: Path
    ) -> subprocess.CompletedProcess[str]:
        """Install into a folder; the caller looks at how it ended."""
        command = [
            part.format(index=index_url, target=target) for part in self._install
        ]
        return subprocess.run(
            [*command, *requirements],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def install(self, index_url: str, *requirements: str, target: Path) -> set[str]:
        """Install into a folder and give what is there then."""
        done = self.run(index_url, *requirements, target=target)
        assert done.returncode == 0, done.stdout + done.stderr
        return {path.name for path in target.iterdir()}


@pytest.fixture(scope="session")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Installer:
    """Give the pip of a fresh virtual environment."""
    folder = tmp_path_factory.mktemp("pip")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    options = ["--isolated", "--disable-pip-version-check", "--no-cache-dir"]
    common = [str(python), "-m", "pip", "install", *options]
    arguments = ["--index-url", "{index}", "--target", "{target}"]
    asked = subprocess.run(
        [python, "-m", "pip", "--version"], check=True, capture_output=True, text=True
    )
    version = tuple(int(part) for part in asked.stdout.split()[1].split(".")[:2])
    # Metadata files under their present name (PEP 714) are read from pip 23.2 on.
    return Installer([*common, *arguments], reads_metadata=version >= (23, 2))


@pytest.fixture(scope="session")
def uv() -> Installer:
    """Give uv, where it is installed."""
    program = shutil.which(
        "uv", path=f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"
    )
    if program is None:
        pytest.skip("uv is not installed")
    options = ["--no-config", "--no-cache", "--python", sys.executable]
    common = [program, "pip", "install", *options]
    arguments = ["--default-index", "{index}", "--target", "{target}"]
    return Installer([*common, *arguments], reads_metadata=True)


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest) -> Installer:
    """Give each installer in turn."""
    found: Installer = request.getfixturevalue(request.param)
    return found
