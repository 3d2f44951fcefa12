"""Which engine the Pythons of other systems would get, from the files of those systems.

The same facts and the same choice as within; no program of the other system is started,
so it may be for another CPU. The first Python of PATH gives a root its verdict.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engineroom.doctor.findings import OK, PROBLEM, UNKNOWN
from engineroom.doctor.report import FORMAT, clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from engineroom.platforms.facts import Facts
    from engineroom.platforms.root import Root

__all__ = ["RootsReport", "examine_roots"]

# What mends a root, by the verdict on the target that comes nearest to fitting.
MENDED_BY = {
    "needs-cpython": "use CPython 3.9 or newer in this image",
    "needs-gil": "use the ordinary build of the same Python in this image",
    "libc-too-old": "use a newer release of this image",
    "libc-unknown": "run `engineroom doctor` inside; ENGINEROOM_TARGET names a target"
    " that you know to fit",
    "other-libc": "use an image with glibc or musl",
    "other-cpu": "use an image for x86_64 or arm64, with a 64-bit Python",
    "other-os": "use an image with Linux",
}
OLDEST_PYTHON = (3, 9)
NEWER_PYTHON = "install Python 3.9 or newer in this image"
NO_FOLDER = "name a folder that holds a whole system, such as an unpacked image"
NO_PYTHON = "install Python in this image"


class RootsReport:
    """What was found in several roots.

    Attributes:
        roots: each root as the JSON has it.
    """

    def __init__(self, roots: Sequence[dict[str, Any]]) -> None:
        self.roots = tuple(roots)

    @property
    def verdict(self) -> str:
        """The worst of the roots' verdicts."""
        verdicts = {root["verdict"] for root in self.roots}
        return next(v for v in (PROBLEM, UNKNOWN, OK) if v in verdicts or v == OK)

    def as_json(self) -> dict[str, Any]:
        """Return the report as it is printed with `--json`."""
        verdict = self.verdict
        # The first root that is not fine speaks for those after it.
        cause = next(root for root in self.roots if root["verdict"] == verdict)
        summary = f"{cause['root']}: {cause['summary']}"
        if verdict == OK and len(self.roots) > 1:
            summary = f"in each of {len(self.roots)} roots a Python gets an engine"
        report: dict[str, Any] = clean(
            {
                "format": FORMAT,
                "verdict": verdict,
                "summary": summary,
                "remedy": cause["remedy"],
                "roots": list(self.roots),
            }
        )
        return report


def examine_roots(folders: Sequence[str]) -> RootsReport:
    """Examine other systems by their root folders; never raises for what it finds.

    Args:
        folders: at least one.
    """
    return RootsReport([_examine_root(folder) for folder in folders])


def _examine_root(folder: str) -> dict[str, Any]:
    from engineroom.platforms.root import Root, find_programs, find_pythons

    shown = os.path.abspath(folder)
    if not os.path.isdir(folder):
        summary = "there is no such folder"
        return _root(shown, UNKNOWN, summary, NO_FOLDER, [])
    root = Root(folder)
    pythons = [_examine(root, path) for path in find_pythons(root)]
    # What can be read comes before what cannot, such as a script in front of a Python.
    pythons.sort(key=lambda python: python["facts"] is None)
    if pythons:
        first = pythons[0]
        return _root(
            shown, first["verdict"], first["summary"], first["remedy"], pythons
        )
    others = [_examine(root, path) for path in find_programs(root)]
    others = [other for other in others if other["facts"]][:1]
    if not others:
        summary = "it has no program that tells what system this is"
        return _root(shown, UNKNOWN, summary, NO_FOLDER, [])
    other = others[0]
    if other["verdict"] != OK:
        return _root(shown, other["verdict"], other["summary"], other["remedy"], others)
    summary = f"it has no Python; one like {other['path']} would get {other['target']}"
    return _root(shown, UNKNOWN, summary, NO_PYTHON, others)


def _root(
    folder: str,
    verdict: str,
    summary: str,
    remedy: str,
    programs: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "root": folder,
        "verdict": verdict,
        "summary": summary,
        "remedy": remedy,
        "target": programs[0]["target"] if programs else None,
        "programs": programs,
    }


def _examine(root: Root, path: str) -> dict[str, Any]:
    """Say which engine a program's process would get."""
    from engineroom.errors import MalformedBinary
    from engineroom.platforms.root import probe_root
    from engineroom.platforms.target import version_numbers

    program: dict[str, Any] = {
        "path": path,
        "verdict": UNKNOWN,
        "summary": "",
        "remedy": NO_FOLDER,
        "system": "unknown",
        "target": None,
        "facts": None,
        "candidates": [],
    }
    try:
        facts = probe_root(root, path)
    except (OSError, MalformedBinary) as error:
        why = error.reason if isinstance(error, MalformedBinary) else error.strerror
        program["summary"] = f"{path} cannot be read: {why}"
        return program
    program["facts"] = {
        name: {"value": fact.value, "source": fact.source}
        for name, fact in facts.items()
    }
    program["system"] = _system(facts)
    program.update(_choose(path, facts))
    version = str(facts.python_version.value or "")
    if version and version_numbers(version) < OLDEST_PYTHON:
        summary = f"engineroom needs Python 3.9 or newer, {path} is {version}"
        program.update(
            verdict=PROBLEM, summary=summary, remedy=NEWER_PYTHON, target=None
        )
    return program


def _choose(path: str, facts: Facts) -> dict[str, Any]:
    from engineroom.platforms.choose import judge, preferred
    from engineroom.platforms.rows import TARGETS

    judged = [(target, judge(target, facts)) for target in preferred(TARGETS, facts)]
    judged.sort(key=lambda pair: pair[1].word != "fits")
    found: dict[str, Any] = {
        "candidates": [
            {"target": target.id, "verdict": verdict.word, "reason": verdict.reason}
            for target, verdict in judged
        ]
    }
    target, verdict = judged[0]
    if verdict.word == "fits":
        summary = f"{path} would get {target.id}"
        return {
            **found,
            "verdict": OK,
            "summary": summary,
            "remedy": "",
            "target": target.id,
        }
    words = {verdict.word: verdict.reason for _, verdict in reversed(judged)}
    if set(words) == {"other-os"}:
        words["other-os"] = f"this is {facts.os}"
    nearest = next(word for word in MENDED_BY if word in words)
    state = UNKNOWN if nearest == "libc-unknown" else PROBLEM
    summary = f"no engine is for {path}: {words[nearest]}"
    return {
        **found,
        "verdict": state,
        "summary": summary,
        "remedy": MENDED_BY[nearest],
    }


def _system(facts: Facts) -> str:
    """Return a system in a few words, for a table."""
    libc = f"{facts.libc} libc" if facts.libc.value is None else str(facts.libc)
    if facts.libc_version.value is not None:
        libc += f" {facts.libc_version}"
    openssl = "" if facts.openssl.value is None else f", OpenSSL {facts.openssl}"
    return f"{facts.os} {facts.cpu}, {libc}{openssl}"
