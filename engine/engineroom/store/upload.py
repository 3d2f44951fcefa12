"""Telling a collector of garbage what is being brought, before it is brought.

Between the first byte stored and the commit that names it nothing else says that the
bytes are wanted. So a publisher first leaves a list of their keys. A collector spares
what young lists name; a publisher does not commit under a list that has grown old.
"""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engineroom.errors import StoreError
from engineroom.store import keys
from engineroom.store.document import FORMAT, encode
from engineroom.store.times import utc_text
from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from engineroom.store.identity import Identity
    from engineroom.store.transport import Transport

__all__ = ["GRACE_SECONDS", "UPLOAD_SECONDS_MAX", "Upload", "announce", "tidy"]

# What a collector leaves alone is younger; a publisher has half of it.
GRACE_SECONDS = 7 * 86_400.0
UPLOAD_SECONDS_MAX = GRACE_SECONDS / 2


@dataclass(frozen=True)
class Upload:
    """A list of what a publisher is bringing.

    Attributes:
        key: where it is.
        begun: when it was made, by a clock that nobody sets.
    """

    key: str
    begun: float = field(default_factory=time.monotonic)

    def age_seconds(self) -> float:
        """Give how long ago it was made."""
        return time.monotonic() - self.begun


@contextmanager
def announce(
    transport: Transport,
    identity: Identity,
    wanted: Iterable[str],
    clock: Callable[[], float],
) -> Generator[Upload, None, None]:
    """Leave a list of keys for as long as they are being brought.

    When bringing them fails the list stays, and spares the bytes for the next try.
    """
    now = utc_text(clock())
    digits = "".join(character for character in now if character.isdigit())
    upload = Upload(keys.upload(f"{digits}-{secrets.token_hex(8)}"))
    document = {
        "format": FORMAT,
        "keys": sorted(wanted),
        "store": identity.store,
        "time": now,
    }
    transport.put_if_absent(upload.key, BytesBody(encode(document)))
    yield upload
    tidy(transport, upload.key)


def tidy(transport: Transport, key: str) -> None:
    """Remove what is of no more use.

    A publisher may lack the right to remove anything; then a collector does it.
    """
    with suppress(StoreError):
        transport.delete(key)
