"""What vouches for a store as a whole: key sets, heads, and the pages of all projects.

A verifier's look at them. Where the reader pins keys, each head's signature and times
are checked too; where the reader remembers, no head may be older than one seen before.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from engineroom.errors import (
    HeadChanged,
    PageChanged,
    PageMissing,
    RootBehind,
    RootLacksProject,
    SigningError,
    StoreDamaged,
    StoreTooNew,
    StoreUnreadable,
)
from engineroom.store import keys
from engineroom.store.derive import list_projects, root_pages
from engineroom.store.document import Reader, encode
from engineroom.store.head import (
    check_head,
    check_root_head,
    root_head,
    unsigned_part,
)
from engineroom.store.suspects import first_difference
from engineroom.store.trust import KeySet, Trust, follow, read_key_sets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engineroom.errors import StoreError
    from engineroom.store.head import Memory
    from engineroom.store.identity import Identity
    from engineroom.store.transport import Transport

__all__ = ["Vouching"]


class Vouching:
    """The checks of what vouches for a store.

    Args:
        transport: where the store is.
        identity: the store's name.
        pins: what the reader pins; nothing for a reader who does not check signatures.
        memory: what the reader saw before, or None.
        now: seconds since 1970.
        report: is handed each flaw.

    Attributes:
        trust: whom the reader believes; None without pins, and when they fit nothing.
    """

    def __init__(
        self,
        transport: Transport,
        identity: Identity,
        pins: Sequence[str],
        memory: Memory | None,
        now: float,
        report: Callable[[StoreError], None],
    ) -> None:
        self._transport = transport
        self._identity = identity
        self._pins = pins
        self._memory = memory
        self._now = now
        self._report = report
        self._last_keys = Trust(identity.store, {}, 0, "")
        self.trust: Trust | None = None

    def check_key_sets(self) -> tuple[str, ...]:
        """Check that the key sets are a chain, and follow it from the reader's pins.

        Returns:
            The keys of those that are a chain.
        """
        sets: tuple[KeySet, ...] = ()
        try:
            sets = read_key_sets(self._get)
            if sets:
                last = sets[-1]
                self._last_keys = Trust(last.store, {}, last.number, last.sha256)
            if self._pins:
                self.trust = follow(self._get, self._pins)
        except (SigningError, StoreDamaged, StoreTooNew, StoreUnreadable) as error:
            self._report(error)
        return tuple(one.key for one in sets)

    def check_project(self, project: str, wanted: dict[str, Any]) -> bool:
        """Check a project's head; tell whether it says what it should."""
        return self._said(keys.head(project), project) == wanted

    def check_roots(self, names: Sequence[str]) -> None:
        """Check what lists all projects."""
        # The head first: it is written after its pages, and these after the journals.
        said = self._said(keys.HEAD_ROOT)
        stated = frozenset(_project_names(said))
        makers = root_pages(self._transport)
        found = {key: self._get(key) for key in makers}
        # Projects may have been published since their names were listed.
        now_there = list_projects(self._transport)
        hashes: dict[str, str] = {}
        for key, make in makers.items():
            hashes[key] = hashlib.sha256(make(now_there)).hexdigest()
            if found[key] not in (make(names), make(now_there)):
                self._judge_root(key, found[key], make, now_there, stated)
        made = [root_head(self._identity.store, now_there, hashes)]
        if tuple(names) != now_there:
            made.append(self._root_head(names, makers))
        if said is not None and said not in made:
            self._judge_root_head(said, makers, now_there)
        elif said is None and now_there and self._is_absent(keys.HEAD_ROOT):
            self._report(RootBehind(keys.HEAD_ROOT, now_there))

    def _judge_root(
        self,
        key: str,
        found: bytes | None,
        make: Callable[[Iterable[str]], bytes],
        names: Sequence[str],
        stated: frozenset[str],
    ) -> None:
        if found is None:
            self._report(PageMissing(key) if stated else RootBehind(key, names))
            return
        lacking = [name for name in names if not _lists(found, name)]
        if found != make(set(names) - set(lacking)):
            self._report(PageChanged(key, first_difference(found, make(names))))
            return
        for name in lacking:
            if name in stated:
                self._report(RootLacksProject(key, name))
        if late := [name for name in lacking if name not in stated]:
            self._report(RootBehind(key, late))

    def _judge_root_head(
        self,
        said: dict[str, Any],
        makers: dict[str, Callable[[Iterable[str]], bytes]],
        names: Sequence[str],
    ) -> None:
        known = sorted(_project_names(said))
        lacking = [name for name in names if name not in known]
        if lacking and said == self._root_head(known, makers):
            self._report(RootBehind(keys.HEAD_ROOT, lacking))
            return
        made = encode(self._root_head(names, makers))
        difference = first_difference(encode(said), made)
        self._report(HeadChanged(keys.HEAD_ROOT, difference))

    def _root_head(
        self,
        names: Iterable[str],
        makers: dict[str, Callable[[Iterable[str]], bytes]],
    ) -> dict[str, Any]:
        hashes = {
            key: hashlib.sha256(make(names)).hexdigest() for key, make in makers.items()
        }
        return root_head(self._identity.store, names, hashes)

    def _said(self, key: str, project: str | None = None) -> dict[str, Any] | None:
        """Read a head and check it; give what it says, None when that cannot be told.

        Args:
            key: where it is.
            project: whose it is; None for that of all projects.
        """
        data = self._get(key)
        try:
            if self.trust is not None:
                self._check_signed(data, project)
            elif data is not None and self._memory is not None:
                self._remember(Reader.of_bytes(key, data))
        except SigningError as error:
            self._report(error)
        except (StoreDamaged, StoreTooNew):
            pass  # Whatever the reader asks for, what is no document is told below.
        if data is None:
            return None
        try:
            return unsigned_part(Reader.of_bytes(key, data).value)
        except StoreDamaged as error:
            # What is wrong with a project's is told by who looks at it again.
            if project is None:
                self._report(HeadChanged(key, error.reason))
        except StoreTooNew as error:
            if project is None:
                self._report(error)
        return None

    def _check_signed(self, data: bytes | None, project: str | None) -> None:
        assert self.trust is not None

        def get(_key: str) -> bytes | None:
            return data

        now, memory = self._now, self._memory
        if project is None:
            check_root_head(get, self.trust, now=now, memory=memory)
        else:
            check_head(get, project, self.trust, now=now, memory=memory)

    def _remember(self, head: Reader) -> None:
        """Hold an unsigned head against those seen before: better than nothing."""
        assert self._memory is not None
        if head.key == keys.HEAD_ROOT:
            names = _project_names(head.value)
            number = len(names)
            sha256 = hashlib.sha256("\n".join(names).encode()).hexdigest()
        else:
            number, sha256 = head.integer("number"), head.sha256("sha256")
        self._memory.check(self._last_keys, head.key, number, sha256)

    def _is_absent(self, key: str) -> bool:
        return self._transport.size(key) is None

    def _get(self, key: str) -> bytes | None:
        stored = self._transport.get(key)
        return stored.data if stored else None


def _lists(page: bytes, project: str) -> bool:
    """Tell whether a page of all projects, HTML or JSON, has one of them."""
    return any(
        text.encode() in page for text in (f">{project}</a>", f'"name":"{project}"')
    )


def _project_names(document: dict[str, Any] | None) -> list[str]:
    """Give the names in a head of all projects; none when they cannot be read."""
    items: Any = document.get("projects") if document else None
    try:
        return [str(item["name"]) for item in items]
    except (TypeError, KeyError):
        return []
