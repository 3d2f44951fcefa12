"""From the text of `--store` to a transport."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from engineroom.errors import StoreAddressInvalid, StoreMissing
from engineroom.store import keys
from engineroom.store.folder import FolderTransport
from engineroom.store.s3 import S3Transport

if TYPE_CHECKING:
    from engineroom.store.transport import Transport

__all__ = ["open_store"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)

_ENDPOINT = re.compile(
    r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?"
)


def open_store(
    address: str,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    single_writer: bool = False,
) -> Transport:
    """Give the transport for an address; nothing is asked, read or made yet.

    Args:
        address: a folder's path, a `file://` address, or `s3://bucket/prefix`.
        endpoint_url: the server of a bucket that is not the region's own.
        region: a bucket's region; None takes boto3's usual choice.
        single_writer: vouches that nobody else writes to the bucket at the same time.

    Raises:
        StoreAddressInvalid: when it is none of these.
        StoreMissing: when a file is where the folder should be.
        MissingExtra: when boto3 is needed and not installed.
    """
    if address.startswith("s3://"):
        bucket, prefix = _bucket_of(address)
        _check_endpoint(endpoint_url)
        return S3Transport(
            bucket,
            prefix,
            endpoint_url=endpoint_url,
            region=region,
            single_writer=single_writer,
        )
    path = Path(_folder_of(address))
    if os.path.lexists(path) and not path.is_dir():
        raise StoreMissing(address, "a file is there, not a folder")
    return FolderTransport(path)


def _bucket_of(address: str) -> tuple[str, str]:
    """Take a bucket's name and the prefix of all keys from an address."""
    bucket, _, path = address[len("s3://") :].partition("/")
    path = path.rstrip("/")
    if not _BUCKET.fullmatch(bucket):
        raise StoreAddressInvalid(address, f"`{bucket}` is no name of a bucket")
    if path and not keys.is_safe(path):
        raise StoreAddressInvalid(
            address, "what follows the bucket is no plain path of letters and digits"
        )
    return bucket, f"{path}/" if path else ""


def _check_endpoint(url: str | None) -> None:
    if url is None:
        return
    if "@" in url:
        # Not shown: what stands before it may be a password.
        raise StoreAddressInvalid(
            f"…@{url.rpartition('@')[2]}",
            "an endpoint has no user and password; credentials come from AWS_PROFILE"
            " or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if not _ENDPOINT.fullmatch(url):
        raise StoreAddressInvalid(
            url, "an endpoint is `https://host`, or `http://host:port`"
        )


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
