"""From the names of targets to wheels in a store: engines, wheels, audits, publishing.

Whatever is made is kept in the cache under what it was made of and comes into place
whole, so a build that is interrupted, or killed, goes on where it was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.platforms.rows import TARGETS
from engineroom.version import __version__
from native.audit import audit_wheel, refuse_bad, table
from native.build import ROOT
from native.build.engine import build_engines, job_count
from native.build.errors import StepFailed
from native.build.programs import run_program
from native.build.wheel import AUDIT, keep_wheel, place_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engineroom.platforms.target import Target
    from native.build.cache import Cache
    from native.build.engine import Engine
    from native.build.report import Report

__all__ = ["Places", "Wheel", "near", "ship", "told_wheels"]

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


@dataclass(frozen=True)
class Wheel:
    """A wheel that was built, audited and put into its place.

    Attributes:
        path: where it is.
        targets: those whose engines it carries; none for the pure one.
        engines: the engines.
        audit: what the audit said.
        is_new: whether it had to be made just now.
    """

    path: Path
    targets: tuple[Target, ...]
    engines: tuple[Engine, ...]
    audit: str
    is_new: bool

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return self.path.stat().st_size


def ship(
    groups: Sequence[Sequence[Target]],
    cache: Cache,
    report: Report,
    places: Places,
    *,
    jobs: int = 0,
) -> tuple[Wheel, ...]:
    """Build, audit and publish the wheel of each group of targets.

    Args:
        groups: the targets of each wheel; an empty group is the pure wheel.
        cache: what is kept between builds.
        report: told of each step.
        places: where results go.
        jobs: how many programs run at once; 0 for one a core.

    Raises:
        BuildError: a source, a tool or the code is at fault, or a wheel is refused.
    """
    jobs = jobs or job_count()
    cache.sweep()
    chosen = {target.id for group in groups for target in group}
    targets = [target for target in TARGETS if target.id in chosen]
    engines = build_engines(targets, cache, report, jobs=jobs) if targets else ()
    report.step("engines", _told_engines(engines))

    def make(group: Sequence[Target]) -> Wheel:
        names = {target.id for target in group}
        own = tuple(engine for engine in engines if engine.target in names)
        kept, is_new = keep_wheel(group, own, cache, _audit)
        text = kept.with_name(AUDIT).read_text("utf-8")
        path = place_wheel(kept, places.wheels)
        return Wheel(path, tuple(group), own, text, is_new)

    with ThreadPoolExecutor(jobs) as pool:
        wheels = tuple(pool.map(make, groups))
    for wheel in wheels:
        state = "" if wheel.is_new else ", as before"
        report.step("wheel", f"{wheel.path.name}, {_megabytes(wheel)}{state}")
    _write_audit(wheels, report, places)
    _publish(wheels, report, places)
    return wheels


def told_wheels(wheels: Sequence[Wheel]) -> list[str]:
    """Return a table of the wheels with the targets and engines in each."""
    lines = [f"{'wheel':<50}  {'size':>8}  engines"]
    for wheel in wheels:
        inside = ", ".join(_told_sizes(wheel))
        named = ", ".join(target.id for target in wheel.targets)
        tag = wheel.path.stem.split("-", 2)[2]
        told = f"{inside} for {named}" if named else "none"
        lines.append(f"{tag:<50}  {_megabytes(wheel):>8}  {told}")
    return lines


def _told_sizes(wheel: Wheel) -> list[str]:
    """Tell the sizes of the files of each backend; some serve several targets."""
    files: dict[str, dict[Path, int]] = {}
    for engine in wheel.engines:
        files.setdefault(engine.backend, {})[engine.path] = engine.size_bytes
    return [
        f"{backend} {' + '.join(f'{size / 1e6:.2f}' for size in sizes.values())} MB"
        for backend, sizes in files.items()
    ]


def near(path: Path) -> str:
    """Return a path as it is typed from where the user is, if that is shorter."""
    with contextlib.suppress(ValueError):
        return str(path.absolute().relative_to(Path.cwd()))
    return str(path)


def _megabytes(wheel: Wheel) -> str:
    return f"{wheel.size_bytes / 1e6:.2f} MB"


def _told_engines(engines: Sequence[Engine]) -> str:
    if not engines:
        return "none: the wheel is pure Python"
    files = {engine.path for engine in engines}
    new = {engine.path for engine in engines if engine.is_new}
    named = ", ".join(engine.target for engine in engines)
    return f"{len(files)} files, {len(new)} new, for {named}"


def _audit(wheel: Path) -> str:
    # What other programs say of it takes longest, and is for `nox -s verify`.
    checks = audit_wheel(wheel, programs=())
    refuse_bad(wheel, checks)
    return f"{table(checks)}\n"


def _write_audit(wheels: Sequence[Wheel], report: Report, places: Places) -> None:
    path = places.root / AUDIT
    path.write_text("\n".join(wheel.audit for wheel in wheels), encoding="utf-8")
    report.step("audit", f"{len(wheels)} passed; {near(path)}")


def _publish(wheels: Sequence[Wheel], report: Report, places: Places) -> None:
    files = [str(wheel.path) for wheel in wheels]
    command = [
        *(sys.executable, "-m", "engineroom", "store", "publish", "--json"),
        *("--partial", "--store", str(places.store), *files),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "engine")}

    def publish() -> None:
        run_program("publishing the wheels", command, environment=environment)

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
    named = [wheel.path.name for wheel in wheels]
    told = named[0] if len(named) == 1 else f"{len(named)} wheels"
    report.step("store", f"{near(places.store)} holds {told}")
