"""The guides' commands, typed one after the other as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from engineroom.store import open_store, publish

from . import servers
from .reader import visible
from .wheels import make_wheel

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def _commands(guide: str) -> list[str]:
    """Give what a reader types, without what runs until it is stopped."""
    blocks = re.findall(
        r"```console\n(.*?)```", (GUIDES / guide).read_text("utf-8"), re.DOTALL
    )
    commands = re.findall(r"^\$ (.*)$", "".join(blocks), re.MULTILINE)
    # Servers are started by other tests: test_store_installers.py, those of `serve`,
    # and servers.py, whose flags are held to the guide's below.
    stays = ("http.server", "http://", "weed ", "store serve")
    return [line for line in commands if not any(word in line for word in stays)]


def _type(commands: list[str], folder: Path) -> None:
    """Run commands in a folder, each of which must end well."""
    # pip takes most of the time that an environment takes.
    options = [] if any("pip " in line for line in commands) else ["--without-pip"]
    make = [sys.executable, "-m", "venv", *options, str(folder / "env")]
    subprocess.run(make, check=True)
    programs = folder / "env" / "bin"
    command = programs / "engineroom"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m engineroom "$@"\n')
    command.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment["PIP_CONFIG_FILE"] = os.devnull
    for line in commands:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_every_command_of_the_folder_guide_works_in_its_order(tmp_path: Path) -> None:
    commands = _commands("publish-to-a-folder.md")
    assert len(commands) == 6
    make_wheel(tmp_path / "dist")
    _type(commands, tmp_path)
    assert list((tmp_path / "env").rglob("widget-1.0.dist-info"))
    assert (tmp_path / "wheels-copy" / "simple" / "widget" / "index.html").exists()


def test_every_command_of_looking_after_a_store_works_in_its_order(
    tmp_path: Path,
) -> None:
    commands = _commands("look-after-a-store.md")
    assert len(commands) == 10
    wheel = make_wheel(tmp_path / "dist")
    publish(open_store(str(tmp_path / "wheels")), [wheel])
    _type(commands, tmp_path)
    for place in ("wheels", "wheels-mirror", "wheels-release"):
        assert visible(open_store(str(tmp_path / place))) == {wheel.name}


def test_every_command_of_the_bucket_guide_works_in_its_order(
    tmp_path: Path, seaweedfs: str
) -> None:
    guide = (GUIDES / "publish-to-a-bucket.md").read_text("utf-8")
    [settings] = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    store = f"s3://{servers.BUCKET}/{tmp_path.name}"
    here = settings.replace("http://127.0.0.1:8333", seaweedfs)
    (tmp_path / "pyproject.toml").write_text(here.replace("s3://wheels/team", store))
    commands = [
        line for line in _commands("publish-to-a-bucket.md") if "pip" not in line
    ]
    assert [line.split()[0] for line in commands] == [
        "export",
        "mkdir",
        *["engineroom"] * 3,
    ]
    wheel = make_wheel(tmp_path / "dist")
    _type(commands, tmp_path)
    assert visible(open_store(store, endpoint_url=seaweedfs)) == {wheel.name}


def test_the_server_of_the_bucket_guide_is_the_one_that_is_tested() -> None:
    guide = (GUIDES / "publish-to-a-bucket.md").read_text("utf-8")
    [line] = re.findall(r"^\$ weed mini (.*)$", guide, re.MULTILINE)
    flags = {
        flag for flag in line.split() if not flag.startswith(("-dir", "-s3.port="))
    }
    assert flags == set(servers.SEAWEEDFS_FLAGS)
