"""Every key in a store, in one place; nothing else spells one.

A key is a relative path of plain segments, the same for a folder and for a bucket. The
drawing is the layout; docs/concepts/store-and-index.md tells why it is so.

    store.json                                        the store's name; once
    keys/<4 digits>.json                              sets of signing keys; once
    blobs/sha256/<2 hex>/<64 hex>/<file>              a wheel's bytes; once
    blobs/sha256/<2 hex>/<64 hex>/<file>.metadata     its METADATA (PEP 658); once
    journal/<project>/<12 digits>.json                one commit; once; the only truth
    simple/index.html  simple/<project>/index.html    derived pages, PEP 503
    json/index.json    json/<project>/index.json      derived pages, PEP 691
    heads/<project>.json                              a journal's end and its pages
    head.json                                         the names of all projects
"""

from __future__ import annotations

import re

__all__ = [
    "HEAD_ROOT",
    "HTML_ROOT",
    "IDENTITY",
    "JOURNALS",
    "JSON_ROOT",
    "PAGE_FOLDERS",
    "blob",
    "head",
    "html_page",
    "is_safe",
    "journal_entry",
    "journal_folder",
    "json_page",
    "key_set",
    "metadata",
]

IDENTITY = "store.json"
JOURNALS = "journal/"
HEAD_ROOT = "head.json"
HTML_ROOT = "simple/index.html"
JSON_ROOT = "json/index.json"
PAGE_FOLDERS = ("simple/", "json/")

_SEGMENT = re.compile(r"[A-Za-z0-9_!][A-Za-z0-9._!-]*", re.ASCII)


def is_safe(key: str) -> bool:
    """Tell whether a key is of plain segments: no `..`, nothing hidden, no escapes."""
    return len(key) <= 1024 and all(
        len(segment) <= 255 and _SEGMENT.fullmatch(segment)
        for segment in key.split("/")
    )


def blob(sha256: str, file_name: str) -> str:
    """Name a wheel's bytes; the key cannot change its meaning."""
    return f"blobs/sha256/{sha256[:2]}/{sha256}/{file_name}"


def metadata(sha256: str, file_name: str) -> str:
    """Name a wheel's METADATA, which PEP 658 wants at the wheel's address and this."""
    return f"{blob(sha256, file_name)}.metadata"


def journal_folder(project: str) -> str:
    """Name the folder of a project's journal."""
    return f"{JOURNALS}{project}/"


def journal_entry(project: str, number: int) -> str:
    """Name one commit of a project; numbers start at 1 and leave no gap."""
    return f"{journal_folder(project)}{number:012d}.json"


def html_page(project: str) -> str:
    """Name a project's PEP 503 page."""
    return f"simple/{project}/index.html"


def json_page(project: str) -> str:
    """Name a project's PEP 691 page."""
    return f"json/{project}/index.json"


def head(project: str) -> str:
    """Name what says where a project's journal ends and which pages are right."""
    return f"heads/{project}.json"


def key_set(number: int) -> str:
    """Name one set of signing keys; numbers start at 1 and leave no gap."""
    return f"keys/{number:04d}.json"
