"""Real pip and real uv install from a store: as files, and over HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from engineroom.store import FolderTransport, publish

from .servers import serve_json
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Installer

NEVER = ">=99"


@pytest.fixture
def store(tmp_path: Path) -> FolderTransport:
    """Give a store of two projects, one of which needs the other."""
    transport = FolderTransport(tmp_path / "a store")
    wheels = [
        make_wheel(tmp_path, version="1.0"),
        make_wheel(tmp_path, version="1.1", requires=["gad.get>=2"]),
        make_wheel(tmp_path, version="2.0", requires_python=NEVER),
        make_wheel(tmp_path, project="Gad.get", version="2.5"),
    ]
    for wheel in wheels:
        publish(transport, [wheel])
    return transport


@contextmanager
def python_http_server(root: Path) -> Iterator[tuple[str, Path]]:
    """Serve a folder as a reader of the docs would; give its address and its log."""
    log = root.with_name("http.log")
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with (
        open(log, "w") as errors,
        subprocess.Popen(
            [*command, "--directory", str(root)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as server,
    ):
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            port = re.search(r"port (\d+)", line)
            assert port is not None, line
            yield f"http://127.0.0.1:{port[1]}/simple/", log
        finally:
            server.terminate()


INSTALLED = {"widget.py", "widget-1.1.dist-info", "Gad.get.py", "Gad.get-2.5.dist-info"}


def test_an_installer_takes_a_folder_as_its_index(
    store: FolderTransport, installer: Installer, tmp_path: Path
) -> None:
    """It resolves a dependency, and leaves out what is for another Python."""
    found = installer.install(store.index_url, "widget", target=tmp_path / "target")
    assert found >= INSTALLED


def test_a_project_is_found_however_its_name_is_spelled(
    store: FolderTransport, installer: Installer, tmp_path: Path
) -> None:
    """With the older name of the metadata attribute, pip 22.3 to 23.1 would refuse."""
    with python_http_server(store.root) as (index_url, _):
        found = installer.install(index_url, "GAD_GET", target=tmp_path / "target")
    assert "Gad.get-2.5.dist-info" in found


def test_an_installer_takes_a_plain_web_server_as_its_index(
    store: FolderTransport, installer: Installer, tmp_path: Path
) -> None:
    with python_http_server(store.root) as (index_url, log):
        found = installer.install(index_url, "widget", target=tmp_path / "target")
    assert found >= INSTALLED
    asked = log.read_text()
    has_metadata = "widget-1.1-py3-none-any.whl.metadata HTTP" in asked
    assert has_metadata is installer.reads_metadata
    assert "widget-1.0-py3-none-any.whl HTTP" not in asked
    assert " 404 " not in asked


def test_an_installer_takes_the_json_pages_as_its_index(
    store: FolderTransport, installer: Installer, tmp_path: Path
) -> None:
    with serve_json(store.root) as (index_url, asked):
        found = installer.install(index_url, "widget", target=tmp_path / "target")
    assert found >= INSTALLED
    assert "/json/widget/" in asked
    metadata = [
        path for path in asked if path.endswith("1.1-py3-none-any.whl.metadata")
    ]
    assert bool(metadata) is installer.reads_metadata


def test_an_installer_refuses_bytes_other_than_the_published(
    store: FolderTransport, installer: Installer, tmp_path: Path
) -> None:
    wheel = next(store.root.rglob("widget-1.0-py3-none-any.whl"))
    other = make_wheel(tmp_path / "other", version="1.0", text="other")
    wheel.write_bytes(other.read_bytes())
    done = installer.run(store.index_url, "widget==1.0", target=tmp_path / "target")
    assert done.returncode != 0
    assert "hash" in (done.stdout + done.stderr).lower()


def test_an_installer_refuses_metadata_other_than_the_published(
    store: FolderTransport, installer: Installer, tmp_path: Path
) -> None:
    if not installer.reads_metadata:
        pytest.skip("this pip does not read metadata files")
    metadata = next(store.root.rglob("widget-1.1-py3-none-any.whl.metadata"))
    metadata.write_bytes(metadata.read_bytes().replace(b"gad.get>=2", b"gad.get>=1"))
    with python_http_server(store.root) as (index_url, _):
        done = installer.run(index_url, "widget", target=tmp_path / "target")
    assert done.returncode != 0
    assert "hash" in (done.stdout + done.stderr).lower()


def test_an_installer_says_that_a_missing_project_is_missing(
    store: FolderTransport, installer: Installer, tmp_path: Path
) -> None:
    done = installer.run(store.index_url, "sprocket", target=tmp_path / "target")
    assert done.returncode != 0
    assert "sprocket" in done.stdout + done.stderr


def test_uv_leaves_out_what_was_published_after_a_date(
    uv: Installer, tmp_path: Path
) -> None:
    """Nothing but uv reads the upload time in HTML."""
    transport = FolderTransport(tmp_path / "store")
    early, late = 1_600_000_000.0, 1_700_000_000.0
    publish(transport, [make_wheel(tmp_path, version="1.0")], clock=lambda: early)
    publish(transport, [make_wheel(tmp_path, version="2.0")], clock=lambda: late)
    found = uv.install(
        transport.index_url,
        "widget",
        "--exclude-newer=2022-01-01",
        target=tmp_path / "target",
    )
    assert "widget-1.0.dist-info" in found


def test_a_wheel_built_by_hatchling_goes_all_the_way(
    installer: Installer, tmp_path: Path
) -> None:
    pytest.importorskip("hatchling")
    project = tmp_path / "project"
    project.mkdir()
    (project / "sprocket.py").write_text("TEETH = 12\n")
    (project / "pyproject.toml").write_text(
        "[build-system]\n"
        'requires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "sprocket"\nversion = "0.3.dev1"\n'
        'requires-python = ">=3.9"\n'
    )
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=project,
        check=True,
        capture_output=True,
    )
    transport = FolderTransport(tmp_path / "store")
    publish(transport, list((project / "dist").glob("*.whl")))
    target = tmp_path / "target"
    found = installer.install(transport.index_url, "sprocket==0.3.dev1", target=target)
    assert {"sprocket.py", "sprocket-0.3.dev1.dist-info"} <= found
    assert (target / "sprocket.py").read_text() == "TEETH = 12\n"
