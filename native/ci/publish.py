"""Publishes the wheels of this version to a store, by the store's own command.

Which wheels are a release is known here, whatever else lies in their folder; whether
they make one is for the store to say, which knows what it has already.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from engineroom.version import __version__
from native.ci import ROOT
from native.ci.errors import ReleaseRefused
from native.ci.release import files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["publish"]


def publish(folder: Path, words: Sequence[str]) -> int:
    """Publish and return the exit code of `engineroom store publish`.

    Args:
        folder: holds the wheels.
        words: for the command, such as `--store` and its address.

    Raises:
        ReleaseRefused: there is no wheel of this version.
    """
    names = [name for name in files() if name.endswith(".whl")]
    wheels = [str(folder / name) for name in names if (folder / name).is_file()]
    if not wheels:
        raise ReleaseRefused(
            str(folder), [f"it holds no wheel of {__version__}: `nox -s build -- all`"]
        )
    command = [sys.executable, "-m", "engineroom", "store", "publish", *wheels, *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "engine")}
    return subprocess.run(command, env=environment, check=False).returncode
