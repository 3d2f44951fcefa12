"""A reader of stores that shares no code with the store but its transports.

It starts where an installer starts, from the pages, and checks everything an installer
would rely on. What it gives is what a user can install at this moment.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag

if TYPE_CHECKING:
    from engineroom.store import Transport


def visible(
    place: Path | Transport, project: str = "widget", root: str = ""
) -> set[str]:
    """Give the file names a project's HTML page shows, after checking each one."""
    key = f"{root}simple/{project}/index.html"
    page = _read(place, key)
    if page is None:
        return set()
    text = page.decode()
    assert text.startswith("<!DOCTYPE html>"), "the page is whole at its start"
    assert text.rstrip().endswith("-->"), "the page is whole at its end"
    names = set()
    for attributes, name in _links(text):
        address, fragment = urldefrag(attributes["href"])
        sha256 = fragment.partition("=")[2]
        assert fragment == f"sha256={sha256}"
        metadata = attributes["data-core-metadata"].partition("=")[2]
        _check_file(place, _key(key, address), sha256, metadata)
        names.add(name)
    return names


def visible_json(
    place: Path | Transport, project: str = "widget", root: str = ""
) -> set[str]:
    """Give the file names a project's JSON page shows, after checking each one."""
    key = f"{root}json/{project}/index.json"
    page = _read(place, key)
    if page is None:
        return set()
    document: dict[str, Any] = json.loads(page)
    assert document["name"] == project
    names = set()
    for file in document["files"]:
        wheel = _key(key, file["url"])
        data = _check_file(
            place, wheel, file["hashes"]["sha256"], file["core-metadata"]["sha256"]
        )
        assert len(data) == file["size"]
        names.add(file["filename"])
    return names


def listed(place: Path | Transport) -> set[str]:
    """Give the projects that the page of all projects shows."""
    page = _read(place, "simple/index.html")
    return set() if page is None else {name for _, name in _links(page.decode())}


def tree(place: Path | Transport) -> dict[str, bytes]:
    """Give every object in a store, without the writers' own hidden files."""
    if not isinstance(place, Path):
        return {key: _whole(place, key) for key in sorted(place.list(""))}
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file() and not path.name.startswith(".engineroom-")
    }


def leftovers(root: Path) -> set[str]:
    """Give the half-written files that a writer left."""
    return {path.name for path in root.rglob(".engineroom-tmp-*")}


def _read(place: Path | Transport, key: str) -> bytes | None:
    if isinstance(place, Path):
        path = place / key
        return path.read_bytes() if path.exists() else None
    stored = place.get(key)
    return None if stored is None else stored.data


def _whole(place: Path | Transport, key: str) -> bytes:
    data = _read(place, key)
    assert data is not None, f"{key} is there"
    return data


def _key(page: str, address: str) -> str:
    """Follow an address of a page as installers do, to a key."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(address)))


def _check_file(
    place: Path | Transport, key: str, sha256: str, metadata_sha256: str
) -> bytes:
    data = _whole(place, key)
    assert hashlib.sha256(data).hexdigest() == sha256
    metadata = _whole(place, f"{key}.metadata")
    assert hashlib.sha256(metadata).hexdigest() == metadata_sha256
    return data


def _links(text: str) -> list[tuple[dict[str, str], str]]:
    links: list[tuple[dict[str, str], str]] = []

    class Links(HTMLParser):
        def handle_starttag(
            self, tag: str, attrs: list[tuple[str, str | None]]
        ) -> None:
            if tag == "a":
                links.append(({name: value or "" for name, value in attrs}, ""))

        def handle_data(self, data: str) -> None:
            if self.lasttag == "a" and links and not links[-1][1]:
                links[-1] = (links[-1][0], data)

    parser = Links()
    parser.feed(text)
    parser.close()
    return links
