"""Promoting: what is released is what was tested, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import (
    BlobChanged,
    BlobMissing,
    FileNameTaken,
    ProjectMissing,
    PromotionRefused,
)
from engineroom.store import FolderTransport, amend, publish, read_project, read_store
from engineroom.store.promote import promote
from engineroom.store.transport import BytesBody
from engineroom.store.verify import verify

from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engineroom.store import File, Transport

COMMIT = "e" * 40


@pytest.fixture
def staging(tmp_path: Path) -> FolderTransport:
    made = FolderTransport(tmp_path / "staging")
    for tag in ("py3-none-any", "cp39-abi3-linux_x86_64"):
        wheel = make_wheel(tmp_path / "wheels", tag=tag)
        publish(made, [wheel], channel="nightly", commit=COMMIT)
    return made


def files_of(store: Transport) -> dict[str, File]:
    project = read_project(store, read_store(store), "widget")
    return {file.name: file for file in project.files}


def test_a_version_is_promoted_to_another_store(
    staging: FolderTransport, transport: Transport
) -> None:
    published = promote(staging, transport, "Widget", "1.0.0", from_channel="nightly")
    [commit] = published.commits
    assert len(commit.new) == 2
    there, here = files_of(staging), files_of(transport)
    assert here == {
        name: replace(file, channels=("release",), upload_time=here[name].upload_time)
        for name, file in there.items()
    }
    blobs = {key: staging.get(key).data for key in staging.list("blobs/")}  # type: ignore[union-attr]
    assert {key: transport.get(key).data for key in transport.list("blobs/")} == blobs  # type: ignore[union-attr]
    assert verify(transport, full=True).findings == []
    again = promote(staging, transport, "widget", "1.0")
    assert again.commits[0].new == ()


def test_inside_one_store_only_the_journal_says_something_new(
    staging: FolderTransport,
) -> None:
    before = set(staging.list("blobs/"))
    assert staging.get("simple/widget/index.html") is None
    promote(staging, staging, "widget", "1.0", from_channel="nightly")
    assert set(staging.list("blobs/")) == before
    assert {f.channels for f in files_of(staging).values()} == {("nightly", "release")}
    assert staging.get("simple/widget/index.html") is not None
    assert verify(staging, full=True).findings == []


def test_a_dry_run_writes_nothing(staging: FolderTransport, tmp_path: Path) -> None:
    target = FolderTransport(tmp_path / "target")
    published = promote(staging, target, "widget", "1.0", dry_run=True)
    assert published.is_dry_run
    assert len(published.commits[0].new) == 2
    assert list(target.list("")) == []


@pytest.mark.parametrize("action", ["yank", "quarantine", "withdraw"])
def test_what_the_source_does_not_stand_by_is_refused(
    staging: FolderTransport, tmp_path: Path, action: str
) -> None:
    target = FolderTransport(tmp_path / "target")
    amend(staging, action, "widget", "1.0", reason="it loses rows")
    with pytest.raises(PromotionRefused, match="it loses rows"):
        promote(staging, target, "widget", "1.0")
    assert list(target.list("")) == []


def test_a_quarantined_project_is_refused(
    staging: FolderTransport, tmp_path: Path
) -> None:
    amend(staging, "quarantine", "widget", None, reason="taken over")
    with pytest.raises(PromotionRefused, match="taken over"):
        promote(staging, FolderTransport(tmp_path / "target"), "widget", "1.0")


def test_a_yanked_version_stays_so_when_it_is_promoted(
    staging: FolderTransport, tmp_path: Path
) -> None:
    target = FolderTransport(tmp_path / "target")
    amend(staging, "yank", "widget", "1.0", reason="too slow")
    promote(staging, target, "widget", "1.0", yanked=True)
    assert {file.yanked for file in files_of(target).values()} == {"too slow"}
    assert verify(target, full=True).findings == []


def test_a_version_that_is_not_there_is_named(
    staging: FolderTransport, tmp_path: Path
) -> None:
    target = FolderTransport(tmp_path / "target")
    with pytest.raises(ProjectMissing, match=r"widget 2\.0"):
        promote(staging, target, "widget", "2.0")
    with pytest.raises(ProjectMissing, match="in channel release"):
        promote(staging, target, "widget", "1.0", from_channel="release")


def test_bytes_that_changed_are_not_released(
    staging: FolderTransport, tmp_path: Path
) -> None:
    target = FolderTransport(tmp_path / "target")
    key = next(k for k in staging.list("blobs/") if k.endswith(".whl"))
    stored = staging.get(key)
    assert stored is not None
    staging.replace(key, BytesBody(stored.data[:-1] + b"!"), expected=stored.version)
    with pytest.raises(BlobChanged):
        promote(staging, target, "widget", "1.0")
    assert list(target.list("journal/")) == []
    staging.delete(key)
    with pytest.raises(BlobMissing):
        promote(staging, target, "widget", "1.0")


def test_a_name_with_other_bytes_is_refused(
    staging: FolderTransport, tmp_path: Path
) -> None:
    target = FolderTransport(tmp_path / "target")
    publish(target, [make_wheel(tmp_path / "other", text="another build")])
    with pytest.raises(FileNameTaken):
        promote(staging, target, "widget", "1.0")


def test_the_check_can_refuse(staging: FolderTransport, tmp_path: Path) -> None:
    target = FolderTransport(tmp_path / "target")

    class Refused(Exception):
        pass

    def check(files: Sequence[File], version: str) -> None:
        assert (len(files), version) == (2, "1.0")
        raise Refused

    with pytest.raises(Refused):
        promote(staging, target, "widget", "1.0", check=check)
    assert list(target.list("")) == []
