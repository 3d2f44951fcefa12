"""Builds the wheel through the same door as pip: the PEP 517 backend of pyproject.toml.

`hatch_hook` does the work that is ours; this only calls the backend in this process's
environment, in which the build requirements have to be installed.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from native.build import ROOT
from native.build.programs import run_program
from native.build.settings import BUILD_TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["build_wheel"]

# The backend has to be called from the root of the tree, and in a process of its own:
# its hook puts this tree in front of everything else that can be imported.
_CALL = """
import sys, hatchling.build
print(hatchling.build.build_wheel(sys.argv[1]))
"""


def build_wheel(folder: Path, names: Sequence[str] = (), *, tree: Path = ROOT) -> Path:
    """Build the wheel into a folder and return its path.

    Args:
        folder: where to; other wheels in it are left alone.
        names: targets whose engines it is to carry; as the environment says if empty.
        tree: the checkout to build from.

    Raises:
        StepFailed: the backend failed; its words are in the error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    if names:
        environment[BUILD_TARGETS] = " ".join(names)
    written = run_program(
        "building the wheel",
        [sys.executable, "-c", _CALL, str(folder)],
        environment=environment,
        folder=tree,
    )
    return folder / written.split()[-1]
