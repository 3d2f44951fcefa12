"""From the path of a request to what it asks for; nothing here reads a store.

Addresses are the store's keys, so that the relative addresses in pages hold, and only
the kinds of objects that readers need are let through: a publisher's notes of uploads
are not. What becomes part of a key, a redirect or a page has passed a pattern here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Union
from urllib.parse import unquote_to_bytes

from engineroom.store import keys
from engineroom.store.names import (
    NameRefused,
    is_channel,
    is_commit,
    normalise_project,
    normalise_version,
)

__all__ = [
    "PATH_BYTES_MAX",
    "Blob",
    "Index",
    "Moved",
    "PathMalformed",
    "People",
    "Record",
    "Route",
    "Word",
    "find_route",
]

PATH_BYTES_MAX = 2048

_PROJECT = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_INDEX = re.compile(r"(simple|json)(?:/([^/]+))?", re.ASCII)
_PEOPLE = re.compile(r"project/([^/]+)(?:/([^/]+))?", re.ASCII)
_BLOB = re.compile(
    r"blobs/sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})/[^/]+?"
    r"\.whl(\.metadata|\.provenance)?",
    re.ASCII,
)
_FINAL = re.compile(
    rf"(?:journal|checkpoints)/{_PROJECT}/\d{{12}}\.json|keys/\d{{4}}\.json", re.ASCII
)
_CHANGING = re.compile(
    rf"store\.json|head\.json|heads/{_PROJECT}\.json|engines/{_PROJECT}\.json"
    rf"|simple(?:/{_PROJECT})?/index\.html|json(?:/{_PROJECT})?/index\.json",
    re.ASCII,
)
_WORDS = ("healthz", "readyz", "style.css", "icon.svg")


class PathMalformed(ValueError):
    """A path holds what no address in a store can hold."""


@dataclass(frozen=True)
class Moved:
    """The same thing has another address, given relative to the one asked for."""

    location: str


@dataclass(frozen=True)
class Index:
    """A page for installers, of one project or of all, in whatever form they take."""

    html_key: str
    json_key: str
    is_json_only: bool


@dataclass(frozen=True)
class Record:
    """An object of the store as it is; a final one never changes."""

    key: str
    is_final: bool


@dataclass(frozen=True)
class Blob:
    """A wheel, or what lies beside it; `tag` changes whenever its bytes would."""

    key: str
    tag: str


@dataclass(frozen=True)
class People:
    """A page for people: all projects, one, or one version of it."""

    project: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Word:
    """One of the few addresses that are the server's own."""

    name: str


# The old spelling: this is evaluated, and `|` needs Python 3.10 then.
Route = Union[Moved, Index, Record, Blob, People, Word]


def find_route(raw_path: bytes) -> Route | None:
    """Find what the path of a request asks for; None when it can be nothing here.

    Args:
        raw_path: the path as it was sent, with its escapes and without a query.

    Raises:
        PathMalformed: when it is no path that a careful client sends.
    """
    segments = _segments(raw_path)
    has_slash = segments[-1] == ""
    if has_slash:
        del segments[-1]
    if not segments:
        return People()
    if "" in segments or "." in segments or ".." in segments:
        return None
    path = "/".join(segments)
    if not has_slash:
        return _file_route(path) or _folder_route(path, raw_path)
    return _folder_route(path, raw_path)


def _segments(raw_path: bytes) -> list[str]:
    """Decode each segment on its own, so that an escaped slash makes no new one."""
    if not raw_path.startswith(b"/"):
        raise PathMalformed("it does not begin with `/`")
    segments: list[str] = []
    for part in raw_path[1:].split(b"/"):
        try:
            segment = unquote_to_bytes(part).decode()
        except UnicodeDecodeError as error:
            raise PathMalformed("it is no UTF-8") from error
        if any(c in "/\\" or not c.isprintable() for c in segment):
            raise PathMalformed("it has escaped characters that no address here has")
        segments.append(segment)
    return segments


def _file_route(path: str) -> Route | None:
    if path in _WORDS:
        return Word(path)
    if not keys.is_safe(path):
        return None
    match = _BLOB.fullmatch(path)
    if match is not None:
        return Blob(path, f'"{match[2]}{match[3] or ""}"')
    if _FINAL.fullmatch(path):
        return Record(path, is_final=True)
    if _CHANGING.fullmatch(_split(path)[1]):
        return Record(path, is_final=False)
    return None


def _folder_route(path: str, raw_path: bytes) -> Route | None:
    """Find a page, or where it is: its address ends in `/` and has normal names."""
    try:
        found = _index_route(path) or _people_route(path)
    except NameRefused:
        return None
    if found is None:
        return None
    normal, route = found
    if not keys.is_safe(normal):
        return None
    if raw_path.endswith(b"/") and normal == path:
        return route
    up = "../" * raw_path.count(b"/", 1)
    return Moved(f"{up}{normal}/")


def _index_route(path: str) -> tuple[str, Index] | None:
    root, rest = _split(path)
    match = _INDEX.fullmatch(rest)
    if match is None:
        return None
    is_json_only = match[1] == "json"
    if match[2] is None:
        index = Index(
            f"{root}{keys.HTML_ROOT}", f"{root}{keys.JSON_ROOT}", is_json_only
        )
        return f"{root}{match[1]}", index
    project = normalise_project(match[2])
    html_key, json_key = keys.html_page(project, root), keys.json_page(project, root)
    return f"{root}{match[1]}/{project}", Index(html_key, json_key, is_json_only)


def _split(path: str) -> tuple[str, str]:
    """Take a channel's or a commit's folder off a path."""
    folder, _, rest = path.partition("/")
    name, _, rest = rest.partition("/")
    if folder == "channels" and is_channel(name):
        return keys.channel_root(name), rest
    if folder == "commits" and is_commit(name):
        return keys.commit_root(name), rest
    return "", path


def _people_route(path: str) -> tuple[str, People] | None:
    match = _PEOPLE.fullmatch(path)
    if match is None:
        return None
    project = normalise_project(match[1])
    if match[2] is None:
        return f"project/{project}", People(project)
    version = normalise_version(match[2])
    return f"project/{project}/{version}", People(project, version)
