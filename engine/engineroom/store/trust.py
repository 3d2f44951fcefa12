"""Which keys may sign for a store: sets of keys, each signed by the one before it.

A reader pins one thing: the sha256 of a key set, or a public key. From the pinned set,
or from the first that the pinned key has signed, the chain is followed forward: each
next set must be signed by a key that the set before lists without an end. So keys can
be replaced while readers keep their pins, and a set that somebody slipped in is named.
A set that starts over is believed only by those who pin it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engineroom.errors import (
    KeySetMissing,
    KeySetTaken,
    KeySetWrong,
    KeyUnknown,
    PinInvalid,
    PinUnmatched,
    SignatureMissing,
    SignatureWrong,
    StoreTooNew,
)
from engineroom.store import keys
from engineroom.store.document import FORMAT, Reader, encode
from engineroom.store.signing import (
    KEY_SET,
    Key,
    add_signature,
    check_signatures,
    key_id_of,
)
from engineroom.store.times import utc_seconds, utc_text
from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from engineroom.store.signing import Signer
    from engineroom.store.transport import Transport

    Get = Callable[[str], "bytes | None"]

__all__ = [
    "KeySet",
    "Trust",
    "add_key",
    "first_keys",
    "follow",
    "newest_trusted",
    "parse_pins",
    "public_of",
    "put_key_set",
    "read_key_sets",
    "restart_keys",
    "retire_key",
    "show_public",
]

# A head needs one good signature. Documents say so, for the day it is another number.
_THRESHOLD = 1
_SETS_MAX = 9999
_ALWAYS = utc_text(0)
_PUBLIC_BYTES = 32
_ITSELF, _PREVIOUS = "itself", "previous"
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
_ED25519 = re.compile(r"ed25519:([A-Za-z0-9+/]{43}=)", re.ASCII)


@dataclass(frozen=True)
class KeySet:
    """One set of keys.

    Attributes:
        number: its place in the chain, from 1.
        store: the id of the store it is for.
        time: when it was made, as UTC text.
        keys: the keys it lists.
        starts_over: whether it stands for itself rather than on the set before.
        previous: the sha256 of the set before; empty for the first.
        data: its bytes in the store.
    """

    number: int
    store: str
    time: str
    keys: tuple[Key, ...]
    starts_over: bool
    previous: str
    data: bytes = b""

    @property
    def key(self) -> str:
        """Where it is in the store."""
        return keys.key_set(self.number)

    @property
    def sha256(self) -> str:
        """The hash of its bytes, by which it is pinned."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def by_id(self) -> dict[str, Key]:
        """Its keys by their ids."""
        return {one.key_id: one for one in self.keys}

    @property
    def lasting(self) -> dict[str, Key]:
        """Those without an end; only they sign the next set."""
        return {name: one for name, one in self.by_id.items() if one.until is None}


@dataclass(frozen=True)
class Trust:
    """Whom a reader believes.

    Attributes:
        store: the id of the store.
        keys: the keys that may sign heads, by their ids.
        number: the key set that says so; 0 when only a pinned key is trusted.
        sha256: that set's hash; empty likewise.
    """

    store: str
    keys: Mapping[str, Key]
    number: int
    sha256: str


def parse_pins(text: str) -> tuple[str, ...]:
    """Take pins apart that stand with spaces between.

    Raises:
        PinInvalid: one of them is no pin.
    """
    pins = tuple(text.split())
    for pin in pins:
        if not _SHA256.fullmatch(pin) and public_of(pin) is None:
            raise PinInvalid(pin)
    return pins


def public_of(pin: str) -> bytes | None:
    """Give the public key of a pin; None for a pin of another kind."""
    match = _ED25519.fullmatch(pin)
    return _decoded(match[1]) if match else None


def show_public(public: bytes) -> str:
    """Write a public key as a pin."""
    return f"ed25519:{base64.b64encode(public).decode()}"


def read_key_sets(get: Get) -> tuple[KeySet, ...]:
    """Read all key sets and check that they are a chain, not yet who signed them.

    Args:
        get: reads an object of the store by its key; None when it is absent.

    Raises:
        KeySetWrong: one does not stand on the one before.
    """
    found: list[KeySet] = []
    while len(found) < _SETS_MAX:
        key = keys.key_set(len(found) + 1)
        data = get(key)
        if data is None:
            break
        one = _parse(key, data)
        before = found[-1] if found else None
        if one.number != len(found) + 1:
            raise KeySetWrong(key, f"it says it is number {one.number}")
        if one.previous != (before.sha256 if before else ""):
            raise KeySetWrong(key, f"it was not made after {_name(before)}")
        if before and one.store != before.store:
            raise KeySetWrong(key, f"it is for another store, `{one.store}`")
        found.append(one)
    return tuple(found)


def follow(get: Get, pins: Sequence[str]) -> Trust:
    """Follow the chain of key sets from what is pinned.

    Args:
        get: reads an object of the store by its key; None when it is absent.
        pins: what `parse_pins` gives; a reader with several believes each.

    Raises:
        KeySetMissing: the store has no key sets.
        PinUnmatched: none of them is pinned, nor lists a pinned key.
        KeySetWrong: a set after the pinned one is not signed by the one before.
    """
    sets = read_key_sets(get)
    if not sets:
        raise KeySetMissing(keys.key_set(1))
    hashes = {match[1] for match in map(_SHA256.fullmatch, pins) if match}
    publics = [public for public in map(public_of, pins) if public]
    pinned = {key_id_of(public): Key(public, _ALWAYS) for public in publics}
    last: KeySet | None = None
    for one in sets:
        if one.sha256 in hashes:
            last = one
        elif last is not None:
            _check_follows(one, last)
            last = one
        elif _is_signed_by(one, pinned):
            # Who signs a set vouches for all of it. That a set merely lists the
            # pinned key is no reason to believe the other keys in it.
            last = one
    if last is not None:
        return Trust(last.store, last.by_id, last.number, last.sha256)
    listed = {name for one in sets for name in one.by_id}
    if not listed & set(pinned):
        raise PinUnmatched(sets[-1].key, " ".join(pins))
    return Trust(sets[-1].store, pinned, 0, "")


def newest_trusted(get: Get, pins: Sequence[str]) -> KeySet:
    """Give the newest key set, which must follow from what is pinned.

    Whoever signs the next set vouches for every key that this one lists.

    Raises:
        KeySetWrong: the pins vouch for one of its keys, and not for the set.
    """
    trust = follow(get, pins)
    newest = read_key_sets(get)[-1]
    if trust.sha256 != newest.sha256:
        raise KeySetWrong(
            newest.key,
            f"`{' '.join(pins)}` has signed no set that leads to it; name with `--key`"
            " the set or the key that you trust",
        )
    return newest


def first_keys(
    store: str, publics: Iterable[tuple[bytes, str]], signer: Signer, *, now: float
) -> KeySet:
    """Make the first key set of a store.

    Args:
        store: the store's id.
        publics: further public keys beside the signer's own, each with a note.
        signer: a key of the set, which signs it.
        now: seconds since 1970.
    """
    listed = _listed(publics, signer, utc_text(now))
    return _signed(KeySet(1, store, utc_text(now), listed, True, ""), signer)


def restart_keys(
    before: KeySet, publics: Iterable[tuple[bytes, str]], signer: Signer, *, now: float
) -> KeySet:
    """Make a set that starts over, when no key of the set before may or can sign.

    Readers refuse it until they pin it.
    """
    time = utc_text(now)
    return _signed(_after(before, time, _listed(publics, signer, time), True), signer)


def add_key(
    before: KeySet, public: bytes, note: str, signer: Signer, *, now: float
) -> KeySet:
    """Make the next set, with one more key."""
    time = utc_text(now)
    if key_id_of(public) in before.by_id:
        raise KeySetWrong(before.key, f"it lists key `{key_id_of(public)}` already")
    listed = (*before.keys, Key(public, time, None, note))
    return _signed_by_member(before, _after(before, time, listed), signer)


def retire_key(
    before: KeySet, key_id: str, until: float, signer: Signer, *, now: float
) -> KeySet:
    """Make the next set, in which a key's signatures count until a given time."""
    if key_id not in before.lasting:
        raise KeyUnknown(before.key, key_id, sorted(before.lasting))
    if len(before.lasting) == 1:
        raise KeySetWrong(
            before.key, f"`{key_id}` is its last key that counts: add another first"
        )
    ended = utc_text(until)
    listed = tuple(
        replace(one, until=ended) if one.key_id == key_id else one
        for one in before.keys
    )
    return _signed_by_member(before, _after(before, utc_text(now), listed), signer)


def put_key_set(transport: Transport, made: KeySet) -> None:
    """Store a new set; of several made at once, one is stored.

    Raises:
        KeySetTaken: somebody else's was stored.
    """
    if not transport.put_if_absent(made.key, BytesBody(made.data)):
        stored = transport.get(made.key)
        # A transport's own retry may find its first try in place.
        if stored is None or stored.data != made.data:
            raise KeySetTaken(made.key)


def _decoded(text: str) -> bytes | None:
    """Give the 32 bytes of a public key, or None when the text is not theirs."""
    try:
        value = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    is_exact = base64.b64encode(value).decode() == text
    return value if is_exact and len(value) == _PUBLIC_BYTES else None


def _parse(key: str, data: bytes) -> KeySet:
    document = Reader.of_bytes(key, data)
    if document.integer("threshold") != _THRESHOLD:
        found = f"threshold {document.integer('threshold')}"
        raise StoreTooNew(key, found, f"threshold {_THRESHOLD}")
    return KeySet(
        number=document.integer("number"),
        store=document.text("store"),
        time=document.text("time"),
        keys=tuple(_parse_key(item) for item in document.objects("keys")),
        starts_over=_starts_over(document),
        previous=document.text("previous"),
        data=data,
    )


def _starts_over(document: Reader) -> bool:
    found = document.text("stands_on")
    if found not in (_ITSELF, _PREVIOUS):
        known = f"`{_ITSELF}` and `{_PREVIOUS}`"
        raise StoreTooNew(document.key, f"that it stands on `{found}`", known)
    return found == _ITSELF


def _parse_key(item: Reader) -> Key:
    public = _decoded(item.text("public"))
    if public is None:
        raise item.damage(f"`{item.text('public')}` is no public key")
    one = Key(
        public, item.text("since"), item.optional_text("until"), item.text("note")
    )
    if not one.note.isprintable():
        raise item.damage(f"the note on key `{one.key_id}` has control characters")
    if item.text("key_id") != one.key_id:
        raise item.damage(f"key `{one.key_id}` is called `{item.text('key_id')}`")
    try:
        utc_seconds(one.since)
        utc_seconds(one.until or _ALWAYS)
    except ValueError as error:
        raise item.damage(f"key `{one.key_id}` has a time that is none") from error
    return one


def _document(one: KeySet) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "keys": [
            {
                "key_id": key.key_id,
                "note": key.note,
                "public": base64.b64encode(key.public).decode(),
                "since": key.since,
                "until": key.until,
            }
            for key in one.keys
        ],
        "number": one.number,
        "previous": one.previous,
        "stands_on": _ITSELF if one.starts_over else _PREVIOUS,
        "store": one.store,
        "threshold": _THRESHOLD,
        "time": one.time,
    }


def _listed(
    publics: Iterable[tuple[bytes, str]], signer: Signer, time: str
) -> tuple[Key, ...]:
    notes = {signer.public: ""}
    notes.update(publics)
    return tuple(Key(public, time, None, note) for public, note in notes.items())


def _after(
    before: KeySet, time: str, listed: tuple[Key, ...], starts_over: bool = False
) -> KeySet:
    number = before.number + 1
    return KeySet(number, before.store, time, listed, starts_over, before.sha256)


def _signed(one: KeySet, signer: Signer) -> KeySet:
    document = add_signature(_document(one), signer, KEY_SET)
    return replace(one, data=encode(document))


def _signed_by_member(before: KeySet, one: KeySet, signer: Signer) -> KeySet:
    if signer.key_id not in before.lasting:
        raise KeyUnknown(one.key, signer.key_id, sorted(before.lasting))
    return _signed(one, signer)


def _check_follows(one: KeySet, before: KeySet) -> None:
    """Refuse a set that the keys before it do not vouch for."""
    if one.starts_over:
        raise KeySetWrong(
            one.key, f"it starts over with new keys, and {_name(before)} is trusted"
        )
    try:
        _check_signed(one, before.lasting)
    except KeyUnknown as error:
        raise KeySetWrong(one.key, error.message) from error


def _is_signed_by(one: KeySet, pinned: Mapping[str, Key]) -> bool:
    try:
        _check_signed(one, pinned)
    except KeyUnknown:
        return False
    return True


def _check_signed(one: KeySet, by_id: Mapping[str, Key]) -> None:
    try:
        check_signatures(one.key, one.data, by_id, KEY_SET)
    except (SignatureMissing, SignatureWrong) as error:
        raise KeySetWrong(one.key, error.message) from error


def _name(before: KeySet | None) -> str:
    return f"`{before.key}` of sha256 {before.sha256[:16]}" if before else "nothing"
