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
from typing import TYPE_CHECKING, NamedTuple

from engineroom.errors import (
    NoPythonAllowed,
    ReleaseIncomplete,
    ReleaseUnresolvable,
)
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.target import version_numbers
from engineroom.store.environments import CLIENTS, PYTHONS, SYSTEMS, rank_of
from engineroom.store.names import parse_wheel_name
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
    from engineroom.store.environments import Client, Python, Rank, System

__all__ = ["Row", "check_release", "resolve"]

_EVERY_TARGET = tuple(target.id for target in TARGETS)


class _Choice(NamedTuple):
    """A wheel as installers compare it."""

    file: File
    tags: frozenset[str]
    version: tuple[object, ...]
    build: tuple[int, str]

    @classmethod
    def of(cls, file: File) -> _Choice:
        name = parse_wheel_name(file.name)
        digits = len(name.build) - len(name.build.lstrip("0123456789"))
        return cls(
            file,
            frozenset(tag.lower() for tag in name.tags),
            version_order(name.version),
            (int(name.build[:digits] or -1), name.build[digits:]),
        )

    @property
    def targets(self) -> frozenset[str]:
        """Those it carries engines for."""
        return frozenset(engine.target for engine in self.file.engines)


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
    key = version_order(version)
    release = [file for file in files if version_order(file.version) == key]
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
    key = version_order(version)
    choices = [choice for choice in map(_Choice.of, files) if choice.version <= key]
    release = [choice for choice in choices if choice.version == key]
    carried = frozenset[str]().union(*(choice.targets for choice in release))
    rows: list[Row] = []
    for python, client in itertools.product(pythons, clients):
        if not client.runs_on(python):
            continue
        allowed = [c for c in choices if _allows(c, python, client)]
        if not any(choice.version == key for choice in allowed):
            continue
        for system in systems:
            wanted = _wanted(carried, system, python)
            picked = _pick(allowed, version, system, python, client)
            rows.append(
                Row(
                    system,
                    python,
                    client,
                    picked.file.name if picked else "",
                    _intended(release, wanted),
                    _fault(picked, key, wanted),
                )
            )
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


def _wanted(carried: Collection[str], system: System, python: Python) -> frozenset[str]:
    """Give the targets whose engines belong on a machine."""
    if not python.loads_engines:
        return frozenset()
    return frozenset(t.id for t in TARGETS if t.id in carried and _fits(t, system))


def _fits(target: Target, system: System) -> bool:
    floor = version_numbers(target.libc_floor)[: len(system.version)]
    return (target.os, target.cpu, target.libc) == (
        system.os,
        system.cpu,
        system.libc,
    ) and system.version >= floor


def _pick(
    allowed: Iterable[_Choice],
    version: str,
    system: System,
    python: Python,
    client: Client,
) -> _Choice | None:
    """Choose as installers do: by version, then tag, then build tag."""
    fitting: list[tuple[tuple[object, ...], _Choice]] = []
    for choice in allowed:
        rank = _best_rank(choice, system, python, client)
        if rank is not None:
            order = (choice.version, (-rank[0], -rank[1]), choice.build)
            fitting.append((order, choice))
    if not is_prerelease(version):
        # Those before a release are taken only where nothing else fits.
        final = [pair for pair in fitting if not is_prerelease(pair[1].file.version)]
        fitting = final or fitting
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _best_rank(
    choice: _Choice, system: System, python: Python, client: Client
) -> Rank | None:
    ranks = (rank_of(tag, system, python, client) for tag in choice.tags)
    return min((rank for rank in ranks if rank is not None), default=None)


def _intended(release: Iterable[_Choice], wanted: frozenset[str]) -> tuple[str, ...]:
    return tuple(
        choice.file.name
        for choice in release
        if (wanted <= choice.targets if wanted else not choice.targets)
    )


def _fault(
    picked: _Choice | None, version: tuple[object, ...], wanted: frozenset[str]
) -> str:
    if not wanted:
        if picked is None or picked.version < version or not picked.targets:
            return ""
        return f"`{picked.file.name}` is taken, whose engines are not for it"
    needs = f"engines for {', '.join(sorted(wanted))} are there"
    if picked is None:
        return f"nothing is found, although {needs}"
    if picked.version < version:
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
