"""Signing again while somebody publishes: the newer head is never lost unnoticed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engineroom.errors import NotVouchedFor
from engineroom.store import FolderTransport, publish, read_store
from engineroom.store.head import check_head
from engineroom.store.renew import Renewals, reader_of, renew_heads, signing
from engineroom.store.signing import Signer, new_private_key
from engineroom.store.trust import Trust, first_keys, follow, put_key_set, show_public

from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store import Transport
    from engineroom.store.transport import Body


class Overtaken(Signer):
    """A key in whose first use a publisher is quicker."""

    def __init__(self, transport: Transport, folder: Path) -> None:
        self.text = new_private_key()
        super().__init__(self.text, "a test")
        self._others = signing(Signer(self.text, "a test"))
        self._left = [make_wheel(folder, version="2.0")]
        self._transport = transport
        publish(transport, [make_wheel(folder)], sign=self._others)

    def sign(self, message: bytes) -> bytes:
        while self._left:
            publish(self._transport, [self._left.pop()], sign=self._others)
        return super().sign(message)


def renew(transport: Transport, signer: Overtaken) -> tuple[Trust, Renewals]:
    store = read_store(transport).store
    plain = Signer(signer.text, "a test")
    put_key_set(transport, first_keys(store, [], plain, now=time.time()))
    trust = follow(reader_of(transport), [show_public(signer.public)])
    year = 365 * 86_400.0
    outcome = renew_heads(
        transport,
        signer,
        trust,
        projects=["widget"],
        lifetime_seconds=year,
        pause=lambda _seconds: None,
    )
    return trust, outcome


def test_a_publisher_that_is_quicker_is_signed_for_in_the_next_try(
    tmp_path: Path,
) -> None:
    transport = FolderTransport(tmp_path / "store")

    trust, outcome = renew(transport, Overtaken(transport, tmp_path))

    assert outcome.problems == ()
    head = check_head(reader_of(transport), "widget", trust, now=time.time())
    assert head.number == 2


class Careless(FolderTransport):
    """A folder that compares nothing before it replaces, as some S3 servers do."""

    @property
    def replaces_conditionally(self) -> bool:
        return False

    def replace(self, key: str, body: Body, *, expected: str | None) -> bool:
        stored = self.get(key)
        if stored is not None:
            expected = stored.version
        return super().replace(key, body, expected=expected)


def test_where_nothing_is_compared_a_head_that_was_lost_is_named(
    tmp_path: Path,
) -> None:
    transport = Careless(tmp_path / "store")

    _, outcome = renew(transport, Overtaken(transport, tmp_path))

    (problem,) = outcome.problems
    assert isinstance(problem, NotVouchedFor)
    assert problem.key == "heads/widget.json"
