"""From the text of `--store` to a transport."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from engineroom.errors import StoreAddressInvalid, StoreMissing
from engineroom.store.folder import FolderTransport

if TYPE_CHECKING:
    from engineroom.store.transport import Transport

__all__ = ["open_store"]


def open_store(address: str) -> Transport:
    """Give the transport for an address: a folder's path, or a `file://` address.

    Nothing is read or made yet, except that a file in the folder's place is refused.

    Raises:
        StoreAddressInvalid: when it is neither.
        StoreMissing: when a file is where the folder should be.
    """
    path = Path(_folder_of(address))
    if os.path.lexists(path) and not path.is_dir():
        raise StoreMissing(address, "a file is there, not a folder")
    return FolderTransport(path)


def _folder_of(address: str) -> str:
    if not address or "\0" in address:
        raise StoreAddressInvalid(address, "it is empty or has a NUL in it")
    if "://" not in address:
        return os.path.expanduser(address)
    parts = urlsplit(address)
    if parts.scheme != "file":
        raise StoreAddressInvalid(address, f"`{parts.scheme}://` is no kind of store")
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise StoreAddressInvalid(
            address, "a file address has a path and neither host, query nor fragment"
        )
    return url2pathname(parts.path)
