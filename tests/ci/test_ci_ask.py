"""What cibuildwheel runs against each wheel, run against the installed one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from native.build import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ASK = ROOT / "native" / "ci" / "ask.py"


def ask(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ENGINEROOM_", "PYTHONPATH"))
    }
    return subprocess.run(
        [sys.executable, str(ASK)],
        cwd=folder, env={**environment, **settings},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_installed_wheel_answers_everything(tmp_path: Path) -> None:
    done = ask(tmp_path)

    assert done.returncode == 0, done.stderr
    assert "doctor and queries are right" in done.stdout


def test_an_engine_that_does_not_load_is_an_error(tmp_path: Path) -> None:
    done = ask(tmp_path, ENGINEROOM_ENGINE_DIR=str(tmp_path))

    assert done.returncode == 1
    assert "the doctor is not content" in done.stderr


def test_a_package_of_the_checkout_is_not_taken_for_the_wheel(tmp_path: Path) -> None:
    done = ask(tmp_path, PYTHONPATH=str(ROOT / "engine"))

    assert done.returncode == 1
    assert "comes from the checkout" in done.stderr
