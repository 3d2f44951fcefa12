"""The guide's commands, typed one after the other as a reader would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import native_targets
from engineroom.version import __version__

from .conftest import environment, make_wheel, publish
from .test_fetch_sources import engines

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "fetch-engines.md"


def test_every_command_of_the_guide_works_in_its_order(tmp_path):
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    commands = re.findall(r"^\$ (.*)$", "".join(blocks), re.MULTILINE)
    assert len(commands) == 6
    tags = dict.fromkeys(target.wheel_tag for target in TARGETS)
    wheels = [
        make_wheel(
            tmp_path / "dist",
            tag=f"cp39-abi3-{tag}",
            targets=[target.id for target in TARGETS if target.wheel_tag == tag],
            data=tag.encode() * 1000,
        )
        for tag in tags
    ]
    publish(tmp_path / "wheels", *wheels)
    shutil.rmtree(tmp_path / "dist")
    command = tmp_path / "bin" / "engineroom"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m engineroom "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    for line in commands:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=tmp_path,
            env=environment(HOME=tmp_path / "home", PATH=path),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert set(engines(tmp_path / "engines")) == {target.id for target in TARGETS}
    (own,) = (tmp_path / "home").rglob(f"engines/{__version__}")
    assert set(engines(own)) == {target.id for target in native_targets()}
