"""Addresses of sources: what may be shown of them, and what is kept apart.

Credentials leave an address as soon as it comes in; they go into a header of their own
and into no message. A query is hidden as well, because signed addresses carry their
secret there.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

__all__ = [
    "authorization_of",
    "origin",
    "shown",
    "split_index",
    "without_credentials",
]

_INDEX_PATTERN = re.compile(r"(.*/)?((?:channels/[^/]+/)?)(?:simple|json)/?")
_PORTS = {"http": 80, "https": 443}


def without_credentials(url: str) -> str:
    """Return the address without user and password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host))


def shown(url: str) -> str:
    """Return the address as it may be shown: no credentials, query or fragment."""
    try:
        parts = urlsplit(without_credentials(url))
    except ValueError:  # such as an IPv6 address without its end
        return f"{url.partition('://')[0]}://..."
    query = "..." if parts.query else ""
    return urlunsplit(parts._replace(query=query, fragment=""))


def authorization_of(url: str) -> str:
    """Return the header that carries the address's credentials, or nothing."""
    user_info, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return ""
    user, _, password = user_info.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def origin(url: str) -> tuple[str, str, int]:
    """Return what credentials are for: scheme, host and port."""
    parts: SplitResult = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").lower(), port


def split_index(address: str) -> tuple[str, str]:
    """Split the address of an index into its store's and its place in the store.

    The place is empty, or `channels/NAME/`. An address that ends in neither `simple/`
    nor `json/` is taken for that of a store.
    """
    match = _INDEX_PATTERN.fullmatch(address)
    if match is None:
        return f"{address.rstrip('/')}/", ""
    return match[1] or "", match[2]
