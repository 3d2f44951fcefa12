"""Holding everything in a store against its journals, for anyone who may read it.

Journals are chains of hashes and everything else follows from them: so they are walked
first, every page is made again and compared, all bytes are looked for, and what nothing
explains is named. Nothing is taken from a page's own words. Nothing is written, and
publishers may be at work: what looks wrong is looked at again, in suspects.py.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engineroom.errors import (
    BlobChanged,
    BlobMissing,
    BlobSizeWrong,
    CheckpointWrong,
    Flaw,
    ObjectStray,
    PageOrphaned,
    StoreUnreadable,
)
from engineroom.store import keys
from engineroom.store.derive import channel_pages, commit_pages, root_pages
from engineroom.store.entry import blobs_of
from engineroom.store.head import project_head
from engineroom.store.identity import read_store
from engineroom.store.ledger import Blob, Ledger
from engineroom.store.replay import Replay
from engineroom.store.suspects import first_difference, look_again
from engineroom.store.transport import CHUNK_BYTES
from engineroom.store.vouching import Vouching
from engineroom.store.walk import Walk, journal_names, journal_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from engineroom.errors import StoreError
    from engineroom.store.entry import Entry
    from engineroom.store.head import Memory
    from engineroom.store.identity import Identity
    from engineroom.store.transport import Transport

    Make = Callable[[], bytes]

__all__ = ["Finding", "Verification", "verify"]

_BATCH_PAGES = 64
_BATCH_BLOBS = 256

_PROJECT = r"(?P<project>[a-z0-9]+(?:-[a-z0-9]+)*)"
_CHECKPOINT = re.compile(rf"checkpoints/{_PROJECT}/\d{{12}}\.json", re.ASCII)
_PAGE = re.compile(
    r"(?:channels/[a-z0-9.-]+/|commits/[0-9a-f]+/)?"
    rf"(?:(?:simple|json)/{_PROJECT}/(?:index\.(?:html|json))?)",
    re.ASCII,
)
_ENGINES = re.compile(rf"commits/[0-9a-f]+/engines/{_PROJECT}\.json", re.ASCII)
_HEAD = re.compile(rf"heads/{_PROJECT}\.json", re.ASCII)
_DERIVED = (_PAGE, _ENGINES, _HEAD)
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{2})/\1[0-9a-f]{62}/[^/]+\.whl(?:\.[a-z]+)?")
_PASSING = re.compile(r"(?:uploads|gc)/[0-9a-f-]+\.json", re.ASCII)


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        error: what it is, as the error it would be.
    """

    error: StoreError

    @property
    def kind(self) -> str:
        """A stable name: that of the error's class, with hyphens."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(self.error).__name__).lower()

    @property
    def severity(self) -> str:
        """How grave it is: `damage`, `behind` or `stray`."""
        return self.error.severity if isinstance(self.error, Flaw) else "damage"

    @property
    def key(self) -> str:
        """The object that it is about; empty when it is about none."""
        key: str = getattr(self.error, "key", "")
        return key


@dataclass
class Verification:
    """What was looked at, and what was found.

    Attributes:
        store: the store's id.
        is_full: whether all bytes were read, rather than looked up in a listing.
        key_set: the key set that signatures were checked by; None when they were not.
        projects: how many projects there are.
        entries: how many journal entries.
        blobs: how many objects that journals name.
        pages: how many pages, heads and checkpoints were compared.
        unreferenced: how many blobs no journal names: a publisher is bringing them, or
            has left them.
        unreferenced_bytes: how many bytes these are.
        findings: what is not as it should be.
    """

    store: str
    is_full: bool
    key_set: int | None = None
    projects: int = 0
    entries: int = 0
    blobs: int = 0
    pages: int = 0
    unreferenced: int = 0
    unreferenced_bytes: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def is_damaged(self) -> bool:
        """Whether anything found is damage."""
        return any(finding.severity == "damage" for finding in self.findings)


def verify(
    transport: Transport,
    *,
    full: bool = False,
    pins: Sequence[str] = (),
    memory: Memory | None = None,
    clock: Callable[[], float] = time.time,
    progress: Callable[[str], None] = lambda _step: None,
) -> Verification:
    """Hold everything in a store against its journals.

    Args:
        transport: where the store is.
        full: read all bytes; otherwise sizes, and the versions of pages, are taken from
            a listing where that tells them.
        pins: the keys or key sets that the reader believes, as `parse_pins` gives them;
            with none, signatures are not checked.
        memory: the heads seen before; an older one is found. The caller saves it.
        clock: seconds since 1970, for the times of signatures.
        progress: told what is looked at.

    Raises:
        StoreMissing: when there is no store.
        RemoteError: when the place itself fails.
    """
    identity = read_store(transport)
    outcome = Verification(identity.store, full)

    def report(error: StoreError) -> None:
        outcome.findings.append(Finding(error))

    vouching = Vouching(transport, identity, pins, memory, clock(), report)
    with Ledger() as ledger, ThreadPoolExecutor(transport.parallel) as pool:
        verifier = _Verifier(transport, identity, ledger, pool, vouching, outcome)
        verifier.run(progress)
    return outcome


class _Verifier:
    def __init__(
        self,
        transport: Transport,
        identity: Identity,
        ledger: Ledger,
        pool: Executor,
        vouching: Vouching,
        outcome: Verification,
    ) -> None:
        self._transport = transport
        self._identity = identity
        self._ledger = ledger
        self._pool = pool
        self._vouching = vouching
        self._outcome = outcome
        # By project, the last entry; None for a journal that is damaged.
        self._ends: dict[str, int | None] = {}

    def run(self, progress: Callable[[str], None]) -> None:
        ledger, outcome = self._ledger, self._outcome
        progress("listing")
        ledger.list_all(self._transport, self._pool)
        ledger.explain([keys.IDENTITY, keys.HEAD_ROOT, *root_pages(self._transport)])
        ledger.explain(self._vouching.check_key_sets())
        if self._vouching.trust is not None:
            outcome.key_set = self._vouching.trust.number
        names = journal_names(ledger)
        outcome.projects = len(names)
        for name in names:
            progress(f"reading the journal of {name}")
            self._check_project(name)
        self._vouching.check_roots(names)
        progress("looking for the bytes")
        self._check_blobs()
        progress("looking for what nothing explains")
        self._check_unexplained()

    def _report(self, error: StoreError) -> None:
        self._outcome.findings.append(Finding(error))

    def _check_project(self, name: str) -> None:
        replay = Replay(self._transport, self._identity, name)
        with closing(replay):
            walk = Walk(replay, self._pool, self._report)
            for entry in walk.entries(journal_numbers(self._ledger, name)):
                self._take_entry(replay, entry, walk.is_sound)
            self._ends[name] = walk.number if walk.is_sound else None
            if walk.is_sound:
                self._check_pages(replay)

    def _take_entry(self, replay: Replay, entry: Entry, is_sound: bool) -> None:
        """Note what an entry says must be there, and compare its checkpoint."""
        self._outcome.entries += 1
        ledger, number = self._ledger, entry.number
        ledger.want(
            Blob(key, sha256, size_bytes)
            for file in entry.files
            for key, (sha256, size_bytes) in blobs_of(file).items()
        )
        if not is_sound:
            return
        if entry.action == "withdraw":
            files = replay.files_of(entry.version_keys).values()
            withdrawn = (file for file in files if file.withdrawn is not None)
            ledger.spare(key for file in withdrawn for key in blobs_of(file))
        key = keys.checkpoint(replay.project, number)
        if ledger.entry(key) is not None:
            ledger.explain([key])
            made = replay.outline.encode(self._identity)
            for _ in self._differing({key: made}):
                self._judge_checkpoint(key, made)

    def _judge_checkpoint(self, key: str, made: bytes) -> None:
        stored = self._transport.get(key)
        if stored is not None and stored.data != made:
            difference = first_difference(stored.data, made)
            self._report(CheckpointWrong(key, difference))

    def _check_pages(self, replay: Replay) -> None:
        """Compare every page of a project and its head."""
        name, place = replay.project, replay.outline.place
        if not place.number:
            return
        suspects: list[str] = []
        hashes: dict[str, str] = {}
        makers = self._makers(replay)
        while batch := list(itertools.islice(makers, _BATCH_PAGES)):
            made = {key: make() for key, make, _ in batch}
            for key, _, is_stated in batch:
                if is_stated and not key.endswith("/"):
                    hashes[key] = hashlib.sha256(made[key]).hexdigest()
            self._ledger.explain(made)
            suspects += self._differing(made)
        self._ledger.explain([keys.head(name)])
        store = self._identity.store
        wanted = project_head(store, name, place.number, place.sha256, hashes)
        self._outcome.pages += 1
        if not self._vouching.check_project(name, wanted):
            suspects.append(keys.head(name))
        if suspects:
            self._look_again(name, suspects)

    def _makers(self, replay: Replay) -> Iterator[tuple[str, Make, bool]]:
        """Give each page's key, what makes it, and whether the head states it."""
        for channel in replay.outline.channels:
            for key, make in channel_pages(replay, channel).items():
                yield key, make, True
        for commit in replay.outline.commits:
            for key, make in commit_pages(replay, commit).items():
                yield key, make, False

    def _differing(self, made: dict[str, bytes]) -> list[str]:
        """Give the keys of those objects that are not there with these bytes."""
        self._outcome.pages += len(made)
        unknown = [key for key in made if not self._is_listed(key, made[key])]

        def differs(key: str) -> bool:
            try:
                stored = self._transport.get(key)
            except StoreUnreadable:
                return True
            return stored is None or stored.data != made[key]

        found = self._pool.map(differs, unknown)
        return [key for key, is_other in zip(unknown, found) if is_other]

    def _is_listed(self, key: str, data: bytes) -> bool:
        """Tell whether the listing vouches for bytes, which saves reading them."""
        entry = self._ledger.entry(key)
        return (
            not self._outcome.is_full
            and entry is not None
            and entry.size_bytes == len(data)
            and entry.version == self._transport.version_of(data)
        )

    def _look_again(self, name: str, suspects: Iterable[str]) -> None:
        look_again(
            self._transport,
            self._identity,
            name,
            suspects,
            self._ends[name] or 0,
            self._pool,
            self._report,
        )

    def _check_blobs(self) -> None:
        blobs = self._ledger.blobs()
        while batch := list(itertools.islice(blobs, _BATCH_BLOBS)):
            self._outcome.blobs += len(batch)
            for error in self._pool.map(self._check_blob, batch):
                if error is not None:
                    self._report(error)

    def _check_blob(self, found: tuple[Blob, int | None]) -> StoreError | None:
        blob, size_bytes = found
        try:
            if self._outcome.is_full:
                return self._read_blob(blob)
            if size_bytes is None:
                # It may have been published since the listing.
                size_bytes = self._transport.size(blob.key)
        except StoreUnreadable as error:
            return error
        return _judge_size(blob, size_bytes)

    def _read_blob(self, blob: Blob) -> StoreError | None:
        file = self._transport.open(blob.key)
        if file is None:
            return BlobMissing(blob.key)
        digest = hashlib.sha256()
        size_bytes = 0
        with file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
        found = digest.hexdigest()
        if found != blob.sha256:
            wrong = _judge_size(blob, size_bytes)
            return wrong or BlobChanged(blob.key, wanted=blob.sha256, found=found)
        return None

    def _check_unexplained(self) -> None:
        suspects: dict[str, list[str]] = {}
        for entry in self._ledger.unexplained():
            key = entry.key
            derived = next(filter(None, (p.fullmatch(key) for p in _DERIVED)), None)
            if not self._is_ours(key):
                self._report(ObjectStray(key))
            elif _BLOB.fullmatch(key):
                self._outcome.unreferenced += 1
                self._outcome.unreferenced_bytes += entry.size_bytes
            elif derived:
                suspects.setdefault(derived["project"], []).append(key)
            elif match := _CHECKPOINT.fullmatch(key):
                self._judge_lone_checkpoint(key, match["project"])
            elif not _PASSING.fullmatch(key):
                self._report(ObjectStray(key))
        for name, found in suspects.items():
            if name not in self._ends:
                self._judge_orphans(name, found)
            elif self._ends[name] is not None:
                self._look_again(name, found)

    def _is_ours(self, key: str) -> bool:
        """Tell whether a key is one that a store could have."""
        is_slash_page = self._transport.slash_pages and key.endswith("/")
        return keys.is_safe(key[:-1] if is_slash_page else key)

    def _judge_lone_checkpoint(self, key: str, project: str) -> None:
        """Judge a checkpoint of an entry that was not met."""
        if self._ends.get(project, 0) is None:
            return
        number = key.rpartition("/")[2]
        entry = f"{keys.journal_folder(project)}{number}"
        # Its entry may be newer than our reading of the journal.
        if self._transport.size(entry) is None:
            self._report(CheckpointWrong(key, f"there is no `{entry}`"))

    def _judge_orphans(self, project: str, found: Iterable[str]) -> None:
        # The project may have been published since the listing.
        if self._transport.size(keys.journal_entry(project, 1)) is None:
            for key in found:
                self._report(PageOrphaned(key))


def _judge_size(blob: Blob, size_bytes: int | None) -> StoreError | None:
    if size_bytes is None:
        return BlobMissing(blob.key)
    if blob.size_bytes not in (None, size_bytes):
        assert blob.size_bytes is not None
        return BlobSizeWrong(
            blob.key, wanted_bytes=blob.size_bytes, found_bytes=size_bytes
        )
    return None
