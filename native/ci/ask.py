"""Asks an installed wheel what a user would ask it first, and exits with 1 if it errs.

cibuildwheel runs this file by its path in the environment it has made for the wheel,
on each Python and each machine; it needs nothing but the standard library there.
It is about loading and answering at all. That every answer is right is for the tests.
"""

from __future__ import annotations

import importlib
import json
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["main"]

CHECKOUT = Path(__file__).resolve().parents[2]
CREATE = "CREATE TABLE boiler (name TEXT, pressure DECIMAL(4, 1), since DATE)"
ROWS = [
    ("port", "10.5", "2024-03-01"),
    ("starboard", "11.0", "2023-11-15"),
    ("auxiliary", None, None),
]
QUERY = "SELECT count(*), max(since), sum(pressure) FROM boiler"
ANSWER = "3,2024-03-01,21.5"


def main() -> int:
    """Ask one thing after the other; return 0 if all of it was answered right."""
    for ask in (_origin, _doctor, _read_what_others_wrote, _write):
        problems = ask()
        if problems:
            sys.stderr.write("".join(f"error: {problem}\n" for problem in problems))
            return 1
    version = ".".join(map(str, sys.version_info[:3]))
    sys.stdout.write(f"ask: doctor and queries are right on Python {version}\n")
    return 0


def _origin() -> list[str]:
    """Have the package come from the wheel, not from the folders around this file."""
    where = Path(str(_package().__file__)).resolve()
    # An environment may well stand inside the checkout.
    if CHECKOUT / "engine" in where.parents:
        return [f"the package comes from the checkout: {where}"]
    return []


def _doctor() -> list[str]:
    """Have the doctor find an engine that loads; see docs/reference/doctor-json.md."""
    done = _engineroom("doctor", "--json")
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return [f"the doctor told no JSON: {done.stdout}{done.stderr}"]
    if done.returncode or document.get("verdict") != "ok":
        return [f"the doctor is not content: {done.stdout}{done.stderr}"]
    return []


def _read_what_others_wrote() -> list[str]:
    """Have the command answer from a file that Python's own SQLite wrote."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ship.db")
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(CREATE)
            connection.executemany("INSERT INTO boiler VALUES (?, ?, ?)", ROWS)
        connection.close()
        done = _engineroom("query", f"sqlite:///{path}", QUERY, "--format", "csv")
    answered = done.stdout.split()[-1:]
    if done.returncode or answered != [ANSWER]:
        return [f"`{QUERY}` told {done.stdout!r} {done.stderr!r}, not `{ANSWER}`"]
    return []


def _write() -> list[str]:
    """Write through the package in this process, and have a mistake explained."""
    engineroom = _package()
    problems: list[str] = []
    with engineroom.connect("sqlite://:memory:") as connection:
        connection.execute(CREATE)
        connection.executemany("INSERT INTO boiler VALUES (?, ?, ?)", ROWS)
        found = connection.execute("SELECT * FROM boiler ORDER BY name").fetchall()
        if [row[0] for row in found] != sorted(row[0] for row in ROWS):
            problems.append(f"the rows came back as {found!r}")
        if str(found[1][1]) != "10.5" or found[1][2].isoformat() != "2024-03-01":
            problems.append(f"the types came back as {found[1]!r}")
        try:
            connection.execute("SELECT bilge FROM boiler")
        except engineroom.Error as error:
            if "bilge" not in str(error):
                problems.append(f"a wrong name was explained so: {error}")
        else:
            problems.append("a wrong name was not noticed")
    return problems


def _package() -> ModuleType:
    # By its name: this is no part of the build, which imports none of the running half.
    return importlib.import_module("engineroom")


def _engineroom(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engineroom", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
