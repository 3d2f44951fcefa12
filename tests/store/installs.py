"""Asks real installers which wheel they would take on machines of other kinds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engineroom.store.environments import Python, System

PIP_ELSEWHERE = Path(__file__).with_name("pip_elsewhere.py")
_SELECTED = re.compile(r"Selecting: \S+ \[\w+\] \(([^)]+\.whl)\)")


def ask_pip(
    pip_wheel: Path, what: str, questions: Sequence[tuple[System, Sequence[object]]]
) -> list[Any]:
    """Put questions to a pip, each on its machine; see pip_elsewhere.py."""
    done = subprocess.run(
        [sys.executable, str(PIP_ELSEWHERE), str(pip_wheel), what],
        input=json.dumps([(tuple(system), words) for system, words in questions]),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def is_known_to_uv(system: System, python: Python) -> bool:
    """Tell whether uv can be asked about a machine other than the one it is on."""
    if python.is_free_threaded or not python.tag.startswith("cp"):
        return False
    if system.libc == "glibc":
        return system.version[1] in (17, 28, *range(31, 41))
    return system.libc != "musl" or system.version == (1, 2)


def ask_uv(
    uv_program: str, system: System, python: Python, index: str, wish: Sequence[str]
) -> str:
    """Give the name of the wheel that uv would install, or nothing."""
    machine = "aarch64" if system.cpu == "arm64" else system.cpu
    platform = {
        "glibc": f"{machine}-manylinux_{'_'.join(map(str, system.version))}",
        "musl": f"{machine}-unknown-linux-musl",
        "libSystem": f"{machine}-apple-darwin",
        "": f"{machine}-pc-windows-msvc",
    }[system.libc]
    # Read by uv for macOS alone.
    deployed = {"MACOSX_DEPLOYMENT_TARGET": ".".join(map(str, system.version))}
    with tempfile.TemporaryDirectory() as target:
        done = subprocess.run(
            [
                *(uv_program, "pip", "install", "--dry-run", "--verbose"),
                *("--no-config", "--no-cache", "--no-deps", "--only-binary", ":all:"),
                *("--target", target, "--default-index", index, *wish),
                *("--python", sys.executable, "--python-version", python.version),
                *("--python-platform", platform),
            ],
            env={"PATH": os.environ["PATH"], **deployed},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    selected = _SELECTED.findall(done.stderr)
    return str(selected[-1]) if done.returncode == 0 else ""
