"""Channels, source commits and checkpoints: what keeps a publish from growing."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import ChannelInvalid
from engineroom.store import (
    FolderTransport,
    Journal,
    amend,
    publish,
    read_project,
    read_store,
    repair,
)
from engineroom.store.entry import Entry
from engineroom.store.journal import CHECKPOINT_ENTRIES
from engineroom.store.outline import WINDOW_VERSIONS, Outline

from .faults import Killed, KillingTransport
from .reader import tree, visible, visible_json
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store import Transport
    from engineroom.store.transport import Stored

ENTRIES = 9 * CHECKPOINT_ENTRIES + 5
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def page(transport: Transport, key: str) -> set[str]:
    stored = transport.get(key)
    assert stored is not None
    return {file["filename"] for file in json.loads(stored.data)["files"]}


def grow(transport: Transport, entries: int) -> None:
    """Write journal entries as publishers of tiny releases do, but quickly."""
    identity = read_store(transport)
    journal = Journal(transport, identity, "widget")
    journal.read_on()
    example = next(iter(journal.outline.files.values()))
    for number in range(journal.outline.number + 1, entries + 1):
        version = f"0.{number}"
        name = f"widget-{version}-py3-none-any.whl"
        file = type(example)(
            name=name,
            identity=f"widget-{version}-py3-none-any",
            version=version,
            size_bytes=1,
            sha256="1" * 64,
            metadata_sha256="2" * 64,
            requires_python=None,
        )
        assert journal.append(
            Entry(
                number=number,
                previous=journal.outline.place.sha256,
                action="publish",
                publish_id=str(number),
                time="2026-01-01T00:00:00Z",
                tool="test",
                files=(file,),
                names=(name,),
                channel="nightly",
            )
        )
    journal.keep_checkpoints()


def test_a_channel_other_than_release_has_pages_of_its_own(
    transport: Transport, tmp_path: Path
) -> None:
    publish(transport, [make_wheel(tmp_path, version="1.0")])
    dev = make_wheel(tmp_path, version="1.1.dev1")
    publish(transport, [dev], channel="nightly")
    assert (
        visible(transport) == visible_json(transport) == {"widget-1.0-py3-none-any.whl"}
    )
    key = "channels/nightly/json/widget/index.json"
    assert page(transport, key) == {"widget-1.1.dev1-py3-none-any.whl"}


def test_publishing_the_same_bytes_in_release_adds_them_there(
    transport: Transport, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path)
    publish(transport, [wheel], channel="candidate")
    amend(transport, "yank", "widget", "1.0", reason="wait")
    published = publish(transport, [wheel])
    assert [file.channels for file in published.commits[0].new] == [
        ("candidate", "release")
    ]
    assert visible(transport) == {wheel.name}
    assert page(transport, "channels/candidate/json/widget/index.json") == {wheel.name}
    project = read_project(transport, read_store(transport), "widget")
    assert project.files[0].yanked == "wait"


def test_a_source_commit_has_pages_and_a_table_of_its_engines(
    transport: Transport, tmp_path: Path
) -> None:
    from .wheels import engine_files

    files = engine_files({"a/_qe.so": b"ELF"}, targets=("linux-a", "linux-b"))
    wheel = make_wheel(tmp_path, files=files)
    publish(transport, [wheel], channel="nightly", commit=COMMIT)
    root = f"commits/{COMMIT}"
    assert page(transport, f"{root}/json/widget/index.json") == {wheel.name}
    assert transport.get(f"{root}/simple/widget/index.html") is not None
    stored = transport.get(f"{root}/engines/widget.json")
    assert stored is not None
    assert sorted(json.loads(stored.data)["targets"]) == ["linux-a", "linux-b"]


@pytest.mark.parametrize("channel", ["", "Nightly", "../x", "a/b", ".a", "a" * 65])
def test_a_channels_name_is_plain(tmp_path: Path, channel: str) -> None:
    with pytest.raises(ChannelInvalid):
        publish(
            FolderTransport(tmp_path / "store"), [make_wheel(tmp_path)], channel=channel
        )


@pytest.mark.parametrize("commit", ["", "abc", "g" * 40, "A" * 40])
def test_a_source_commits_id_is_whole(tmp_path: Path, commit: str) -> None:
    with pytest.raises(ChannelInvalid):
        publish(
            FolderTransport(tmp_path / "store"), [make_wheel(tmp_path)], commit=commit
        )


@pytest.fixture
def long_store(tmp_path: Path) -> FolderTransport:
    """Give a store whose journal has passed many checkpoints, and its window's end."""
    transport = FolderTransport(tmp_path / "store")
    publish(transport, [make_wheel(tmp_path)])
    grow(transport, ENTRIES)
    return transport


def test_a_checkpoint_is_what_reading_from_the_start_gives(
    long_store: FolderTransport,
) -> None:
    identity = read_store(long_store)
    whole = read_project(long_store, identity, "widget").outline
    assert Journal(long_store, identity, "widget").read_on() == whole
    again = Outline.decode("x", whole.encode(identity), identity, "widget")
    assert again == whole
    assert again.encode(identity) == whole.encode(identity)


def test_a_publish_reads_from_the_newest_checkpoint(
    long_store: FolderTransport, tmp_path: Path
) -> None:
    publish(long_store, [make_wheel(tmp_path, version="2.0")])
    read: Counter[str] = Counter()

    class Counting(KillingTransport):
        def get(self, key: str) -> Stored | None:
            read[key.split("/", maxsplit=1)[0]] += 1
            return super().get(key)

    counting = Counting(long_store, write=0, is_done=False)
    publish(counting, [make_wheel(tmp_path, version="3.0")])
    assert read["checkpoints"] == 1
    assert read["journal"] < 20


def test_a_window_shows_the_newest_versions_and_release_shows_all(
    long_store: FolderTransport, tmp_path: Path
) -> None:
    publish(long_store, [make_wheel(tmp_path, version="0.9999")], channel="nightly")
    shown = page(long_store, "channels/nightly/json/widget/index.json")
    assert len(shown) == WINDOW_VERSIONS
    assert "widget-0.9999-py3-none-any.whl" in shown
    assert visible(long_store) == {"widget-1.0-py3-none-any.whl"}
    outline = Journal(long_store, read_store(long_store), "widget").read_on()
    assert len(outline.files) == WINDOW_VERSIONS + 1
    assert outline.file_count == ENTRIES + 1


def test_a_version_beyond_the_window_is_still_known_by_name(
    long_store: FolderTransport, tmp_path: Path
) -> None:
    from engineroom.errors import FileNameTaken

    with pytest.raises(FileNameTaken, match="already published"):
        publish(long_store, [make_wheel(tmp_path, version="0.2")])
    amended = amend(long_store, "yank", "widget", "0.2")
    assert [file.version for file in amended.files] == ["0.2"]


def test_a_lost_checkpoint_is_made_again(long_store: FolderTransport) -> None:
    repair(long_store)
    folder = long_store.root / "checkpoints" / "widget"
    before = tree(folder)
    for path in folder.iterdir():
        path.unlink()
    assert len(repair(long_store).pages) == 1
    assert tree(folder).items() <= before.items()
    assert len(tree(folder)) == 1


def test_a_spoiled_checkpoint_is_made_again(
    long_store: FolderTransport,
) -> None:
    repair(long_store)
    folder = long_store.root / "checkpoints" / "widget"
    before = tree(folder)
    assert len(before) == 1
    (spoiled,) = folder.iterdir()
    spoiled.write_text(spoiled.read_text().replace("nightly", "nightlx"))
    assert repair(long_store).pages == (f"checkpoints/widget/{spoiled.name}",)
    assert tree(folder) == before


def test_pages_of_a_publisher_that_died_are_made_by_the_next_in_another_channel(
    transport: Transport, tmp_path: Path
) -> None:
    publish(transport, [make_wheel(tmp_path)])
    journal = Journal(transport, read_store(transport), "widget")
    journal.read_on()
    dead = make_wheel(tmp_path, version="2.0")
    with pytest.raises(Killed):
        # Upload list, wheel, METADATA, entry: then it ends.
        publish(KillingTransport(transport, write=4, is_done=True), [dead])
    later = make_wheel(tmp_path, version="3.0.dev1")
    publish(transport, [later], channel="nightly")
    assert dead.name in visible(transport)
    assert dead.name in visible_json(transport)
    assert repair(transport).pages == ()
