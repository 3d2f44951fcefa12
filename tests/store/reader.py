"""A reader of stores that shares no code with the store.

It starts where an installer starts, from the pages, and checks everything an installer
would rely on. What it gives is what a user can install at this moment.
"""

from __future__ import annotations

import hashlib
import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag

if TYPE_CHECKING:
    from pathlib import Path


def visible(root: Path, project: str = "widget") -> set[str]:
    """Give the file names a project's HTML page shows, after checking each one."""
    page = root / "simple" / project / "index.html"
    if not page.exists():
        return set()
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>"), "the page is whole at its start"
    assert text.rstrip().endswith("-->"), "the page is whole at its end"
    names = set()
    for attributes, name in _links(text):
        address, fragment = urldefrag(attributes["href"])
        sha256 = fragment.partition("=")[2]
        assert fragment == f"sha256={sha256}"
        metadata = attributes["data-core-metadata"].partition("=")[2]
        _check_file(page.parent / unquote(address), sha256, metadata)
        names.add(name)
    return names


def visible_json(root: Path, project: str = "widget") -> set[str]:
    """Give the file names a project's JSON page shows, after checking each one."""
    page = root / "json" / project / "index.json"
    if not page.exists():
        return set()
    document: dict[str, Any] = json.loads(page.read_bytes())
    assert document["name"] == project
    names = set()
    for file in document["files"]:
        path = page.parent / unquote(file["url"])
        assert path.stat().st_size == file["size"]
        _check_file(path, file["hashes"]["sha256"], file["core-metadata"]["sha256"])
        names.add(file["filename"])
    return names


def listed(root: Path) -> set[str]:
    """Give the projects that the page of all projects shows."""
    page = root / "simple" / "index.html"
    if not page.exists():
        return set()
    return {name for _, name in _links(page.read_text(encoding="utf-8"))}


def tree(root: Path) -> dict[str, bytes]:
    """Give every object in a store, without the writers' own hidden files."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(".engineroom-")
    }


def leftovers(root: Path) -> set[str]:
    """Give the half-written files that a writer left."""
    return {path.name for path in root.rglob(".engineroom-tmp-*")}


def _check_file(path: Path, sha256: str, metadata_sha256: str) -> None:
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    metadata = path.with_name(f"{path.name}.metadata").read_bytes()
    assert hashlib.sha256(metadata).hexdigest() == metadata_sha256


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
