"""A publisher killed at every step: readers meet the old state or the new one.

Two grains. By transport call, with real installers as the readers; this one will run
over any transport. By file operation, in a real child under a real SIGKILL, with a
reader of our own; this one reaches inside the folder's own steps.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from engineroom.store import FolderTransport, publish, read_project, read_store, repair

from .faults import Killed, KillingTransport, RepeatingTransport, kill_at_file_event
from .processes import in_child
from .reader import leftovers, listed, tree, visible, visible_json
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store import Transport

    from .conftest import Installer

ONE = "widget-1.0-py3-none-any.whl"
TWO = "widget-2.0-py3-none-any.whl"

# The writes of a first publish; a later one begins with the second of them.
STORE, UPLOAD, BLOB, METADATA, ENTRY, HTML, JSON, HEAD, DONE, *ROOTS = range(1, 13)


def _publish_dying(transport: Transport, wheel: Path, write: int, is_done: bool) -> int:
    killing = KillingTransport(transport, write=write, is_done=is_done)
    with pytest.raises(Killed):
        publish(killing, [wheel])
    return killing.writes


def test_a_first_publish_is_twelve_writes_in_this_order(tmp_path: Path) -> None:
    """What the numbers below mean; a changed order must be a decision."""
    store = tmp_path / "store"
    seen: list[set[str]] = []
    for write in range(1, 13):
        folder = store / str(write)
        _publish_dying(FolderTransport(folder), make_wheel(tmp_path), write, True)
        seen.append({_short(key) for key in tree(folder)})
    changed = [after ^ before for before, after in zip([set(), *seen], seen)]
    assert changed == [
        {"store.json"},
        {"uploads/"},
        {ONE},
        {f"{ONE}.metadata"},
        {"journal/widget/000000000001.json"},
        {"simple/widget/index.html"},
        {"json/widget/index.json"},
        {"heads/widget.json"},
        {"uploads/"},
        {"simple/index.html"},
        {"json/index.json"},
        {"head.json"},
    ]


def _short(key: str) -> str:
    """Give a key without what is random or long in it."""
    folder, _, name = key.rpartition("/")
    if folder == "uploads":
        return "uploads/"
    return name if folder.startswith("blobs/") else key


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, 13))
def test_a_first_publish_killed_at_a_write_shows_nothing_or_all(
    transport: Transport, tmp_path: Path, write: int, is_done: bool
) -> None:
    wheel = make_wheel(tmp_path)
    assert _publish_dying(transport, wheel, write, is_done) == write
    has_html = write > HTML or (write == HTML and is_done)
    has_json = write > JSON or (write == JSON and is_done)
    assert visible(transport) == ({ONE} if has_html else set())
    assert visible_json(transport) == ({ONE} if has_json else set())
    published = publish(transport, [wheel])
    is_committed = write > ENTRY or (write == ENTRY and is_done)
    assert bool(published.commits[0].new) is not is_committed
    assert visible(transport) == visible_json(transport) == {ONE}
    assert listed(transport) == {"widget"}
    assert published.commits[0].number == 1
    assert repair(transport).pages == ()
    assert repair(transport).problems == ()


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(UPLOAD, DONE + 1))
def test_a_later_publish_killed_at_a_write_is_finished_by_repair(
    transport: Transport, tmp_path: Path, write: int, is_done: bool
) -> None:
    publish(transport, [make_wheel(tmp_path)])
    two = make_wheel(tmp_path, version="2.0")
    _publish_dying(transport, two, write - STORE, is_done)
    for shown in (visible(transport), visible_json(transport)):
        assert shown in ({ONE}, {ONE, TWO})
    outcome = repair(transport)
    assert outcome.problems == ()
    # From its entry on, a publish has happened.
    is_committed = write > ENTRY or (write == ENTRY and is_done)
    assert visible(transport) == ({ONE, TWO} if is_committed else {ONE})
    assert visible_json(transport) == visible(transport)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(UPLOAD, DONE + 1))
def test_another_publisher_carries_on_where_one_was_killed(
    transport: Transport, tmp_path: Path, write: int, is_done: bool
) -> None:
    publish(transport, [make_wheel(tmp_path)])
    two = make_wheel(tmp_path, version="2.0")
    _publish_dying(transport, two, write - STORE, is_done)
    publish(transport, [make_wheel(tmp_path, version="3.0")])
    three = "widget-3.0-py3-none-any.whl"
    is_committed = write > ENTRY or (write == ENTRY and is_done)
    expected = {ONE, TWO, three} if is_committed else {ONE, three}
    assert visible(transport) == visible_json(transport) == expected
    assert repair(transport).pages == ()


def test_a_publish_whose_every_request_is_sent_twice_commits_once(
    transport: Transport, tmp_path: Path
) -> None:
    published = publish(RepeatingTransport(transport), [make_wheel(tmp_path)])
    assert [file.name for file in published.commits[0].new] == [ONE]
    assert published.commits[0].number == 1
    project = read_project(transport, read_store(transport), "widget")
    assert project.number == 1


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(UPLOAD, DONE + 1))
def test_an_installer_meets_the_old_version_or_the_new_one(
    tmp_path: Path, installer: Installer, write: int, is_done: bool
) -> None:
    transport = FolderTransport(tmp_path / "store")
    publish(transport, [make_wheel(tmp_path)])
    two = make_wheel(tmp_path, version="2.0")
    _publish_dying(transport, two, write - STORE, is_done)
    found = installer.install(
        transport.index_url, "widget", target=tmp_path / "after-the-kill"
    )
    # The HTML page is what installers look at.
    is_shown = write > HTML or (write == HTML and is_done)
    assert f"widget-{'2.0' if is_shown else '1.0'}.dist-info" in found
    publish(transport, [two])
    found = installer.install(transport.index_url, "widget", target=tmp_path / "healed")
    assert "widget-2.0.dist-info" in found


def _kill_at_every_file_event(tmp_path: Path, *, is_first: bool) -> list[set[str]]:
    """Kill a publisher at its 1st, 2nd, 3rd … file operation until one survives.

    Returns:
        What the HTML page showed after each kill.
    """
    wheels = [make_wheel(tmp_path, version=version) for version in ("1.0", "2.0")]
    shown: list[set[str]] = []
    for number in range(1, 500):
        root = tmp_path / f"store-{number}"
        if not is_first:
            publish(FolderTransport(root), wheels[:1])
        new = wheels[0] if is_first else wheels[1]

        def die(root: Path = root, new: Path = new, number: int = number) -> None:
            kill_at_file_event(root, number)
            publish(FolderTransport(root), [new])

        ended = in_child(die)
        if ended == 0:
            return shown
        assert ended == -signal.SIGKILL
        shown.append(_check_after_kill(root, new, number))
    pytest.fail("a publish has more file operations than this test expects")


def _check_after_kill(root: Path, new: Path, number: int) -> set[str]:
    """Check what readers meet, then mend in the two ways there are, in turn."""
    before = visible(root)
    assert visible_json(root) <= before, "HTML is written first"
    transport = FolderTransport(root)
    if number % 2 and (root / "store.json").exists():
        assert repair(transport).problems == ()
        assert before <= visible(root) == visible_json(root)
    publish(transport, [new])
    assert new.name in visible(root)
    assert visible(root) == visible_json(root)
    assert listed(root) == {"widget"}
    outcome = repair(transport)
    assert (outcome.pages, outcome.problems) == ((), ())
    transport.sweep(older_than_seconds=0)
    assert leftovers(root) == set()
    return before


def test_a_first_publish_killed_at_any_file_operation_heals(tmp_path: Path) -> None:
    shown = _kill_at_every_file_event(tmp_path, is_first=True)
    assert len(shown) > 50
    first = shown.index({ONE})
    assert shown == [set()] * first + [{ONE}] * (len(shown) - first)


def test_a_later_publish_killed_at_any_file_operation_heals(tmp_path: Path) -> None:
    shown = _kill_at_every_file_event(tmp_path, is_first=False)
    assert len(shown) > 30
    first = shown.index({ONE, TWO})
    assert shown == [{ONE}] * first + [{ONE, TWO}] * (len(shown) - first)
