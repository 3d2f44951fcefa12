"""Signing: who signs for a store, and signing its heads again before they expire.

What is signed again is what was signed before. A head that was changed since, that is
older than one seen before, or that does not fit the pages and the journal beside it, is
left alone and named: otherwise whoever may write to the store would only have to wait
for the next round to have a signature on anything.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engineroom.errors import (
    KeyRetired,
    KeySetMissing,
    KeyUnknown,
    NotVouchedFor,
    SignerMissing,
    SigningError,
    StoreBusy,
    StoreError,
)
from engineroom.store import keys
from engineroom.store.derive import list_projects
from engineroom.store.document import Reader, encode
from engineroom.store.head import (
    check_head,
    check_root_head,
    listed_pages,
    listed_projects,
    place_of_root,
    unsigned_part,
)
from engineroom.store.signing import Signer, sign_document
from engineroom.store.times import utc_seconds, utc_text
from engineroom.store.transport import BytesBody
from engineroom.store.trust import read_key_sets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engineroom.store.head import Head, Memory
    from engineroom.store.transport import Stored, Transport
    from engineroom.store.trust import Trust

__all__ = [
    "LIFETIME_SECONDS",
    "Renewal",
    "Renewals",
    "check_signer",
    "reader_of",
    "renew_heads",
    "signer_for",
    "signing",
]

# Long enough that a holiday does not stop a store, short enough to notice a freeze.
LIFETIME_SECONDS = 30 * 86_400.0

_TRIES = 5
_PAUSE_SECONDS = 0.3


@dataclass(frozen=True)
class Renewal:
    """What became of one head.

    Attributes:
        key: where it is in the store.
        is_new: whether it was signed, or would be in a dry run.
        key_id: the key that signed it.
        expires: until when that counts, as UTC text.
    """

    key: str
    is_new: bool
    key_id: str
    expires: str


@dataclass(frozen=True)
class Renewals:
    """What became of the heads of a store.

    Attributes:
        renewals: those that are signed now.
        problems: why the others are not.
    """

    renewals: tuple[Renewal, ...]
    problems: tuple[StoreError, ...]


def reader_of(transport: Transport) -> Callable[[str], bytes | None]:
    """Give what reads an object's bytes by its key."""

    def get(key: str) -> bytes | None:
        stored = transport.get(key)
        return stored.data if stored else None

    return get


def signer_for(
    transport: Transport, environment: Mapping[str, str], *, now: float
) -> Signer | None:
    """Give the key to sign a store's heads with; None for a store without signatures.

    Raises:
        SignerMissing: the store is signed, and no key is set.
        KeySetMissing: a key is set, and the store has no key sets.
        KeyUnknown: the newest key set does not list the key.
        KeyRetired: there the key has come to its end.
    """
    signer = Signer.of_environment(environment)
    if signer is not None:
        check_signer(transport, signer, now=now)
    elif sets := read_key_sets(reader_of(transport)):
        raise SignerMissing(sets[-1].key)
    return signer


def check_signer(transport: Transport, signer: Signer, *, now: float) -> None:
    """Check that a store's readers will believe a key.

    Raises:
        KeySetMissing: the store has no key sets.
        KeyUnknown: the newest key set does not list the key.
        KeyRetired: there the key has come to its end.
    """
    sets = read_key_sets(reader_of(transport))
    if not sets:
        raise KeySetMissing(keys.key_set(1))
    listed = sets[-1].by_id.get(signer.key_id)
    if listed is None:
        raise KeyUnknown(sets[-1].key, signer.key_id, sorted(sets[-1].lasting))
    if listed.until is not None and now > utc_seconds(listed.until):
        raise KeyRetired(
            sets[-1].key,
            signer.key_id,
            since=listed.since,
            until=listed.until,
            time=utc_text(now),
            now=utc_text(now),
        )


def signing(
    signer: Signer | None,
    *,
    lifetime_seconds: float = LIFETIME_SECONDS,
    clock: Callable[[], float] = time.time,
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Give what signs a head as it is written; without a key it leaves it as it is."""
    if signer is None:
        return lambda document: document
    return lambda document: sign_document(
        document, signer, now=clock(), lifetime_seconds=lifetime_seconds
    )


def renew_heads(
    transport: Transport,
    signer: Signer,
    trust: Trust,
    *,
    projects: Iterable[str] | None = None,
    adopt: bool = False,
    dry_run: bool = False,
    memory: Memory | None = None,
    lifetime_seconds: float = LIFETIME_SECONDS,
    clock: Callable[[], float] = time.time,
    pause: Callable[[float], None] = time.sleep,
    progress: Callable[[str], None] = lambda _step: None,
) -> Renewals:
    """Sign heads again that have less than half of their life left.

    A problem with one head does not keep the others from being signed.

    Args:
        transport: where the store is.
        signer: the key.
        trust: the keys whose signatures are continued.
        projects: normalised names; all, and the store's own head, if None.
        adopt: sign also heads that no trusted key has signed, as they are now.
        dry_run: write nothing.
        memory: the heads that were seen before.
        lifetime_seconds: for how long readers are to believe a signature.
        clock: gives the time.
        pause: waits for so many seconds.
        progress: called with each head's key.
    """
    round_ = _Round(
        transport, signer, trust, adopt, dry_run, memory, lifetime_seconds, clock, pause
    )
    names: list[str | None] = (
        [*list_projects(transport), None] if projects is None else [*projects]
    )
    renewals: list[Renewal] = []
    problems: list[StoreError] = []
    for name in names:
        progress(keys.HEAD_ROOT if name is None else keys.head(name))
        try:
            renewals.append(round_.renew(name))
        except StoreError as error:
            problems.append(error)
    return Renewals(tuple(renewals), tuple(problems))


@dataclass(frozen=True)
class _Round:
    """One round of signing; the fields are the arguments of `renew_heads`."""

    transport: Transport
    signer: Signer
    trust: Trust
    adopt: bool
    dry_run: bool
    memory: Memory | None
    lifetime_seconds: float
    clock: Callable[[], float]
    pause: Callable[[float], None]

    def renew(self, project: str | None) -> Renewal:
        """Sign a head again, reading it anew while publishers are at it."""
        key = keys.HEAD_ROOT if project is None else keys.head(project)
        for tried in range(1, _TRIES + 1):
            try:
                renewal = self._renew_once(key, project)
            except NotVouchedFor:
                # A publisher may be between its pages and its head.
                if tried == _TRIES:
                    raise
            else:
                if renewal is not None:
                    return renewal
            self.pause(_PAUSE_SECONDS)
        raise StoreBusy(key, _TRIES * _PAUSE_SECONDS)

    def _renew_once(self, key: str, project: str | None) -> Renewal | None:
        """Give what became of a head; None when somebody wrote it at the same time."""
        now = self.clock()
        stored = self.transport.get(key)
        if stored is None:
            raise NotVouchedFor(key, "it is not there; `store repair` writes it")
        head = self._signed_head(stored, project, now)
        document = Reader.of_bytes(key, stored.data)
        number, sha256 = self._checked_place(document, project)
        if self.memory is not None:
            self.memory.check(self.trust, key, number, sha256)
        if head is not None and self._lasts(head, now):
            return Renewal(key, False, head.signed.key_id, head.signed.expires)
        value = sign_document(
            unsigned_part(document.value),
            self.signer,
            now=now,
            lifetime_seconds=self.lifetime_seconds,
        )
        if not self.dry_run:
            body = BytesBody(encode(value))
            if not self.transport.replace(key, body, expected=stored.version):
                return None
            if not self.transport.replaces_conditionally:
                # This may have gone over a newer head; then its pages do not fit.
                self._checked_place(document, project)
        return Renewal(key, True, self.signer.key_id, value["expires"])

    def _signed_head(
        self, stored: Stored, project: str | None, now: float
    ) -> Head | None:
        """Check a head as a reader does; None for one that is to be adopted."""

        def get(_key: str) -> bytes:
            return stored.data

        try:
            if project is None:
                return check_root_head(get, self.trust, now=now)
            return check_head(get, project, self.trust, now=now)
        except SigningError as error:
            if not self.adopt:
                raise NotVouchedFor(error.key, error.message) from error
            return None

    def _lasts(self, head: Head, now: float) -> bool:
        left = utc_seconds(head.signed.expires) - now
        # A key that comes to its end takes what it signed with it.
        is_lasting = self.trust.keys[head.signed.key_id].until is None
        return is_lasting and left >= self.lifetime_seconds / 2

    def _checked_place(self, document: Reader, project: str | None) -> tuple[int, str]:
        """Give the number and hash of a head that says what the store beside it does.

        Raises:
            NotVouchedFor: it says something else than the journal or the pages.
        """
        key = document.key
        if document.text("store") != self.trust.store:
            raise NotVouchedFor(key, f"it is of store `{document.text('store')}`")
        self._check_pages(document)
        if project is None:
            listed = listed_projects(document)
            missing = sorted(set(list_projects(self.transport)) - {*listed})
            if missing:
                raise NotVouchedFor(key, f"it does not list {', '.join(missing[:5])}")
            return place_of_root(listed)
        if document.text("project") != project:
            raise NotVouchedFor(key, f"it is of project `{document.text('project')}`")
        number, sha256 = document.integer("number"), document.sha256("sha256")
        if self._hash(keys.journal_entry(project, number)) != sha256:
            raise NotVouchedFor(key, f"journal entry {number} is not {sha256}")
        if self._hash(keys.journal_entry(project, number + 1)):
            raise NotVouchedFor(key, f"there is a journal entry {number + 1}")
        return number, sha256

    def _check_pages(self, document: Reader) -> None:
        for page, wanted in listed_pages(document).items():
            found = self._hash(page)
            if found != wanted:
                raise NotVouchedFor(
                    document.key,
                    f"`{page}` has sha256 {found or '(missing)'}, not {wanted}",
                )

    def _hash(self, key: str) -> str:
        stored = self.transport.get(key)
        return hashlib.sha256(stored.data).hexdigest() if stored else ""
