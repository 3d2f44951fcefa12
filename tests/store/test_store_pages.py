"""Pages: exact bytes, and that nothing in a journal can break out of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engineroom.store.entry import Engine, File
from engineroom.store.outline import Place
from engineroom.store.pages import (
    Listing,
    built_from,
    commit_engines,
    html_root,
    json_root,
    lists_project,
    project_html,
    project_json,
)

FILE = File(
    name="widget-1.0-py3-none-any.whl",
    identity="widget-1-py3-none-any",
    version="1.0",
    size_bytes=1234,
    sha256="ab" * 32,
    metadata_sha256="cd" * 32,
    requires_python=">=3.9,<4",
    upload_time="2026-01-02T03:04:05Z",
)
EPOCH = replace(
    FILE,
    name="widget-1!2.0-py3-none-any.whl",
    identity="widget-1!2-py3-none-any",
    version="1!2.0",
    requires_python=None,
)
PLACE = Place(7, "ef" * 32)
LISTING = Listing("widget", PLACE, (FILE, EPOCH))


def test_the_html_page_of_a_project_is_these_bytes() -> None:
    blob = f"../../blobs/sha256/ab/{'ab' * 32}"
    metadata = (
        f'data-core-metadata="sha256={"cd" * 32}"'
        ' data-upload-time="2026-01-02T03:04:05Z" data-size="1234"'
    )
    expected = f"""<!DOCTYPE html>
<html>
  <head>
    <meta charset="utf-8">
    <meta name="pypi:repository-version" content="1.4">
    <meta name="pypi:project-status" content="active">
    <title>Links for widget</title>
  </head>
  <body>
    <h1>Links for widget</h1>
    <a href="{blob}/widget-1.0-py3-none-any.whl#sha256={"ab" * 32}"\
 data-requires-python="&gt;=3.9,&lt;4" {metadata}>widget-1.0-py3-none-any.whl</a><br>
    <a href="{blob}/widget-1%212.0-py3-none-any.whl#sha256={"ab" * 32}"\
 {metadata}>widget-1!2.0-py3-none-any.whl</a><br>
  </body>
</html>
<!-- journal 7 {"ef" * 32} -->
"""
    assert project_html(LISTING).decode() == expected


def test_the_json_page_of_a_project_is_this_value() -> None:
    page = project_json(LISTING)
    blob = f"../../blobs/sha256/ab/{'ab' * 32}"
    first = {
        "filename": "widget-1.0-py3-none-any.whl",
        "url": f"{blob}/widget-1.0-py3-none-any.whl",
        "hashes": {"sha256": "ab" * 32},
        "size": 1234,
        "upload-time": "2026-01-02T03:04:05Z",
        "core-metadata": {"sha256": "cd" * 32},
        "yanked": False,
        "requires-python": ">=3.9,<4",
    }
    second = {
        **first,
        "filename": "widget-1!2.0-py3-none-any.whl",
        "url": f"{blob}/widget-1%212.0-py3-none-any.whl",
    }
    del second["requires-python"]
    assert json.loads(page) == {
        "meta": {"api-version": "1.4"},
        "name": "widget",
        "project-status": {"status": "active"},
        "versions": ["1.0", "1!2.0"],
        "files": [first, second],
        "_journal": {"number": 7, "sha256": "ef" * 32},
    }
    assert page.endswith(b"}\n")


@pytest.mark.parametrize("make", [project_html, project_json], ids=["html", "json"])
def test_a_page_ends_with_the_entry_it_was_made_from(make: object) -> None:
    assert callable(make)
    page = make(LISTING)
    assert built_from(page) == 7
    assert built_from(page[:-2]) == 0
    assert built_from(b"") == 0


def test_nothing_in_a_journal_breaks_out_of_a_page() -> None:
    hostile = '"><script>alert(1)</script>'
    file = replace(FILE, name=hostile, requires_python=hostile, upload_time=hostile)
    file = replace(file, yanked=hostile)
    listing = Listing(hostile, PLACE, (file,), "", "quarantined", hostile)
    page = project_html(listing).decode()
    assert "<script" not in page
    assert page.count("<a ") == page.count("</a>") == 1
    assert "<script" not in html_root([hostile]).decode()


def test_a_yanked_file_is_marked_even_without_a_reason() -> None:
    """An empty reason counts as not yanked in JSON (PEP 691)."""
    for reason, value in (("broken", "broken"), ("", True)):
        listing = Listing("widget", PLACE, (replace(FILE, yanked=reason),))
        assert f' data-yanked="{reason}"' in project_html(listing).decode()
        assert json.loads(project_json(listing))["files"][0]["yanked"] == value


def test_attestations_have_their_address_beside_the_wheel() -> None:
    listing = Listing("widget", PLACE, (replace(FILE, provenance_sha256="0" * 64),))
    address = f"../../blobs/sha256/ab/{'ab' * 32}/{FILE.name}.provenance"
    assert f'data-provenance="{address}"' in project_html(listing).decode()
    assert json.loads(project_json(listing))["files"][0]["provenance"] == address


def test_a_status_and_its_reason_are_on_both_pages() -> None:
    listing = Listing("widget", PLACE, (), "", "quarantined", "stolen key")
    html = project_html(listing).decode()
    assert '<meta name="pypi:project-status" content="quarantined">' in html
    assert '<meta name="pypi:project-status-reason" content="stolen key">' in html
    assert json.loads(project_json(listing))["project-status"] == {
        "status": "quarantined",
        "reason": "stolen key",
    }


@pytest.mark.parametrize(
    ("root", "up"),
    [
        ("", "../../"),
        ("channels/nightly/", "../../../../"),
        ("commits/ab/", "../../../../"),
    ],
)
def test_addresses_lead_from_a_page_to_the_top(root: str, up: str) -> None:
    listing = Listing("widget", PLACE, (FILE,), root)
    assert f'href="{up}blobs/sha256/' in project_html(listing).decode()
    url = json.loads(project_json(listing))["files"][0]["url"]
    assert url.startswith(f"{up}blobs/sha256/")


def test_the_engines_of_a_source_commit_are_told_by_target() -> None:
    engine = Engine("rhel-arm64", "sqlite", "12" * 32, 77)
    file = replace(FILE, engines=(engine,))
    listing = Listing("widget", PLACE, (file,), "commits/x/")
    table = json.loads(commit_engines(listing, "x"))
    assert table["commit"] == "x"
    assert table["targets"] == {
        "rhel-arm64": [
            {
                "backend": "sqlite",
                "sha256": "12" * 32,
                "size": 77,
                "wheel": {
                    "filename": FILE.name,
                    "url": f"../../../../blobs/sha256/ab/{'ab' * 32}/{FILE.name}",
                    "sha256": FILE.sha256,
                    "size": 1234,
                    "version": "1.0",
                },
            }
        ]
    }


def test_the_pages_of_all_projects_are_sorted_and_relative() -> None:
    html = html_root(["widget", "gadget"]).decode()
    gadget = '<a href="gadget/">gadget</a><br>'
    widget = '<a href="widget/">widget</a><br>'
    assert html.index(gadget) < html.index(widget)
    assert json.loads(json_root(["widget", "gadget"])) == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "gadget"}, {"name": "widget"}],
    }


@pytest.mark.parametrize("make", [html_root, json_root], ids=["html", "json"])
def test_a_page_of_all_projects_tells_whether_it_has_one(make: object) -> None:
    assert callable(make)
    page = make(["widget", "gadget-x"])
    assert lists_project(page, "widget")
    assert not lists_project(page, "gadget")
    assert not lists_project(page, "x")
