"""The journal: what replay gives, and every way in which it can have been tampered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engineroom.errors import FileNameTaken, StoreDamaged, StoreTooNew
from engineroom.store import (
    File,
    FolderTransport,
    Journal,
    Outline,
    Project,
    publish,
    read_project,
    read_store,
)
from engineroom.store.document import encode
from engineroom.store.entry import Entry, is_published

from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engineroom.store import Identity, Transport


def file(name: str = "widget-1.0-py3-none-any.whl", sha256: str = "1" * 64) -> File:
    from engineroom.store.names import parse_wheel_name

    parsed = parse_wheel_name(name)
    return File(name, parsed.identity, parsed.version, 10, sha256, "2" * 64, ">=3.9")


@pytest.fixture
def store(tmp_path: Path) -> FolderTransport:
    """Give a store with three entries in the journal of `widget`."""
    transport = FolderTransport(tmp_path / "store")
    for version in ("1.0", "1.1", "2.0"):
        publish(transport, [make_wheel(tmp_path, version=version)], clock=lambda: 0.0)
    return transport


def entry_path(store: FolderTransport, number: int) -> Path:
    return store.root / "journal" / "widget" / f"{number:012d}.json"


def change(store: FolderTransport, number: int, edit: Callable[[Any], None]) -> None:
    path = entry_path(store, number)
    value = json.loads(path.read_bytes())
    edit(value)
    path.write_bytes(encode(value))


def test_replay_gives_every_file_with_the_time_it_came(store: FolderTransport) -> None:
    project = read_project(store, read_store(store), "widget")
    assert project.number == 3
    assert project.versions == ("1.0", "1.1", "2.0")
    assert [f.upload_time for f in project.files] == ["1970-01-01T00:00:00Z"] * 3


def test_reading_on_gives_what_reading_from_the_start_gives(
    store: FolderTransport,
) -> None:
    identity = read_store(store)
    late = entry_path(store, 3).read_bytes()
    entry_path(store, 3).unlink()
    journal = Journal(store, identity, "widget")
    assert journal.read_on().number == 2
    entry_path(store, 3).write_bytes(late)
    assert journal.read_on() == read_project(store, identity, "widget").outline


def test_an_absent_journal_is_an_empty_project(store: FolderTransport) -> None:
    assert read_project(store, read_store(store), "gadget") == Project(
        Outline("gadget")
    )


def _append(transport: Transport, identity: Identity, publish_id: str) -> bool:
    """Append as a publisher that has read three entries."""
    journal = Journal(transport, identity, "widget", _three(transport, identity))
    new = file("widget-3.0-py3-none-any.whl")
    return journal.append(
        Entry(
            number=4,
            previous=journal.outline.place.sha256,
            action="publish",
            publish_id=publish_id,
            time="2026-01-01T00:00:00Z",
            tool="test",
            files=(new,),
            names=(new.name,),
            channel="release",
        )
    )


def _three(transport: Transport, identity: Identity) -> Outline:
    journal = Journal(transport, identity, "widget", Outline("widget"))
    for number in (1, 2, 3):
        key = f"journal/widget/{number:012d}.json"
        journal.outline.read_on(key, journal.entry(number))
    return journal.outline


def test_a_number_that_is_taken_is_not_given_again(store: FolderTransport) -> None:
    identity = read_store(store)
    assert _append(store, identity, "a")
    assert not _append(store, identity, "b")


def test_ones_own_entry_met_on_a_second_try_is_a_success(
    store: FolderTransport,
) -> None:
    """A client that repeats a request whose answer was lost meets its own object."""
    identity = read_store(store)
    assert _append(store, identity, "a")
    assert _append(store, identity, "a")
    assert read_project(store, identity, "widget").number == 4


def _set(name: str, value: Any) -> Callable[[Any], None]:
    def edit(entry: Any) -> None:
        entry[name] = value

    return edit


def _set_file(name: str, value: Any) -> Callable[[Any], None]:
    def edit(entry: Any) -> None:
        entry["files"][0][name] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_set("store", "another"), "its `store` is `another`"),
        (_set("project", "gadget"), "its `project` is `gadget`"),
        (_set("number", 7), "it says it is number 7"),
        (_set("number", True), "`number` should be a whole number, found True"),
        (_set("previous", "0" * 64), "its `previous` is `000"),
        (_set("previous", None), "`previous` should be a string, found None"),
        (_set("files", "all"), "`files` should be a list"),
        (_set("files", [1]), r"files\[0\] is no JSON object"),
        (_set_file("sha256", "short"), r"`files\[0\].sha256` should be a sha256"),
        (_set_file("name", "../x.whl"), "has 1 parts"),
        (_set_file("name", "gadget-1.0-py3-none-any.whl"), "no file of project"),
        (_set_file("size", -1), r"`files\[0\].size` should be a whole number"),
        (_set_file("requires_python", 3), "should be a string, found 3"),
        (
            _set_file("name", "Widget-1.0-py3-none-any.whl"),
            "is already published",
        ),
    ],
)
def test_an_entry_that_was_changed_is_named(
    store: FolderTransport, edit: Callable[[Any], None], reason: str
) -> None:
    change(store, 2, edit)
    with pytest.raises(StoreDamaged, match=reason) as caught:
        read_project(store, read_store(store), "widget")
    assert caught.value.key == "journal/widget/000000000002.json"


def test_a_change_that_keeps_the_form_shows_in_the_next_entry(
    store: FolderTransport,
) -> None:
    change(store, 2, _set_file("sha256", "0" * 64))
    with pytest.raises(StoreDamaged, match="its `previous` is") as caught:
        read_project(store, read_store(store), "widget")
    assert caught.value.key == "journal/widget/000000000003.json"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b"null", b'{"format": "1"}', b"[" * 100_000]
)
def test_an_entry_that_is_no_document_is_named(
    store: FolderTransport, data: bytes
) -> None:
    entry_path(store, 1).write_bytes(data)
    with pytest.raises(StoreDamaged) as caught:
        read_project(store, read_store(store), "widget")
    assert caught.value.key == "journal/widget/000000000001.json"


@pytest.mark.parametrize(
    ("edit", "found"),
    [(_set("format", 2), "format 2"), (_set("action", "praise"), "action `praise`")],
)
def test_an_entry_of_a_newer_engineroom_is_not_guessed_at(
    store: FolderTransport, edit: Callable[[Any], None], found: str
) -> None:
    change(store, 3, edit)
    with pytest.raises(StoreTooNew) as caught:
        read_project(store, read_store(store), "widget")
    assert caught.value.found == found
    assert "newer" in caught.value.hint


def test_a_published_name_belongs_to_its_bytes() -> None:
    published = {file().identity: file()}
    assert is_published(file(), published)
    with pytest.raises(FileNameTaken) as caught:
        is_published(file(sha256="3" * 64), published)
    assert caught.value.name == "widget-1.0-py3-none-any.whl"
    assert caught.value.published_sha256 == "1" * 64
    assert caught.value.offered_sha256 == "3" * 64


@pytest.mark.parametrize(
    "name", ["Widget-1.0-py3-none-any.whl", "widget-1.0.0-py3-none-any.whl"]
)
def test_a_published_name_in_another_spelling_is_taken_too(name: str) -> None:
    with pytest.raises(FileNameTaken, match=r"already published \(as `widget-1.0-"):
        is_published(file(name), {file().identity: file()})


def test_an_entry_is_written_as_the_documented_example(tmp_path: Path) -> None:
    """These bytes are for ever: a changed form would break the chains of all stores."""
    store = FolderTransport(tmp_path / "store")
    wheel = make_wheel(tmp_path)
    publish(store, [wheel], clock=lambda: 1_700_000_000.0)
    identity = read_store(store)
    entry = json.loads(entry_path(store, 1).read_bytes())
    digest = entry["files"][0].pop("sha256")
    metadata = entry["files"][0].pop("metadata_sha256")
    assert len(digest) == len(metadata) == 64
    assert len(entry.pop("publish_id")) == 32
    assert entry.pop("tool").startswith("engineroom ")
    assert entry == {
        "action": "publish",
        "channel": "release",
        "commit": None,
        "files": [
            {
                "engines": [],
                "name": "widget-1.0-py3-none-any.whl",
                "provenance_sha256": None,
                "requires_python": ">=3.8",
                "size": wheel.stat().st_size,
            }
        ],
        "format": 1,
        "number": 1,
        "previous": "",
        "project": "widget",
        "store": identity.store,
        "time": "2023-11-14T22:13:20Z",
    }
