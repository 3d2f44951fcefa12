"""Telling pages that are behind from pages that were tampered with.

A page that is not what the journal gives may be one that nobody has brought up yet, or
the journal may have gone on while the page was read. So the pages in question are read
once more, then the journal is read once more, from its start, and each page is held
against the state of the very entry that it says it was made from. A page that is none
of these was changed; one that is older than its head was put back.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engineroom.errors import (
    HeadChanged,
    JournalCut,
    JournalRewritten,
    PageBehind,
    PageChanged,
    PageMissing,
    PageOrphaned,
    PageRolledBack,
    StoreDamaged,
    StoreTooNew,
    StoreUnreadable,
)
from engineroom.store import keys
from engineroom.store.derive import channel_pages, commit_pages, head_document
from engineroom.store.document import Reader, encode
from engineroom.store.head import unsigned_part
from engineroom.store.pages import built_from
from engineroom.store.replay import Replay
from engineroom.store.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor

    from engineroom.errors import StoreError
    from engineroom.store.identity import Identity
    from engineroom.store.transport import Transport

__all__ = ["look_again", "page_at"]

_SHOWN_CHARACTERS = 160


@dataclass
class _Suspect:
    """A page, or the head, as it was found.

    Attributes:
        sha256: the hash of its bytes, or of what a head says; None when it is absent.
        number: the entry that it says it was made from.
        is_earlier: whether that entry's state gives it.
        number_by_head: the entry that it showed at the state the head names.
    """

    sha256: str | None
    number: int
    is_earlier: bool = False
    number_by_head: int = 0


def look_again(
    transport: Transport,
    identity: Identity,
    project: str,
    wanted: Iterable[str],
    known: int,
    pool: Executor,
    report: Callable[[StoreError], None],
) -> None:
    """Say of each page of a project that is not as it should be why it is not.

    Args:
        transport: where the store is.
        identity: the store's name.
        project: the project's normalised name.
        wanted: the keys of its pages, and of its head, that are in question.
        known: the last entry that its journal is known to have.
        pool: where several objects are read at once.
        report: is handed each flaw.
    """
    look = _Look(transport, identity, project, report)
    look.read(wanted)
    with closing(look.replay):
        walk = Walk(look.replay, pool, report)
        for entry in walk.entries(range(1, known + 1)):
            if walk.is_sound:
                look.compare(entry.number)
        if walk.is_sound:
            look.judge()


def page_at(replay: Replay, key: str) -> tuple[bytes, int] | None:
    """Give a page as it is at the replay's state, and the entry it is made from.

    None when that state has no such page.
    """
    folder, _, rest = key.partition("/")
    name = rest.partition("/")[0]
    outline = replay.outline
    if folder == keys.COMMITS.rstrip("/"):
        if name not in outline.commits:
            return None
        made, number = commit_pages(replay, name), replay.last_for(name).number
    else:
        channel = name if folder == keys.CHANNELS.rstrip("/") else keys.RELEASE
        if channel not in outline.channels:
            return None
        made = channel_pages(replay, channel)
        number = outline.channels[channel].place.number
    return (made[key](), number) if key in made else None


class _Look:
    def __init__(
        self,
        transport: Transport,
        identity: Identity,
        project: str,
        report: Callable[[StoreError], None],
    ) -> None:
        self.replay = Replay(transport, identity, project)
        self._transport = transport
        self._report = report
        self._head_key = keys.head(project)
        self._head: dict[str, Any] | None = None
        self._is_head_unreadable = False
        self._pages: dict[str, _Suspect] = {}
        self._by_number: dict[int, list[str]] = {}
        self._head_suspect: _Suspect | None = None
        self._rewritten: tuple[str, str] | None = None

    @property
    def _head_number(self) -> int:
        number: int = self._head["number"] if self._head else 0
        return number

    def read(self, wanted: Iterable[str]) -> None:
        """Read the head and then the pages: a head is written after its pages."""
        self._head = self._read_head()
        for key in wanted:
            if key == self._head_key:
                if not self._is_head_unreadable:
                    said = encode(self._head) if self._head else None
                    self._head_suspect = _Suspect(_hash(said), self._head_number)
                continue
            try:
                stored = self._transport.get(key)
            except StoreUnreadable as error:
                self._report(error)
                continue
            data = stored.data if stored else None
            page = _Suspect(_hash(data), built_from(data or b""))
            self._pages[key] = page
            self._by_number.setdefault(page.number, []).append(key)

    def compare(self, number: int) -> None:
        """Hold all that was found against the state of one entry."""
        for key in self._by_number.get(number, ()):
            made = page_at(self.replay, key)
            page = self._pages[key]
            page.is_earlier = made is not None and page.sha256 == _hash(made[0])
        if self._head is None or number != self._head_number:
            return
        for key, page in self._pages.items():
            made = page_at(self.replay, key)
            page.number_by_head = made[1] if made else 0
        sha256 = self.replay.outline.place.sha256
        if self._head["sha256"] != sha256:
            self._rewritten = sha256, self._head["sha256"]
        if self._head_suspect is not None:
            self._head_suspect.is_earlier = self._head == head_document(self.replay)

    def judge(self) -> None:
        """Report what is wrong now that the journal has been read to its end."""
        end = self.replay.outline.number
        number, stated_by = self._last_stated()
        if number > end:
            missing = keys.journal_entry(self.replay.project, end + 1)
            self._report(JournalCut(missing, number, stated_by))
        pages = {key: page for key, page in self._pages.items() if page.number <= end}
        if self._rewritten and any(
            page.sha256 and not page.is_earlier for page in pages.values()
        ):
            found, wanted = self._rewritten
            key = keys.journal_entry(self.replay.project, self._head_number)
            self._report(
                JournalRewritten(
                    key, found=found, wanted=wanted, stated_by=self._head_key
                )
            )
            return
        for key, page in pages.items():
            self._judge_page(key, page)
        if self._head_suspect is not None and self._head_number <= end:
            self._judge_head(self._head_suspect)

    def _read_head(self) -> dict[str, Any] | None:
        try:
            stored = self._transport.get(self._head_key)
            if stored is None:
                return None
            reader = Reader.of_bytes(self._head_key, stored.data)
            reader.integer("number")
            reader.text("sha256")
        except StoreDamaged as error:
            self._report(HeadChanged(self._head_key, error.reason))
        except (StoreTooNew, StoreUnreadable) as error:
            self._report(error)
        else:
            return unsigned_part(reader.value)
        self._is_head_unreadable = True
        return None

    def _last_stated(self) -> tuple[int, str]:
        """Give the last entry that anything was made from, and what that is."""
        stated = [(page.number, key) for key, page in self._pages.items()]
        return max([*stated, (self._head_number, self._head_key)])

    def _judge_page(self, key: str, page: _Suspect) -> None:
        made = page_at(self.replay, key)
        if made is None:
            if page.sha256 is not None:
                self._report(PageOrphaned(key))
            return
        data, wanted = made
        if page.sha256 == _hash(data):
            return
        if page.sha256 is None and page.number_by_head:
            self._report(PageMissing(key))
        elif page.sha256 is not None and not page.is_earlier:
            self._report(PageChanged(key, self._difference(key, data)))
        elif page.number < page.number_by_head:
            self._report(
                PageRolledBack(
                    key,
                    number=page.number,
                    wanted=wanted,
                    head_number=self._head_number,
                )
            )
        else:
            self._report(PageBehind(key, number=page.number, wanted=wanted))

    def _judge_head(self, head: _Suspect) -> None:
        end = self.replay.outline.number
        if head.sha256 is None or (head.is_earlier and head.number < end):
            self._report(PageBehind(self._head_key, number=head.number, wanted=end))
        elif not head.is_earlier:
            made = encode(head_document(self.replay))
            found = encode(self._head or {})
            self._report(HeadChanged(self._head_key, first_difference(found, made)))

    def _difference(self, key: str, made: bytes) -> str:
        stored = self._transport.get(key)
        return first_difference(stored.data if stored else b"", made)


def first_difference(found: bytes, made: bytes) -> str:
    """Say in words where two texts part."""
    lines = zip(
        [*found.split(b"\n"), b""],
        [*made.split(b"\n"), b""],
    )
    for number, (is_there, should_be) in enumerate(lines, start=1):
        if is_there != should_be:
            place = _common(is_there, should_be)
            return (
                f"line {number} has `{_excerpt(is_there, place)}` where"
                f" `{_excerpt(should_be, place)}` should be"
            )
    return f"it has {len(found)} bytes where {len(made)} should be"


def _common(one: bytes, other: bytes) -> int:
    """Give how many bytes two lines begin with alike."""
    length = min(len(one), len(other))
    return next((i for i in range(length) if one[i] != other[i]), length)


def _excerpt(line: bytes, place: int) -> str:
    """Give the part of a line around a place, fit to be shown."""
    start = max(0, place - _SHOWN_CHARACTERS // 4)
    text = line[start : start + _SHOWN_CHARACTERS].decode(errors="replace")
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return f"{'…' if start else ''}{shown}"


def _hash(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()
