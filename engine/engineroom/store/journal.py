"""A project's journal: the only truth in a store.

Each commit is one numbered object, created only if absent; that creation is the one
instant at which something happens to a project. Entries hold the sha256 of the one
before them and the store's name, so one that was changed, dropped or carried over from
elsewhere shows. State is what reading the entries gives: nothing else is ever consulted
about what was published.

A journal is read from its newest checkpoint, so what a publish costs does not grow with
the number of those before it. Reading all of it is for those who list or verify.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engineroom.errors import StoreDamaged
from engineroom.store import keys
from engineroom.store.document import Reader
from engineroom.store.entry import Entry, File, admit, decode_entry, encode_entry
from engineroom.store.names import parse_wheel_name, version_key
from engineroom.store.outline import Outline, Place
from engineroom.store.transport import BytesBody
from engineroom.store.upload import tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engineroom.store.identity import Identity
    from engineroom.store.transport import Stored, Transport

__all__ = ["CHECKPOINT_ENTRIES", "Journal", "Project", "read_project", "replay"]

# Reading on from a checkpoint costs a request for each entry after it, keeping one
# costs an object of the size of the pages.
CHECKPOINT_ENTRIES = 8


@dataclass(frozen=True)
class Project:
    """A project with every file that was ever published.

    Attributes:
        outline: what its pages are made from.
        by_identity: its wheels, in the order they were published.
    """

    outline: Outline
    by_identity: Mapping[str, File] = field(default_factory=dict[str, File])

    @property
    def name(self) -> str:
        """Its normalised name."""
        return self.outline.project

    @property
    def number(self) -> int:
        """The last entry's number; 0 before the first."""
        return self.outline.number

    @property
    def files(self) -> tuple[File, ...]:
        """Its wheels, in the order they were published."""
        return tuple(self.by_identity.values())

    @property
    def versions(self) -> tuple[str, ...]:
        """Its versions, each once, in the order they were first published."""
        return tuple(dict.fromkeys(file.version for file in self.files))


class Journal:
    """A project's journal, read as far as is needed and never twice.

    Args:
        transport: where the store is.
        identity: the store's name, which every entry must carry.
        project: the project's normalised name.
        outline: a state to read on from; None starts from the newest checkpoint.

    Attributes:
        outline: the state at the last entry read.
        head: the head as it was before the first entry was read.
        hashes: by key, of pages made from this journal, the number of the entry that
            each was made from and its sha256.
    """

    def __init__(
        self,
        transport: Transport,
        identity: Identity,
        project: str,
        outline: Outline | None = None,
    ) -> None:
        self.transport = transport
        self.identity = identity
        self.project = project
        self.outline = outline or Outline(project)
        self._entries: dict[int, Entry] = {}
        self.head: Stored | None = None
        self.hashes: dict[str, tuple[int, str]] = {}
        self._has_begun = outline is not None
        self._passed: tuple[int, bytes] | None = None

    @property
    def head_number(self) -> int:
        """The entry up to which, says the head, all is derived; 0 without a head.

        A hint and no more: what was published is read from the journal.
        """
        if self.head is None:
            return 0
        reader = Reader.of_bytes(keys.head(self.project), self.head.data)
        return reader.integer("number")

    def read_on(self) -> Outline:
        """Read to the end of the journal.

        Raises:
            StoreDamaged: when an entry does not follow from those before it.
        """
        if not self._has_begun:
            self._begin()
        while True:
            number = self.outline.number + 1
            entry = self._entries.get(number) or self._read(number)
            if entry is None:
                return self.outline
            self._follow(entry)

    def entry(self, number: int) -> Entry:
        """Give an entry that is known to be there."""
        entry = self._entries.get(number) or self._read(number)
        if entry is None:
            key = keys.journal_entry(self.project, number)
            raise StoreDamaged(key, "it is missing, and later entries build upon it")
        return entry

    def files_of(self, versions: Iterable[str]) -> dict[str, File]:
        """Give all files of some versions, as they are at the last entry read.

        Args:
            versions: as `version_key` spells them.
        """
        wanted = frozenset(versions)
        numbers = {n for v in wanted for n in self.outline.versions.get(v, ())}
        self._prefetch(numbers)
        files: dict[str, File] = {}
        for number in sorted(numbers):
            entry = _only(self.entry(number), wanted)
            admit(keys.journal_entry(self.project, number), entry, files)
        return files

    def files_for(self, commit: str) -> dict[str, File]:
        """Give all files that were published for a source commit."""
        numbers = self.outline.commits.get(commit, ())
        self._prefetch(numbers)
        versions = {v for number in numbers for v in self.entry(number).version_keys}
        return {
            identity: file
            for identity, file in self.files_of(versions).items()
            if commit in file.commits
        }

    def last_for(self, commit: str) -> Place:
        """Give the last entry that changed what was published for a source commit."""
        numbers = self.outline.commits[commit]
        versions = {v for number in numbers for v in self.entry(number).version_keys}
        last = max(self.outline.versions[version][-1] for version in versions)
        return self.outline.later_than_status(Place(last, self.entry(last).sha256))

    def forget(self, more_than: int) -> None:
        """Let go of entries kept at hand, when they are more than a number."""
        if len(self._entries) > more_than:
            self._entries.clear()

    def append(self, entry: Entry) -> bool:
        """Commit an entry after the last one read.

        A transport's own retry may find its first try's entry in place: the publish id
        tells that from another publisher's.

        Returns:
            False when another publisher has taken the number; read on, then try again.
        """
        number = self.outline.number + 1
        entry = replace(entry, number=number, previous=self.outline.place.sha256)
        key = keys.journal_entry(self.project, number)
        data = encode_entry(entry, self.identity, self.project)
        if not self.transport.put_if_absent(key, BytesBody(data)):
            stored = self.transport.get(key)
            if stored is None:
                raise StoreDamaged(
                    key,
                    "the store refused to create it and does not have it",
                    hint="the store's server or disk does not keep its promises; use"
                    " another",
                )
            data = stored.data
        made = decode_entry(key, data, self.identity, self.project)
        self._entries[number] = made
        if made.publish_id != entry.publish_id:
            return False
        self._follow(made)
        return True

    def keep_checkpoints(self) -> None:
        """Store the newest checkpoint that was passed, and drop an old one.

        One is kept beside the newest, for those who look for it right now.
        """
        if self._passed is None:
            return
        number, data = self._passed
        self._passed = None
        key = keys.checkpoint(self.project, number)
        self.transport.put_if_absent(key, BytesBody(data))
        if number > 2 * CHECKPOINT_ENTRIES:
            old = keys.checkpoint(self.project, number - 2 * CHECKPOINT_ENTRIES)
            tidy(self.transport, old)

    def _begin(self) -> None:
        """Start from the newest checkpoint, and fetch what is known to follow it."""
        self._has_begun = True
        # Read before any entry: a publisher at work moves the journal on before it.
        self.head = self.transport.get(keys.head(self.project))
        number = self.head_number
        first = self._from_checkpoint(number)
        self._prefetch(range(first + 1, number + 1))

    def _from_checkpoint(self, number: int) -> int:
        """Take the newest checkpoint up to an entry; give its number, 0 for none."""
        start = number - number % CHECKPOINT_ENTRIES
        for candidate in (start, start - CHECKPOINT_ENTRIES):
            if candidate > 0 and self._take_checkpoint(candidate):
                return candidate
        return 0

    def _take_checkpoint(self, number: int) -> bool:
        key = keys.checkpoint(self.project, number)
        stored = self.transport.get(key)
        if stored is None:
            return False
        outline = Outline.decode(key, stored.data, self.identity, self.project)
        if outline.number != number:
            raise StoreDamaged(key, f"it says it is of entry {outline.number}")
        self.outline = outline
        return True

    def _prefetch(self, numbers: Iterable[int]) -> None:
        missing = [number for number in numbers if number not in self._entries]
        if len(missing) < 2:
            return
        with ThreadPoolExecutor(min(self.transport.parallel, len(missing))) as pool:
            for _ in pool.map(self._read, missing):
                pass

    def _read(self, number: int) -> Entry | None:
        key = keys.journal_entry(self.project, number)
        stored = self.transport.get(key)
        if stored is None:
            return None
        entry = _decode(key, stored, self.identity, self.project, number)
        self._entries[number] = entry
        return entry

    def _follow(self, entry: Entry) -> None:
        _follow(self.outline, entry)
        if entry.number % CHECKPOINT_ENTRIES == 0:
            self._passed = entry.number, self.outline.encode(self.identity)


def read_project(transport: Transport, identity: Identity, name: str) -> Project:
    """Read a journal from its first entry to its end."""
    outline = Outline(name)
    files: dict[str, File] = {}
    for entry in replay(transport, identity, name, outline):
        admit(keys.journal_entry(name, entry.number), entry, files)
    return Project(outline, files)


def replay(
    transport: Transport, identity: Identity, name: str, outline: Outline
) -> Iterator[Entry]:
    """Read a journal from its first entry, keeping an outline at the entry given."""
    with ThreadPoolExecutor(transport.parallel) as pool:
        number = 0
        while True:
            # A row at a time, so that memory does not grow with the journal.
            numbers = range(number + 1, number + 1 + 4 * transport.parallel)
            row = [keys.journal_entry(name, one) for one in numbers]
            for key, stored in zip(row, pool.map(transport.get, row)):
                if stored is None:
                    return
                number += 1
                entry = _decode(key, stored, identity, name, number)
                _follow(outline, entry)
                yield entry


def _decode(
    key: str, stored: Stored, identity: Identity, project: str, number: int
) -> Entry:
    entry = decode_entry(key, stored.data, identity, project)
    if entry.number != number:
        raise StoreDamaged(key, f"it says it is number {entry.number}")
    return entry


def _follow(outline: Outline, entry: Entry) -> None:
    key = keys.journal_entry(outline.project, entry.number)
    if entry.previous != outline.place.sha256:
        raise StoreDamaged(
            key,
            f"its `previous` is `{entry.previous}`, and `{outline.place.sha256}` was"
            " expected",
        )
    outline.read_on(key, entry)


def _only(entry: Entry, versions: frozenset[str]) -> Entry:
    """Give an entry with nothing in it about other versions."""
    if entry.action == "publish":
        files = tuple(f for f in entry.files if _version_of(f.name) in versions)
        return replace(entry, files=files)
    names = tuple(name for name in entry.names if _version_of(name) in versions)
    return replace(entry, names=names)


def _version_of(file_name: str) -> str:
    return version_key(parse_wheel_name(file_name).version)
