"""State to page, and nothing else: the same journal gives the same bytes anywhere.

HTML for every pip ever (PEP 503, 592, 658, 714), JSON for those that ask for it (PEP
691, 700). They stand under two roots because a static host gives one address one
content type. Addresses are relative, so a store can be moved, mirrored, served under
any host or opened as files. Each page ends with the journal entry it was made from.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from engineroom.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engineroom.store.journal import File, Project

__all__ = [
    "API_VERSION",
    "built_from",
    "html_root",
    "json_root",
    "lists_project",
    "project_html",
    "project_json",
]

API_VERSION = "1.4"

_HTML_END = re.compile(rb"<!-- journal (\d+) [0-9a-f]{64} -->\n\Z")
_JSON_END = re.compile(rb'"_journal":\{"number":(\d+),"sha256":"[0-9a-f]{64}"\}\}\n\Z')


def project_html(project: Project) -> bytes:
    """Make a project's PEP 503 page."""
    lines = [_html_link(file) for file in project.files]
    end = f"<!-- journal {project.number} {project.sha256} -->\n"
    return _html_page(f"Links for {project.name}", lines, end)


def html_root(projects: Iterable[str]) -> bytes:
    """Make the PEP 503 page that lists all projects."""
    lines = [_html_root_link(name) for name in sorted(projects)]
    return _html_page("Projects", lines, "")


def project_json(project: Project) -> bytes:
    """Make a project's PEP 691 page.

    PEP 700 leaves keys that begin with an underscore to the server.
    """
    return _json_page(
        {
            "meta": {"api-version": API_VERSION},
            "name": project.name,
            "project-status": {"status": "active"},
            "versions": list(project.versions),
            "files": [_json_file(file) for file in project.files],
            "_journal": {"number": project.number, "sha256": project.sha256},
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


def built_from(page: bytes) -> int:
    """Give the number of the entry a page was made from; 0 when its end is not ours."""
    match = _HTML_END.search(page[-200:]) or _JSON_END.search(page[-200:])
    return int(match[1]) if match else 0


def lists_project(root: bytes, project: str) -> bool:
    """Tell whether a page of all projects, HTML or JSON, has this one."""
    json_item = _compact({"name": project})
    return f"{_html_root_link(project)}\n".encode() in root or json_item in root


def _html_page(title: str, lines: Iterable[str], end: str) -> bytes:
    body = "".join(f"    {line}\n" for line in lines)
    text = (
        "<!DOCTYPE html>\n"
        "<html>\n"
        "  <head>\n"
        '    <meta charset="utf-8">\n'
        f'    <meta name="pypi:repository-version" content="{API_VERSION}">\n'
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


def _html_link(file: File) -> str:
    attributes = {"href": f"{_blob_address(file)}#sha256={file.sha256}"}
    if file.requires_python is not None:
        attributes["data-requires-python"] = file.requires_python
    # The older name, data-dist-info-metadata, is left out although PEP 714 allows it:
    # only pip 22.3 to 23.1 goes by it alone, and compares the names in METADATA and on
    # its command line letter by letter, so it passes over `Foo.Bar` for `foo-bar`.
    # Without it those take METADATA from the wheel, and are right.
    attributes["data-core-metadata"] = f"sha256={file.metadata_sha256}"
    # No PEP has this one; uv reads it for `--exclude-newer`.
    attributes["data-upload-time"] = file.upload_time
    text = " ".join(f'{name}="{html.escape(v)}"' for name, v in attributes.items())
    return f"<a {text}>{html.escape(file.name)}</a><br>"


def _html_root_link(project: str) -> str:
    return f'<a href="{quote(project)}/">{html.escape(project)}</a><br>'


def _json_file(file: File) -> dict[str, Any]:
    # The older name of `core-metadata` would crash pip 22.3 to 23.1 (PEP 714).
    item: dict[str, Any] = {
        "filename": file.name,
        "url": _blob_address(file),
        "hashes": {"sha256": file.sha256},
        "size": file.size_bytes,
        "upload-time": file.upload_time,
        "core-metadata": {"sha256": file.metadata_sha256},
        "yanked": False,
    }
    if file.requires_python is not None:
        item["requires-python"] = file.requires_python
    return item


def _json_page(value: dict[str, Any]) -> bytes:
    return _compact(value) + b"\n"


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _blob_address(file: File) -> str:
    # Both kinds of project page lie two folders deep.
    return f"../../{quote(keys.blob(file.sha256, file.name))}"
