"""What signatures in a store can fail with: ER3400 to ER3429."""

from __future__ import annotations

from engineroom.errors.store import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class SigningError(StoreError):
    """A signature in the store is missing or not good, or none could be made.

    Attributes:
        key: the object in the store; empty where it is about no object.
    """

    code = "ER3400"

    def __init__(self, key: str, message: str, *, hint: str) -> None:
        self.key = key
        super().__init__(message, hint=hint)


class SignatureMissing(SigningError):
    """An object that must be signed is not there, or has no signature.

    Attributes:
        reason: what is there instead.
    """

    code = "ER3401"

    def __init__(self, key: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            key,
            f"`{key}` is not signed: {reason}",
            hint="the store's owner signs it with `engineroom store sign`; to read a"
            " store without signatures, take the key out of your settings",
        )


class SignatureWrong(SigningError):
    """A signed object was changed after it was signed, or the signature is forged.

    Attributes:
        key_id: the key that it claims; empty where it names none.
        reason: what is wrong, with the values that show it.
    """

    code = "ER3402"

    def __init__(self, key: str, key_id: str, reason: str) -> None:
        self.key_id = key_id
        self.reason = reason
        claimed = f" by key `{key_id}`" if key_id else ""
        super().__init__(
            key,
            f"The signature{claimed} on `{key}` is not good: {reason}",
            hint="use nothing from this store until its owner has found who changed"
            " the object",
        )


class SignatureExpired(SigningError):
    """A signature is past its time: somebody may be holding newer ones back.

    Attributes:
        key_id: the key that signed.
        time: when it signed, as UTC text.
        expires: until when that counts, as UTC text.
        now: this machine's time, as UTC text.
    """

    code = "ER3403"

    def __init__(
        self, key: str, key_id: str, *, time: str, expires: str, now: str
    ) -> None:
        self.key_id = key_id
        self.time = time
        self.expires = expires
        self.now = now
        super().__init__(
            key,
            f"The signature by key `{key_id}` on `{key}`, made {time}, has expired"
            f" {expires}; it is {now}",
            hint="check this machine's clock; if it is right, ask the store's owner"
            " why `engineroom store sign` has not run",
        )


class SignatureTooEarly(SigningError):
    """A signature is dated later than this machine's clock.

    Attributes:
        key_id: the key that signed.
        time: when it says it signed, as UTC text.
        now: this machine's time, as UTC text.
    """

    code = "ER3404"

    def __init__(self, key: str, key_id: str, *, time: str, now: str) -> None:
        self.key_id = key_id
        self.time = time
        self.now = now
        super().__init__(
            key,
            f"The signature by key `{key_id}` on `{key}` is dated {time}, and it is"
            f" {now}",
            hint="set this machine's clock, or that of the machine that signs",
        )


class KeyUnknown(SigningError):
    """A signature is by no key that is trusted for this store.

    Attributes:
        key_id: the key that signed.
        known: the keys that are trusted.
    """

    code = "ER3405"

    def __init__(self, key: str, key_id: str, known: Sequence[str]) -> None:
        self.key_id = key_id
        self.known = tuple(known)
        trusted = ", ".join(f"`{one}`" for one in known) or "none"
        super().__init__(
            key,
            f"`{key}` is signed by key `{key_id}`; trusted are {trusted}",
            hint="if the owner has started over with new keys, get the new pin from"
            " them by a way that does not lead through the store",
        )


class KeyRetired(SigningError):
    """A signature is by a key that no longer counts, or did not yet.

    Attributes:
        key_id: the key that signed.
        since: from when it counts, as UTC text.
        until: until when it counts, as UTC text; None where that is open.
        time: when it signed, as UTC text.
        now: this machine's time, as UTC text.
    """

    code = "ER3406"

    def __init__(
        self,
        key: str,
        key_id: str,
        *,
        since: str,
        until: str | None,
        time: str,
        now: str,
    ) -> None:
        self.key_id = key_id
        self.since = since
        self.until = until
        self.time = time
        self.now = now
        super().__init__(
            key,
            f"`{key}` is signed {time} by key `{key_id}`, which counts from {since}"
            f" until {until or 'further notice'}; it is {now}",
            hint="the store's owner signs it with a key that counts:"
            " `engineroom store sign`",
        )


class KeySetWrong(SigningError):
    """A key set does not follow from the one before it: the chain may be forged.

    Attributes:
        reason: what is wrong, with the values that show it.
    """

    code = "ER3407"

    def __init__(self, key: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            key,
            f"The key set `{key}` is not to be trusted: {reason}",
            hint="ask the store's owner; if they have started over with new keys, get"
            " the new pin by a way that does not lead through the store",
        )


class KeySetMissing(SigningError):
    """The store has no key sets, and signing or checking needs them."""

    code = "ER3408"

    def __init__(self, key: str) -> None:
        super().__init__(
            key,
            f"The store has no key set `{key}`",
            hint="the store's owner makes it with `engineroom store key init`",
        )


class KeySetTaken(SigningError):
    """Somebody else has changed the key sets at the same time."""

    code = "ER3409"

    def __init__(self, key: str) -> None:
        super().__init__(
            key,
            f"The key set `{key}` was made by somebody else just now",
            hint="look at it with `engineroom store key show`, then run the command"
            " again if it is still wanted",
        )


class PinUnmatched(SigningError):
    """The pinned key or key set is none that the store has.

    Attributes:
        pin: what was pinned.
    """

    code = "ER3410"

    def __init__(self, key: str, pin: str) -> None:
        self.pin = pin
        super().__init__(
            key,
            f"No key set of the store is the pinned `{pin}`",
            hint="check that this is the store you mean; then get the pin from its"
            " owner, who sees it with `engineroom store key show`",
        )


class PinInvalid(SigningError):
    """The text that should pin a store's keys is no pin.

    Attributes:
        pin: the text.
    """

    code = "ER3411"

    def __init__(self, pin: str) -> None:
        self.pin = pin
        super().__init__(
            "",
            f"`{pin}` is no pin of a store's keys",
            hint="a pin is `ed25519:` and 44 characters of base64, or `sha256:` and"
            " 64 hex digits; `engineroom store key show` prints both",
        )


class KeyUnusable(SigningError):
    """What should be a private key cannot be used to sign.

    Attributes:
        source: the file or the setting that it came from.
        reason: why not; never what was in it.
    """

    code = "ER3412"

    def __init__(self, source: str, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(
            "",
            f"The signing key of `{source}` cannot be used: {reason}",
            hint="make one with `engineroom store key new FILE`",
        )


class SignerMissing(SigningError):
    """The store is signed, and no private key was given to sign with."""

    code = "ER3413"

    def __init__(self, key: str) -> None:
        super().__init__(
            key,
            f"The store is signed, see `{key}`, and there is no key to sign with",
            hint="set ENGINEROOM_SIGNING_KEY to the private key's file or its text",
        )


class HeadRolledBack(SigningError):
    """A head is older than one that was seen before.

    Attributes:
        remembered: the number and hash seen before.
        found: the number and hash there now.
    """

    code = "ER3414"

    def __init__(
        self, key: str, remembered: tuple[int, str], found: tuple[int, str]
    ) -> None:
        self.remembered = remembered
        self.found = found
        super().__init__(
            key,
            f"`{key}` was seen at number {remembered[0]} ({remembered[1][:16]}) and is"
            f" now at {found[0]} ({found[1][:16]})",
            hint="somebody shows an old state of the store, or it was restored from an"
            " old copy; its owner must say which",
        )


class HeadSwapped(SigningError):
    """A signed object is about something else than what was asked for.

    Attributes:
        field: what differs, such as `project` or `store`.
        wanted: what was asked for.
        found: what the object says.
    """

    code = "ER3415"

    def __init__(self, key: str, field: str, wanted: str, found: str) -> None:
        self.field = field
        self.wanted = wanted
        self.found = found
        super().__init__(
            key,
            f"`{key}` is signed for the {field} `{found}`, and `{wanted}` was asked"
            " for",
            hint="somebody has put one signed object in another's place; ask the"
            " store's owner",
        )


class PageNotSigned(SigningError):
    """A page is not the one that the signed head vouches for.

    Attributes:
        wanted: the sha256 that the head has for it; empty for none.
        found: the sha256 of the page.
        number: the journal entry that the head is at.
        page_number: the journal entry that the page says it is from; 0 for none.
    """

    code = "ER3416"

    def __init__(
        self, key: str, *, wanted: str, found: str, number: int, page_number: int
    ) -> None:
        self.wanted = wanted
        self.found = found
        self.number = number
        self.page_number = page_number
        super().__init__(
            key,
            f"The page `{key}` has sha256 {found} and says it is from entry"
            f" {page_number}; the signed head is at entry {number} and has"
            f" {wanted or 'no such page'}",
            hint="if a publisher was killed between its steps, the store's owner runs"
            " `engineroom store repair`; otherwise the page was tampered with",
        )


class MemoryUnusable(SigningError):
    """The file of remembered heads cannot be read or written.

    Attributes:
        path: the file.
        reason: what is wrong with it.
    """

    code = "ER3417"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            "",
            f"Cannot use the remembered heads of `{path}`: {reason}",
            hint="name a file that this user may write; removing it forgets what was"
            " seen, and with that the guard against old states",
        )


class NotVouchedFor(SigningError):
    """What is to be signed does not continue what the store's keys signed before.

    Attributes:
        reason: what is not vouched for.
    """

    code = "ER3418"

    def __init__(self, key: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            key,
            f"`{key}` is not signed again: {reason}",
            hint="look at the store with `engineroom store repair`; if it is as it"
            " should be, sign it as it is with `engineroom store sign --adopt`",
        )


class KeyFileUnwritable(SigningError):
    """A new private key could not be written; no key was made.

    Attributes:
        path: the file.
        reason: the operating system's words.
    """

    code = "ER3419"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            "",
            f"Cannot write a new key to `{path}`: {reason}",
            hint="name a file that is not there yet, in a folder that this user may"
            " write; a key is never overwritten",
        )


class AttestationWrong(SigningError):
    """An attestation is malformed, or is about another file.

    Attributes:
        reason: what is wrong, with the values that show it.
    """

    code = "ER3420"

    def __init__(self, key: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            key,
            f"The attestation `{key}` cannot be used: {reason}",
            hint="make it again in CI, for the very file that is published",
        )
