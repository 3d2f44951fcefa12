"""The order of a publish, from which everything else follows.

Check every wheel; put the bytes under their hashes; read them back; commit by creating
one journal entry; make the pages. Readers start from pages, pages come from the
journal, and the journal names only bytes that are there: so a reader meets the old
state or the new one wherever a publisher stops, and any later publish or repair carries
on.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engineroom.errors import FileNameTaken, PagesBehind, StoreDamaged, StoreError
from engineroom.store import keys
from engineroom.store.derive import read_checked, refresh_project, refresh_roots
from engineroom.store.identity import ensure_store, find_store
from engineroom.store.journal import Project, append, read_project
from engineroom.store.times import utc_text
from engineroom.store.transport import CHUNK_BYTES, BytesBody, FileBody
from engineroom.store.wheel import Wheel, inspect_wheel
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

    from engineroom.store.identity import Identity
    from engineroom.store.journal import File
    from engineroom.store.transport import Body, Transport

__all__ = ["Commit", "Published", "publish"]


@dataclass(frozen=True)
class Commit:
    """What became of one project's wheels.

    Attributes:
        project: its normalised name.
        number: the last journal entry; the new one, when there are new files.
        new: the files this publish added.
        known: the files that were published before with the same bytes.
    """

    project: str
    number: int
    new: tuple[File, ...]
    known: tuple[File, ...]


@dataclass(frozen=True)
class Published:
    """What a publish did, or, on a dry run, would do.

    Attributes:
        commits: one for each project.
        pages: the keys of the pages that were written.
        is_new_store: whether the store itself was made, or would be.
        is_dry_run: whether nothing was written.
    """

    commits: tuple[Commit, ...]
    pages: tuple[str, ...]
    is_new_store: bool
    is_dry_run: bool


def publish(
    transport: Transport,
    paths: Sequence[Path],
    *,
    dry_run: bool = False,
    clock: Callable[[], float] = time.time,
    progress: Callable[[str], None] | None = None,
) -> Published:
    """Publish wheels; those of one project appear at one instant.

    Args:
        transport: where the store is; an empty place becomes a store.
        paths: wheel files.
        dry_run: check everything and write nothing.
        clock: seconds since the epoch, for the upload time. It is the time of the
            publish and not of the build, so SOURCE_DATE_EPOCH does not set it: clients
            use it to leave out what is too new.
        progress: told the name of each step before it is begun.

    Raises:
        WheelRefused: when a wheel fails a check; nothing was written.
        FileNameTaken: when a name has other bytes already; nothing of its project was
            published.
        PagesBehind: when everything is committed but for the pages.
        StoreError: when the store cannot be read or written, or is damaged.
    """
    tell = progress or _silent
    wheels = _inspect_all(paths, tell)
    identity = find_store(transport)
    is_new_store = identity is None
    projects = _by_project(wheels)
    before = {name: _state(transport, identity, name) for name in projects}
    # Conflicts are refused here, before a byte is written; and again at the commit.
    plans = tuple(_plan(before[name], group) for name, group in projects.items())
    if dry_run:
        return Published(plans, (), is_new_store, is_dry_run=True)
    if identity is None:
        identity, is_new_store = ensure_store(transport, utc_text(clock()))
    for wheel in wheels:
        tell(f"storing {wheel.file.name}")
        _store(transport, wheel)
    commits: list[Commit] = []
    pages: list[str] = []
    for name, group in projects.items():
        tell(f"publishing {name}")
        commit = _commit(transport, identity, before[name], group, clock)
        commits.append(commit)
        pages.extend(_show(transport, identity, before[name], commit))
    pages.extend(_list(transport, commits))
    return Published(tuple(commits), tuple(pages), is_new_store, is_dry_run=False)


def _silent(_step: str) -> None:
    pass


def _inspect_all(
    paths: Iterable[Path], tell: Callable[[str], None]
) -> tuple[Wheel, ...]:
    """Check every wheel, and that no two of them want the same name."""
    wheels: dict[str, Wheel] = {}
    for path in paths:
        tell(f"checking {path.name}")
        wheel = inspect_wheel(path)
        other = wheels.setdefault(wheel.file.identity, wheel).file
        if (other.name, other.sha256) != (wheel.file.name, wheel.file.sha256):
            raise FileNameTaken(
                wheel.file.name,
                published_name=other.name,
                published_sha256=other.sha256,
                offered_sha256=wheel.file.sha256,
            )
    return tuple(wheels.values())


def _by_project(wheels: Iterable[Wheel]) -> dict[str, list[Wheel]]:
    projects: dict[str, list[Wheel]] = {}
    for wheel in wheels:
        projects.setdefault(wheel.project, []).append(wheel)
    return projects


def _state(transport: Transport, identity: Identity | None, name: str) -> Project:
    if identity is None:
        return Project(name)
    return read_checked(transport, identity, name)


def _plan(project: Project, wheels: Iterable[Wheel]) -> Commit:
    files = tuple(wheel.file for wheel in wheels)
    new = project.without_published(files)
    known = tuple(project.by_identity[f.identity] for f in files if f not in new)
    number = project.number + 1 if new else project.number
    return Commit(project.name, number, new, known)


def _store(transport: Transport, wheel: Wheel) -> None:
    file = wheel.file
    body = FileBody(wheel.path, file.size_bytes, file.sha256)
    _store_one(transport, keys.blob(file.sha256, file.name), body)
    _store_one(
        transport, keys.metadata(file.sha256, file.name), BytesBody(wheel.metadata)
    )


def _store_one(transport: Transport, key: str, body: Body) -> None:
    """Put an object and read it back, whoever put it there."""
    transport.put_if_absent(key, body)
    digest = hashlib.sha256()
    file = transport.open(key)
    if file is None:
        raise StoreDamaged(key, "it was written and is not there")
    with file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != body.sha256:
        raise StoreDamaged(
            key,
            f"it should have sha256 {body.sha256} and has {digest.hexdigest()}",
            hint="remove this one file, then publish the same wheel again",
        )


def _commit(
    transport: Transport,
    identity: Identity,
    project: Project,
    wheels: Iterable[Wheel],
    clock: Callable[[], float],
) -> Commit:
    """Commit what is new as one journal entry.

    Each turn that fails was another publisher's success, so this ends.
    """
    publish_id = secrets.token_hex(16)
    wheels = tuple(wheels)
    while True:
        project = read_project(transport, identity, project.name, since=project)
        plan = _plan(project, wheels)
        if not plan.new:
            return plan
        now = utc_text(clock())
        if append(
            transport,
            identity,
            project,
            plan.new,
            publish_id=publish_id,
            time=now,
            tool=f"engineroom {__version__}",
        ):
            return replace(
                plan, new=tuple(replace(f, upload_time=now) for f in plan.new)
            )


def _show(
    transport: Transport, identity: Identity, before: Project, commit: Commit
) -> tuple[str, ...]:
    with _pages_behind(commit):
        return refresh_project(transport, identity, before)


def _list(transport: Transport, commits: Sequence[Commit]) -> tuple[str, ...]:
    if not commits:
        return ()
    with _pages_behind(commits[-1]):
        return refresh_roots(transport, tuple(commit.project for commit in commits))


@contextmanager
def _pages_behind(commit: Commit) -> Generator[None, None, None]:
    try:
        yield
    except StoreError as error:
        raise PagesBehind(commit.project, commit.number, error.message) from error
