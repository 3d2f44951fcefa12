"""Engines through the gate, each in a process of its own.

An image takes fixed addresses, so a process can hold one; and an engine that goes
astray can only end its own process, which is told like any other failure.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.platforms.rows import TARGETS
from engineroom.version import __version__
from native.build import ROOT
from native.emulate.errors import InputRefused
from native.emulate.gate import BAD, Check, Expected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["NOTE", "Outcome", "as_json", "run_files", "table"]

NOTE = "executed under emulation, not tested on macOS"
_SHELF = "engineroom/engines/"
_HANDSHAKE = "engineroom/loader/handshake.py"
_VERSION = "engineroom/version.py"
_ABI = re.compile(r"^ABI_VERSION = (\d+)$", re.MULTILINE)
_RELEASE = re.compile(r'^__version__ = "([^"]+)"', re.MULTILINE)
_MAGIC = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Outcome:
    """What became of one engine.

    Attributes:
        file: the wheel or engine that was named.
        engine: its path in the wheel; empty for a file.
        seconds: how long the gate took.
        checks: its steps, up to the first that failed.
    """

    file: str
    engine: str
    seconds: float
    checks: tuple[Check, ...]

    @property
    def is_passed(self) -> bool:
        """Whether every step was right."""
        return bool(self.checks) and all(c.verdict != BAD for c in self.checks)


@dataclass(frozen=True)
class _Job:
    file: str
    engine: str
    path: Path
    expected: Expected
    sha256: str = ""


def run_files(
    files: Sequence[Path], *, jobs: int = 2, trace: bool = False, server: str = ""
) -> tuple[Outcome, ...]:
    """Run every darwin engine in the files through the gate.

    Args:
        files: wheels and engines.
        jobs: how many run at once.
        trace: write each call out of an image to standard error.
        server: how a PostgreSQL is reached, as libpq says it; without one its engine
            is not asked for much.

    Raises:
        InputRefused: a file is neither; or there is no darwin engine in any.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = [
            replace(job, expected=replace(job.expected, server=server))
            for index, file in enumerate(files)
            for job in _jobs_of(file, Path(folder, str(index)))
        ]
        if not found:
            names = ", ".join(str(file) for file in files) or "build/wheels"
            raise InputRefused(names, "has no engine of macOS")
        with ThreadPoolExecutor(jobs) as pool:
            return tuple(pool.map(lambda job: _run(job, trace=trace), found))


def _jobs_of(file: Path, folder: Path) -> list[_Job]:
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
        if zipfile.is_zipfile(file):
            return _jobs_of_wheel(file, folder)
    except OSError as error:
        raise InputRefused(str(file), error.strerror or str(error)) from error
    if magic not in _MAGIC:
        raise InputRefused(str(file), "is neither a wheel nor an engine of macOS")
    abi = _abi((ROOT / "engine" / _HANDSHAKE).read_text(encoding="utf-8"))
    expected = Expected(abi_version=abi, package_version=__version__)
    return [_Job(str(file), "", file.absolute(), expected)]


def _jobs_of_wheel(file: Path, folder: Path) -> list[_Job]:
    """Unpack the darwin engines; what they must say is told by the wheel itself."""
    cpus = {target.id: target.cpu for target in TARGETS if target.os == "darwin"}
    jobs = []
    with zipfile.ZipFile(file) as wheel:
        names = set(wheel.namelist())
        if f"{_SHELF}manifest.csv" not in names:
            return []
        lines = wheel.read(f"{_SHELF}manifest.csv").decode().splitlines()[1:]
        release = _RELEASE.search(wheel.read(_VERSION).decode())
        abi = _abi(wheel.read(_HANDSHAKE).decode())
        for row in csv.DictReader(io.StringIO("\n".join(lines))):
            if row["target"] not in cpus:
                continue
            name = _SHELF + row["file"]
            if name not in names:
                raise InputRefused(str(file), f"lists `{name}` and does not have it")
            path = folder / row["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wheel.read(name))
            expected = Expected(
                cpu=cpus[row["target"]],
                abi_version=abi,
                package_version=release[1] if release else __version__,
                build_id=row["build_id"],
                backend=row["backend"],
            )
            jobs.append(_Job(str(file), name, path, expected, row["sha256"]))
    return jobs


def _abi(text: str) -> int:
    found = _ABI.search(text)
    return int(found[1]) if found else 0


def _run(job: _Job, *, trace: bool) -> Outcome:
    started = time.monotonic()
    checks: list[Check] = []
    if job.sha256:
        digest = sha256(job.path.read_bytes()).hexdigest()
        verdict = "ok" if digest == job.sha256 else BAD
        checks.append(Check("manifest", f"sha256 {digest[:16]}...", verdict))
    if not checks or checks[0].verdict != BAD:
        checks += _in_process(job, trace=trace)
    seconds = round(time.monotonic() - started, 1)
    return Outcome(job.file, job.engine, seconds, tuple(checks))


def _in_process(job: _Job, *, trace: bool) -> list[Check]:
    expected = json.dumps(dict(job.expected.fields()))
    command = [sys.executable, "-m", "native.emulate", "--expected", expected]
    folders = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    with tempfile.TemporaryFile("w+") as errors:
        try:
            done = subprocess.run(
                [*command, *(["--trace"] if trace else []), str(job.path)],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, folders)),
                },
                stdout=subprocess.PIPE,
                stderr=None if trace else errors,
                text=True,
                timeout=_LIMIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return [Check("process", f"not done in {_LIMIT_SECONDS} s", BAD)]
        errors.seek(0)
        said = errors.read().strip()
    checks = [Check(**json.loads(line)) for line in done.stdout.splitlines()]
    if done.returncode == 0 or any(check.verdict == BAD for check in checks):
        return checks
    how = f"exit code {done.returncode}"
    if done.returncode < 0:
        how = signal.Signals(-done.returncode).name
    after = f" after `{checks[-1].name}`" if checks else ""
    tail = f": {said.splitlines()[-1]}" if said else ""
    return [*checks, Check("process", f"ended by {how}{after}{tail}", BAD)]


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the outcomes as lines, one block for each engine."""
    lines: list[str] = []
    for outcome in outcomes:
        name = outcome.file + (f" {outcome.engine}" if outcome.engine else "")
        verdict = "passed" if outcome.is_passed else "FAILED"
        lines.append(f"{name}: {verdict}, {NOTE}, {outcome.seconds} s")
        width = max((len(check.name) for check in outcome.checks), default=0)
        lines += [
            f"  {check.verdict:<3}  {check.name:<{width}}  {check.found}"
            for check in outcome.checks
        ]
    return "\n".join(lines)


def as_json(outcomes: Iterable[Outcome]) -> str:
    """Return the outcomes as JSON."""
    listed = [
        {
            "file": outcome.file,
            "engine": outcome.engine,
            "passed": outcome.is_passed,
            "seconds": outcome.seconds,
            "checks": [asdict(check) for check in outcome.checks],
        }
        for outcome in outcomes
    ]
    return json.dumps({"note": NOTE, "engines": listed}, indent=1)
