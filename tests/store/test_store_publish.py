"""Publishing: the states before and after, what is refused, and what mends itself."""

from __future__ import annotations

import fcntl
import json
import resource
import shutil
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import (
    FileNameTaken,
    PagesBehind,
    ProjectMissing,
    StoreAddressInvalid,
    StoreBusy,
    StoreDamaged,
    StoreMissing,
    StoreTooNew,
    StoreUnwritable,
    WheelRefused,
    WheelUnreadable,
)
from engineroom.store import (
    FolderTransport,
    ensure_store,
    find_project,
    list_projects,
    open_store,
    publish,
    read_project,
    read_store,
    repair,
)

from .processes import in_child
from .reader import leftovers, listed, tree, visible, visible_json
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store import Transport

ONE = "widget-1.0-py3-none-any.whl"
TWO = "widget-2.0-py3-none-any.whl"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_the_first_publish_makes_the_store(tmp_path: Path, root: Path) -> None:
    wheel = make_wheel(tmp_path)
    published = publish(open_store(str(root)), [wheel])
    assert published.is_new_store
    assert [commit.project for commit in published.commits] == ["widget"]
    assert published.commits[0].number == 1
    assert [file.name for file in published.commits[0].new] == [ONE]
    sha256 = published.commits[0].new[0].sha256
    blob = f"blobs/sha256/{sha256[:2]}/{sha256}/{ONE}"
    assert set(tree(root)) == {
        "store.json",
        "head.json",
        "heads/widget.json",
        blob,
        f"{blob}.metadata",
        "journal/widget/000000000001.json",
        "simple/index.html",
        "simple/widget/index.html",
        "json/index.json",
        "json/widget/index.json",
    }
    assert tree(root)[blob] == wheel.read_bytes()
    assert visible(root) == visible_json(root) == {ONE}
    assert listed(root) == {"widget"}


def test_wheels_of_one_project_appear_at_one_instant(
    transport: Transport, tmp_path: Path
) -> None:
    wheels = [make_wheel(tmp_path, version=v) for v in ("1.0", "2.0")]
    published = publish(transport, wheels)
    assert [(c.project, c.number) for c in published.commits] == [("widget", 1)]
    project = read_project(transport, read_store(transport), "widget")
    assert {file.name for file in project.files} == {ONE, TWO}


def test_wheels_of_several_projects_go_to_their_own_journals(
    transport: Transport, tmp_path: Path
) -> None:
    wheels = [make_wheel(tmp_path, project=p) for p in ("widget", "gadget", "Wid.get")]
    published = publish(transport, wheels)
    names = [commit.project for commit in published.commits]
    assert names == ["widget", "gadget", "wid-get"]
    assert list_projects(transport) == ("gadget", "wid-get", "widget")


def test_publishing_the_same_bytes_again_changes_nothing_and_says_so(
    tmp_path: Path, root: Path
) -> None:
    wheel = make_wheel(tmp_path)
    publish(FolderTransport(root), [wheel])
    before = tree(root)
    again = publish(FolderTransport(root), [wheel, wheel])
    assert tree(root) == before
    assert again.commits[0].new == ()
    assert [file.name for file in again.commits[0].known] == [ONE]
    assert again.commits[0].number == 1
    assert again.pages == ()
    assert not again.is_new_store


def test_only_what_is_new_is_committed(transport: Transport, tmp_path: Path) -> None:
    one, two = (make_wheel(tmp_path, version=v) for v in ("1.0", "2.0"))
    publish(transport, [one])
    published = publish(transport, [one, two])
    assert [file.name for file in published.commits[0].new] == [TWO]
    assert [file.name for file in published.commits[0].known] == [ONE]


def test_a_name_never_gets_other_bytes(tmp_path: Path, root: Path) -> None:
    publish(FolderTransport(root), [make_wheel(tmp_path)])
    before = tree(root)
    other = make_wheel(tmp_path / "other", text="other")
    new = make_wheel(tmp_path, version="2.0")
    with pytest.raises(FileNameTaken) as caught:
        publish(FolderTransport(root), [new, other])
    assert caught.value.code == "ER3110"
    assert caught.value.name == ONE
    assert tree(root) == before


def test_a_name_with_two_contents_in_one_publish_is_refused(
    tmp_path: Path, root: Path
) -> None:
    wheels = [make_wheel(tmp_path), make_wheel(tmp_path / "other", text="other")]
    with pytest.raises(FileNameTaken):
        publish(FolderTransport(root), wheels)
    assert not root.exists()


def test_a_build_tag_gives_a_bad_build_a_successor(
    transport: Transport, tmp_path: Path
) -> None:
    publish(transport, [make_wheel(tmp_path)])
    published = publish(transport, [make_wheel(tmp_path, build="1", text="mended")])
    assert published.commits[0].number == 2


def test_one_bad_wheel_keeps_all_from_being_published(
    tmp_path: Path, root: Path
) -> None:
    good = make_wheel(tmp_path)
    bad = make_wheel(tmp_path, version="2.0")
    bad.write_bytes(bad.read_bytes()[:-50])
    with pytest.raises(WheelRefused) as caught:
        publish(FolderTransport(root), [good, bad])
    assert caught.value.path == str(bad)
    assert not root.exists()


def test_a_dry_run_writes_nothing_and_tells_what_it_would(
    tmp_path: Path, root: Path
) -> None:
    one, two = (make_wheel(tmp_path, version=v) for v in ("1.0", "2.0"))
    planned = publish(FolderTransport(root), [one], dry_run=True)
    assert planned.is_dry_run
    assert planned.is_new_store
    assert [file.name for file in planned.commits[0].new] == [ONE]
    assert not root.exists()
    publish(FolderTransport(root), [one])
    before = tree(root)
    planned = publish(FolderTransport(root), [one, two], dry_run=True)
    assert [file.name for file in planned.commits[0].new] == [TWO]
    assert [file.name for file in planned.commits[0].known] == [ONE]
    assert planned.commits[0].number == 2
    assert tree(root) == before


def test_a_dry_run_refuses_what_a_publish_would(tmp_path: Path, root: Path) -> None:
    publish(FolderTransport(root), [make_wheel(tmp_path)])
    other = make_wheel(tmp_path / "other", text="other")
    with pytest.raises(FileNameTaken):
        publish(FolderTransport(root), [other], dry_run=True)


def test_pages_are_a_function_of_the_journal_alone(tmp_path: Path, root: Path) -> None:
    for version in ("1.0", "2.0"):
        publish(FolderTransport(root), [make_wheel(tmp_path, version=version)])
    before = tree(root)
    for folder in ("simple", "json"):
        shutil.rmtree(root / folder)
    outcome = repair(FolderTransport(root))
    assert sorted(outcome.pages) == [
        "json/index.json",
        "json/widget/index.json",
        "simple/index.html",
        "simple/widget/index.html",
    ]
    assert outcome.problems == ()
    assert tree(root) == before


def test_the_upload_time_is_the_time_of_the_publish(
    transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    publish(transport, [make_wheel(tmp_path)], clock=lambda: 1_700_000_000.9)
    project = read_project(transport, read_store(transport), "widget")
    assert project.files[0].upload_time == "2023-11-14T22:13:20Z"


def test_a_store_can_be_moved(tmp_path: Path, root: Path) -> None:
    publish(FolderTransport(root), [make_wheel(tmp_path)])
    moved = root.rename(tmp_path / "moved")
    publish(FolderTransport(moved), [make_wheel(tmp_path, version="2.0")])
    assert visible(moved) == visible_json(moved) == {ONE, TWO}
    assert repair(FolderTransport(moved)).problems == ()


def test_a_folder_with_other_files_is_not_made_a_store(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    with pytest.raises(StoreMissing, match=r"such as `widget-1\.0-py3-none-any\.whl`"):
        publish(FolderTransport(tmp_path), [wheel])
    assert [path.name for path in tmp_path.iterdir()] == [wheel.name]


def test_an_empty_folder_is_made_a_store(tmp_path: Path, root: Path) -> None:
    root.mkdir()
    assert publish(FolderTransport(root), [make_wheel(tmp_path)]).is_new_store
    assert visible(root) == {ONE}


def test_a_store_is_made_once(transport: Transport) -> None:
    first, was_made = ensure_store(transport, "2026-01-01T00:00:00Z")
    assert was_made
    second, was_made = ensure_store(transport, "2027-01-01T00:00:00Z")
    assert not was_made
    assert first == second == read_store(transport)


@pytest.mark.parametrize("folder", ["store", "missing"])
def test_looking_at_a_store_that_is_not_there_is_refused(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / "store").mkdir()
    transport = FolderTransport(tmp_path / folder)
    for look in (read_store, repair):
        with pytest.raises(StoreMissing, match="missing or empty"):
            look(transport)
    assert not (tmp_path / "missing").exists()


def test_a_store_of_a_newer_format_is_left_alone(tmp_path: Path, root: Path) -> None:
    root.mkdir()
    (root / "store.json").write_text('{"format": 2}')
    with pytest.raises(StoreTooNew, match="format 2"):
        publish(FolderTransport(root), [make_wheel(tmp_path)])
    assert set(tree(root)) == {"store.json"}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "empty"),
        ("gs://bucket", "`gs://` is no kind of store"),
        ("https://example.org/x", "`https://` is no kind of store"),
        ("file://elsewhere/x", "neither host"),
        ("file:///x?y", "neither host"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(address: str, reason: str) -> None:
    with pytest.raises(StoreAddressInvalid, match=reason) as caught:
        open_store(address)
    assert caught.value.address == address


def test_a_file_address_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    assert open_store(folder.as_uri()).address == str(folder)


def test_a_wheel_that_vanishes_after_its_check_is_named(
    tmp_path: Path, root: Path
) -> None:
    one, two = (make_wheel(tmp_path, version=v) for v in ("1.0", "2.0"))

    def vanish(step: str) -> None:
        if step == f"storing {TWO}":
            two.unlink()

    with pytest.raises(WheelUnreadable, match="No such file"):
        publish(FolderTransport(root), [one, two], progress=vanish)
    assert visible(root) == set()
    assert leftovers(root) == set()
    published = publish(FolderTransport(root), [one])
    assert published.commits[0].number == 1


def test_a_published_blob_that_was_lost_comes_back_with_the_same_wheel(
    tmp_path: Path, root: Path
) -> None:
    wheel = make_wheel(tmp_path)
    publish(FolderTransport(root), [wheel])
    before = tree(root)
    for path in list((root / "blobs").rglob("widget*")):
        path.unlink()
    problems = repair(FolderTransport(root)).problems
    assert [type(problem) for problem in problems] == [StoreDamaged, StoreDamaged]
    assert "publish the same wheel again" in problems[0].hint
    publish(FolderTransport(root), [wheel])
    assert tree(root) == before
    assert repair(FolderTransport(root)).problems == ()


def test_a_blob_with_other_bytes_is_named_and_not_built_upon(
    tmp_path: Path, root: Path
) -> None:
    wheel = make_wheel(tmp_path)
    publish(FolderTransport(root), [wheel])
    blob = next((root / "blobs").rglob("*.whl"))
    data = bytearray(blob.read_bytes())
    data[100] ^= 0xFF
    blob.write_bytes(data)
    with pytest.raises(StoreDamaged, match="it should have sha256") as caught:
        publish(FolderTransport(root), [wheel])
    assert caught.value.key == blob.relative_to(root).as_posix()
    blob.unlink()
    publish(FolderTransport(root), [wheel])
    assert visible(root) == {ONE}


def test_a_blob_that_was_cut_off_is_found_by_repair(tmp_path: Path, root: Path) -> None:
    publish(FolderTransport(root), [make_wheel(tmp_path)])
    blob = next((root / "blobs").rglob("*.whl"))
    blob.write_bytes(blob.read_bytes()[:-1])
    problems = repair(FolderTransport(root)).problems
    assert len(problems) == 1
    assert "was published with" in problems[0].message


def test_pages_spoiled_by_hand_are_mended_by_the_next_publish(
    tmp_path: Path, root: Path
) -> None:
    wheel = make_wheel(tmp_path)
    publish(FolderTransport(root), [wheel])
    before = tree(root)
    (root / "simple" / "widget" / "index.html").write_text("<h1>gone</h1>")
    (root / "json" / "index.json").write_text("{}")
    published = publish(FolderTransport(root), [wheel])
    assert published.pages == ("simple/widget/index.html", "json/index.json")
    assert tree(root) == before


def test_a_journal_that_lost_its_end_is_not_continued(
    tmp_path: Path, root: Path
) -> None:
    """Else a second entry 2 would be made, and the lost files' names be free again."""
    for version in ("1.0", "2.0"):
        publish(FolderTransport(root), [make_wheel(tmp_path, version=version)])
    (root / "journal" / "widget" / "000000000002.json").unlink()
    before = tree(root)
    with pytest.raises(StoreDamaged, match=r"widget\.json` was made from") as caught:
        publish(FolderTransport(root), [make_wheel(tmp_path, version="3.0")])
    assert caught.value.key == "journal/widget/000000000002.json"
    assert tree(root) == before
    problems = repair(FolderTransport(root)).problems
    assert [problem.message for problem in problems] == [caught.value.message]


def test_repair_names_a_gap_and_a_page_without_journal_and_mends_the_rest(
    tmp_path: Path, root: Path
) -> None:
    for version in ("1.0", "2.0", "3.0"):
        publish(FolderTransport(root), [make_wheel(tmp_path, version=version)])
    for project in ("gadget", "gizmo"):
        publish(FolderTransport(root), [make_wheel(tmp_path, project=project)])
    (root / "journal" / "widget" / "000000000002.json").unlink()
    for page in ("simple/widget/index.html", "json/widget/index.json"):
        (root / page).unlink()
    shutil.rmtree(root / "journal" / "gizmo")
    (root / "simple" / "gadget" / "index.html").write_text("spoiled")
    outcome = repair(FolderTransport(root))
    reasons = {
        problem.key: problem.reason
        for problem in outcome.problems
        if isinstance(problem, StoreDamaged)
    }
    assert len(reasons) == len(outcome.problems)
    assert reasons == {
        "journal/widget/000000000002.json": "it is missing, and `heads/widget.json`"
        " was made from entry 3",
        "journal/widget/000000000003.json": "the journal ends at entry 1, before this",
        "simple/gizmo/": "there is a page and no journal it came from",
        "json/gizmo/": "there is a page and no journal it came from",
    }
    assert "simple/gadget/index.html" in outcome.pages
    assert visible(root, "gadget") == {"gadget-1.0-py3-none-any.whl"}


def test_a_folder_that_no_project_can_have_is_not_taken_for_one(
    tmp_path: Path, root: Path
) -> None:
    publish(FolderTransport(root), [make_wheel(tmp_path)])
    (root / "journal" / "a b").mkdir()
    publish(FolderTransport(root), [make_wheel(tmp_path, project="gadget")])
    assert listed(root) == {"gadget", "widget"}


def test_a_missing_project_is_named_with_those_there_are(
    transport: Transport, tmp_path: Path
) -> None:
    publish(transport, [make_wheel(tmp_path, project="Wid.Get")])
    assert find_project(transport, "WID_get") == "wid-get"
    for name in ("gadget", "../x"):
        with pytest.raises(ProjectMissing) as caught:
            find_project(transport, name)
        assert caught.value.project == name
        assert caught.value.available == ("wid-get",)


@pytest.mark.parametrize("room_bytes", range(0, 1800, 100))
def test_a_disk_without_room_leaves_the_old_state_or_the_new(
    tmp_path: Path, root: Path, room_bytes: int
) -> None:
    """Each object has its own size, so a limit on file sizes stops each step once."""
    publish(FolderTransport(root), [make_wheel(tmp_path)])
    wheel = make_wheel(tmp_path, version="2.0")

    def write() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, room_bytes))
        try:
            publish(FolderTransport(root), [wheel])
        except (StoreUnwritable, PagesBehind) as error:
            cause = error if isinstance(error, StoreUnwritable) else error.__cause__
            assert isinstance(cause, StoreUnwritable)
            assert cause.is_full

    assert in_child(write) == 0
    is_committed = (root / "journal" / "widget" / "000000000002.json").exists()
    for shown in (visible(root), visible_json(root)):
        assert shown in ({ONE}, {ONE, TWO})
        assert is_committed or shown == {ONE}
    assert leftovers(root) == set()
    published = publish(FolderTransport(root), [wheel])
    assert bool(published.commits[0].new) is not is_committed
    assert visible(root) == visible_json(root) == {ONE, TWO}


def test_a_publish_whose_pages_cannot_be_written_says_that_it_is_committed(
    tmp_path: Path, root: Path
) -> None:
    publish(FolderTransport(root), [make_wheel(tmp_path)])
    wheel = make_wheel(tmp_path, version="2.0")
    with open(root / ".engineroom-lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PagesBehind) as caught:
            publish(FolderTransport(root, lock_timeout_seconds=0.05), [wheel])
    assert caught.value.number == 2
    assert caught.value.project == "widget"
    assert isinstance(caught.value.__cause__, StoreBusy)
    assert visible(root) == visible_json(root) == {ONE}
    outcome = repair(FolderTransport(root))
    assert outcome.pages == (
        "simple/widget/index.html",
        "json/widget/index.json",
        "heads/widget.json",
    )
    assert visible(root) == visible_json(root) == {ONE, TWO}


def test_the_journal_names_the_engines_a_wheel_carries(
    transport: Transport, tmp_path: Path
) -> None:
    from .wheels import engine_files

    files = engine_files({"a/_qe.so": b"ELF"}, targets=("linux-a", "linux-b"))
    publish(transport, [make_wheel(tmp_path, files=files)])
    project = read_project(transport, read_store(transport), "widget")
    assert [e.target for e in project.files[0].engines] == ["linux-a", "linux-b"]
    stored = transport.get("journal/widget/000000000001.json")
    assert stored is not None
    assert json.loads(stored.data)["files"][0]["engines"][0]["backend"] == "sqlite"
