"""Who may read: tokens, as a header or as the password in an installer's address.

Tokens are kept and compared as hashes, in constant time, and are never written down.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

from engineroom.errors import ServeTokenRefused, ServeTokensUnreadable
from engineroom.store.serve.settings import TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CHALLENGES", "TOKEN_CHARACTERS_MIN", "USER", "Access", "read_tokens"]

# The user name that goes with a token where an address or a form asks for one.
USER = "__token__"

TOKEN_CHARACTERS_MIN = 16
CHALLENGES = ('Basic realm="engineroom", charset="UTF-8"', 'Bearer realm="engineroom"')

# The longest `Authorization` that is looked at.
_HEADER_CHARACTERS_MAX = 4096


class Access:
    """Lets in whoever has one of the tokens, or everybody when there are none.

    Args:
        tokens: each of them opens everything; several, so that one can follow another.
    """

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._hashes = [_hash(token.encode()) for token in tokens]

    @property
    def is_open(self) -> bool:
        """Whether everybody may read."""
        return not self._hashes

    def admits(self, authorization: str | None) -> bool:
        """Tell whether a request with this `Authorization` header may read."""
        if self.is_open:
            return True
        token = _token_of(authorization)
        if token is None:
            return False
        digest = _hash(token)
        # Every one is compared, so that the time tells nothing about which one fits.
        return sum(hmac.compare_digest(digest, known) for known in self._hashes) > 0


def read_tokens(path: str | None, environment: str) -> tuple[str, ...]:
    """Read the tokens of a file, one a line, and of the environment, by spaces.

    Empty lines and those that begin with `#` are passed over.

    Raises:
        ServeTokensUnreadable: when the file cannot be read or has no token in it.
        ServeTokenRefused: when a token is too short or has characters that headers
            and addresses cannot carry.
    """
    tokens = environment.split()
    _check(tokens, TOKENS)
    if path is None:
        return tuple(tokens)
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ServeTokensUnreadable(path, reason) from error
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        # Otherwise an emptied file would open the store to everybody.
        raise ServeTokensUnreadable(path, "there is no token in it")
    _check(found, path)
    return (*tokens, *found)


def _check(tokens: Iterable[str], source: str) -> None:
    for number, token in enumerate(tokens, start=1):
        if len(token) < TOKEN_CHARACTERS_MIN:
            reason = f"it has {len(token)} characters"
        elif not (token.isascii() and token.isprintable() and " " not in token):
            reason = "it has characters other than printable ASCII"
        else:
            continue
        raise ServeTokenRefused(source, number, reason)


def _token_of(authorization: str | None) -> bytes | None:
    if authorization is None or len(authorization) > _HEADER_CHARACTERS_MAX:
        return None
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value.encode("latin-1")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, token = base64.b64decode(value, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return token if colon and user == USER.encode() else None


def _hash(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
