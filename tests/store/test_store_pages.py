"""Pages: exact bytes, and that nothing in a journal can break out of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engineroom.store.journal import File, Project
from engineroom.store.pages import (
    built_from,
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
PROJECT = Project("widget", 7, "ef" * 32, {f.identity: f for f in (FILE, EPOCH)})


def test_the_html_page_of_a_project_is_these_bytes() -> None:
    blob = f"../../blobs/sha256/ab/{'ab' * 32}"
    metadata = (
        f'data-core-metadata="sha256={"cd" * 32}"'
        ' data-upload-time="2026-01-02T03:04:05Z"'
    )
    expected = f"""<!DOCTYPE html>
<html>
  <head>
    <meta charset="utf-8">
    <meta name="pypi:repository-version" content="1.4">
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
    assert project_html(PROJECT).decode() == expected


def test_the_json_page_of_a_project_is_this_value() -> None:
    page = project_json(PROJECT)
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
    page = make(PROJECT)
    assert built_from(page) == 7
    assert built_from(page[:-2]) == 0
    assert built_from(b"") == 0


def test_nothing_in_a_journal_breaks_out_of_a_page() -> None:
    hostile = '"><script>alert(1)</script>'
    file = replace(FILE, name=hostile, requires_python=hostile, upload_time=hostile)
    page = project_html(Project(hostile, 1, "ef" * 32, {"": file})).decode()
    assert "<script" not in page
    assert page.count("<a ") == page.count("</a>") == 1
    assert "<script" not in html_root([hostile]).decode()


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
