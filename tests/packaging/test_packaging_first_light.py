"""The main job, as `nox -s build` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Light


def first_light(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "native.build", "build", *words],
        cwd=tree,
        env={
            **os.environ,
            "PYTHONPATH": f"{tree / 'engine'}{os.pathsep}{tree}",
            # A setting that would take the package from elsewhere, to be overruled.
            "PIP_FIND_LINKS": str(tree),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_job_ends_with_a_query_answered_and_a_changed_tree_publishes_anew(
    tree: Path,
) -> None:
    first = first_light(tree)

    assert first.returncode == 0, first.stdout + first.stderr
    for line in (
        "engines    ",
        "wheel      engineroom-0.1.0-cp39-abi3-",
        "audit      ",
        "store      build/store holds engineroom-0.1.0-",
        "install    engineroom 0.1.0 into build/first-light",
        "query      answered right from build/first-light.db",
        "Next:",
    ):
        assert line in first.stdout
    assert (tree / "build" / "audit.txt").read_text().count("BAD") == 0

    path = tree / "engine" / "engineroom" / "version.py"
    path.write_text(f"{path.read_text()}# a change\n")
    again = first_light(tree)

    assert again.returncode == 0, again.stdout + again.stderr
    assert "store      held another build of 0.1.0; made anew" in again.stdout
    assert "query      answered right" in again.stdout


def test_a_wheel_that_the_audit_refuses_is_not_published(light: Light) -> None:
    """The light SQLite lacks what our files call: the engine could not be loaded."""
    done = light.build("build")

    assert done.returncode == 1
    assert "ER6030" in done.stderr
    assert "open symbols: sqlite3_" in done.stderr
    assert not (light.tree / "build" / "store").exists()
