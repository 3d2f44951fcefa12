"""Signing a store's documents with Ed25519, and checking what was signed.

A signature is over a line that says what kind of document it is, and over the document
in its one spelling without its signatures. The line keeps a signature on one kind from
counting on another. Only that one spelling is accepted when a document is read, so no
byte of it can change without notice. Which keys are trusted is said in trust.py.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engineroom.errors import (
    KeyRetired,
    KeyUnknown,
    KeyUnusable,
    MissingExtra,
    SignatureExpired,
    SignatureMissing,
    SignatureTooEarly,
    SignatureWrong,
    StoreDamaged,
)
from engineroom.store.document import Reader, encode
from engineroom.store.settings import SIGNING_KEY
from engineroom.store.times import utc_seconds, utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "HEAD",
    "KEY_SET",
    "SKEW_SECONDS",
    "Key",
    "Signed",
    "Signer",
    "add_signature",
    "check_document",
    "check_signatures",
    "key_id_of",
    "new_private_key",
    "sign_document",
]

HEAD = "engineroom-head-v1"
KEY_SET = "engineroom-keys-v1"

# Clocks that are set by a network differ by less; whoever holds an old head back gains
# no more than this.
SKEW_SECONDS = 300

_SIGNATURE_BYTES = 64
_BEGIN_PEM = "-----BEGIN"


@dataclass(frozen=True)
class Key:
    """A public key as a key set lists it.

    Attributes:
        public: its 32 bytes.
        since: from when its signatures count, as UTC text.
        until: until when they count, as UTC text; None while that is open.
        note: what a person wrote about it.
    """

    public: bytes
    since: str
    until: str | None = None
    note: str = ""

    @property
    def key_id(self) -> str:
        """The short name by which signatures point to it."""
        return key_id_of(self.public)


@dataclass(frozen=True)
class Signed:
    """A document whose signature is good.

    Attributes:
        document: what it says.
        key_id: the trusted key that signed it.
        time: when, as UTC text.
        expires: until when that counts, as UTC text.
    """

    document: Reader
    key_id: str
    time: str
    expires: str


class Signer:
    """A private key that signs; what it is made of is shown nowhere.

    Args:
        text: the key as PEM text (PKCS 8).
        source: the file or the setting it came from, for messages.
    """

    def __init__(self, text: str, source: str) -> None:
        try:
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric.ed25519 import (
                Ed25519PrivateKey,
            )
        except ImportError as error:
            raise _missing_extra() from error
        try:
            private = serialization.load_pem_private_key(text.encode(), None)
        except TypeError as error:
            raise KeyUnusable(source, "it is locked with a password") from error
        except (ValueError, UnsupportedAlgorithm):
            # What the library says may quote what it read.
            raise KeyUnusable(source, "it is no private key in PEM text") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyUnusable(source, "it is not for Ed25519")
        self._sign: Callable[[bytes], bytes] = private.sign
        self.public = private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        """The short name by which signatures point to its public half."""
        return key_id_of(self.public)

    @classmethod
    def of_file(cls, path: str, source: str = "") -> Signer:
        """Read the private key of a file.

        Args:
            path: the file.
            source: what messages call it; the path if empty.
        """
        try:
            with open(path, encoding="ascii") as file:
                text = file.read()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise KeyUnusable(source or path, reason) from None
        return cls(text, source or path)

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Signer | None:
        """Read the key that ENGINEROOM_SIGNING_KEY names or holds, if it is set."""
        value = environment.get(SIGNING_KEY, "").strip()
        if not value:
            return None
        if value.startswith(_BEGIN_PEM):
            return cls(value, SIGNING_KEY)
        # It may be a mangled key rather than a path, so it is not shown as one.
        return cls.of_file(value, SIGNING_KEY)

    def sign(self, message: bytes) -> bytes:
        """Sign some bytes."""
        return self._sign(message)


def new_private_key() -> str:
    """Make a private key, as PEM text."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (
            Ed25519PrivateKey,
        )
    except ImportError as error:
        raise _missing_extra() from error
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def key_id_of(public: bytes) -> str:
    """Give the short name of a public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def sign_document(
    document: dict[str, Any], signer: Signer, *, now: float, lifetime_seconds: float
) -> dict[str, Any]:
    """Give a head with the time, its expiry and a signature.

    Args:
        document: what is to be signed; a time and signatures it has are replaced.
        signer: the key.
        now: seconds since 1970.
        lifetime_seconds: for how long readers are to believe it.
    """
    dated = {
        **document,
        "time": utc_text(now),
        "expires": utc_text(now + lifetime_seconds),
    }
    return add_signature(dated, signer, HEAD)


def add_signature(
    document: dict[str, Any], signer: Signer, purpose: str
) -> dict[str, Any]:
    """Give a document with one signature on it, in place of those it has."""
    signature = base64.b64encode(signer.sign(_message(document, purpose))).decode()
    signatures = [{"key_id": signer.key_id, "signature": signature}]
    return {**document, "signatures": signatures}


def check_document(
    key: str, data: bytes, trusted: Mapping[str, Key], *, now: float
) -> Signed:
    """Check the signature and the times of a head.

    Args:
        key: the object's key in the store, for messages.
        data: the object's bytes.
        trusted: the keys that may sign, by their ids.
        now: seconds since 1970.

    Raises:
        SignatureMissing: it has no signature.
        SignatureWrong: it was changed, or is not in its one spelling.
        KeyUnknown: no trusted key signed it.
        KeyRetired: the key that signed does not count at this time.
        SignatureExpired: its time is over.
        SignatureTooEarly: it is dated in the future.
    """
    document, signers = check_signatures(key, data, trusted, HEAD)
    time, expires = document.text("time"), document.text("expires")
    signed_at, ends_at = _seconds(document, "time"), _seconds(document, "expires")
    # A key that no longer counts does not date a signature either: whoever stole it
    # can write any time. So its end is held against this machine's clock.
    counting = [one for one in signers if _counts(one, signed_at, now)]
    if not counting:
        one = signers[0]
        raise KeyRetired(
            key,
            one.key_id,
            since=one.since,
            until=one.until,
            time=time,
            now=utc_text(now),
        )
    key_id = counting[0].key_id
    if signed_at > now + SKEW_SECONDS:
        raise SignatureTooEarly(key, key_id, time=time, now=utc_text(now))
    if ends_at < now - SKEW_SECONDS:
        raise SignatureExpired(
            key, key_id, time=time, expires=expires, now=utc_text(now)
        )
    return Signed(document, key_id, time, expires)


def check_signatures(
    key: str, data: bytes, trusted: Mapping[str, Key], purpose: str
) -> tuple[Reader, tuple[Key, ...]]:
    """Check a document's signatures, whatever its times are.

    Returns:
        The document, and the trusted keys that signed it: at least one.
    """
    document = _in_one_spelling(key, data)
    reader = Reader.of_bytes(key, data)
    if not document.get("signatures"):
        raise SignatureMissing(key, "it is there, and holds no signature")
    message = _message(document, purpose)
    signatures = [
        (item.text("key_id"), item.text("signature"))
        for item in reader.objects("signatures")
    ]
    found: list[Key] = []
    for key_id, text in signatures:
        public = trusted.get(key_id)
        if public is None:
            continue
        if not _is_good(public.public, _signature_bytes(key, key_id, text), message):
            raise SignatureWrong(key, key_id, "it is not that of the object's bytes")
        found.append(public)
    if not found:
        raise KeyUnknown(key, signatures[0][0], sorted(trusted))
    return reader, tuple(found)


def _message(document: dict[str, Any], purpose: str) -> bytes:
    """Give the bytes that are signed."""
    rest = {name: value for name, value in document.items() if name != "signatures"}
    return f"{purpose}\n".encode() + encode(rest)


def _in_one_spelling(key: str, data: bytes) -> dict[str, Any]:
    """Parse a document and refuse every spelling of it but the one that is signed."""
    try:
        value: Any = json.loads(data.decode())
        if isinstance(value, dict) and encode(value) == data:  # pyright: ignore[reportUnknownArgumentType] - compared whole
            return value  # pyright: ignore[reportUnknownVariableType] - likewise
    except (ValueError, RecursionError) as error:
        raise SignatureWrong(key, "", f"it is no JSON: {error}") from error
    raise SignatureWrong(key, "", "it is not spelled as documents of a store are")


def _counts(one: Key, signed_at: float, now: float) -> bool:
    if signed_at < utc_seconds(one.since) - SKEW_SECONDS:
        return False
    return one.until is None or now <= utc_seconds(one.until) + SKEW_SECONDS


def _seconds(document: Reader, name: str) -> int:
    text = document.text(name)
    try:
        return utc_seconds(text)
    except ValueError as error:
        raise StoreDamaged(document.key, f"`{name}` is no time: {error}") from error


def _signature_bytes(key: str, key_id: str, text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        value = b""
    # Several texts stand for the same bytes; only one of them is what we write.
    if len(value) != _SIGNATURE_BYTES or base64.b64encode(value).decode() != text:
        raise SignatureWrong(key, key_id, f"`{text[:96]}` is no signature")
    return value


def _is_good(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (
            Ed25519PublicKey,
        )
    except ImportError as error:
        raise _missing_extra() from error
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _missing_extra() -> MissingExtra:
    return MissingExtra("Signing a store, and checking that", "cryptography", "sign")
