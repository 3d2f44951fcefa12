"""Makes the sdist, through the same door as pip: the PEP 517 backend of pyproject.toml.

Wheels are built from it in CI, so that what is published as source is what was built.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from native.build.programs import run_program
from native.ci import ROOT

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["build_sdist"]

_CALL = "import sys, hatchling.build as b; print(b.build_sdist(sys.argv[1]))"


def build_sdist(folder: Path) -> Path:
    """Make the sdist into a folder and return its path.

    Raises:
        StepFailed: the backend failed; its words are in the error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", _CALL, str(folder)]
    return folder / run_program("making the sdist", command, folder=ROOT).split()[-1]
