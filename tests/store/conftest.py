"""What the tests of the store share: the transports there are, and real installers."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from engineroom.store import FolderTransport
from engineroom.store.s3 import S3Transport
from tests.store import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engineroom.store import Transport


@pytest.fixture(scope="session")
def aws_environment() -> Iterator[None]:
    """Give this process the servers' credentials, and nothing of its owner's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") or name.lower().endswith("_proxy"):
                patch.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_ACCESS_KEY_ID", servers.ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", servers.SECRET_KEY)
        yield


@pytest.fixture(scope="session")
def seaweedfs(
    tmp_path_factory: pytest.TempPathFactory,
    aws_environment: None,  # noqa: ARG001 - asked for so that it is set
) -> Iterator[str]:
    """Give the endpoint of a SeaweedFS that all tests share."""
    with servers.seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def moto(
    tmp_path_factory: pytest.TempPathFactory,
    aws_environment: None,  # noqa: ARG001 - asked for so that it is set
) -> Iterator[str]:
    """Give the endpoint of a moto server that all tests share."""
    with servers.moto(tmp_path_factory.mktemp("moto")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def rclone(
    tmp_path_factory: pytest.TempPathFactory,
    aws_environment: None,  # noqa: ARG001 - asked for so that it is set
) -> Iterator[str]:
    """Give the endpoint of a server that ignores `If-None-Match`."""
    with servers.rclone(tmp_path_factory.mktemp("rclone")) as endpoint:
        yield endpoint


def s3_transport(endpoint: str, prefix: str, **options: Any) -> S3Transport:
    """Give a transport for the tests' bucket, which does not wait for long."""
    quick: dict[str, Any] = {"tries": 3, "timeout_seconds": 20.0, **options}
    return S3Transport(servers.BUCKET, prefix, endpoint_url=endpoint, **quick)


# A new transport is one line here and in `make_transport`, and then runs through every
# test of the store. Moto is slow, and runs through what transports promise.
TRANSPORTS = ("folder", "folder without hard links", "seaweedfs")
EVERY_TRANSPORT = (*TRANSPORTS, "moto")


@pytest.fixture(params=TRANSPORTS)
def make_transport(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[], Transport]:
    """Give a way to open the same empty place again, as another process would."""
    kind: str = request.param
    if kind.startswith("folder"):
        hard_links = kind == "folder"
        return lambda: FolderTransport(tmp_path / "store", hard_links=hard_links)
    endpoint: str = request.getfixturevalue(kind)
    prefix = f"{secrets.token_hex(8)}/"
    return lambda: s3_transport(endpoint, prefix)


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


@pytest.fixture(scope="session")
def pip_wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give the wheels of the two pips by the names that environments.py has for them.

    A wheel of pip runs as it is. Newest means the one of this environment, or newer.
    """
    folder = tmp_path_factory.mktemp("pips")
    wheels: dict[str, Path] = {}
    for name, requirement in {"pip": "pip>=26.3", "pip 22": "pip==22.3.1"}.items():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        own = folder / name
        done = subprocess.run(
            [*command, "--dest", str(own), requirement],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"no package index gives {requirement}: {done.stderr[-200:]}")
        (wheels[name],) = own.glob("*.whl")
    return wheels
