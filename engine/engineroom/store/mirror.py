"""Keeping a second place that holds the same store, entry by entry.

What makes a store is its name, its key sets, its bytes and its journals: these are
copied, each hashed on the way. Everything else is derived from them at the target, and
comes out byte for byte the same, so that the signed heads of the source fit it. Bytes
go first and entries in their order, so a mirror that was interrupted is the store as it
was a while ago, and the next run goes on from there.

Nothing at the target is ever removed or replaced but what is derived. A target that has
an entry which the source has not, or has otherwise, is no mirror any more.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engineroom.errors import (
    HeadChanged,
    MirrorAhead,
    MirrorDiverged,
    MirrorMismatch,
    StoreDamaged,
    StoreError,
)
from engineroom.store import keys
from engineroom.store.carry import bodies_of
from engineroom.store.derive import (
    list_projects,
    open_journal,
    refresh_project,
    refresh_roots,
)
from engineroom.store.document import Reader, encode
from engineroom.store.entry import decode_entry
from engineroom.store.head import unsigned_part
from engineroom.store.identity import find_store, read_store
from engineroom.store.suspects import first_difference
from engineroom.store.transport import BytesBody
from engineroom.store.trust import read_key_sets
from engineroom.store.upload import announce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engineroom.store.carry import StoredBody
    from engineroom.store.derive import Sign
    from engineroom.store.entry import Entry
    from engineroom.store.identity import Identity
    from engineroom.store.journal import Journal
    from engineroom.store.transport import Transport

__all__ = ["Mirrored", "mirror"]

# Entries whose bytes are brought together, under one upload list.
_BATCH_ENTRIES = 32


@dataclass
class Mirrored:
    """What was copied, or, on a dry run, would be.

    Attributes:
        store: the store's id.
        projects: how many projects the source has.
        entries: how many journal entries were copied.
        blobs: how many objects of bytes were.
        size_bytes: how many bytes these are.
        pages: how many derived objects were written.
        problems: what kept a project from being mirrored.
        is_dry_run: whether nothing was written.
    """

    store: str
    projects: int
    is_dry_run: bool
    entries: int = 0
    blobs: int = 0
    size_bytes: int = 0
    pages: int = 0
    problems: list[StoreError] = field(default_factory=list[StoreError])


def mirror(
    source: Transport,
    target: Transport,
    *,
    dry_run: bool = False,
    clock: Callable[[], float] = time.time,
    progress: Callable[[str], None] = lambda _step: None,
) -> Mirrored:
    """Copy what a mirror lacks; a problem in one project does not stop the others.

    Args:
        source: where the store is.
        target: where its mirror is, or is to be.
        dry_run: count what would be copied and write nothing.
        clock: seconds since 1970, for the list of what is being brought.
        progress: told what is copied.

    Raises:
        MirrorMismatch: when the target holds another store.
        StoreError: when one of the two cannot be read or written.
    """
    identity = read_store(source)
    found = find_store(target)
    if found is not None and found.store != identity.store:
        raise MirrorMismatch(identity.store, target.address, found.store)
    # Before the projects, so that it names none that is not copied after it.
    root_head = _read(source, keys.HEAD_ROOT)
    names = _names(source, root_head)
    outcome = Mirrored(identity.store, len(names), dry_run)
    copier = _Copier(source, target, identity, outcome, clock)
    if not dry_run:
        copier.copy_names()
    for name in names:
        progress(f"mirroring {name}")
        try:
            copier.copy_project(name)
        except StoreError as error:
            outcome.problems.append(error)
    if names and not dry_run and not outcome.problems:
        try:
            copier.copy_roots(names, root_head)
        except StoreError as error:
            outcome.problems.append(error)
    return outcome


class _Copier:
    def __init__(
        self,
        source: Transport,
        target: Transport,
        identity: Identity,
        outcome: Mirrored,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._target = target
        self._identity = identity
        self._outcome = outcome
        self._clock = clock

    def copy_names(self) -> None:
        """Copy the store's own name, and the sets of keys that sign for it."""
        self._put(keys.IDENTITY, _read(self._source, keys.IDENTITY))
        for one in read_key_sets(lambda key: _read(self._source, key)):
            self._put(one.key, one.data)

    def copy_project(self, name: str) -> None:
        """Copy a project up to the entry that its head names."""
        source, target = self._source, self._target
        # The head first: what follows then reaches at least as far.
        head = _read(source, keys.head(name))
        journal = open_journal(source, self._identity, name)
        end = journal.outline.number
        if head is not None:
            end = Reader.of_bytes(keys.head(name), head).integer("number")
        mirrored = open_journal(target, self._identity, name)
        start = mirrored.outline.number
        self._check_same(journal, mirrored)
        previous = mirrored.outline.place.sha256
        for first in range(start + 1, end + 1, _BATCH_ENTRIES):
            numbers = range(first, min(end + 1, first + _BATCH_ENTRIES))
            previous = self._copy_entries(journal, numbers, previous)
            journal.forget(_BATCH_ENTRIES)
        if self._outcome.is_dry_run or start > end:
            return
        mirrored.read_on()
        written = refresh_project(mirrored, _signed_as(keys.head(name), head))
        self._outcome.pages += len(written)
        self._renew_head(keys.head(name), head)

    def copy_roots(self, names: tuple[str, ...], head: bytes | None) -> None:
        """Bring up what lists all projects."""
        sign = _signed_as(keys.HEAD_ROOT, head)
        written = refresh_roots(self._target, self._identity, names, sign)
        self._outcome.pages += len(written)
        self._renew_head(keys.HEAD_ROOT, head)

    def _renew_head(self, key: str, data: bytes | None) -> None:
        """Put a head that was signed anew in the place of the same one."""
        stored = self._target.get(key)
        if data is None or stored is None or stored.data == data:
            return
        if _unsigned(key, stored.data) == _unsigned(key, data):
            self._target.replace(key, BytesBody(data), expected=stored.version)
            self._outcome.pages += 1

    def _check_same(self, journal: Journal, mirrored: Journal) -> None:
        """Refuse a mirror that does not end in an entry of the source.

        Entries hold the hash of the one before, so the rest is the same too.
        """
        place = mirrored.outline.place
        if place.number == 0:
            return
        key = keys.journal_entry(journal.project, place.number)
        if place.number > journal.outline.number:
            raise MirrorAhead(key)
        found = journal.entry(place.number).sha256
        if found != place.sha256:
            raise MirrorDiverged(key, source_sha256=found, target_sha256=place.sha256)

    def _copy_entries(self, journal: Journal, numbers: range, previous: str) -> str:
        """Copy some entries, and before them the bytes that they publish.

        Args:
            journal: the source's.
            numbers: which.
            previous: the hash of the entry before the first.

        Returns:
            The hash of the last.
        """
        outcome, target = self._outcome, self._target
        row = [keys.journal_entry(journal.project, number) for number in numbers]
        with ThreadPoolExecutor(self._parallel) as pool:
            found = dict(zip(row, pool.map(_read, itertools.repeat(self._source), row)))
            entries: list[Entry] = []
            for key, data in found.items():
                entry = _follow(key, data, previous, journal)
                previous = entry.sha256
                entries.append(entry)
            bodies = dict(self._lacking(journal, entries))
            if not outcome.is_dry_run:
                with announce(target, self._identity, bodies, self._clock):
                    puts = (bodies, bodies.values())
                    for _ in pool.map(target.put_if_absent, *puts):
                        pass
                    for key, data in found.items():
                        self._put(key, data)
        outcome.entries += len(entries)
        outcome.blobs += len(bodies)
        outcome.size_bytes += sum(body.size_bytes for body in bodies.values())
        return previous

    def _lacking(
        self, journal: Journal, entries: list[Entry]
    ) -> Iterator[tuple[str, StoredBody]]:
        """Give what entries publish and the target has not.

        Withdrawn bytes are left where they are, or have gone: a name is enough.
        """
        for entry in entries:
            state = journal.files_of(entry.version_keys)
            files = [state[file.identity] for file in entry.files]
            for file in files:
                if file.withdrawn is not None:
                    continue
                for key, body in bodies_of(self._source, file).items():
                    if self._target.size(key) is None:
                        yield key, body

    def _put(self, key: str, data: bytes | None) -> None:
        """Put what must be the same in both."""
        assert data is not None
        if self._target.put_if_absent(key, BytesBody(data)):
            return
        found = _read(self._target, key)
        if found != data:
            raise MirrorDiverged(
                key,
                source_sha256=hashlib.sha256(data).hexdigest(),
                target_sha256=hashlib.sha256(found or b"").hexdigest(),
            )

    @property
    def _parallel(self) -> int:
        return max(self._source.parallel, self._target.parallel)


def _follow(key: str, data: bytes | None, previous: str, journal: Journal) -> Entry:
    """Read an entry and check that it was made after the one before it."""
    if data is None:
        raise StoreDamaged(key, "it is missing, and later entries build upon it")
    entry = decode_entry(key, data, journal.identity, journal.project)
    if entry.previous != previous:
        reason = f"it was made after `{entry.previous}`, and before it is `{previous}`"
        raise StoreDamaged(key, reason)
    return entry


def _names(source: Transport, root_head: bytes | None) -> tuple[str, ...]:
    """Give the projects that the store's head names: pages of these are stated."""
    if root_head is None:
        return list_projects(source)
    document = Reader.of_bytes(keys.HEAD_ROOT, root_head)
    return tuple(item.text("name") for item in document.objects("projects"))


def _signed_as(key: str, head: bytes | None) -> Sign:
    """Give a way to sign a head: with the signature that the source's has."""

    def sign(document: dict[str, Any]) -> dict[str, Any]:
        if head is None:
            return document
        value = Reader.of_bytes(key, head).value
        found = encode(unsigned_part(value))
        if found != encode(document):
            raise HeadChanged(key, first_difference(found, encode(document)))
        return value

    return sign


def _unsigned(key: str, data: bytes) -> dict[str, Any]:
    return unsigned_part(Reader.of_bytes(key, data).value)


def _read(transport: Transport, key: str) -> bytes | None:
    stored = transport.get(key)
    return stored.data if stored else None
