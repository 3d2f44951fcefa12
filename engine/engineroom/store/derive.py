"""Bringing the pages up to the journal, and mending what a crash left behind.

Pages hold nothing of their own, so every writer does the same: read the page, then the
journal to its end, then replace that page if it is still the one that was read. Whoever
is last has read the journal after everybody's commit, so a page never goes back and the
last one written has everything, without any writer waiting for another's journal work.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engineroom.errors import ProjectMissing, StoreDamaged, StoreError
from engineroom.store import keys, pages
from engineroom.store.identity import read_store
from engineroom.store.journal import read_project
from engineroom.store.names import NameRefused, normalise_project
from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engineroom.store.identity import Identity
    from engineroom.store.journal import Project
    from engineroom.store.transport import Stored, Transport

__all__ = [
    "Repair",
    "find_project",
    "list_projects",
    "read_checked",
    "refresh_project",
    "refresh_roots",
    "repair",
]

# Longer than any upload takes; younger leftovers may have a living writer.
_ABANDONED_SECONDS = 86_400.0


@dataclass(frozen=True)
class Repair:
    """What a repair did and what it found beyond its powers.

    Attributes:
        projects: every project it looked at.
        pages: the pages it wrote again.
        removed: half-written leftovers it removed.
        problems: damage that only a copy of the store can mend.
    """

    projects: tuple[str, ...]
    pages: tuple[str, ...]
    removed: tuple[str, ...]
    problems: tuple[StoreError, ...]


def list_projects(transport: Transport) -> tuple[str, ...]:
    """Give the names of all projects that have something published, sorted."""
    return tuple(
        name
        for name in sorted(transport.folders(keys.JOURNALS))
        # A publisher killed before its first commit may leave an empty folder.
        if transport.size(keys.journal_entry(name, 1)) is not None
    )


def find_project(transport: Transport, name: str) -> str:
    """Give the normalised name of a project that has something published.

    Raises:
        ProjectMissing: when there is none of that name.
    """
    published = list_projects(transport)
    try:
        project = normalise_project(name)
    except NameRefused as error:
        raise ProjectMissing(name, published) from error
    if project not in published:
        raise ProjectMissing(name, published)
    return project


def read_checked(transport: Transport, identity: Identity, name: str) -> Project:
    """Read a project and check that its journal reaches as far as its pages.

    Without this a journal that lost its last entries would look merely short, and the
    next publish would take their numbers.
    """
    # Pages first: a publisher at work moves the journal on before its pages.
    shown = [transport.get(key) for key in _project_pages(name)]
    project = read_project(transport, identity, name)
    for stored in shown:
        _check_reach(stored, project)
    return project


def refresh_project(
    transport: Transport, identity: Identity, project: Project
) -> tuple[str, ...]:
    """Bring a project's pages up to its journal, read on from a state known.

    Returns:
        The keys of the pages that had to be written.
    """
    written: list[str] = []
    for key, make in _project_pages(project.name).items():
        while True:
            stored = transport.get(key)
            project = read_project(transport, identity, project.name, since=project)
            _check_reach(stored, project)
            outcome = _bring_up(transport, key, stored, make(project))
            if outcome is _Outcome.OVERTAKEN:
                continue
            if outcome is _Outcome.WRITTEN:
                written.append(key)
            break
    return tuple(written)


def refresh_roots(
    transport: Transport, projects: tuple[str, ...], *, always: bool = False
) -> tuple[str, ...]:
    """See that the pages of all projects list these.

    Listing the journals costs time in proportion to their number, so it is done only
    when a page lacks one of these projects.

    Args:
        transport: where the store is.
        projects: names that must be listed.
        always: compare the pages with the journals in any case.

    Returns:
        The keys of the pages that had to be written.
    """
    written: list[str] = []
    for key, make in _ROOT_PAGES.items():
        while True:
            stored = transport.get(key)
            if not always and _lists_all(stored, projects):
                break
            wanted = make(list_projects(transport))
            outcome = _bring_up(transport, key, stored, wanted)
            if outcome is _Outcome.OVERTAKEN:
                continue
            if outcome is _Outcome.WRITTEN:
                written.append(key)
            break
    return tuple(written)


def repair(transport: Transport) -> Repair:
    """Bring every page up to its journal and name what cannot be mended.

    A problem in one project does not keep the others from being mended.
    """
    identity = read_store(transport)
    names = sorted(transport.folders(keys.JOURNALS))
    written: list[str] = []
    problems: list[StoreError] = []
    for name in names:
        written.extend(_repair_project(transport, identity, name, problems))
    problems.extend(_orphaned_pages(transport, names))
    published = list_projects(transport)
    written.extend(refresh_roots(transport, published, always=True))
    removed = transport.sweep(older_than_seconds=_ABANDONED_SECONDS)
    return Repair(published, tuple(written), removed, tuple(problems))


_ROOT_PAGES = {keys.HTML_ROOT: pages.html_root, keys.JSON_ROOT: pages.json_root}


class _Outcome(enum.Enum):
    CURRENT = "the page was right"
    WRITTEN = "the page was replaced"
    OVERTAKEN = "another writer replaced the page first: read it and the journal again"


def _bring_up(
    transport: Transport, key: str, stored: Stored | None, wanted: bytes
) -> _Outcome:
    if stored is not None and stored.data == wanted:
        return _Outcome.CURRENT
    expected = stored.version if stored else None
    if transport.replace(key, BytesBody(wanted), expected=expected):
        return _Outcome.WRITTEN
    return _Outcome.OVERTAKEN


def _repair_project(
    transport: Transport, identity: Identity, name: str, problems: list[StoreError]
) -> tuple[str, ...]:
    try:
        project = read_checked(transport, identity, name)
        problems.extend(_gaps(transport, project))
        problems.extend(_missing_blobs(transport, project))
        if project.number:
            return refresh_project(transport, identity, project)
    except StoreError as error:
        problems.append(error)
    return ()


def _project_pages(name: str) -> dict[str, Callable[[Project], bytes]]:
    return {
        keys.html_page(name): pages.project_html,
        keys.json_page(name): pages.project_json,
    }


def _check_reach(stored: Stored | None, project: Project) -> None:
    """Refuse a journal that ends before the entry that a page was made from."""
    shown = pages.built_from(stored.data) if stored else 0
    if shown > project.number:
        raise StoreDamaged(
            keys.journal_entry(project.name, project.number + 1),
            f"it is missing, and a page was made from entry {shown}",
            hint="restore the missing journal entries from a copy of the store",
        )


def _lists_all(stored: Stored | None, projects: tuple[str, ...]) -> bool:
    return stored is not None and all(
        pages.lists_project(stored.data, name) for name in projects
    )


def _gaps(transport: Transport, project: Project) -> Iterator[StoreError]:
    """Name entries that stand beyond the end at which reading stopped."""
    folder = keys.journal_folder(project.name)
    ours = {
        keys.journal_entry(project.name, number + 1) for number in range(project.number)
    }
    for key in sorted(set(transport.list(folder)) - ours):
        # An entry just committed by another publisher is no gap.
        if transport.size(keys.journal_entry(project.name, project.number + 1)) is None:
            yield StoreDamaged(
                key, f"the journal ends at entry {project.number}, before this"
            )


def _missing_blobs(transport: Transport, project: Project) -> Iterator[StoreError]:
    for file in project.files:
        for key, size_bytes in (
            (keys.blob(file.sha256, file.name), file.size_bytes),
            (keys.metadata(file.sha256, file.name), None),
        ):
            found = transport.size(key)
            if found is None:
                yield StoreDamaged(
                    key,
                    "it is published and is missing",
                    hint="publish the same wheel again, or restore the file from a"
                    " copy of the store",
                )
            elif size_bytes is not None and found != size_bytes:
                yield StoreDamaged(
                    key, f"it has {found} bytes and was published with {size_bytes}"
                )


def _orphaned_pages(transport: Transport, names: list[str]) -> Iterator[StoreError]:
    for folder in keys.PAGE_FOLDERS:
        for name in sorted(set(transport.folders(folder)) - set(names)):
            key = f"{folder}{name}/"
            if next(transport.list(key), None) is not None:
                yield StoreDamaged(key, "there is a page and no journal it came from")
