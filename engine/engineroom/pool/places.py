"""Which lanes a client has, and what each connection of one is opened with.

A server has a primary and perhaps replicas. A file has one writer and several readers:
SQLite lets one connection write at a time, and in WAL mode readers beside it, so a
second writer would only wait for a lock.
"""

from __future__ import annotations

import copy

from engineroom import errors
from engineroom.connection import Location, locate
from engineroom.connection.url import MEMORY
from engineroom.pool.lane import Lane

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from engineroom.pool.options import Options

__all__ = ["SHARING_POOLERS", "credentials_of", "make_lanes", "with_credentials"]

# Of PostgreSQL's poolers, those that give a server to somebody else after each
# transaction; what is prepared or set on it is then not ours.
SHARING_POOLERS = ("transaction", "statement")


def make_lanes(url: str, replicas: Sequence[str], options: Options) -> list[Lane]:
    """Return the lanes, the primary first.

    Raises:
        UrlError: a URL cannot be understood.
        NotSupportedError: replicas of a file, or of another backend.
    """
    location = locate(url, is_autocommit=True)
    if location.server is None:
        if replicas:
            raise errors.NotSupportedError(
                "SQLite has no replicas",
                hint="its readers have connections of their own without any setting",
            )
        if options.credentials is not None:
            raise errors.OptionRefused(
                "credentials", "a function", "a file asks for no user and password"
            )
        return _lanes_of_file(location, options)
    primary = _server_lane("primary", location, options, is_reader=False)
    lanes = [primary]
    for number, replica in enumerate(replicas, 1):
        place = locate(replica, is_autocommit=True)
        if place.backend != location.backend:
            raise errors.NotSupportedError(
                f"`{place.display}` is no replica of `{location.display}`",
                hint="replicas are PostgreSQL servers that follow the primary",
            )
        lanes.append(_server_lane(f"replica {number}", place, options, is_reader=True))
    return lanes


def _server_lane(
    name: str, location: Location, options: Options, *, is_reader: bool
) -> Lane:
    assert location.server is not None
    hosts = location.server.given.get("host") or location.server.given.get("hostaddr")
    if hosts and "," in hosts:
        # So that a host that does not answer leaves time for the next. What the URL
        # itself says comes later and wins.
        share = options.warm_up_seconds / (hosts.count(",") + 1)
        location.settings = {
            "connect_timeout": str(max(1, int(share))),
            **location.settings,
        }
    if options.pooler in SHARING_POOLERS:
        location.settings["prepared"] = "off"
    least, most = options.min_size, options.max_size
    return Lane(name, location, least, most, is_reader=is_reader)


def _lanes_of_file(location: Location, options: Options) -> list[Lane]:
    if location.file == MEMORY:
        # Each connection would be another database.
        return [Lane("primary", location, 1, 1, is_lasting=True)]
    wait_ms = str(int(options.deadline_seconds * 1000))
    settings = location.settings
    settings.setdefault("busy_timeout_ms", wait_ms)
    if settings.get("mode") == "ro":
        least, most = options.min_size, options.max_size
        return [Lane("primary", location, least, most, is_reader=True)]
    readers = copy.copy(location)
    readers.settings = {**settings, "mode": "rw"}
    # A transaction that is going to write takes its lock when it begins: one that
    # reads first would be refused where another has written meanwhile.
    settings.setdefault("transaction", "immediate")
    return [
        Lane("primary", location, 1, 1),
        Lane("reader", readers, options.min_size, options.max_size, is_reader=True),
    ]


def credentials_of(given: Any) -> tuple[dict[str, str], float | None]:
    """Return what a callback gave: user and password, and for how many seconds.

    Raises:
        CredentialsFailed: it is not what it should be.
    """
    try:
        read: dict[str, Any] = dict(given)
    except (TypeError, ValueError):
        raise errors.CredentialsFailed(f"returned a `{type(given).__name__}`") from None
    valid = read.pop("valid_seconds", None)
    if not read or not set(read) <= {"user", "password"}:
        raise errors.CredentialsFailed("returned a mapping with other names")
    if not all(isinstance(text, str) and text for text in read.values()):
        raise errors.CredentialsFailed("returned something that is no text")
    if valid is not None and not (isinstance(valid, (int, float)) and valid > 0):
        raise errors.CredentialsFailed("returned a `valid_seconds` that is no time")
    return read, valid


def with_credentials(location: Location, given: Mapping[str, str]) -> Location:
    """Return where to go, with these in the place of the URL's own."""
    place = copy.copy(location)
    # libpq takes what is named last.
    place.settings = {**location.settings, **given}
    server = copy.copy(location.server)
    if server is not None and "password" in given:
        server.secrets = [*server.secrets, given["password"]]
        place.server = server
    return place
