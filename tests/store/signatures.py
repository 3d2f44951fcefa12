"""Real keys, and a signed store in memory, for the tests of signing."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from engineroom.store import keys
from engineroom.store.document import encode
from engineroom.store.head import project_head, root_head, unsigned_part
from engineroom.store.signing import Signer, new_private_key, sign_document
from engineroom.store.transport import BytesBody
from engineroom.store.trust import KeySet, first_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engineroom.store import Transport

STORE = "9f86d081884c7d659a2feaa0c55ad015"
NOW = 1_790_000_000.0
DAY = 86_400.0

# Made once: what is tested does not depend on which keys they are.
FIRST, SECOND, THIRD = (Signer(new_private_key(), "a test") for _ in range(3))
PAGE = b"<!DOCTYPE html>\n<!-- journal 7 " + b"a" * 64 + b" -->\n"
PAGE_KEY = "simple/widget/index.html"


def head_bytes(
    signer: Signer | None = FIRST,
    *,
    store: str = STORE,
    project: str = "widget",
    number: int = 7,
    page: bytes = PAGE,
    now: float = NOW,
    lifetime_seconds: float = 30 * DAY,
) -> bytes:
    document = project_head(
        store,
        project,
        number,
        hashlib.sha256(str(number).encode()).hexdigest(),
        {f"simple/{project}/index.html": hashlib.sha256(page).hexdigest()},
    )
    if signer is not None:
        document = sign_document(
            document, signer, now=now, lifetime_seconds=lifetime_seconds
        )
    return encode(document)


def root_bytes(names: list[str], *, now: float = NOW) -> bytes:
    document = root_head(STORE, names, {})
    return encode(sign_document(document, FIRST, now=now, lifetime_seconds=DAY))


def signed_store(*sets: KeySet, head: bytes | None = None) -> dict[str, bytes]:
    """Give a store's signed objects by their keys."""
    made = sets or (first_keys(STORE, [], FIRST, now=NOW),)
    objects = {one.key: one.data for one in made}
    objects[keys.head("widget")] = head_bytes() if head is None else head
    objects[PAGE_KEY] = PAGE
    return objects


def resign(
    transport: Transport, sign: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Sign every head as it is; a publisher without a key has written them."""
    names = [keys.HEAD_ROOT, *transport.list(keys.HEADS)]
    for key in names:
        stored = transport.get(key)
        assert stored is not None, key
        body = BytesBody(encode(sign(unsigned_part(json.loads(stored.data)))))
        assert transport.replace(key, body, expected=stored.version)


def changed(data: bytes, index: int, value: int) -> bytes:
    """Give the bytes with one of them changed."""
    assert data[index] != value
    return data[:index] + bytes([value]) + data[index + 1 :]


def without(objects: Mapping[str, bytes], key: str) -> dict[str, bytes]:
    """Give the objects without one of them."""
    return {name: data for name, data in objects.items() if name != key}
