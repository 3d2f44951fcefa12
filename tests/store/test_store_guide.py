"""The guide's commands, typed one after the other as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .wheels import make_wheel

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "publish-to-a-folder.md"


def test_every_command_of_the_guide_works_in_its_order(tmp_path: Path) -> None:
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    commands = re.findall(r"^\$ (.*)$", "".join(blocks), re.MULTILINE)
    # The web server runs until it is stopped; test_store_installers.py does that.
    commands = [c for c in commands if "http.server" not in c and "http://" not in c]
    assert len(commands) == 6
    make_wheel(tmp_path / "dist")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    programs = tmp_path / "env" / "bin"
    command = programs / "engineroom"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m engineroom "$@"\n')
    command.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment["PIP_CONFIG_FILE"] = os.devnull
    for line in commands:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert list((tmp_path / "env").rglob("widget-1.0.dist-info"))
    assert (tmp_path / "wheels-copy" / "simple" / "widget" / "index.html").exists()
