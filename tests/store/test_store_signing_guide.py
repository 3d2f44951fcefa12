"""The guide to signing, typed from its first command to its last."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .wheels import make_wheel

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "sign-a-store.md"


def test_every_command_of_the_guide_works_in_its_order(tmp_path: Path) -> None:
    commands = re.findall(r"^ *\$ (.*)$", GUIDE.read_text(), re.MULTILINE)
    # The store here has no engines to fetch and none that would be loaded.
    left_out = ("engineroom fetch", "engineroom doctor")
    commands = [one for one in commands if not any(word in one for word in left_out)]
    assert len(commands) == 22
    make_wheel(tmp_path / "dist")
    program = tmp_path / "bin" / "engineroom"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m engineroom "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    package = Path(__file__).parents[2] / "engine"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(package)}
    words: dict[str, str] = {}

    def run(line: str) -> str:
        for word, value in words.items():
            line = line.replace(word, value)
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    run("engineroom store publish dist/*.whl --store wheels")
    for command in commands:
        said = run(command)
        # What the guide stands for with a name in capitals, the reader copies.
        if made := re.search(r"key new (\w+)\.pem", command):
            name = made[1].upper()
            words[f"{name}-ID"] = re.findall(r"key (\w{16}) is in", said)[0]
            words[f"ed25519:{name}"] = re.findall(r"ed25519:\S+", said)[0]
        if "key init" in command:
            words.setdefault("sha256:FIRST", re.findall(r"sha256:\w{64}", said)[0])
        if command.endswith("|| true"):
            assert '"ER3413"' in said
