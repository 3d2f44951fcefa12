"""The whole way once: from sources to a query answered by an installed wheel.

Each step leaves its result below `build/` and says where. Nothing from the checkout
reaches the environment in which the wheel is tried: it is made anew, and pip is shown
the store and no other place to take the package from.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import sys
import time
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.errors import NoNativeTarget
from engineroom.platforms.select import native_targets
from engineroom.version import __version__
from native.build import ROOT
from native.build.audit import BAD, audit_wheel, refuse_bad, table
from native.build.cache import file_sha256
from native.build.engine import build_engines
from native.build.errors import StepFailed
from native.build.programs import run_program
from native.build.settings import BUILD_TARGETS
from native.build.shelf import wheel_tag, wheel_targets
from native.build.wheel import build_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engineroom.platforms.target import Target
    from native.build.cache import Cache
    from native.build.engine import Engine
    from native.build.report import Report

__all__ = ["Places", "first_light", "isolated_pip"]

# What the package is asked, and what it has to answer.
QUERY = "SELECT count(*) AS boilers, sum(pressure) AS pressure FROM boiler"
ANSWER = "boilers,pressure\n3,31.5\n"
_FILE_NAME_TAKEN = "ER3110"


@dataclass(frozen=True)
class Places:
    """Where results go.

    Attributes:
        root: the folder of all of them.
    """

    root: Path = ROOT / "build"

    @property
    def wheels(self) -> Path:
        """The folder of wheels."""
        return self.root / "wheels"

    @property
    def store(self) -> Path:
        """The local artifact store."""
        return self.root / "store"

    @property
    def environment(self) -> Path:
        """The virtual environment in which the wheel is tried."""
        return self.root / "first-light"

    @property
    def database(self) -> Path:
        """The file that the query reads."""
        return self.root / "first-light.db"


def first_light(
    cache: Cache, report: Report, *, names: Sequence[str] = (), places: Places
) -> None:
    """Build, audit and publish a wheel; if it is for this machine, install and ask it.

    Args:
        cache: what is kept between builds.
        report: told of each step.
        names: targets to build for; as the environment says if empty.
        places: where results go.

    Raises:
        Error: a step failed; the class says which.
    """
    started = time.monotonic()
    environ = {**os.environ, **({BUILD_TARGETS: " ".join(names)} if names else {})}
    targets = wheel_targets(environ)
    cache.sweep()
    engines = build_engines(targets, cache, report)
    report.step("engines", _told_engines(engines))
    wheel = build_wheel(places.wheels, [target.id for target in targets] or ["none"])
    report.step("wheel", f"{wheel.name}, {wheel.stat().st_size / 1e6:.2f} MB")
    _audit(wheel, report, places)
    _publish(wheel, report, places)
    is_native = _is_native(targets)
    if is_native:
        _install(wheel, report, places)
        _ask(report, places)
    else:
        report.step("install", "left out: the wheel is not for this machine")
    report.line(f"\nDone in {time.monotonic() - started:.1f} s.\n")
    told = [
        f"  wheel        {_near(wheel)}",
        f"               {wheel_tag(targets)}, sha256 {file_sha256(wheel)}",
        f"  store        {_near(places.store)}",
        *(_told_next(places) if is_native else ()),
    ]
    report.line("\n".join(told))


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


def _told_engines(engines: Sequence[Engine]) -> str:
    told = [f"{engine.backend} for {engine.target}" for engine in engines]
    return ", ".join(told) or "none: the wheel is pure Python"


def _audit(wheel: Path, report: Report, places: Places) -> None:
    checks = audit_wheel(wheel)
    path = places.root / "audit.txt"
    path.write_text(f"{table(checks)}\n", encoding="utf-8")
    bad = sum(check.verdict == BAD for check in checks)
    report.step("audit", f"{len(checks)} checks, {bad} bad; {_near(path)}")
    refuse_bad(wheel, checks)


def _publish(wheel: Path, report: Report, places: Places) -> None:
    command = [
        *(sys.executable, "-m", "engineroom", "store", "publish", "--json"),
        *("--store", str(places.store), str(wheel)),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "engine")}

    def publish() -> None:
        run_program("publishing the wheel", command, environment=environment)

    try:
        publish()
    except StepFailed as error:
        if _FILE_NAME_TAKEN not in error.output:
            raise
        # A store never takes other bytes under a known name, and this version was
        # built before. Nobody but this build uses this store, so it starts anew.
        shutil.rmtree(places.store)
        report.step("store", f"held another build of {__version__}; made anew")
        publish()
    report.step("store", f"{_near(places.store)} holds {wheel.name}")


def _is_native(targets: Sequence[Target]) -> bool:
    try:
        native = {target.id for target in native_targets()}
    except NoNativeTarget:
        return not targets
    return not targets or any(target.id in native for target in targets)


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
    report.step("install", f"engineroom {__version__} into {_near(places.environment)}")


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
    report.line(f"$ engineroom query sqlite:///{_near(places.database)} '{QUERY}'")
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
    report.step("query", f"answered right from {_near(places.database)}")


def _write_database(path: Path) -> None:
    """Have the standard library's own SQLite write the file."""
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE boiler (name TEXT, pressure REAL)")
        rows = [("port", 10.5), ("starboard", 11.0), ("auxiliary", 10.0)]
        connection.executemany("INSERT INTO boiler VALUES (?, ?)", rows)


def _told_next(places: Places) -> list[str]:
    index = f"{places.store.absolute().as_uri()}/simple/"
    activate = _near(_program(places, "activate"))
    return [
        f"  environment  {_near(places.environment)}",
        "",
        "Next:",
        f"  . {activate} && engineroom doctor",
        f"  engineroom query sqlite:///{_near(places.database)} '{QUERY}'",
        f"  pip install cffi && pip install --index-url {index} engineroom",
    ]


def _program(places: Places, name: str) -> Path:
    return places.environment / "bin" / name


def _near(path: Path) -> str:
    """Return a path as it is typed from where the user is, if that is shorter."""
    with contextlib.suppress(ValueError):
        return str(path.absolute().relative_to(Path.cwd()))
    return str(path)
