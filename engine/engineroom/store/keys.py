"""Every key in a store, in one place; nothing else spells one.

A key is a relative path of plain segments, the same for a folder and for a bucket. The
drawing is the layout; docs/concepts/store-and-index.md tells why it is so.

    store.json                                        the store's name; once
    keys/<4 digits>.json                              sets of signing keys; once each
    blobs/sha256/<2 hex>/<64 hex>/<file>              a wheel's bytes; once
    blobs/sha256/<2 hex>/<64 hex>/<file>.metadata     its METADATA (PEP 658); once
    blobs/sha256/<2 hex>/<64 hex>/<file>.provenance   attestations (PEP 740); once
    journal/<project>/<12 digits>.json                one commit; once; the only truth
    checkpoints/<project>/<12 digits>.json            state after that commit; derived
    uploads/<id>.json                                 what a publisher is bringing
    simple/index.html  simple/<project>/index.html    derived pages, PEP 503
    json/index.json    json/<project>/index.json      derived pages, PEP 691
    channels/<channel>/simple/... and json/...        the same of other channels
    commits/<commit>/simple/..., json/... and engines/<project>.json
    heads/<project>.json  head.json                   where journals end; signed
    gc/<id>.json                                      what may be removed later
    probe/<run>/...                                   tests of the place; short-lived
"""

from __future__ import annotations

import re

__all__ = [
    "BLOBS",
    "CHECKPOINTS",
    "COLLECTIONS",
    "COMMITS",
    "HEADS",
    "HEAD_ROOT",
    "HTML_ROOT",
    "IDENTITY",
    "JOURNALS",
    "JSON_ROOT",
    "KEY_SETS",
    "METADATA_SUFFIX",
    "PAGE_FOLDERS",
    "PROVENANCE_SUFFIX",
    "RELEASE",
    "UPLOADS",
    "blob",
    "channel_root",
    "checkpoint",
    "checkpoint_folder",
    "collection",
    "commit_engines",
    "commit_root",
    "head",
    "html_page",
    "is_safe",
    "journal_entry",
    "journal_folder",
    "json_page",
    "key_set",
    "metadata",
    "probe_folder",
    "provenance",
    "upload",
]

IDENTITY = "store.json"
HEAD_ROOT = "head.json"
BLOBS = "blobs/sha256/"
JOURNALS = "journal/"
CHECKPOINTS = "checkpoints/"
UPLOADS = "uploads/"
CHANNELS = "channels/"
COMMITS = "commits/"
HEADS = "heads/"
KEY_SETS = "keys/"
COLLECTIONS = "gc/"
HTML_ROOT = "simple/index.html"
JSON_ROOT = "json/index.json"
PAGE_FOLDERS = ("simple/", "json/")
METADATA_SUFFIX = ".metadata"
PROVENANCE_SUFFIX = ".provenance"

# The channel whose pages stand at the top.
RELEASE = "release"

_SEGMENT = re.compile(r"[A-Za-z0-9_!][A-Za-z0-9._!-]*", re.ASCII)


def is_safe(key: str) -> bool:
    """Tell whether a key is of plain segments: no `..`, nothing hidden, no escapes."""
    return len(key) <= 1024 and all(
        len(segment) <= 255 and _SEGMENT.fullmatch(segment)
        for segment in key.split("/")
    )


def blob(sha256: str, file_name: str) -> str:
    """Name a wheel's bytes; the key cannot change its meaning."""
    return f"{BLOBS}{sha256[:2]}/{sha256}/{file_name}"


def metadata(sha256: str, file_name: str) -> str:
    """Name a wheel's METADATA, which PEP 658 wants at the wheel's address and this."""
    return f"{blob(sha256, file_name)}{METADATA_SUFFIX}"


def provenance(sha256: str, file_name: str) -> str:
    """Name a wheel's attestations (PEP 740)."""
    return f"{blob(sha256, file_name)}{PROVENANCE_SUFFIX}"


def journal_folder(project: str) -> str:
    """Name the folder of a project's journal."""
    return f"{JOURNALS}{project}/"


def journal_entry(project: str, number: int) -> str:
    """Name one commit of a project; numbers start at 1 and leave no gap."""
    return f"{journal_folder(project)}{number:012d}.json"


def checkpoint_folder(project: str) -> str:
    """Name the folder of a project's checkpoints."""
    return f"{CHECKPOINTS}{project}/"


def checkpoint(project: str, number: int) -> str:
    """Name the state after one commit."""
    return f"{checkpoint_folder(project)}{number:012d}.json"


def upload(upload_id: str) -> str:
    """Name a publisher's list of what it is bringing."""
    return f"{UPLOADS}{upload_id}.json"


def collection(collection_id: str) -> str:
    """Name a list of what may be removed."""
    return f"{COLLECTIONS}{collection_id}.json"


def key_set(number: int) -> str:
    """Name a set of signing keys; numbers start at 1 and leave no gap."""
    return f"{KEY_SETS}{number:04d}.json"


def head(project: str) -> str:
    """Name the statement of where a project's journal ends."""
    return f"{HEADS}{project}.json"


def channel_root(channel: str) -> str:
    """Name the folder below which a channel has its `simple/` and `json/`."""
    return "" if channel == RELEASE else f"{CHANNELS}{channel}/"


def commit_root(commit: str) -> str:
    """Name the folder below which a source commit has its `simple/` and `json/`."""
    return f"{COMMITS}{commit}/"


def html_page(project: str, root: str = "") -> str:
    """Name a project's PEP 503 page."""
    return f"{root}simple/{project}/index.html"


def json_page(project: str, root: str = "") -> str:
    """Name a project's PEP 691 page."""
    return f"{root}json/{project}/index.json"


def commit_engines(commit: str, project: str) -> str:
    """Name the table of the engines that one source commit gave."""
    return f"{commit_root(commit)}engines/{project}.json"


def probe_folder(run: str) -> str:
    """Name the folder of one test of the place."""
    return f"probe/{run}/"
