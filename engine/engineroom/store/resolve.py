"""Which wheel of a release an install picks, and whether it is the right one. Pure.

A wheel can be whole and still reach nobody, or the wrong machine: a tag that promises
too little, a Python left out, an older version that fits where the new one does not.
None of that fails at the publisher; pip takes the next best wheel, most often the one
without engines, and says nothing. So before a release is shown, every install that
matters is worked out here, for the systems, Pythons and installers of environments.py.

What is right is told by platforms.toml and not by tags: the wheel with the engines of
every target that fits the system; where no target fits, no wheel with engines.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from engineroom.errors import (
    NoPythonAllowed,
    ReleaseIncomplete,
    ReleaseUnresolvable,
)
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.target import version_numbers
from engineroom.store.environments import CLIENTS, PYTHONS, SYSTEMS, TagOrder
from engineroom.store.names import parse_wheel_name, version_key
from engineroom.store.versions import (
    allows_python,
    is_prerelease,
    is_satisfiable,
    version_order,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from engineroom.platforms.target import Target
    from engineroom.store.entry import File
    from engineroom.store.environments import Client, Python, System

__all__ = ["Row", "check_release", "resolve"]

_EVERY_TARGET = tuple(target.id for target in TARGETS)


class _Choice(NamedTuple):
    """A wheel as installers compare it."""

    file: File
    tags: frozenset[str]
    version: tuple[object, ...]
    build: tuple[int, str]
    is_final: bool
    targets: frozenset[str]

    @classmethod
    def of(cls, file: File) -> _Choice:
        name = parse_wheel_name(file.name)
        digits = len(name.build) - len(name.build.lstrip("0123456789"))
        return cls(
            file,
            frozenset(tag.lower() for tag in name.tags),
            version_order(name.version),
            (int(name.build[:digits] or -1), name.build[digits:]),
            not is_prerelease(name.version),
            frozenset(engine.target for engine in file.engines),
        )


class _Page:
    """The wheels of a release, and of what is older the little that can be picked.

    Args:
        files: all wheels of the project.
        version: the release; what is newer is as if it were not there.
    """

    def __init__(self, files: Iterable[File], version: str) -> None:
        key = version_key(version)
        self._others: list[File] = []
        self.release: list[_Choice] = []
        for file in files:
            if version_key(file.version) == key:
                self.release.append(_Choice.of(file))
            else:
                self._others.append(file)
        self._order = version_order(version)
        self._allowed: dict[tuple[Python, Client], list[_Choice]] = {}
        self.takes_prereleases = is_prerelease(version)
        self.carried = frozenset[str]().union(*(c.targets for c in self.release))

    def allowed(self, python: Python, client: Client) -> list[_Choice]:
        """Give the wheels of the release that are for a Python, by an installer."""
        if (python, client) not in self._allowed:
            allowed = [c for c in self.release if _allows(c, python, client)]
            self._allowed[python, client] = allowed
        return self._allowed[python, client]

    @cached_property
    def older(self) -> list[_Choice]:
        """The newest of those with the same tags and Pythons, which hides the others.

        Looked for when it is asked for, and by as little as will do: most releases have
        a wheel for every machine, and a project can have thousands of files.
        """
        newest: dict[tuple[object, ...], tuple[tuple[object, ...], list[File]]] = {}
        for file in self._others:
            order = version_order(file.version)
            if order >= self._order:
                continue
            *_, interpreters, abis, platforms = file.name.split("-")
            tags = (interpreters, abis, platforms, file.requires_python)
            alike = (*tags, is_prerelease(file.version))
            known, files = newest.get(alike, (order, []))
            if order >= known:
                kept = files if order == known else []
                newest[alike] = order, [*kept, file]
        return [_Choice.of(file) for _, files in newest.values() for file in files]


@dataclass(frozen=True)
class Row:
    """One install.

    Attributes:
        system: the machine.
        python: the Python on it.
        client: the installer.
        picked: the name of the wheel it takes; empty when there is none for it.
        intended: the wheels it may take; none where it may also find nothing.
        reason: what is wrong, or an empty string.
    """

    system: System
    python: Python
    client: Client
    picked: str
    intended: tuple[str, ...]
    reason: str

    @property
    def ok(self) -> bool:
        """Whether what is taken is what was intended."""
        return not self.reason


def check_release(
    files: Iterable[File],
    version: str,
    *,
    required: Collection[str] = _EVERY_TARGET,
) -> tuple[Row, ...]:
    """Refuse a release that some install would not find, or find wrongly.

    Only a project that carries engines has targets to be held against; of any other
    all that can be said is whether there is a Python for it.

    Args:
        files: the wheels that will be on the project's page, of all versions, but for
            the yanked ones.
        version: the release, as its files have it.
        required: the ids of the targets it must have engines for. Empty for a release
            that may be partial: the targets it has are checked all the same.

    Returns:
        Every install that was worked out; none for a project without engines.

    Raises:
        NoPythonAllowed: no Python can satisfy a wheel's Requires-Python.
        ReleaseIncomplete: engines are missing.
        ReleaseUnresolvable: an install would take nothing, or the wrong wheel.
    """
    files = tuple(files)
    key = version_key(version)
    release = [file for file in files if version_key(file.version) == key]
    for file in release:
        if not is_satisfiable(file.requires_python):
            raise NoPythonAllowed(file.name, file.requires_python or "")
    if not any(file.engines for file in files):
        return ()
    project = parse_wheel_name(files[0].name).project
    missing = _missing(release, required)
    if missing:
        raise ReleaseIncomplete(project, version, missing)
    rows = resolve(files, version)
    if not all(row.ok for row in rows):
        raise ReleaseUnresolvable(project, version, _told(rows))
    return rows


def resolve(
    files: Iterable[File],
    version: str,
    *,
    systems: Sequence[System] = SYSTEMS,
    pythons: Sequence[Python] = PYTHONS,
    clients: Sequence[Client] = CLIENTS,
) -> tuple[Row, ...]:
    """Work out what `install NAME` takes everywhere, with a release as the newest.

    With the older ones beside it, because that is how a gap shows: an install goes back
    to an older version that fits. A release before the final one is installed with
    `--pre`. Pythons that no wheel of the release allows are left out: it is not for
    them.

    Args:
        files: the wheels on the project's page, but for the yanked ones.
        version: the release that is looked at.
        systems: the machines.
        pythons: the Pythons.
        clients: the installers.
    """
    page = _Page(files, version)
    rows: list[Row] = []
    for python, system in itertools.product(pythons, systems):
        wanted = _wanted(page, system, python)
        intended = _intended(page.release, wanted)
        for client in clients:
            if client.runs_on(python) and page.allowed(python, client):
                order = TagOrder(system, python, client)
                picked = _pick(page, python, client, order)
                name = picked.file.name if picked else ""
                fault = _fault(page, picked, wanted)
                rows.append(Row(system, python, client, name, intended, fault))
    return tuple(rows)


def _missing(release: Sequence[File], required: Collection[str]) -> tuple[str, ...]:
    """Name what a release lacks: targets, or a backend where others have it."""
    have = {(e.target, e.backend) for file in release for e in file.engines}
    backends = sorted({backend for _, backend in have})
    carried = {target for target, _ in have}
    missing: list[str] = []
    for target in required:
        if target not in carried:
            missing.append(target)
        else:
            absent = (b for b in backends if (target, b) not in have)
            missing += [f"{target} ({backend})" for backend in absent]
    return tuple(missing)


def _allows(choice: _Choice, python: Python, client: Client) -> bool:
    return allows_python(
        choice.file.requires_python, python.version, from_below=client.from_below
    )


def _wanted(page: _Page, system: System, python: Python) -> frozenset[str]:
    """Give the targets of a release whose engines belong on a machine."""
    if not python.loads_engines:
        return frozenset()
    here = (target.id for target in TARGETS if _fits(target, system))
    return page.carried.intersection(here)


def _fits(target: Target, system: System) -> bool:
    floor = version_numbers(target.libc_floor)[: len(system.version)]
    return (target.os, target.cpu, target.libc) == (
        system.os,
        system.cpu,
        system.libc,
    ) and system.version >= floor


def _pick(
    page: _Page, python: Python, client: Client, order: TagOrder
) -> _Choice | None:
    """Choose as installers do: by version, then tag, then build tag."""
    best = _best(page.allowed(python, client), page, order)
    if best is not None:
        return best
    return _best((c for c in page.older if _allows(c, python, client)), page, order)


def _best(choices: Iterable[_Choice], page: _Page, order: TagOrder) -> _Choice | None:
    best: tuple[tuple[object, ...], _Choice] | None = None
    for choice in choices:
        ranks = [order.rank(tag) for tag in choice.tags]
        rank = min((rank for rank in ranks if rank is not None), default=None)
        if rank is None:
            continue
        # Those before a final release are taken only where nothing else fits.
        is_asked_for = choice.is_final or page.takes_prereleases
        by_tag = (-rank[0], -rank[1])
        merit = (is_asked_for, choice.version, by_tag, choice.build)
        if best is None or merit > best[0]:
            best = merit, choice
    return best and best[1]


def _intended(release: Iterable[_Choice], wanted: frozenset[str]) -> tuple[str, ...]:
    return tuple(
        choice.file.name
        for choice in release
        if (wanted <= choice.targets if wanted else not choice.targets)
    )


def _fault(page: _Page, picked: _Choice | None, wanted: frozenset[str]) -> str:
    is_older = picked is not None and picked not in page.release
    if not wanted:
        if picked is None or is_older or not picked.targets:
            return ""
        return f"`{picked.file.name}` is taken, whose engines are not for it"
    needs = f"engines for {', '.join(sorted(wanted))} are there"
    if picked is None:
        return f"nothing is found, although {needs}"
    if is_older:
        return f"the older `{picked.file.name}` is taken, although {needs}"
    if not wanted <= picked.targets:
        return f"`{picked.file.name}` is taken, although {needs}"
    return ""


def _told(rows: Iterable[Row]) -> tuple[str, ...]:
    """Say what is wrong in few sentences: equal faults become one."""
    installs: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    for row in rows:
        if not row.ok:
            by = installs.setdefault((row.reason, str(row.system)), {})
            by[str(row.python), str(row.client)] = None
    systems: dict[tuple[str, str, str], list[str]] = {}
    for (reason, system), by in installs.items():
        pythons = ", ".join(dict.fromkeys(python for python, _ in by))
        clients = ", ".join(dict.fromkeys(client for _, client in by))
        systems.setdefault((reason, pythons, clients), []).append(system)
    return tuple(
        f"on {', '.join(named)} with Python {pythons} by {clients}: {reason}"
        for (reason, pythons, clients), named in systems.items()
    )
