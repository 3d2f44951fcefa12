"""First light: the wheel of this machine, installed from the store, answers a query.

Nothing from the checkout reaches the environment in which the wheel is tried: it is
made anew, and pip is shown the store and no other place to take the package from.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import sys
import zipfile
from email.parser import Parser
from typing import TYPE_CHECKING

from engineroom.errors import NoNativeTarget
from engineroom.platforms.select import native_targets
from engineroom.version import __version__
from native.build.errors import StepFailed
from native.build.programs import run_program
from native.build.ship import near

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from engineroom.platforms.target import Target
    from native.build.report import Report
    from native.build.ship import Places, Wheel

__all__ = ["first_light", "is_native", "isolated_pip", "told_next"]

# What the package is asked, and what it has to answer.
QUERY = "SELECT count(*) AS boilers, sum(pressure) AS pressure FROM boiler"
ANSWER = "boilers,pressure\n3,31.5\n"


def first_light(wheel: Wheel, report: Report, places: Places) -> None:
    """Install a wheel of this machine from the store and have it answer a query.

    Args:
        wheel: what `ship` made.
        report: told of each step.
        places: where results go.

    Raises:
        StepFailed: a step failed, or the answer was wrong.
    """
    _install(wheel.path, report, places)
    _ask(report, places)


def is_native(targets: Sequence[Target]) -> bool:
    """Return whether this machine is one of the targets."""
    try:
        native = {target.id for target in native_targets()}
    except NoNativeTarget:
        return False
    return any(target.id in native for target in targets)


def told_next(places: Places) -> list[str]:
    """Return what to type next, with where things are."""
    index = f"{places.store.absolute().as_uri()}/simple/"
    activate = near(_program(places, "activate"))
    return [
        f"  environment  {near(places.environment)}",
        "",
        "Next:",
        f"  . {activate} && engineroom doctor",
        f"  engineroom query sqlite:///{near(places.database)} '{QUERY}'",
        f"  pip install cffi && pip install --index-url {index} engineroom",
    ]


def isolated_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which pip knows no index but the one it is given.

    pip reads settings from its own variables and from files of the machine, the user
    and the environment; PIP_CONFIG_FILE naming nothing turns off all the files.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))
    }
    return {
        **kept,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }


def _install(wheel: Path, report: Report, places: Places) -> None:
    """Make a clean environment and install the package from the store alone."""
    shutil.rmtree(places.environment, ignore_errors=True)
    run_program(
        "making a virtual environment",
        [sys.executable, "-m", "virtualenv", "--quiet", str(places.environment)],
    )
    pip = [str(_program(places, "python")), "-m", "pip", "install", "--quiet"]
    needed = _requirements(wheel)
    run_program("installing what the package needs", [*pip, *needed])
    index = f"{places.store.absolute().as_uri()}/simple/"
    told = places.root / "install.json"
    run_program(
        "installing the package from the store",
        [
            *(*pip, "--no-cache-dir", "--only-binary", ":all:", "--report", str(told)),
            *("--index-url", index, f"engineroom=={__version__}"),
        ],
        environment=isolated_pip(os.environ),
    )
    origin = _installed_from(told)
    if not origin.startswith(places.store.absolute().as_uri()):
        raise StepFailed(
            "installing the package from the store",
            command="pip install engineroom",
            exit_code=0,
            output=f"pip took the package from {origin}, which is not the store",
        )
    report.step("install", f"engineroom {__version__} into {near(places.environment)}")


def _installed_from(told: Path) -> str:
    document = json.loads(told.read_text(encoding="utf-8"))
    for item in document["install"]:
        if item["metadata"]["name"] == "engineroom":
            return str(item["download_info"]["url"])
    return "nowhere"


def _requirements(wheel: Path) -> list[str]:
    """Return what the wheel requires without any extra."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    required: list[str] = metadata.get_all("Requires-Dist") or []
    return [text for text in required if "extra ==" not in text]


def _ask(report: Report, places: Places) -> None:
    """Have the installed package explain itself and answer a query."""
    environment = isolated_pip(os.environ)
    program = str(_program(places, "engineroom"))
    # Away from the checkout, so that nothing of it can be imported by accident.
    away = places.environment
    told = run_program(
        "engineroom doctor", [program, "doctor"], environment=environment, folder=away
    )
    report.line()
    report.line(told.rstrip())
    report.line()
    _write_database(places.database)
    command = [program, "query", f"sqlite:///{places.database.absolute()}", QUERY]
    shown = run_program(
        "engineroom query", command, environment=environment, folder=away
    )
    report.line(f"$ engineroom query sqlite:///{near(places.database)} '{QUERY}'")
    report.line(shown.rstrip())
    answer = run_program(
        "engineroom query",
        [*command, "--format", "csv"],
        environment=environment,
        folder=away,
    )
    if answer.replace("\r\n", "\n") != ANSWER:
        raise StepFailed(
            "engineroom query",
            command=" ".join(command),
            exit_code=0,
            output=f"it answered {answer!r}, and the file holds {ANSWER!r}",
        )
    report.line()
    report.step("query", f"answered right from {near(places.database)}")


def _write_database(path: Path) -> None:
    """Have the standard library's own SQLite write the file."""
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE boiler (name TEXT, pressure REAL)")
        rows = [("port", 10.5), ("starboard", 11.0), ("auxiliary", 10.0)]
        connection.executemany("INSERT INTO boiler VALUES (?, ?)", rows)


def _program(places: Places, name: str) -> Path:
    return places.environment / "bin" / name
