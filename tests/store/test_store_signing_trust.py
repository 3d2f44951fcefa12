"""Key sets: which chains are followed, and which are forged."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.errors import (
    KeyRetired,
    KeySetMissing,
    KeySetTaken,
    KeySetWrong,
    KeyUnknown,
    PinInvalid,
    PinUnmatched,
    StoreError,
)
from engineroom.store.head import check_head
from engineroom.store.signing import Signer, new_private_key
from engineroom.store.trust import (
    KeySet,
    add_key,
    first_keys,
    follow,
    parse_pins,
    put_key_set,
    read_key_sets,
    restart_keys,
    retire_key,
    show_public,
)

from .signatures import (
    DAY,
    FIRST,
    NOW,
    SECOND,
    STORE,
    THIRD,
    changed,
    head_bytes,
    signed_store,
)

if TYPE_CHECKING:
    from engineroom.store import Transport

ONE = first_keys(STORE, [], FIRST, now=NOW)
TWO = add_key(ONE, SECOND.public, "in the safe", FIRST, now=NOW + DAY)
# SECOND signs the end of FIRST, as it does when FIRST is lost or stolen.
THREE = retire_key(TWO, FIRST.key_id, NOW + 2 * DAY, SECOND, now=NOW + 2 * DAY)
FOUR = add_key(THREE, THIRD.public, "", SECOND, now=NOW + 3 * DAY)
STRANGER = Signer(new_private_key(), "a stranger")
CHAIN = (ONE, TWO, THREE, FOUR)
ALL = {FIRST.key_id, SECOND.key_id, THIRD.key_id}


@pytest.mark.parametrize(
    "pin",
    [f"sha256:{ONE.sha256}", show_public(FIRST.public), f"sha256:{THREE.sha256}"],
    ids=["the first set", "the first key", "a later set"],
)
def test_a_pin_is_followed_to_the_newest_set(pin: str) -> None:
    trust = follow(signed_store(*CHAIN).get, parse_pins(pin))

    assert (trust.store, trust.number, trust.sha256) == (STORE, 4, FOUR.sha256)
    assert set(trust.keys) == ALL


def test_a_later_key_vouches_for_the_sets_that_it_signs_and_none_before() -> None:
    pins = parse_pins(show_public(SECOND.public))

    assert follow(signed_store(ONE, TWO).get, pins).keys.keys() == {SECOND.key_id}
    assert follow(signed_store(*CHAIN).get, pins).number == 4


def test_a_key_that_is_only_listed_is_trusted_alone() -> None:
    """Whoever stole FIRST may list the pinned key beside one of their own."""
    forged = add_key(TWO, THIRD.public, "", FIRST, now=NOW + 2 * DAY)

    trust = follow(
        signed_store(ONE, TWO, forged).get, parse_pins(show_public(SECOND.public))
    )

    assert set(trust.keys) == {SECOND.key_id}
    with pytest.raises(KeyUnknown):
        check_head(
            signed_store(ONE, TWO, forged, head=head_bytes(THIRD)).get,
            "widget",
            trust,
            now=NOW,
        )


def test_a_rotation_is_followed_and_the_old_keys_heads_are_refused() -> None:
    pins = parse_pins(f"sha256:{ONE.sha256}")
    later = NOW + 4 * DAY
    old = signed_store(*CHAIN, head=head_bytes(FIRST, now=NOW + DAY))
    new = signed_store(*CHAIN, head=head_bytes(SECOND, now=NOW + 3 * DAY))

    with pytest.raises(KeyRetired):
        check_head(old.get, "widget", follow(old.get, pins), now=later)
    head = check_head(new.get, "widget", follow(new.get, pins), now=later)
    assert head.signed.key_id == SECOND.key_id


def test_a_strangers_set_is_named() -> None:
    # As if the second set had listed the stranger, who then signs the third.
    listed = first_keys(STORE, [], STRANGER, now=NOW).keys
    as_if = KeySet(2, STORE, TWO.time, listed, False, TWO.previous, TWO.data)
    forged = add_key(as_if, THIRD.public, "", STRANGER, now=NOW + 2 * DAY)

    with pytest.raises(KeySetWrong) as caught:
        follow(signed_store(ONE, TWO, forged).get, parse_pins(f"sha256:{ONE.sha256}"))

    assert caught.value.key == "keys/0003.json"
    assert STRANGER.key_id in caught.value.reason


def test_a_set_signed_by_a_retired_key_is_refused_whatever_its_date() -> None:
    # As if FIRST had no end: the thief signs over it, dated before that end.
    as_if = KeySet(3, STORE, THREE.time, TWO.keys, False, THREE.previous, THREE.data)
    stolen = add_key(as_if, THIRD.public, "", FIRST, now=NOW + DAY)

    with pytest.raises(KeySetWrong) as caught:
        follow(
            signed_store(ONE, TWO, THREE, stolen).get,
            parse_pins(f"sha256:{ONE.sha256}"),
        )

    assert caught.value.key == "keys/0004.json"
    assert FIRST.key_id in caught.value.reason


def test_a_set_that_starts_over_is_believed_only_by_its_own_pins() -> None:
    fresh = restart_keys(TWO, [], THIRD, now=NOW + 5 * DAY)
    store = signed_store(ONE, TWO, fresh)

    for pin in (f"sha256:{fresh.sha256}", show_public(THIRD.public)):
        assert set(follow(store.get, parse_pins(pin)).keys) == {THIRD.key_id}
    for pin in (f"sha256:{ONE.sha256}", show_public(FIRST.public)):
        with pytest.raises(KeySetWrong, match="starts over"):
            follow(store.get, parse_pins(pin))
    both = parse_pins(f"sha256:{ONE.sha256} sha256:{fresh.sha256}")
    assert follow(store.get, both).number == 3


@settings(max_examples=300, deadline=None)
@given(
    which=st.sampled_from(CHAIN),
    place=st.floats(0, 1, exclude_max=True),
    to=st.integers(0, 255),
)
def test_any_byte_of_a_set_that_changes_is_noticed(
    which: KeySet, place: float, to: int
) -> None:
    index = int(place * len(which.data))
    if which.data[index] == to:
        return
    store = signed_store(*CHAIN)
    store[which.key] = changed(which.data, index, to)

    with pytest.raises(StoreError):
        follow(store.get, parse_pins(f"sha256:{ONE.sha256}"))


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_chain_with_a_set_taken_out_reaches_no_further(gone: int) -> None:
    store = signed_store(*CHAIN)
    del store[CHAIN[gone - 1].key]

    assert [one.number for one in read_key_sets(store.get)] == list(range(1, gone))


def test_sets_of_another_chain_do_not_fit() -> None:
    other = first_keys(STORE, [], FIRST, now=NOW + 1)

    with pytest.raises(KeySetWrong, match=r"made after `keys/0001\.json`"):
        read_key_sets(signed_store(other, TWO).get)


def test_a_store_without_key_sets_says_so() -> None:
    with pytest.raises(KeySetMissing):
        follow({}.get, parse_pins(show_public(FIRST.public)))


def test_a_pin_of_another_store_is_named() -> None:
    pin = show_public(THIRD.public)
    with pytest.raises(PinUnmatched) as caught:
        follow(signed_store(ONE, TWO).get, parse_pins(pin))

    assert caught.value.pin == pin


@pytest.mark.parametrize(
    "text",
    [
        "secret",
        "sha256:12",
        "sha256:" + "A" * 64,
        "ed25519:" + "A" * 44,
        "ed25519:AAA=",
    ],
)
def test_what_is_no_pin_is_named(text: str) -> None:
    with pytest.raises(PinInvalid) as caught:
        parse_pins(text)

    assert caught.value.pin == text


def test_the_last_key_that_counts_cannot_be_retired() -> None:
    with pytest.raises(KeySetWrong, match="last key"):
        retire_key(ONE, FIRST.key_id, NOW, FIRST, now=NOW)


def test_only_a_member_signs_the_next_set() -> None:
    with pytest.raises(KeyUnknown):
        add_key(ONE, SECOND.public, "", SECOND, now=NOW)
    with pytest.raises(KeyUnknown):
        add_key(THREE, THIRD.public, "", FIRST, now=NOW)


def test_a_key_is_added_once_and_retired_by_its_id() -> None:
    with pytest.raises(KeySetWrong, match="already"):
        add_key(TWO, SECOND.public, "", FIRST, now=NOW)
    with pytest.raises(KeyUnknown):
        retire_key(TWO, THIRD.key_id, NOW, FIRST, now=NOW)


def test_of_sets_made_at_once_one_is_stored(transport: Transport) -> None:
    sets = [add_key(ONE, SECOND.public, f"{n}", FIRST, now=NOW) for n in range(8)]
    put_key_set(transport, ONE)
    lost: list[KeySet] = []

    def put(made: KeySet) -> None:
        try:
            put_key_set(transport, made)
        except KeySetTaken:
            lost.append(made)

    threads = [threading.Thread(target=put, args=(made,)) for made in sets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def get(key: str) -> bytes | None:
        stored = transport.get(key)
        return stored.data if stored else None

    assert len(lost) == 7
    kept = read_key_sets(get)[1]
    assert kept not in lost
    put_key_set(transport, kept)  # our own, once more
