"""Yank, quarantine and withdraw: what pages and journals say after each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engineroom.errors import (
    FileWithdrawn,
    NothingToChange,
    ProjectMissing,
    ProjectQuarantined,
    ReasonRefused,
)
from engineroom.store import amend, publish, read_project, read_store, repair

from .reader import visible, visible_json
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store import File, Transport

ONE = "widget-1.0-py3-none-any.whl"
TWO = "widget-2.0-py3-none-any.whl"
COMMIT = "c0ffee" + "0" * 34


@pytest.fixture
def store(transport: Transport, tmp_path: Path) -> Transport:
    """Give a store with two versions of `widget`."""
    for version in ("1.0", "2.0"):
        publish(transport, [make_wheel(tmp_path, version=version)])
    return transport


def files(store: Transport) -> dict[str, File]:
    project = read_project(store, read_store(store), "widget")
    return {file.name: file for file in project.files}


def json_page(store: Transport, key: str = "json/widget/index.json") -> Any:
    stored = store.get(key)
    assert stored is not None
    return json.loads(stored.data)


def html_page(store: Transport) -> str:
    stored = store.get("simple/widget/index.html")
    assert stored is not None
    return stored.data.decode()


def test_a_yanked_file_stays_on_the_pages_and_says_why(store: Transport) -> None:
    amended = amend(store, "yank", "Widget", "2.0", reason="loses data")
    assert (amended.project, amended.number) == ("widget", 3)
    assert [file.name for file in amended.files] == [TWO]
    assert files(store)[TWO].yanked == "loses data"
    assert 'data-yanked="loses data"' in html_page(store)
    assert [f["yanked"] for f in json_page(store)["files"]] == [False, "loses data"]
    assert visible(store) == visible_json(store) == {ONE, TWO}


def test_an_unyanked_file_is_as_before_but_for_the_entry(store: Transport) -> None:
    before = json_page(store)["files"]
    amend(store, "yank", "widget", "2.0")
    amend(store, "unyank", "widget", "2.0")
    assert json_page(store)["files"] == before
    assert files(store)[TWO].yanked is None


def test_a_quarantined_version_leaves_the_pages_until_it_is_lifted(
    store: Transport,
) -> None:
    amend(store, "quarantine", "widget", "2.0", reason="looked at")
    assert visible(store) == visible_json(store) == {ONE}
    assert json_page(store)["project-status"] == {"status": "active"}
    amend(store, "lift", "widget", "2.0")
    assert visible(store) == visible_json(store) == {ONE, TWO}


def test_a_quarantined_project_shows_nothing_and_takes_nothing(
    store: Transport, tmp_path: Path
) -> None:
    amend(store, "quarantine", "widget", None, reason="stolen key")
    assert visible(store) == visible_json(store) == set()
    assert json_page(store)["project-status"] == {
        "status": "quarantined",
        "reason": "stolen key",
    }
    with pytest.raises(ProjectQuarantined, match="stolen key"):
        publish(store, [make_wheel(tmp_path, version="3.0")])
    amend(store, "lift", "widget", None)
    assert visible(store) == visible_json(store) == {ONE, TWO}


def test_a_withdrawn_name_is_never_given_again(
    store: Transport, tmp_path: Path
) -> None:
    amend(store, "withdraw", "widget", "2.0", reason="held a password")
    assert visible(store) == visible_json(store) == {ONE}
    with pytest.raises(FileWithdrawn, match="held a password"):
        publish(store, [make_wheel(tmp_path, version="2.0")])
    with pytest.raises(NothingToChange):
        amend(store, "lift", "widget", "2.0")
    assert repair(store).problems == ()


def test_one_file_of_a_version_can_be_meant(
    transport: Transport, tmp_path: Path
) -> None:
    tags = ("py3-none-any", "py2-none-any")
    publish(transport, [make_wheel(tmp_path, tag=tag) for tag in tags])
    amend(transport, "yank", "widget", "1", file_name=ONE)
    assert {name: f.yanked for name, f in files(transport).items()} == {
        ONE: "",
        "widget-1.0-py2-none-any.whl": None,
    }


def test_a_source_commits_pages_change_with_its_files(
    transport: Transport, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path)
    publish(transport, [wheel], channel="nightly", commit=COMMIT)
    key = f"commits/{COMMIT}/json/widget/index.json"
    assert [f["filename"] for f in json_page(transport, key)["files"]] == [ONE]
    amend(transport, "quarantine", "widget", "1.0")
    assert json_page(transport, key)["files"] == []
    amend(transport, "lift", "widget", "1.0")
    amend(transport, "quarantine", "widget", None)
    assert json_page(transport, key)["files"] == []
    assert repair(transport).pages == ()


@pytest.mark.parametrize(
    ("action", "version", "file_name"),
    [("yank", "9.0", None), ("yank", "no version", None), ("yank", "1.0", "x.whl")],
)
def test_what_is_not_there_cannot_be_changed(
    store: Transport, action: str, version: str, file_name: str | None
) -> None:
    with pytest.raises(ProjectMissing):
        amend(store, action, "widget", version, file_name=file_name)
    with pytest.raises(ProjectMissing):
        amend(store, action, "gadget", "1.0")


def test_what_is_so_already_is_not_said_again(store: Transport) -> None:
    amend(store, "yank", "widget", "1.0")
    for action, version in (("yank", "1.0"), ("unyank", "2.0"), ("lift", None)):
        with pytest.raises(NothingToChange):
            amend(store, action, "widget", version)
    assert files(store)[ONE].yanked == ""


@pytest.mark.parametrize("reason", ["two\nlines", "x" * 501, "\x1b[31mred"])
def test_a_reason_is_one_line_of_text(store: Transport, reason: str) -> None:
    with pytest.raises(ReasonRefused):
        amend(store, "yank", "widget", "1.0", reason=reason)


def test_a_dry_run_writes_nothing(store: Transport) -> None:
    amended = amend(store, "withdraw", "widget", "1.0", dry_run=True)
    assert amended.is_dry_run
    assert [file.name for file in amended.files] == [ONE]
    assert read_project(store, read_store(store), "widget").number == 2
