"""Mending what crashes, accidents and other programs have done to a store.

Everything derived is made again from the journal and compared; what cannot be made
again, bytes and journal entries, is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engineroom.errors import StoreDamaged, StoreError
from engineroom.store import keys
from engineroom.store.derive import (
    as_it_is,
    check_reach,
    head_number,
    list_projects,
    refresh_project,
    refresh_roots,
)
from engineroom.store.entry import File, admit, blobs_of
from engineroom.store.identity import read_store
from engineroom.store.journal import (
    CHECKPOINT_ENTRIES,
    Journal,
    Project,
    replay,
)
from engineroom.store.outline import Outline
from engineroom.store.pages import built_from
from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engineroom.store.derive import Sign
    from engineroom.store.identity import Identity
    from engineroom.store.transport import Transport

__all__ = ["Repair", "repair"]

# Longer than any upload takes; younger leftovers may have a living writer.
_ABANDONED_SECONDS = 86_400.0


@dataclass(frozen=True)
class Repair:
    """What a repair did and what it found beyond its powers.

    Attributes:
        projects: every project it looked at.
        pages: what it wrote again.
        removed: half-written leftovers it removed.
        problems: damage that only a copy of the store can mend.
    """

    projects: tuple[str, ...]
    pages: tuple[str, ...]
    removed: tuple[str, ...]
    problems: tuple[StoreError, ...]


def repair(
    transport: Transport,
    sign: Sign = as_it_is,
    progress: Callable[[str], None] = lambda _step: None,
) -> Repair:
    """Bring everything derived up to the journals and name what cannot be mended.

    A problem in one project does not keep the others from being mended.
    """
    identity = read_store(transport)
    names = sorted(transport.folders(keys.JOURNALS))
    written: list[str] = []
    problems: list[StoreError] = []
    for name in names:
        progress(name)
        try:
            project = _read(transport, identity, name, written)
            problems.extend(_gaps(transport, project))
            problems.extend(_missing_blobs(transport, project))
            if project.number:
                journal = Journal(transport, identity, name, project.outline)
                _check_pages(journal)
                written.extend(refresh_project(journal, sign, everything=True))
        except StoreError as error:
            problems.append(error)
    problems.extend(_orphaned_pages(transport, names))
    published = list_projects(transport)
    if published:
        written.extend(
            refresh_roots(transport, identity, published, sign, everything=True)
        )
    removed = transport.sweep(older_than_seconds=_ABANDONED_SECONDS)
    return Repair(published, tuple(written), removed, tuple(problems))


def _read(
    transport: Transport, identity: Identity, name: str, written: list[str]
) -> Project:
    """Read a journal from its start; mend checkpoints that do not follow from it."""
    checkpoints = set(transport.list(keys.checkpoint_folder(name)))
    entries = sum(1 for _ in transport.list(keys.journal_folder(name)))
    # Publishers start from this one.
    checkpoints.add(keys.checkpoint(name, entries - entries % CHECKPOINT_ENTRIES))
    outline = Outline(name)
    files: dict[str, File] = {}
    for entry in replay(transport, identity, name, outline):
        admit(keys.journal_entry(name, entry.number), entry, files)
        key = keys.checkpoint(name, entry.number)
        if key in checkpoints:
            stored = transport.get(key)
            wanted = outline.encode(identity)
            if stored is None or stored.data != wanted:
                transport.delete(key)
                transport.put_if_absent(key, BytesBody(wanted))
                written.append(key)
    return Project(outline, files)


def _check_pages(journal: Journal) -> None:
    """Refuse a journal that lost its end: a page tells of an entry beyond it."""
    name = journal.project
    check_reach(keys.head(name), head_number(journal.transport, name), journal)
    for channel in (*journal.outline.channels, keys.RELEASE):
        root = keys.channel_root(channel)
        for make in (keys.html_page, keys.json_page):
            key = make(name, root)
            stored = journal.transport.get(key)
            check_reach(key, built_from(stored.data) if stored else 0, journal)


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
        if file.withdrawn is not None:
            continue
        for key, (_, size_bytes) in blobs_of(file).items():
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
