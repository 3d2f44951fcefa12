"""Bytes on their way from one store to another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engineroom.errors import BlobChanged, BlobMissing
from engineroom.store.entry import blobs_of
from engineroom.store.transport import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.store.entry import File
    from engineroom.store.transport import Transport

__all__ = ["StoredBody", "bodies_of"]


@dataclass(frozen=True)
class StoredBody:
    """A body that is in a store, and is hashed again as it leaves it."""

    transport: Transport
    key: str
    size_bytes: int
    sha256: str

    def chunks(self) -> Iterator[bytes]:
        """Give the bytes.

        Raises:
            BlobMissing: when they have gone.
            BlobChanged: at the end, when these were not the bytes that were published.
        """
        file = self.transport.open(self.key)
        if file is None:
            raise BlobMissing(self.key)
        digest = hashlib.sha256()
        with file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                yield chunk
        found = digest.hexdigest()
        if found != self.sha256:
            raise BlobChanged(self.key, wanted=self.sha256, found=found)


def bodies_of(transport: Transport, file: File) -> dict[str, StoredBody]:
    """Give all that is kept of a wheel, by key: its bytes, METADATA and attestations.

    Raises:
        BlobMissing: when something of it is not there.
    """
    bodies: dict[str, StoredBody] = {}
    for key, (sha256, size_bytes) in blobs_of(file).items():
        found = transport.size(key)
        if found is None:
            raise BlobMissing(key)
        bodies[key] = StoredBody(transport, key, size_bytes or found, sha256)
    return bodies
