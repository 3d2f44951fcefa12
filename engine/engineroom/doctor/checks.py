"""The doctor's questions, one function each; later ones build on earlier ones.

Every check imports what it needs within itself and answers for its own failures:
`examine` turns an exception that a check did not expect into a finding, so that one
broken part hides nothing of the others. What the checks learn on the way they leave in
the case, for the next check and for the report.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from engineroom.doctor.findings import OK, PROBLEM, SKIPPED, UNKNOWN, Finding
from engineroom.doctor.report import Report
from engineroom.doctor.server import SERVERS, about_server, check_tls, server_text
from engineroom.doctor.store import check_store
from engineroom.doctor.trial import PATIENCE_SECONDS, describe, try_engine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Callable

    from engineroom.doctor.trial import Trial

__all__ = ["examine"]

IN_MEMORY = {"sqlite": "sqlite://:memory:"}
QUESTION, ANSWER = "select 1", 1


class _Case:
    """One examination: what is asked, and what is known so far."""

    def __init__(
        self,
        backend: str | None,
        url: str | None,
        stores: Sequence[str] | None,
        patience_seconds: float,
    ) -> None:
        self.backend = backend or _backend_of(url or "")
        self.url = url or IN_MEMORY.get(self.backend, "")
        self.shown_url = _without_secrets(self.url)
        self.stores = stores
        self.patience_seconds = patience_seconds
        self.engine: Any = None
        self.trial: Trial | None = None
        self.sections: dict[str, Any] = {
            "package": {},
            "process": {},
            "settings": [],
            "trial": None,
            "engine": None,
            "candidates": [],
            "tls": None,
            "query": None,
            "server": None,
            "store": None,
        }


def examine(
    backend: str | None = None,
    url: str | None = None,
    *,
    stores: Sequence[str] | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Report:
    """Examine this installation; never raises for what it finds.

    Args:
        backend: the backend to examine; the URL's if None, and SQLite without one.
        url: the database to query; one in memory if None.
        stores: the stores to look at, those of the setting if empty; None for no look.
        patience_seconds: how long an engine may take to load in a child process.
    """
    case = _Case(backend, url, stores, patience_seconds)
    findings: list[Finding] = []
    for name, check in CHECKS:
        if name == "tls" and case.backend not in SERVERS:
            continue
        if name == "store" and stores is None:
            continue
        try:
            finding = check(case)
        except Exception as error:  # whatever it is, it is a finding
            finding = Finding(
                name,
                UNKNOWN,
                f"The check itself failed: {type(error).__name__}: {error}",
                remedy="report this as a fault of the doctor, with this text",
            )
        findings.append(finding)
    hidden = [(case.url, case.shown_url)] if case.url else []
    return Report(findings, case.sections, backend=case.backend, hidden=hidden)


def _check_package(case: _Case) -> Finding:
    """Where is the package, and is there only one?"""
    from engineroom.platforms.mounts import mount_of
    from engineroom.version import __version__

    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    places = [os.path.join(entry or os.curdir, "engineroom") for entry in sys.path]
    others = sorted(
        {
            os.path.realpath(place)
            for place in places
            if os.path.isfile(os.path.join(place, "version.py"))
        }
        - {os.path.realpath(here)}
    )
    mount = mount_of(here)
    case.sections["package"] = {
        "version": __version__,
        "path": here,
        "others": others,
        "executable": sys.executable,
        "mount": mount.as_json() if mount else None,
    }
    text = f"engineroom {__version__} in {here}"
    if others:
        text += f"; another one is in {', '.join(others)} and is not used"
    if mount and mount.is_noexec:
        text += f"; {mount.point} is mounted noexec, and no code loads from there"
    if mount and mount.is_read_only:
        text += f"; {mount.point} is read-only, and nothing is ever written there"
    return Finding("package", OK, text)


def _check_process(case: _Case) -> Finding:
    """What is this process?"""
    from engineroom.platforms.probe import probe

    facts = probe(thorough=True)
    case.sections["process"] = {
        name: {"value": fact.value, "source": fact.source}
        for name, fact in facts.items()
    }
    return Finding("process", OK, str(facts))


def _check_settings(case: _Case) -> Finding:
    """Which settings override the choice, and can they be followed?"""
    from engineroom.errors import SettingError
    from engineroom.loader.settings import SETTINGS, file_setting, read_overrides

    own = file_setting(case.backend)
    names = [own if "<" in name else name for name, _, _ in SETTINGS]
    case.sections["settings"] = [
        {"name": name, "value": os.environ[name]}
        for name in names
        if os.environ.get(name)
    ]
    try:
        overrides = read_overrides(case.backend, os.environ)
    except SettingError as error:
        return Finding("settings", PROBLEM, error.cause, remedy=error.hint)
    if not overrides.in_force:
        return Finding("settings", OK, "no setting overrides the choice of the engine")
    in_force = ", ".join(f"{name}={value}" for name, value in overrides.in_force)
    return Finding("settings", OK, f"in force: {in_force}")


def _check_trial(case: _Case) -> Finding:
    """Does a process survive loading the engine?"""
    case.trial = try_engine(case.backend, case.patience_seconds)
    case.sections["trial"] = case.trial.as_json()
    return describe(case.trial, case.backend)


def _check_engine(case: _Case) -> Finding:
    """Does an engine load, and which?"""
    if case.trial is not None and not case.trial.is_safe:
        text = "not loaded in this process, after what became of the child"
        return Finding("engine", SKIPPED, text)
    try:
        from engineroom.errors import LoadError
        from engineroom.loader import load_engine
    except Exception as error:
        return _not_importable("engine", error)
    try:
        engine = load_engine(case.backend)
    except LoadError as error:
        case.sections["candidates"] = _candidates(error.attempts)
        from engineroom.loader.remedy import DOCTOR

        remedy = (
            error.hint[: -len(DOCTOR)] if error.hint.endswith(DOCTOR) else error.hint
        )
        details = {"class": type(error).__name__, "code": error.code}
        return Finding("engine", PROBLEM, error.cause, remedy=remedy, details=details)
    case.engine = engine
    case.sections["candidates"] = _candidates(engine.attempts)
    case.sections["engine"] = {
        "target": engine.target or None,
        "path": engine.path,
        "abi_version": engine.abi_version,
        "package_version": engine.package_version,
        "build_id": engine.build_id,
        "backend_version": engine.backend_version,
        "sha256": None,
        "sha256_listed": engine.sha256 or None,
    }
    name = engine.target or "the one that a setting names"
    return Finding(
        "engine",
        OK,
        f"{name}: {engine.backend} {engine.backend_version}, ABI {engine.abi_version},"
        f" build {engine.build_id}",
    )


def _check_integrity(case: _Case) -> Finding:
    """Are the engines the bytes that were built?"""
    if case.trial is not None and case.trial.outcome == "hung":
        return Finding("integrity", SKIPPED, "reading may take as long as loading did")
    from engineroom.loader.find import find_shelf
    from engineroom.loader.settings import read_overrides

    overrides = read_overrides(case.backend, os.environ)
    if overrides.file:
        sha256 = _sha256(overrides.file)
        if case.sections["engine"]:
            case.sections["engine"]["sha256"] = sha256
        text = f"no list vouches for {overrides.file}; its SHA-256 is {sha256}"
        return Finding("integrity", OK, text, details={overrides.file: sha256})
    shelf = find_shelf(overrides)
    listed = {e.path: e.sha256 for e in shelf.engines if e.backend == case.backend}
    if case.engine is not None:  # it may come from a place after the package
        listed.setdefault(case.engine.path, case.engine.sha256)
    if not listed:
        text = f"{shelf.path} lists no {case.backend} engine to check"
        return Finding("integrity", SKIPPED, text)
    hashes, problems = _compare(listed)
    if case.engine is not None:
        case.sections["engine"]["sha256"] = hashes.get(case.engine.path)
    if problems:
        from engineroom.loader.remedy import bring_back

        text = "; ".join(problems.values())
        first = next(iter(problems))
        target = next((e.target for e in shelf.engines if e.path == first), "")
        remedy = bring_back(first, target, overrides)
        return Finding("integrity", PROBLEM, text, remedy=remedy, details=hashes)
    number = "1 engine has" if len(hashes) == 1 else f"{len(hashes)} engines have"
    text = f"{number} the SHA-256 that the manifest lists"
    return Finding("integrity", OK, text, details=hashes)


def _compare(listed: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the SHA-256 of each file, and what is wrong with some, by their paths."""
    hashes: dict[str, str] = {}
    problems: dict[str, str] = {}
    for path, sha256 in listed.items():
        try:
            hashes[path] = _sha256(path)
        except OSError as error:
            problems[path] = f"{path} cannot be read: {error.strerror}"
            continue
        if hashes[path] != sha256:
            problems[path] = (
                f"{path} is damaged: its SHA-256 is {hashes[path]},"
                f" the manifest lists {sha256}"
            )
    return hashes, problems


def _check_query(case: _Case) -> Finding:
    """Does a query get its answer, on the way every program takes?"""
    if case.engine is None:
        return Finding("query", SKIPPED, "there is no engine to ask")
    if not case.url:
        text = f"there is no {case.backend} database to ask; give a URL"
        return Finding("query", UNKNOWN, text, remedy="engineroom doctor URL")
    import time
    from importlib import import_module

    try:
        # By name: the door may be what is broken, and then this is a finding.
        connect: Callable[[str], Any] = import_module("engineroom").connect
    except Exception as error:
        return _not_importable("query", error)
    started = time.perf_counter()
    try:
        connection = connect(case.url)
        try:
            cursor = connection.cursor()
            cursor.execute(QUESTION)
            row = cursor.fetchone()
            paused = time.perf_counter()
            if case.backend in SERVERS:
                case.sections["server"] = about_server(connection)
            started += time.perf_counter() - paused
        finally:
            connection.close()
    except Exception as error:
        code = getattr(error, "code", type(error).__name__)
        text = f"`{QUESTION}` on {case.shown_url} failed: {code}: {error.args[0]}"
        return Finding("query", PROBLEM, text, remedy=getattr(error, "hint", ""))
    milliseconds = round((time.perf_counter() - started) * 1000, 2)
    answer = None if row is None else row[0]
    case.sections["query"] = {
        "url": case.shown_url,
        "sql": QUESTION,
        "answer": answer,
        "milliseconds": milliseconds,
    }
    if answer != ANSWER:
        text = f"`{QUESTION}` on {case.shown_url} gave {answer!r} in place of {ANSWER}"
        return Finding("query", PROBLEM, text, remedy="report this as a fault")
    text = f"`{QUESTION}` on {case.shown_url} answered in {milliseconds} ms"
    if case.sections["server"]:
        text += f": {server_text(case.sections['server'])}"
    return Finding("query", OK, text)


CHECKS: tuple[tuple[str, Callable[[_Case], Finding]], ...] = (
    ("package", _check_package),
    ("process", _check_process),
    ("settings", _check_settings),
    ("trial", _check_trial),
    ("engine", _check_engine),
    ("integrity", _check_integrity),
    ("tls", lambda case: check_tls(case.engine, case.sections)),
    ("query", _check_query),
    ("store", lambda case: check_store(case.stores or (), case.sections)),
)


def _backend_of(url: str) -> str:
    try:
        from engineroom.connection.url import backend_of

        return backend_of(url)
    except Exception:  # it is broken, which the checks will tell
        return "postgres" if url.startswith("postgres") else "sqlite"


def _without_secrets(url: str) -> str:
    if not url:
        return ""
    try:
        from engineroom.connection.url import hide_secrets

        return hide_secrets(url)
    except Exception:  # the part that knows where the secrets are is what is broken
        return f"{url.partition('://')[0]}://..."


def _not_importable(name: str, error: Exception) -> Finding:
    return Finding(
        name,
        PROBLEM,
        f"The package itself cannot be imported: {type(error).__name__}: {error}",
        remedy="python -m pip install --force-reinstall engineroom",
    )


def _candidates(attempts: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "target": attempt.target or None,
            "path": attempt.path or None,
            "verdict": attempt.verdict,
            "reason": attempt.reason,
            "details": attempt.details,
        }
        for attempt in attempts
    ]


def _sha256(path: str) -> str:
    import hashlib

    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
