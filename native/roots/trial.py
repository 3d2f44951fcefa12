"""Tries the wheels in one root: pip, the doctor, the questions, the ways to end.

Each step is a process of its own in the tree and becomes a check; a step that fails
leaves the others to be made, as far as they can.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engineroom.platforms.rows import TARGETS
from engineroom.version import __version__
from native.build.programs import run_program
from native.roots.enter import MOUNT, Ended, Entrance, find_emulator
from native.roots.errors import WheelsMissing
from native.roots.exits import WAYS, WAYS_OF_SERVER
from native.roots.needs import ensure_needs, pip_platforms, requirements
from native.roots.rows import ROOTS, TREES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from native.build.cache import Cache
    from native.roots.rows import Row
    from native.roots.server import Server

__all__ = [
    "Check", "Outcome", "judge_doctor", "judge_exit", "judge_outside",
    "judge_server_doctor", "offered", "try_row",
]  # fmt: skip

_HERE = Path(__file__).parent
# A crash is a failure like any other, and a hang is one too; emulation is slow.
_STEP_SECONDS = 240
_SITE = f"{MOUNT}/work/site"


class Check(NamedTuple):
    """One thing that was checked.

    Attributes:
        name: what it is called.
        is_passed: whether it is as it must be.
        text: what was found.
    """

    name: str
    is_passed: bool
    text: str


class Outcome(NamedTuple):
    """What came out of a row.

    Attributes:
        system: what the root's Python says of its system.
        wheel: the wheel's tag, as installed.
        target: the target that the loader chose.
        tls: the OpenSSL that the PostgreSQL engine has bound, with its file.
        checks: all that was checked, in order.
    """

    system: dict[str, str]
    wheel: str
    target: str
    tls: str
    checks: tuple[Check, ...]


class _Trial:
    """A row's tree with a folder to work in, and what was found so far."""

    def __init__(self, row: Row, entrance: Entrance, work: Path) -> None:
        self.row = row
        self.work = work
        self.entrance = entrance
        self.python = "/usr/bin/python3"
        self.checks: list[Check] = []

    def run(self, *words: str) -> Ended:
        """Run the installed environment's Python."""
        return self.entrance.run([self.python, *words], _STEP_SECONDS)

    def add(self, name: str, problem: str, text: str) -> bool:
        """Note a check; it is passed if there is no problem."""
        self.checks.append(Check(name, not problem, problem or text))
        return not problem

    def has_passed(self, name: str) -> bool:
        """Say whether a check has been made and passed."""
        return any(check.name == name and check.is_passed for check in self.checks)


def try_row(
    row: Row, tree: Path, *, wheels: Path, cache: Cache, work: Path, server: Server
) -> Outcome:
    """Try the wheels of a folder in a tree.

    Args:
        row: what must come out.
        tree: the tree's folder.
        wheels: where the wheels are.
        cache: has what the wheels need.
        work: an empty folder.
        server: the PostgreSQL to connect to.

    Raises:
        BuildError: there was nothing to try, or nothing to try it with.
    """
    own = TREES[row.tree]
    offer = work / "wheels"
    offer.mkdir()
    for wheel in offered(wheels, row):
        shutil.copyfile(wheel, offer / wheel.name)
    shared = work / "work"
    shared.mkdir()
    for name in ("smoke.py", "smoke_postgres.py", "exits.py"):
        shutil.copyfile(_HERE / name, shared / name)
    server.copy_files(shared)
    told = {
        **row._asdict(),
        "url": server.url(f"{MOUNT}/work"),
        "secret": server.secret,
    }
    (shared / "expected.json").write_text(json.dumps(told), encoding="utf-8")
    warm = tree.parent / "warm"
    warm.mkdir(exist_ok=True)
    entrance = Entrance(
        tree,
        find_emulator(own.cpu),
        write={"work": shared, "warm": warm},
        # Bytecode cannot be kept in the tree, and under the emulator it is dear. Python
        # compares it with its source before it is used.
        variables={"PYTHONPYCACHEPREFIX": f"{MOUNT}/warm/bytecode"},
    )
    trial = _Trial(row, entrance, shared)
    if not row.is_placed_from_outside:
        _unpack_pip(tree, warm, cache)
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    python = row.python or trial.run("-c", asked).out.strip()
    needed = requirements(next(iter(sorted(offer.iterdir()))))
    needs = ensure_needs(own, python, needed, cache)
    reads = {"wheels": offer, "needs": needs}
    trial.entrance = trial.entrance._replace(read=reads)
    install = _place if row.is_placed_from_outside else _install
    found: dict[str, Any] = {}
    target = ""
    trial.add("doctor --root", judge_outside(tree, row), "the same from outside")
    tls = ""
    if install(trial, python):
        found = _ask(trial)
        target = _examine(trial)
        if row.target:
            _end(trial, "", WAYS)
            tls = _connect(trial, told["url"], server.secret)
    tags = [c["text"] for c in found.get("checks", []) if c["name"] == "wheel"]
    took = tags[0] if tags and trial.has_passed("wheel") else ""
    return Outcome(found.get("system", {}), took, target, tls, tuple(trial.checks))


def offered(folder: Path, row: Row) -> list[Path]:
    """Return the wheels that pip is to choose from.

    Raises:
        WheelsMissing: the one it has to take is not among them.
    """
    wheels = sorted(folder.glob(f"engineroom-{__version__}-*.whl"))
    if row.is_only_pure:
        wheels = [wheel for wheel in wheels if wheel.name.endswith("-none-any.whl")]
    if not any(wheel.stem.endswith(f"-{row.wheel_tag}") for wheel in wheels):
        raise WheelsMissing(folder, f"engineroom-{__version__}-*-{row.wheel_tag}.whl")
    return wheels


def _unpack_pip(tree: Path, warm: Path, cache: Cache) -> None:
    """Unpack the root's own pip beside its tree: from a zip it compiles every time."""
    if (warm / "pip").is_dir():
        return
    (wheel,) = (tree / "usr/share/python-wheels").glob("pip-*.whl")
    with cache.scratch() as scratch:
        made = scratch / "made"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(made)
        cache.keep_folder(made, warm / "pip")


def _install(trial: _Trial, python: str) -> bool:
    """Install with the root's own Python and pip, into a clean environment."""
    del python
    environment = f"{MOUNT}/work/venv"
    made = trial.run("-m", "venv", "--without-pip", environment)
    if not trial.add("venv", _failed(made), "made"):
        return False
    trial.python = f"{environment}/bin/python"
    done = trial.run(
        *(f"{MOUNT}/warm/pip/pip", "install", "--no-index", "--no-cache-dir"),
        *("--no-compile", "--disable-pip-version-check", "--only-binary=:all:"),
        *(f"--find-links={MOUNT}/wheels", f"--find-links={MOUNT}/needs"),
        f"engineroom=={__version__}",
    )
    version = trial.run(f"{MOUNT}/warm/pip/pip", "--version").out
    number = " ".join(version.split()[:2])
    return trial.add("pip", _failed(done), f"{number} of the root installed it")


def _place(trial: _Trial, python: str) -> bool:
    """Install with the machine's pip, told what the root is."""
    reads = trial.entrance.read
    done = run_program(
        f"placing the wheel for {trial.row.name}",
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index"),
            *(f"--find-links={reads['wheels']}", f"--find-links={reads['needs']}"),
            *(f"--target={trial.work / 'site'}", "--no-compile"),
            *pip_platforms(TREES[trial.row.tree], python),
            f"engineroom=={__version__}",
        ],
        environment={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    variables = {**trial.entrance.variables, "PYTHONPATH": _SITE}
    trial.entrance = trial.entrance._replace(variables=variables)
    return trial.add("pip", "", f"this machine's pip placed it {done.strip()}".strip())


def _ask(trial: _Trial) -> dict[str, Any]:
    """Run smoke.py, and take over its checks."""
    (trial.work / "files").mkdir()
    return _answers(trial, "", "smoke.py", f"{MOUNT}/work/files")


def _answers(trial: _Trial, about: str, script: str, *words: str) -> dict[str, Any]:
    """Run a script of questions, and take over its checks under names of its own."""
    expected = f"{MOUNT}/work/expected.json"
    ended = trial.run(f"{MOUNT}/work/{script}", expected, *words)
    try:
        found: dict[str, Any] = json.loads(ended.out)
    except ValueError:
        found = {}
    for check in found.get("checks", []):
        trial.checks.append(Check(**{**check, "name": about + check["name"]}))
    problem = judge_exit(ended, "") if found else (_failed(ended) or "it said nothing")
    name = f"{about}exit of the questions"
    trial.add(name, problem, "code 0, nothing on standard error")
    return found


def _connect(trial: _Trial, url: str, secret: str) -> str:
    """Ask the PostgreSQL engine; return the OpenSSL that it has bound."""
    trial.entrance = trial.entrance._replace(has_network=True)
    orders = ["after", "before"] if trial.row.tls and trial.row.has_ssl else ["after"]
    for order in orders:
        about = "postgres: " if order == "after" else "postgres, ssl first: "
        _answers(trial, about, "smoke_postgres.py", f"{MOUNT}/work", order)
    if trial.row.tls:
        _end(trial, "postgres: ", WAYS_OF_SERVER, url)
    ended = trial.run("-m", "engineroom", "doctor", "--json", url)
    problem, tls = judge_server_doctor(ended, trial.row, secret)
    text = tls or f"exit code {ended.code} and what to install"
    trial.add("doctor of the server", problem, text)
    return tls


def _examine(trial: _Trial) -> str:
    """Run the doctor, and return the target that it names."""
    words = ["-m", "engineroom"]
    if not trial.row.is_placed_from_outside:
        words = [f"{MOUNT}/work/venv/bin/engineroom"]
    ended = trial.run(*words, "doctor", "--json")
    problem, target = judge_doctor(ended, trial.row)
    text = target or f"exit code {ended.code} and an explanation"
    trial.add("doctor", problem, text)
    return target


def _end(trial: _Trial, about: str, ways: Iterable[str], *words: str) -> None:
    """End interpreters in every way there is."""
    for way in ways:
        ended = trial.run(f"{MOUNT}/work/exits.py", way, f"{MOUNT}/work/files", *words)
        problem = judge_exit(ended, "done\n")
        trial.add(f"{about}exit {way}", problem, "code 0, nothing on standard error")


def judge_doctor(ended: Ended, row: Row) -> tuple[str, str]:
    """Say what is wrong with what the doctor said, and which target it named."""
    wanted, code = ("ok", 0) if row.target else ("problem", 1)
    if ended.err or ended.code != code:
        return _failed(ended) or f"exit code 0 where {code} was wanted", ""
    try:
        told = json.loads(ended.out)
    except ValueError:
        return f"this is no JSON: {ended.out[:200]!r}", ""
    engine = told["engine"] or {}
    target = str(engine.get("target") or "")
    if told["verdict"] != wanted:
        return f"verdict {told['verdict']}: {told['summary']}", target
    if target != row.target:
        return f"it chose {target or 'none'}, the table says {row.target}", target
    if target and engine["sha256"] != engine["sha256_listed"]:
        return "the engine is not the one that its manifest lists", target
    known = {candidate["target"] for candidate in told["candidates"]}
    unsaid = sorted(own.id for own in TARGETS if own.id not in known)
    if unsaid or not (target or told["remedy"]):
        return f"it says nothing of {', '.join(unsaid) or 'what to do'}", target
    return "", target


def judge_server_doctor(ended: Ended, row: Row, secret: str) -> tuple[str, str]:
    """Say what is wrong with what the doctor said of a server, and its OpenSSL."""
    code = 0 if row.tls else 1
    if ended.err or ended.code != code:
        return _failed(ended) or f"exit code 0 where {code} was wanted", ""
    if secret in ended.out:
        return "the password is in it", ""
    told = json.loads(ended.out)
    if not row.tls:
        is_said = row.package in told["remedy"]
        return "" if is_said else f"its remedy is {told['remedy']!r}", ""
    bound = told["tls"]
    tls = f"{bound['version']} {Path(bound['file']).name}"
    if not bound["version"].startswith(row.tls):
        return f"it has bound {tls}, the table says {row.tls}", tls
    if told["verdict"] != "ok" or told["server"]["tls_version"] != "TLSv1.3":
        return f"verdict {told['verdict']}: {told['summary']}", tls
    return "", tls


def judge_outside(tree: Path, row: Row) -> str:
    """Say what is wrong with what the doctor says of a tree from outside.

    The wheel makes no difference there: the table's first row of the tree counts.
    """
    wanted = next(own.target for own in ROOTS if own.tree == row.tree)
    words = ("-m", "engineroom", "doctor", "--root", str(tree), "--json")
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    ended = Ended(done.returncode, done.stdout, done.stderr)
    if ended.err or ended.code != (0 if wanted else 1):
        return _failed(ended) or "exit code 0 where 1 was wanted"
    (root,) = json.loads(ended.out)["roots"]
    if (root["target"] or "") != wanted:
        return f"it chose {root['target'] or 'none'}, the table says {wanted or 'none'}"
    libc = row.libc.split()
    facts = root["programs"][0]["facts"]
    found = [str(facts[name]["value"]) for name in ("libc", "libc_version")]
    return "" if found[: len(libc)] == libc else f"it found {' '.join(found)}"


def judge_exit(ended: Ended, out: str) -> str:
    """Say what is wrong with how an interpreter ended; empty if nothing is.

    Args:
        ended: how it did.
        out: what it must have written; anything if empty.
    """
    problem = _failed(ended)
    if not problem and ended.err:
        problem = f"it wrote to standard error: {ended.err[-2000:].strip()}"
    if not problem and out and ended.out != out:
        problem = f"it wrote {ended.out[-200:]!r} in place of {out!r}"
    return problem


def _failed(ended: Ended) -> str:
    if not ended.code:
        return ""
    words = "\n".join((ended.out[-1000:].strip(), ended.err[-2000:].strip())).strip()
    return f"exit code {ended.code}: {words or 'without a word'}"
