"""What stands in the way of a container is said before anything is made."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from native.build import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_machine_without_the_programs_is_told_what_to_install(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "native.ci", "cibuildwheel-here"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "out")],
        cwd=ROOT, env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "ER6404" in done.stderr
    assert "hint: " in done.stderr
    assert not (tmp_path / "out").exists()
