"""Judges what stores answered: do they have the wheels that a service will ask for?

Nothing is asked here. Whoever calls the check has asked the stores, or has not, and
brings their answers; see `engineroom.cli.check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engineroom.check.findings import Finding
from engineroom.check.needs import listed_targets
from engineroom.platforms.rows import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engineroom.check.locks import LockFile
    from engineroom.check.needs import Need
    from engineroom.check.projects import Pin, Usage

__all__ = ["Answer", "StoredWheel", "judge_stores", "silences"]


class StoredWheel(NamedTuple):
    """A wheel of engineroom that a store has."""

    file: str
    version: str
    platforms: tuple[str, ...]
    sha256: str


class Answer(NamedTuple):
    """What a store answered.

    Attributes:
        store: its address as it may be shown.
        wheels: the wheels of engineroom that it has.
        problem: why it gave no answer, or nothing.
    """

    store: str
    wheels: tuple[StoredWheel, ...]
    problem: str = ""


def silences(answers: Sequence[Answer]) -> Iterator[Finding]:
    """Yield a finding for each store that gave no answer."""
    for answer in answers:
        if answer.problem:
            message = f"The store {answer.store} gave no answer: {answer.problem}"
            hint = "what the services need may be there or not"
            yield Finding("store-silent", ".", 1, message, hint)


def judge_stores(
    answers: Sequence[Answer],
    locked: LockFile | None,
    needs: Sequence[Need],
    pins: Sequence[Pin],
    usages: Sequence[Usage],
) -> list[Finding]:
    """Return what the stores lack for a service that uses Engineroom.

    What a lock file records must be there, byte for byte. A service without one needs
    a wheel for each of its targets, of the version that it pins, or of any.
    """
    if not answers:
        return []
    if locked is not None:
        return list(_lacking_locked(answers, locked))
    if any(answer.problem for answer in answers):
        return []  # it may be where nobody answered
    return list(_lacking_targets(answers, needs, pins, usages))


def _lacking_locked(answers: Sequence[Answer], locked: LockFile) -> Iterator[Finding]:
    is_complete = not any(answer.problem for answer in answers)
    for line, wheel in locked.wheels:
        for answer in answers:
            there = next((w for w in answer.wheels if w.file == wheel.file), None)
            if there is None:
                continue
            if there.sha256 != wheel.sha256:
                message = (
                    f"`{wheel.file}` has sha256 {there.sha256} in {answer.store}, and"
                    f" the lock file records {wheel.sha256}"
                )
                hint = "find out why it changed before you lock again"
                yield Finding("store-differs", locked.file, line, message, hint)
            break
        else:
            if is_complete:
                message = f"No store has the locked `{wheel.file}`"
                hint = "`engineroom store publish` it, or lock again"
                yield Finding("store-lacks", locked.file, line, message, hint)


def _lacking_targets(
    answers: Sequence[Answer],
    needs: Sequence[Need],
    pins: Sequence[Pin],
    usages: Sequence[Usage],
) -> Iterator[Finding]:
    tags = {target.id: target.wheel_tag for target in TARGETS}
    file, line = (pins or usages)[0][:2]
    version = pins[0].version if pins else ""
    offered = {
        tag
        for answer in answers
        for wheel in answer.wheels
        if version in ("", wheel.version)
        for tag in wheel.platforms
    }
    lacking = tuple(n for n in needs if n.target and tags[n.target] not in offered)
    if lacking:
        what = f"engineroom {version}" if version else "engineroom"
        message = f"No store has a wheel of {what} for {listed_targets(lacking)}"
        hint = "publish it with `engineroom store publish`, or name another store"
        yield Finding("store-lacks", file, line, message, hint, lacking)
