"""Runs other programs as steps of a build, quietly unless they fail."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

from native.build.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["run_program"]

_SHOWN_CHARACTERS = 4000


def run_program(
    step: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Run a program and return what it wrote to standard output.

    Args:
        step: what is being done, for the message should it fail.
        command: the program and its arguments.
        environment: all of its environment; this process's if None.
        folder: where it runs.

    Raises:
        StepFailed: it ended with anything but 0, or could not be started.
    """
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise StepFailed(
            step, command=shlex.join(command), exit_code=127, output=str(error)
        ) from error
    if done.returncode:
        output = "\n".join((done.stdout.strip(), done.stderr.strip())).strip()
        raise StepFailed(
            step,
            command=shlex.join(command),
            exit_code=done.returncode,
            output=output[-_SHOWN_CHARACTERS:],
        )
    return done.stdout
