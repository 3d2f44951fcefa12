"""The one wheel under every CPython this machine has."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from native.build.first_light import isolated_pip

# Prints what a Python is; run with each that is found.
TELL = """
import json, sys
print(json.dumps([sys.implementation.name, list(sys.version_info[:2]),
                  getattr(sys, "_is_gil_enabled", lambda: True)(), sys.executable]))
"""
# What a user does first, without any test tool: import, connect, write, read back.
SMOKE = """
import datetime, sys
import engineroom
path = sys.argv[1]
with engineroom.connect(f"sqlite:///{path}?mode=rwc") as connection:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (i INTEGER, f REAL, s TEXT, b BLOB, d TIMESTAMP)")
    when = datetime.datetime(2026, 1, 2, 3, 4, 5)
    rows = [(k, k / 2, f"row {k}", bytes([k % 256]), when) for k in range(1000)]
    cursor.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
    cursor.execute("SELECT * FROM t ORDER BY i")
    assert cursor.fetchall() == rows
    try:
        cursor.execute("SELECT nothing")
    except engineroom.Error as error:
        assert error.code.startswith("ER"), error
    else:
        raise AssertionError("no error")
connection.close()
print("answered")
"""


def find_pythons() -> list[tuple[str, str]]:
    """Return a version and path for each CPython from 3.9 on that runs here."""
    root = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    candidates = [sys.executable]
    candidates += sorted(glob.glob(f"{root}/versions/*/bin/python3"))
    candidates += filter(None, (shutil.which(f"python3.{n}") for n in range(9, 20)))
    found: dict[tuple[int, int], str] = {}
    for path in candidates:
        done = subprocess.run(
            [path, "-c", TELL], capture_output=True, text=True, check=False
        )
        if done.returncode:
            continue
        name, version, has_lock, executable = json.loads(done.stdout)
        if name == "cpython" and version >= [3, 9] and has_lock:
            found.setdefault((version[0], version[1]), executable)
    return [(f"{a}.{b}", path) for (a, b), path in sorted(found.items())]


@pytest.mark.parametrize(
    "python", [pytest.param(path, id=version) for version, path in find_pythons()]
)
def test_the_wheel_installs_and_answers(
    python: str, wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    subprocess.run(
        [sys.executable, "-m", "virtualenv", "-q", "-p", python, str(environment)],
        check=True,
        capture_output=True,
    )
    own = str(environment / "bin" / "python")
    quietly = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for words, env in (
        (["cffi"], {**os.environ}),
        (["--no-index", str(wheel)], isolated_pip(os.environ)),
    ):
        done = subprocess.run(
            [*quietly, *words], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    answered = subprocess.run(
        [own, "-W", "error", "-c", SMOKE, str(tmp_path / "smoke.db")],
        cwd=tmp_path,
        env=isolated_pip(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )

    assert answered.returncode == 0, answered.stderr
    assert answered.stdout == "answered\n"
