"""Guards a repository of many services: does each have the targets that it needs?

`check` reads files and decides; it loads no engine, asks no network and, without
`fix`, writes nothing. What may be printed is in the reports that it returns.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engineroom.check.examine import examine, is_relevant
from engineroom.check.findings import FORMAT, STATUSES, Report
from engineroom.check.stores import Answer, StoredWheel, silences
from engineroom.check.tree import DiskTree, IndexTree, was_deleted
from engineroom.errors import CheckPathMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FORMAT", "STATUSES", "Answer", "Report", "StoredWheel", "check"]


def check(
    paths: Sequence[str],
    *,
    staged: bool = False,
    fix: bool = False,
    answers: Sequence[Answer] = (),
) -> list[Report]:
    """Check folders, or the services to which files belong.

    Args:
        paths: folders and files; the working folder if there are none.
        staged: look at what git has staged, and only at findings that concern it.
        fix: write missing targets into the schemas, and check once more.
        answers: what stores answered; none where none was asked.

    Raises:
        CheckError: a path is missing, git cannot answer, or a schema cannot be
            written.
    """
    jobs = _jobs(paths)
    if staged:
        reports = [_staged(root, focus, answers) for root, focus in jobs.items()]
    else:
        reports = [_on_disk(root, focus, fix, answers) for root, focus in jobs.items()]
    # A store that is silent concerns no folder more than another: it is told once.
    first = reports[0]
    reports[0] = first._replace(findings=(*first.findings, *silences(answers)))
    return reports


def _jobs(paths: Sequence[str]) -> dict[str, set[str] | None]:
    """Return each folder to check, with the files in it that matter or None for all."""
    jobs: dict[str, set[str] | None] = {}
    for path in paths or ["."]:
        if os.path.isdir(path):
            jobs[os.path.normpath(path)] = None
        elif os.path.lexists(path):
            root, file = _place(path)
            focus = jobs.setdefault(root, set())
            if focus is not None:
                focus.add(file)
        elif was_deleted(path):
            jobs.setdefault(".", set())
        else:
            raise CheckPathMissing(path)
    return {root: f for root, f in jobs.items() if f is None or f or len(jobs) == 1}


def _place(path: str) -> tuple[str, str]:
    """Return the folder from which a file is seen, and the file from there.

    That is the working folder where the file is below it, as pre-commit has it.
    """
    file = os.path.relpath(path).replace(os.sep, "/")
    if not file.startswith("../"):
        return ".", file
    folder, name = os.path.split(os.path.abspath(path))
    parts = ("prisma", "schema")
    below: list[str] = [name]
    while os.path.basename(folder) in parts:
        folder, part = os.path.split(folder)
        below.insert(0, part)
    return folder, "/".join(below)


def _on_disk(
    root: str, focus: set[str] | None, fix: bool, answers: Sequence[Answer]
) -> Report:
    tree = DiskTree(root)
    shown = _shown(root)
    if focus is not None and not any(map(is_relevant, focus)):
        return Report(shown, (), ())
    report = examine(tree, root=shown, focus=focus, answers=answers)
    if not fix or not report.has_errors:
        return report
    from engineroom.check.fix import fix as write

    fixed = write(report, tree)
    again = examine(tree, root=shown, focus=focus, answers=answers)
    return again._replace(fixed=tuple(fixed))


def _staged(root: str, focus: set[str] | None, answers: Sequence[Answer]) -> Report:
    tree = IndexTree(root)
    staged = tree.staged()
    staged = staged if focus is None else staged & focus
    if not any(map(is_relevant, staged)):
        return Report(_shown(root), (), ())
    tree.load(path for path in tree.files() if is_relevant(path))
    return examine(tree, root=_shown(root), focus=staged, answers=answers)


def _shown(root: str) -> str:
    """Return how a folder is shown: from the working folder, or else as a whole."""
    path = os.path.relpath(root).replace(os.sep, "/")
    if path == ".":
        return ""
    return os.path.abspath(root) if path.startswith("..") else path
