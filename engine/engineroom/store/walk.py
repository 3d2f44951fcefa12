"""Walking a journal that may be damaged, and naming each place where it is.

A publisher stops at the first thing wrong in a journal; who verifies one goes on. What
is found is handed over one flaw at a time.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import TYPE_CHECKING

from engineroom.errors import (
    EntryChanged,
    EntryForeign,
    EntryMissing,
    EntryWrong,
    StoreDamaged,
    StoreTooNew,
    StoreUnreadable,
)
from engineroom.store import keys
from engineroom.store.document import Reader
from engineroom.store.entry import decode_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from engineroom.errors import StoreError
    from engineroom.store.entry import Entry
    from engineroom.store.ledger import Ledger
    from engineroom.store.replay import Replay

__all__ = ["Walk", "journal_names", "journal_numbers"]

_ENTRY = re.compile(
    r"journal/(?P<project>[a-z0-9]+(?:-[a-z0-9]+)*)/(?P<number>\d{12})\.json", re.ASCII
)


class Walk:
    """One walk along a project's journal.

    Args:
        replay: takes the entries in, as long as they follow from each other.
        pool: where several are read at once.
        report: is handed each flaw.

    Attributes:
        replay: the state that the entries give, up to the first flaw.
        is_sound: whether there was no flaw.
        number: the last entry that is there.
    """

    def __init__(
        self, replay: Replay, pool: Executor, report: Callable[[StoreError], None]
    ) -> None:
        self.replay = replay
        self.is_sound = True
        self.number = 0
        self._pool = pool
        self._report = report
        # The hash of the entry before; None where there is none to compare with.
        self._previous: str | None = ""

    def entries(self, listed: Iterable[int] = ()) -> Iterator[Entry]:
        """Give each entry that can be read, when the replay has taken it in.

        Args:
            listed: numbers that a listing showed, ascending; a journal may have gone on
                since, so what follows them is asked for too.
        """
        for number, data in self._read(listed):
            key = keys.journal_entry(self.replay.project, number)
            if number != self.number + 1:
                missing = keys.journal_entry(self.replay.project, self.number + 1)
                self._flaw(EntryMissing(missing, key))
                self._previous = None
            self.number = number
            if isinstance(data, StoreUnreadable):
                self._flaw(data)
                self._previous = None
                continue
            entry = self._decode(key, number, data)
            if entry is not None:
                self._check_previous(key, entry)
            self._previous = hashlib.sha256(data).hexdigest()
            if entry is not None:
                self._take(key, entry)
                yield entry

    def _read(
        self, listed: Iterable[int]
    ) -> Iterator[tuple[int, bytes | StoreUnreadable]]:
        """Give the bytes of the entries listed, and of those after the last."""
        numbers = iter(listed)
        row_length = 4 * self.replay.transport.parallel
        last = 0
        while row := list(itertools.islice(numbers, row_length)):
            for number, data in zip(row, self._pool.map(self._get, row)):
                if data is not None:
                    yield number, data
            last = row[-1]
        while (data := self._get(last + 1)) is not None:
            last += 1
            yield last, data

    def _get(self, number: int) -> bytes | StoreUnreadable | None:
        key = keys.journal_entry(self.replay.project, number)
        try:
            stored = self.replay.transport.get(key)
        except StoreUnreadable as error:
            return error
        return stored.data if stored else None

    def _decode(self, key: str, number: int, data: bytes) -> Entry | None:
        """Read an entry; None when it cannot be, which is reported."""
        replay = self.replay
        identity, project = replay.identity, replay.project
        try:
            reader = Reader.of_bytes(key, data)
            for name, wanted in (("store", identity.store), ("project", project)):
                if (found := reader.text(name)) != wanted:
                    self._flaw(EntryForeign(key, name, wanted=wanted, found=found))
                    return None
            entry = decode_entry(key, data, identity, project)
        except StoreDamaged as error:
            self._flaw(EntryWrong(key, error.reason))
            return None
        except StoreTooNew as error:
            self._flaw(error)
            return None
        if entry.number != number:
            self._flaw(EntryWrong(key, f"it says it is number {entry.number}"))
            return None
        return entry

    def _check_previous(self, key: str, entry: Entry) -> None:
        if self._previous is None or entry.previous == self._previous:
            return
        if entry.number == 1:
            reason = f"it is the first and was made after `{entry.previous}`"
            self._flaw(EntryWrong(key, reason))
            return
        before = keys.journal_entry(self.replay.project, entry.number - 1)
        self._flaw(
            EntryChanged(
                before, found=self._previous, wanted=entry.previous, next_key=key
            )
        )

    def _take(self, key: str, entry: Entry) -> None:
        if not self.is_sound:
            return
        try:
            self.replay.take(entry)
        except StoreDamaged as error:
            self._flaw(EntryWrong(key, error.reason))

    def _flaw(self, error: StoreError) -> None:
        self.is_sound = False
        self._report(error)


def journal_names(ledger: Ledger) -> list[str]:
    """Give the names of the projects that have a journal in a listing."""
    names: list[str] = []
    last = ""
    # A journal may have millions of entries: from one project on to the next.
    while key := next(ledger.keys(keys.JOURNALS, last), None):
        match = _ENTRY.fullmatch(key)
        last = key
        if match:
            names.append(match["project"])
            last = f"{keys.journal_folder(match['project'])}\x7f"
    return names


def journal_numbers(ledger: Ledger, project: str) -> Iterator[int]:
    """Give the numbers of a journal's entries in a listing, ascending."""
    for key in ledger.keys(keys.journal_folder(project)):
        match = _ENTRY.fullmatch(key)
        if match and int(match["number"]):
            ledger.explain([key])
            yield int(match["number"])
