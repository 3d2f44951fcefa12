"""A store's own name: `store.json`, made once, so that a store is never a guess.

The name stands in every journal entry, so a journal carried over from another store is
noticed. A folder that holds other things is never turned into a store by a mistyped
path; a missing or empty one is, at the first publish.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from engineroom.errors import StoreDamaged, StoreMissing
from engineroom.store import keys
from engineroom.store.document import FORMAT, Reader, encode
from engineroom.store.transport import BytesBody, Transport

__all__ = ["Identity", "ensure_store", "find_store", "read_store"]


@dataclass(frozen=True)
class Identity:
    """What `store.json` says.

    Attributes:
        store: 32 random hex digits; a moved or copied store keeps them.
        created: when it was made, as UTC text.
    """

    store: str
    created: str


def find_store(transport: Transport) -> Identity | None:
    """Read a store's name; None when there is nothing at all yet.

    Raises:
        StoreMissing: when other things are there and no store.
    """
    stored = transport.get(keys.IDENTITY)
    if stored is None:
        stray = next(transport.list(""), None)
        if stray is None:
            return None
        # Another publisher may have made the store between these two looks; as its
        # name is the first thing in a store, it is there by now.
        stored = transport.get(keys.IDENTITY)
        if stored is None:
            raise StoreMissing(
                transport.address,
                f"it holds other files, such as `{stray}`, and no store",
            )
    document = Reader.of_bytes(keys.IDENTITY, stored.data)
    return Identity(document.text("store"), document.text("created"))


def read_store(transport: Transport) -> Identity:
    """Read a store's name.

    Raises:
        StoreMissing: when there is no store.
    """
    identity = find_store(transport)
    if identity is None:
        raise StoreMissing(transport.address, "it is missing or empty")
    return identity


def ensure_store(transport: Transport, created: str) -> tuple[Identity, bool]:
    """Read a store's name, making the store when there is nothing yet.

    Two publishers may come here at once: one makes the store, both read its name.

    Returns:
        The name, and whether this call made it.
    """
    identity = find_store(transport)
    if identity is not None:
        return identity, False
    document = {"format": FORMAT, "store": secrets.token_hex(16), "created": created}
    is_ours = transport.put_if_absent(keys.IDENTITY, BytesBody(encode(document)))
    identity = find_store(transport)
    if identity is None:
        raise StoreDamaged(keys.IDENTITY, "it was written and is not there")
    return identity, is_ours
