"""Removing what nobody needs any more, and never what anybody does.

Publishers that died leave bytes that no journal names, withdrawn wheels may go, and
lists and checkpoints grow old. Nothing tells these apart from what a publisher is just
bringing but time, and no place offers "remove this if it is still not wanted". So there
are several guards, each of which holds alone in all but a few orders of events:

- What young upload lists name is spared; publishers leave one before they bring bytes,
  and commit only while it is young.
- Candidates are written down first, in a mark. Only what a mark of at least one grace
  time ago lists is removed, and only when it is still a candidate, and itself old.
- Right before bytes are removed the upload lists and the project's journal are read
  again; right after, once more, and bytes that were wanted in between are put back.
- Publishers store again, after their commit, what they found in place before it.

A store whose journals are damaged is left alone.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from engineroom.errors import StoreDamaged
from engineroom.store import keys
from engineroom.store.derive import check_reach, head_number, open_journal
from engineroom.store.document import FORMAT, Reader, encode
from engineroom.store.entry import blobs_of
from engineroom.store.identity import read_store
from engineroom.store.ledger import Ledger
from engineroom.store.names import (
    NameRefused,
    WheelName,
    parse_wheel_name,
    version_key,
)
from engineroom.store.replay import Replay
from engineroom.store.times import utc_text
from engineroom.store.transport import CHUNK_BYTES, BytesBody, Entry
from engineroom.store.upload import GRACE_SECONDS
from engineroom.store.walk import Walk, journal_names, journal_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engineroom.errors import StoreError
    from engineroom.store.identity import Identity
    from engineroom.store.journal import Journal
    from engineroom.store.transport import Transport

__all__ = ["Collection", "collect"]

# A mark is one document; a store with more candidates gets several.
_MARK_KEYS = 10_000
_HELD_IN_MEMORY_BYTES = 8 << 20


@dataclass
class Collection:
    """What a collector found, and what it did.

    Attributes:
        candidates: bytes that nobody needs, as the listing has them.
        ready: those that an old mark lists too, so that a sweep removes them.
        marks: the marks that were written.
        removed: the bytes that were removed.
        cleaned: what else was: old upload lists, marks and checkpoints.
        is_dry_run: whether nothing was to be written.
    """

    candidates: list[Entry]
    ready: list[Entry]
    marks: list[str]
    removed: list[Entry]
    cleaned: list[str]
    is_dry_run: bool


def collect(
    transport: Transport,
    *,
    mark: bool = False,
    sweep: bool = False,
    grace_seconds: float = GRACE_SECONDS,
    progress: Callable[[str], None] = lambda _step: None,
) -> Collection:
    """Find what nobody needs; mark it, or remove what was marked long enough ago.

    Args:
        transport: where the store is.
        mark: write down what is found.
        sweep: remove what an earlier mark lists and is found again.
        grace_seconds: how old marks, bytes and upload lists must be. Less than
            publishers count on may take bytes from under one at work.
        progress: told what is looked at.

    Raises:
        StoreDamaged: when a journal is damaged or missing; nothing was removed.
    """
    identity = read_store(transport)
    collector = _Collector(transport, identity, grace_seconds)
    candidates = collector.candidates(progress)
    marked = collector.marked()
    ready = [entry for entry in candidates if entry.key in marked]
    outcome = Collection(candidates, ready, [], [], [], not (mark or sweep))
    if sweep:
        for entries in _by_wheel(ready):
            progress(f"removing {entries[0].key.rpartition('/')[2]}")
            outcome.removed += collector.remove(entries)
        outcome.cleaned += collector.clean()
    if mark:
        gone = {entry.key for entry in outcome.removed}
        left = [e.key for e in candidates if e.key not in marked and e.key not in gone]
        outcome.marks += collector.mark(left)
    return outcome


class _Collector:
    def __init__(
        self, transport: Transport, identity: Identity, grace_seconds: float
    ) -> None:
        self._transport = transport
        self._identity = identity
        self._now = transport.now()
        self._grace_seconds = grace_seconds
        self._journals: dict[str, Journal] = {}
        # What upload lists say never changes.
        self._uploads: dict[str, frozenset[str]] = {}

    def candidates(self, progress: Callable[[str], None]) -> list[Entry]:
        """Give the old bytes that neither a journal nor a young upload list names."""
        transport = self._transport
        with Ledger() as ledger, ThreadPoolExecutor(transport.parallel) as pool:
            # What is listed first and looked up later is not missed.
            progress("listing")
            ledger.take_listing(transport.entries(keys.BLOBS))
            ledger.explain(self._announced())
            ledger.take_listing(transport.entries(keys.JOURNALS))
            names = journal_names(ledger)
            self._check_journals(names)
            for name in names:
                progress(f"reading the journal of {name}")
                # The head first: publishers move it on after the journal.
                number = head_number(transport, name)
                replay = Replay(transport, self._identity, name)
                with closing(replay):
                    walk = Walk(replay, pool, _refuse)
                    for _ in walk.entries(journal_numbers(ledger, name)):
                        pass
                    check_reach(keys.head(name), number, replay)
                    for file in replay.files():
                        if file.withdrawn is None:
                            ledger.explain(blobs_of(file))
            return [
                entry
                for entry in ledger.unexplained()
                if self._is_old(entry) and _wheel_of(entry.key)
            ]

    def marked(self) -> frozenset[str]:
        """Give what marks list that are old enough."""
        marked: set[str] = set()
        for entry in self._transport.entries(keys.COLLECTIONS):
            if self._is_old(entry):
                marked |= self._listed_in(entry.key)
        return frozenset(marked)

    def mark(self, wanted: list[str]) -> list[str]:
        """Write down what may be removed one grace time from now."""
        time = utc_text(self._now)
        digits = "".join(character for character in time if character.isdigit())
        marks: list[str] = []
        for start in range(0, len(wanted), _MARK_KEYS):
            key = keys.collection(f"{digits}-{secrets.token_hex(8)}")
            document = {
                "format": FORMAT,
                "keys": wanted[start : start + _MARK_KEYS],
                "store": self._identity.store,
                "time": time,
            }
            self._transport.put_if_absent(key, BytesBody(encode(document)))
            marks.append(key)
        return marks

    def remove(self, entries: list[Entry]) -> list[Entry]:
        """Remove one wheel's bytes, unless somebody has come to want them.

        Returns:
            What was removed.
        """
        wheel = _wheel_of(entries[0].key)
        assert wheel is not None
        with ExitStack() as stack:
            held = {
                entry.key: stack.enter_context(closing(body))
                for entry in entries
                if (body := self._hold(entry.key)) is not None
            }
            if self._is_wanted(wheel, held) or not self._are_still_old(entries):
                return []
            for key in held:
                self._transport.delete(key)
            if self._is_wanted(wheel, held):
                for key, body in held.items():
                    self._transport.put_if_absent(key, body)
                return []
            return [entry for entry in entries if entry.key in held]

    def clean(self) -> list[str]:
        """Remove old upload lists and marks, and checkpoints that are superseded."""
        transport = self._transport
        old = [
            entry.key
            for prefix in (keys.UPLOADS, keys.COLLECTIONS)
            for entry in transport.entries(prefix)
            if self._is_old(entry)
        ]
        for name in list(transport.folders(keys.CHECKPOINTS)):
            # One is kept beside the newest, for those who look for it right now.
            old += sorted(transport.list(keys.checkpoint_folder(name)))[:-2]
        for key in old:
            transport.delete(key)
        return old

    def _check_journals(self, names: Iterable[str]) -> None:
        """Refuse a store that lost a journal: its bytes would look unwanted."""
        heads = {
            key[len(keys.HEADS) : -len(".json")]
            for key in self._transport.list(keys.HEADS)
            if key.endswith(".json")
        }
        stored = self._transport.get(keys.HEAD_ROOT)
        if stored is not None:
            root = Reader.of_bytes(keys.HEAD_ROOT, stored.data)
            heads.update(item.text("name") for item in root.objects("projects"))
        for name in sorted(heads.difference(names)):
            # It may have been published since the journals were listed.
            if self._transport.size(keys.journal_entry(name, 1)) is None:
                raise StoreDamaged(
                    keys.journal_entry(name, 1),
                    f"it is missing, and `{name}` has a head",
                )

    def _announced(self) -> frozenset[str]:
        """Give what young upload lists name."""
        announced: set[str] = set()
        for entry in self._transport.entries(keys.UPLOADS):
            if not self._is_old(entry):
                announced |= self._listed_in(entry.key)
        return frozenset(announced)

    def _listed_in(self, key: str) -> frozenset[str]:
        """Give the keys that an upload list or a mark names; none when it has gone."""
        if key not in self._uploads:
            stored = self._transport.get(key)
            if stored is None:
                return frozenset()
            reader = Reader.of_bytes(key, stored.data)
            if reader.text("store") != self._identity.store:
                raise reader.damage("it is of another store")
            self._uploads[key] = frozenset(reader.texts("keys"))
        return self._uploads[key]

    def _is_wanted(self, wheel: WheelName, found: Iterable[str]) -> bool:
        """Look whether a publisher has announced or published a wheel by now."""
        if not self._announced().isdisjoint(found):
            return True
        name = wheel.project
        if self._transport.size(keys.journal_entry(name, 1)) is None:
            return False
        if name not in self._journals:
            self._journals[name] = open_journal(self._transport, self._identity, name)
        journal = self._journals[name]
        journal.read_on()
        files = journal.files_of((version_key(wheel.version),)).values()
        wanted = {k for f in files if f.withdrawn is None for k in blobs_of(f)}
        return not wanted.isdisjoint(found)

    def _are_still_old(self, entries: list[Entry]) -> bool:
        """Look whether nobody has stored it anew since it was listed."""
        folder = f"{entries[0].key.rpartition('/')[0]}/"
        return all(map(self._is_old, self._transport.entries(folder)))

    def _is_old(self, entry: Entry) -> bool:
        return self._now - entry.modified_seconds >= self._grace_seconds

    def _hold(self, key: str) -> _Held | None:
        """Copy an object aside, so that it can be put back."""
        file = self._transport.open(key)
        if file is None:
            return None
        with file:
            return _Held(file)


class _Held:
    """A body that was in a store, kept in memory or, when it is big, in a file."""

    def __init__(self, source: BinaryIO) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by `close`
            max_size=_HELD_IN_MEMORY_BYTES
        )
        digest = hashlib.sha256()
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            self._file.write(chunk)
        self.size_bytes = self._file.tell()
        self.sha256 = digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Give the bytes from the start."""
        self._file.seek(0)
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        """Let go of the bytes."""
        self._file.close()


def _wheel_of(key: str) -> WheelName | None:
    """Give the name of the wheel whose bytes, or companion, a key is; None for none."""
    name = key.rpartition("/")[2]
    for suffix in (keys.METADATA_SUFFIX, keys.PROVENANCE_SUFFIX):
        name = name[: -len(suffix)] if name.endswith(suffix) else name
    try:
        return parse_wheel_name(name)
    except NameRefused:
        return None  # Not ours: `verify` names it.


def _by_wheel(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Put together what is kept in one folder: a wheel and its companions."""

    def folder(entry: Entry) -> str:
        return entry.key.rpartition("/")[0]

    for _, group in itertools.groupby(sorted(entries, key=folder), folder):
        yield list(group)


def _refuse(error: StoreError) -> NoReturn:
    raise error
