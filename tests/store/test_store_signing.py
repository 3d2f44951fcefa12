"""Signatures on heads: what they cover, when they count, who may make them."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.errors import (
    KeyRetired,
    KeyUnknown,
    KeyUnusable,
    SignatureExpired,
    SignatureMissing,
    SignatureTooEarly,
    SignatureWrong,
    StoreError,
)
from engineroom.store.document import encode
from engineroom.store.settings import SIGNING_KEY
from engineroom.store.signing import (
    HEAD,
    KEY_SET,
    SKEW_SECONDS,
    Key,
    Signer,
    add_signature,
    check_document,
    check_signatures,
    new_private_key,
    sign_document,
)
from engineroom.store.times import utc_seconds, utc_text

from .signatures import DAY, FIRST, NOW, SECOND, changed, head_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "heads/widget.json"
SIGNED = head_bytes()


def trusted(
    *signers: Signer, since: float = NOW, until: float | None = None
) -> dict[str, Key]:
    ended = None if until is None else utc_text(until)
    return {one.key_id: Key(one.public, utc_text(since), ended) for one in signers}


def test_a_signed_head_is_accepted() -> None:
    signed = check_document(KEY, SIGNED, trusted(FIRST), now=NOW + 10 * DAY)

    assert signed.document.text("project") == "widget"
    assert signed.key_id == FIRST.key_id
    assert (signed.time, signed.expires) == (utc_text(NOW), utc_text(NOW + 30 * DAY))


@settings(max_examples=400, deadline=None)
@given(index=st.integers(0, len(SIGNED) - 1), value=st.integers(0, 255))
def test_any_byte_that_changes_is_noticed(index: int, value: int) -> None:
    if SIGNED[index] == value:
        return
    with pytest.raises(StoreError):
        check_document(KEY, changed(SIGNED, index, value), trusted(FIRST), now=NOW + 60)


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda data: data + b"\n", id="a line more"),
        pytest.param(lambda data: data.replace(b"  ", b" "), id="other spaces"),
        pytest.param(
            lambda data: data.replace(b"widget", b"\\u0077idget"), id="escape"
        ),
        pytest.param(
            lambda data: data.replace(b'"number": 7', b'"number": 8,\n  "number": 7'),
            id="a field twice",
        ),
    ],
)
def test_another_spelling_of_the_same_values_is_refused(
    spell: Callable[[bytes], bytes],
) -> None:
    with pytest.raises(SignatureWrong) as caught:
        check_document(KEY, spell(SIGNED), trusted(FIRST), now=NOW)

    assert caught.value.key == KEY


def test_a_signature_for_a_key_set_does_not_count_on_a_head() -> None:
    document = {"format": 1, "time": utc_text(NOW), "expires": utc_text(NOW + DAY)}
    data = encode(add_signature(document, FIRST, KEY_SET))

    check_signatures(KEY, data, trusted(FIRST), KEY_SET)
    with pytest.raises(SignatureWrong, match=FIRST.key_id):
        check_signatures(KEY, data, trusted(FIRST), HEAD)


def test_a_signature_is_what_the_documented_bytes_give() -> None:
    document = {"format": 1, "project": "widget"}
    signed = sign_document(document, FIRST, now=NOW, lifetime_seconds=DAY)

    message = (
        b"engineroom-head-v1\n"
        b'{\n  "expires": "2026-09-22T14:13:20Z",\n  "format": 1,\n'
        b'  "project": "widget",\n  "time": "2026-09-21T14:13:20Z"\n}\n'
    )
    public = ed25519.Ed25519PublicKey.from_public_bytes(FIRST.public)
    public.verify(base64.b64decode(signed["signatures"][0]["signature"]), message)


def test_a_head_without_signature_is_named() -> None:
    with pytest.raises(SignatureMissing) as caught:
        check_document(KEY, head_bytes(None), trusted(FIRST), now=NOW)

    assert caught.value.key == KEY


def test_a_strangers_signature_is_named_with_the_keys_that_are_trusted() -> None:
    with pytest.raises(KeyUnknown) as caught:
        check_document(KEY, head_bytes(SECOND), trusted(FIRST), now=NOW)

    assert caught.value.key_id == SECOND.key_id
    assert caught.value.known == (FIRST.key_id,)


def test_a_signature_under_another_keys_name_is_wrong() -> None:
    data = head_bytes(SECOND).replace(SECOND.key_id.encode(), FIRST.key_id.encode())

    with pytest.raises(SignatureWrong) as caught:
        check_document(KEY, data, trusted(FIRST, SECOND), now=NOW)

    assert caught.value.key_id == FIRST.key_id


def test_one_good_signature_of_several_is_enough() -> None:
    first, second = head_bytes(SECOND), head_bytes(FIRST)
    start = first.index(b'    {\n      "key_id"')
    item = first[start : first.index(b"    }\n", start) + 5]
    both = second.replace(b'"signatures": [\n', b'"signatures": [\n' + item + b",\n")

    assert check_document(KEY, both, trusted(FIRST), now=NOW).key_id == FIRST.key_id


@pytest.mark.parametrize(
    ("after_end", "is_fine"),
    [(-1, True), (SKEW_SECONDS, True), (SKEW_SECONDS + 1, False), (DAY, False)],
)
def test_an_expired_head_is_refused_beyond_the_skew(
    after_end: float, is_fine: bool
) -> None:
    now = NOW + 30 * DAY + after_end
    if is_fine:
        check_document(KEY, SIGNED, trusted(FIRST), now=now)
        return
    with pytest.raises(SignatureExpired) as caught:
        check_document(KEY, SIGNED, trusted(FIRST), now=now)

    assert caught.value.key_id == FIRST.key_id
    assert caught.value.expires == utc_text(NOW + 30 * DAY)
    assert caught.value.now == utc_text(now)


@pytest.mark.parametrize(
    ("before", "is_fine"), [(SKEW_SECONDS, True), (SKEW_SECONDS + 1, False)]
)
def test_a_head_from_the_future_is_refused_beyond_the_skew(
    before: float, is_fine: bool
) -> None:
    if is_fine:
        check_document(KEY, SIGNED, trusted(FIRST), now=NOW - before)
        return
    with pytest.raises(SignatureTooEarly):
        check_document(KEY, SIGNED, trusted(FIRST), now=NOW - before)


@pytest.mark.parametrize("signed_at", [NOW, NOW + 2 * DAY], ids=["before", "after"])
def test_a_retired_keys_heads_are_refused_after_its_end_whatever_they_are_dated(
    signed_at: float,
) -> None:
    keys = trusted(FIRST, until=NOW + DAY)
    data = head_bytes(now=signed_at)

    with pytest.raises(KeyRetired) as caught:
        check_document(KEY, data, keys, now=NOW + 3 * DAY)

    assert caught.value.until == utc_text(NOW + DAY)


def test_a_retired_keys_heads_count_until_its_end() -> None:
    keys = trusted(FIRST, until=NOW + DAY)

    check_document(KEY, SIGNED, keys, now=NOW + DAY - 1)


def test_a_head_dated_before_its_key_was_is_refused() -> None:
    with pytest.raises(KeyRetired):
        check_document(KEY, SIGNED, trusted(FIRST, since=NOW + DAY), now=NOW + DAY)


def test_a_key_is_read_from_a_file_and_from_the_environments_text(
    tmp_path: Path,
) -> None:
    text = new_private_key()
    path = tmp_path / "key.pem"
    path.write_text(text)

    of_file = Signer.of_environment({SIGNING_KEY: str(path)})
    of_text = Signer.of_environment({SIGNING_KEY: text})

    assert of_file is not None
    assert of_text is not None
    assert of_file.key_id == of_text.key_id
    assert Signer.of_environment({}) is None
    assert Signer.of_environment({SIGNING_KEY: " "}) is None


def _pem(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, lock: str) -> str:
    encryption: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(lock.encode())
        if lock
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-----BEGIN PRIVATE KEY-----\nsecret-words\n-----END PRIVATE KEY-----", "PEM"),
        ("MC4CAQAwBQYDK2VwBCIEIA\nsecret-words", "No such file"),
        (_pem(ed25519.Ed25519PrivateKey.generate(), "word"), "password"),
        (_pem(ec.generate_private_key(ec.SECP256R1()), ""), "not for Ed25519"),
    ],
    ids=["no key", "mangled", "locked", "another kind"],
)
def test_what_is_no_usable_key_is_named_and_not_shown(text: str, reason: str) -> None:
    with pytest.raises(KeyUnusable, match=reason) as caught:
        Signer.of_environment({SIGNING_KEY: text})

    assert caught.value.source == SIGNING_KEY
    assert text.splitlines()[1] not in str(caught.value)


def test_a_signer_does_not_show_its_key() -> None:
    text = new_private_key()
    signer = Signer(text, "a test")

    assert text.splitlines()[1][:20] not in repr(signer) + str(vars(signer))


def test_without_the_extra_signing_names_it() -> None:
    """A key that is configured is never passed over for want of a package."""
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from engineroom.store.signing import Signer\n"
        "Signer.of_environment({'ENGINEROOM_SIGNING_KEY': '-----BEGIN '})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "engineroom[sign]" in done.stderr


@given(st.integers(0, 4_000_000_000))
def test_times_come_back_as_they_were(seconds: int) -> None:
    assert utc_seconds(utc_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "2026-1-2T03:04:05Z", "2026-01-02 03:04:05"])
def test_other_spellings_of_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"match|spelled"):
        utc_seconds(text)
