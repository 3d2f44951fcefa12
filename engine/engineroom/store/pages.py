"""State to page, and nothing else: the same journal gives the same bytes anywhere.

HTML for every pip ever (PEP 503, 592, 658, 714), JSON for those that ask for it (PEP
691, 700, 740, 792). They stand under two roots because a static host gives one address
one content type. Addresses are relative, so a store can be moved, mirrored, served
under any host or opened as files. Each page ends with the journal entry it was made
from.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from engineroom.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engineroom.store.entry import File
    from engineroom.store.outline import Place

__all__ = [
    "API_VERSION",
    "Listing",
    "built_from",
    "commit_engines",
    "html_root",
    "json_root",
    "lists_project",
    "project_html",
    "project_json",
]

API_VERSION = "1.4"

_HTML_END = re.compile(rb"<!-- journal (\d+) ([0-9a-f]{64}) -->\n\Z")
_JSON_END = re.compile(
    rb'"_journal":\{"number":(\d+),"sha256":"([0-9a-f]{64})"\}\}\n\Z'
)


@dataclass(frozen=True)
class Listing:
    """What one page of a project shows.

    Attributes:
        project: the project's normalised name.
        place: the last entry that changed the page.
        files: the wheels on it.
        root: the folder that its `simple/` or `json/` stands in.
        status: the project's (PEP 792).
        status_reason: why it has that status.
    """

    project: str
    place: Place
    files: tuple[File, ...]
    root: str = ""
    status: str = "active"
    status_reason: str = ""

    def blob_address(self, key: str) -> str:
        """Give the relative address of a blob; pages lie two folders below a root."""
        return f"{'../' * (2 + self.root.count('/'))}{quote(key)}"


def project_html(listing: Listing) -> bytes:
    """Make a project's PEP 503 page."""
    status = {"pypi:project-status": listing.status}
    if listing.status_reason:
        status["pypi:project-status-reason"] = listing.status_reason
    lines = [_html_link(listing, file) for file in listing.files]
    end = f"<!-- journal {listing.place.number} {listing.place.sha256} -->\n"
    return _html_page(f"Links for {listing.project}", status, lines, end)


def html_root(projects: Iterable[str]) -> bytes:
    """Make the PEP 503 page that lists all projects."""
    lines = [_html_root_link(name) for name in sorted(projects)]
    return _html_page("Projects", {}, lines, "")


def project_json(listing: Listing) -> bytes:
    """Make a project's PEP 691 page.

    PEP 700 leaves keys that begin with an underscore to the server.
    """
    status = {"status": listing.status}
    if listing.status_reason:
        status["reason"] = listing.status_reason
    return _json_page(
        {
            "meta": {"api-version": API_VERSION},
            "name": listing.project,
            "project-status": status,
            "versions": list(dict.fromkeys(file.version for file in listing.files)),
            "files": [_json_file(listing, file) for file in listing.files],
            **_json_end(listing.place),
        }
    )


def json_root(projects: Iterable[str]) -> bytes:
    """Make the PEP 691 page that lists all projects."""
    return _json_page(
        {
            "meta": {"api-version": API_VERSION},
            "projects": [{"name": name} for name in sorted(projects)],
        }
    )


def commit_engines(listing: Listing, commit: str) -> bytes:
    """Make the table of the engines that a source commit gave, by target."""
    targets: dict[str, list[dict[str, Any]]] = {}
    for file in listing.files:
        address = listing.blob_address(keys.blob(file.sha256, file.name))
        for engine in file.engines:
            row = {
                "backend": engine.backend,
                "sha256": engine.sha256,
                "size": engine.size_bytes,
                "wheel": {
                    "filename": file.name,
                    "url": address,
                    "sha256": file.sha256,
                    "size": file.size_bytes,
                    "version": file.version,
                },
            }
            targets.setdefault(engine.target, []).append(row)
    return _json_page(
        {
            "commit": commit,
            "project": listing.project,
            "targets": dict(sorted(targets.items())),
            **_json_end(listing.place),
        }
    )


def built_from(page: bytes) -> int:
    """Give the number of the entry a page was made from; 0 when its end is not ours."""
    end = page[-200:]
    match = _HTML_END.search(end) or _JSON_END.search(end)
    return int(match[1]) if match else 0


def lists_project(root: bytes, project: str) -> bool:
    """Tell whether a page of all projects, HTML or JSON, has this one."""
    json_item = _compact({"name": project})
    return f"{_html_root_link(project)}\n".encode() in root or json_item in root


def _html_page(
    title: str, properties: dict[str, str], lines: Iterable[str], end: str
) -> bytes:
    meta = "".join(
        f'    <meta name="{name}" content="{html.escape(value)}">\n'
        for name, value in {
            "pypi:repository-version": API_VERSION,
            **properties,
        }.items()
    )
    body = "".join(f"    {line}\n" for line in lines)
    text = (
        "<!DOCTYPE html>\n"
        "<html>\n"
        "  <head>\n"
        '    <meta charset="utf-8">\n'
        f"{meta}"
        f"    <title>{html.escape(title)}</title>\n"
        "  </head>\n"
        "  <body>\n"
        f"    <h1>{html.escape(title)}</h1>\n"
        f"{body}"
        "  </body>\n"
        "</html>\n"
        f"{end}"
    )
    return text.encode()


def _html_link(listing: Listing, file: File) -> str:
    address = listing.blob_address(keys.blob(file.sha256, file.name))
    attributes = {"href": f"{address}#sha256={file.sha256}"}
    if file.requires_python is not None:
        attributes["data-requires-python"] = file.requires_python
    # The older name, data-dist-info-metadata, is left out although PEP 714 allows it:
    # only pip 22.3 to 23.1 goes by it alone, and compares the names in METADATA and on
    # its command line letter by letter, so it passes over `Foo.Bar` for `foo-bar`.
    # Without it those take METADATA from the wheel, and are right.
    attributes["data-core-metadata"] = f"sha256={file.metadata_sha256}"
    if file.provenance_sha256 is not None:
        key = keys.provenance(file.sha256, file.name)
        attributes["data-provenance"] = listing.blob_address(key)
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    # No PEP has these two; uv reads them for `--exclude-newer` and for its progress.
    attributes["data-upload-time"] = file.upload_time
    attributes["data-size"] = str(file.size_bytes)
    text = " ".join(f'{name}="{html.escape(v)}"' for name, v in attributes.items())
    return f"<a {text}>{html.escape(file.name)}</a><br>"


def _html_root_link(project: str) -> str:
    return f'<a href="{quote(project)}/">{html.escape(project)}</a><br>'


def _json_file(listing: Listing, file: File) -> dict[str, Any]:
    # The older name of `core-metadata` would crash pip 22.3 to 23.1 (PEP 714).
    item: dict[str, Any] = {
        "filename": file.name,
        "url": listing.blob_address(keys.blob(file.sha256, file.name)),
        "hashes": {"sha256": file.sha256},
        "size": file.size_bytes,
        "upload-time": file.upload_time,
        "core-metadata": {"sha256": file.metadata_sha256},
        # An empty reason would count as not yanked.
        "yanked": False if file.yanked is None else file.yanked or True,
    }
    if file.requires_python is not None:
        item["requires-python"] = file.requires_python
    if file.provenance_sha256 is not None:
        key = keys.provenance(file.sha256, file.name)
        item["provenance"] = listing.blob_address(key)
    return item


def _json_end(place: Place) -> dict[str, Any]:
    return {"_journal": {"number": place.number, "sha256": place.sha256}}


def _json_page(value: dict[str, Any]) -> bytes:
    return _compact(value) + b"\n"


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
