"""What befalls a store beside kills and failing requests: clocks, disks, odd pages."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import PagesBehind, StoreError, StoreUnwritable
from engineroom.store import (
    FolderTransport,
    amend,
    open_journal,
    publish,
    read_project,
    read_store,
    repair,
)
from engineroom.store.transport import BytesBody

from .faults import Killed, KillingTransport, OvertakenTransport
from .processes import in_child, run_at_once
from .reader import leftovers, listed, visible, visible_json
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engineroom.store import Transport

    from .conftest import Installer

ONE, TWO, THREE = (f"widget-{number}.0-py3-none-any.whl" for number in (1, 2, 3))
YEAR_SECONDS = 366 * 86_400.0


def _put_over(transport: Transport, key: str, data: bytes) -> None:
    stored = transport.get(key)
    version = stored.version if stored else None
    assert transport.replace(key, BytesBody(data), expected=version)


def test_a_page_that_claims_a_later_entry_than_it_can_is_written_again(
    transport: Transport, tmp_path: Path
) -> None:
    """Waiting for such a page's entry would never end."""
    publish(transport, [make_wheel(tmp_path)])
    publish(transport, [make_wheel(tmp_path, version="2.0")], channel="nightly")
    key = "simple/widget/index.html"
    stored = transport.get(key)
    assert stored is not None
    _put_over(transport, key, stored.data.replace(b"journal 1 ", b"journal 2 "))
    assert repair(transport).pages == (key,)
    found = transport.get(key)
    assert found is not None
    assert found.data == stored.data


def test_a_project_just_begun_is_in_the_head_of_all_and_on_the_pages_or_in_neither(
    transport: Transport, tmp_path: Path
) -> None:
    """Its publisher dies after the commit, while another's writes what lists all."""
    gadget = make_wheel(tmp_path, project="gadget")

    def die() -> None:
        dying = KillingTransport(transport, write=4, is_done=True)
        with pytest.raises(Killed):
            publish(dying, [gadget])
        assert transport.size("journal/gadget/000000000001.json") is not None

    overtaken = OvertakenTransport(transport, before="replace json/index.json", act=die)
    publish(overtaken, [make_wheel(tmp_path)])
    _check_root_head(transport)
    publish(transport, [gadget])
    _check_root_head(transport)
    assert listed(transport) == {"gadget", "widget"}


def test_a_page_of_all_projects_that_was_lost_is_written_by_any_publish(
    transport: Transport, tmp_path: Path
) -> None:
    publish(transport, [make_wheel(tmp_path)])
    for key in ("simple/index.html", "json/index.json", "head.json"):
        transport.delete(key)
        publish(transport, [make_wheel(tmp_path)])
        _check_root_head(transport)
        assert listed(transport) == {"widget"}


def _check_root_head(transport: Transport) -> None:
    head = transport.get("head.json")
    assert head is not None
    for page in json.loads(head.data)["pages"]:
        stored = transport.get(page["key"])
        assert stored is not None
        assert hashlib.sha256(stored.data).hexdigest() == page["sha256"]


def test_checkpoints_that_are_gone_or_lag_behind_cost_time_and_nothing_else(
    transport: Transport, tmp_path: Path
) -> None:
    wheels = [make_wheel(tmp_path, version=f"{number}.0") for number in range(1, 41)]
    for wheel in wheels[:-1]:
        publish(transport, [wheel])
    checkpoints = set(transport.list("checkpoints/widget/"))
    assert checkpoints == {f"checkpoints/widget/{n:012d}.json" for n in (24, 32)}
    for key in checkpoints:
        transport.delete(key)
        journal = open_journal(transport, read_store(transport), "widget")
        assert journal.outline.number == 39
    publish(transport, wheels[-1:])
    assert visible(transport) == {wheel.name for wheel in wheels}
    assert repair(transport).pages == ()


def test_an_action_that_is_done_already_still_finishes_what_its_publisher_left(
    transport: Transport, tmp_path: Path
) -> None:
    publish(transport, [make_wheel(tmp_path)])
    dying = KillingTransport(transport, write=1, is_done=True)
    with pytest.raises(Killed):
        amend(dying, "quarantine", "widget", "1.0", reason="hot")
    assert visible(transport) == {ONE}
    with pytest.raises(StoreError, match="quarantine"):
        amend(transport, "quarantine", "widget", "1.0", reason="hot")
    assert visible(transport) == visible_json(transport) == set()


@pytest.mark.parametrize("offset", [-YEAR_SECONDS, YEAR_SECONDS])
def test_a_publisher_whose_clock_is_a_year_off_disturbs_nobody(
    transport: Transport, tmp_path: Path, offset: float
) -> None:
    """Order comes from the journal's numbers; a time is only shown."""
    publish(transport, [make_wheel(tmp_path)])
    two = make_wheel(tmp_path, version="2.0")
    published = publish(transport, [two], clock=lambda: time.time() + offset)
    year = time.gmtime(time.time() + offset).tm_year
    assert published.commits[0].new[0].upload_time.startswith(str(year))
    publish(transport, [make_wheel(tmp_path, version="3.0")])
    assert visible(transport) == visible_json(transport) == {ONE, TWO, THREE}
    assert list(transport.list("uploads/")) == []
    assert repair(transport).pages == ()


def test_installers_take_the_newest_version_of_a_publisher_whose_clock_lags(
    tmp_path: Path, installer: Installer
) -> None:
    transport = FolderTransport(tmp_path / "store")
    publish(transport, [make_wheel(tmp_path)])
    two = make_wheel(tmp_path, version="2.0")
    publish(transport, [two], clock=lambda: time.time() - YEAR_SECONDS)
    found = installer.install(transport.index_url, "widget", target=tmp_path / "in")
    assert "widget-2.0.dist-info" in found


@contextmanager
def _small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a disk of memory, which needs root, or skip the test."""
    folder.mkdir()
    options = f"size={size_bytes},mode=777"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_at_any_byte_leaves_the_old_state_or_the_new(
    tmp_path: Path,
) -> None:
    """The disk has room for ever more of a second publish until all of it fits."""
    # So many that a page takes more room than an entry.
    old = [make_wheel(tmp_path, tag=f"cp3{n}-cp3{n}-any") for n in range(40)]
    two = make_wheel(tmp_path, version="2.0", files={"data": os.urandom(10_000)})
    before = {wheel.name for wheel in old}
    after = before | {TWO}
    outcomes: set[type[StoreError]] = set()
    with _small_disk(tmp_path / "disk", 4 << 20) as disk:
        root = disk / "store"
        transport = FolderTransport(root)
        publish(transport, old)
        for room in range(0, 400 << 10, 4 << 10):
            _leave_room(disk, room)
            try:
                publish(transport, [two])
            except (PagesBehind, StoreUnwritable) as error:
                outcomes.add(type(error))
                assert "No space left on device" in error.message  # noqa: PT017
            else:
                break
            assert visible(root) in (before, after)
            assert visible_json(root) in (before, after)
            assert leftovers(root) == set()
        assert outcomes == {PagesBehind, StoreUnwritable}
        (disk / "filler").unlink()
        assert visible(root) == visible_json(root) == after
        assert repair(transport).problems == ()


def _leave_room(disk: Path, size_bytes: int) -> None:
    """Fill a disk but for so many bytes."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    status = os.statvfs(disk)
    free = status.f_bavail * status.f_frsize
    with open(filler, "wb") as file:
        file.write(bytes(max(free - size_bytes, 0)))


def test_a_store_without_the_right_to_write_is_read_and_refuses_a_publish(
    tmp_path: Path,
) -> None:
    root = tmp_path / "store"
    publish(FolderTransport(root), [make_wheel(tmp_path)])
    tmp_path.chmod(0o755)
    two = make_wheel(tmp_path, version="2.0")

    def work() -> None:
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)
        else:
            _forbid_writing(root)
        transport = FolderTransport(root)
        with pytest.raises(StoreUnwritable) as caught:
            publish(transport, [two])
        assert caught.value.is_full is False
        assert visible(transport) == {ONE}

    for folder in (root, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    assert in_child(work) == 0
    _allow_writing(root)
    publish(FolderTransport(root), [two])
    assert visible(root) == {ONE, TWO}


def _forbid_writing(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o555)


def _allow_writing(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o755)


def test_eight_publishers_of_one_project_leave_a_journal_without_gaps(
    make_transport: Callable[[], Transport], tmp_path: Path
) -> None:
    """With heads and checkpoints as complete as pages."""
    groups = [
        [make_wheel(tmp_path, version=f"{runner}.{turn}") for turn in range(5)]
        for runner in range(8)
    ]

    def publisher(wheels: list[Path]) -> Callable[[], None]:
        def work() -> None:
            transport = make_transport()
            for turn, wheel in enumerate(wheels):
                channel = "nightly" if turn % 2 else "release"
                publish(transport, [wheel], channel=channel, commit=f"{turn:040x}")

        return work

    assert run_at_once([publisher(wheels) for wheels in groups]) == [0] * 8
    transport = make_transport()
    project = read_project(transport, read_store(transport), "widget")
    assert project.number == 40
    entries = sorted(transport.list("journal/widget/"))
    assert entries == [f"journal/widget/{n:012d}.json" for n in range(1, 41)]
    for turn in range(5):
        root = f"commits/{turn:040x}/"
        expected = {wheels[turn].name for wheels in groups}
        assert visible(transport, root=root) == expected
        assert visible_json(transport, root=root) == expected
    head = transport.get("heads/widget.json")
    assert head is not None
    assert json.loads(head.data)["number"] == 40
    for page in json.loads(head.data)["pages"]:
        stored = transport.get(page["key"])
        assert stored is not None
        assert hashlib.sha256(stored.data).hexdigest() == page["sha256"]
    assert list(transport.list("uploads/")) == []
    outcome = repair(transport)
    assert (outcome.pages, outcome.removed, outcome.problems) == ((), (), ())
