"""A publisher ended by SIGKILL at every call it makes of a store, reads included.

Each time readers meet the state before or the state after; another publisher then
finishes what was committed, and nothing is left for a repair to do.
"""

from __future__ import annotations

import secrets
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import NothingToChange
from engineroom.store import (
    FolderTransport,
    amend,
    open_journal,
    publish,
    read_project,
    read_store,
    repair,
)
from engineroom.store.journal import CHECKPOINT_ENTRIES
from engineroom.store.transport import BytesBody

from .conftest import s3_transport
from .faults import kill_at_call
from .processes import in_child
from .reader import listed, tree, visible, visible_json
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engineroom.store import Transport

ONE, TWO, THREE = (f"widget-{number}.0-py3-none-any.whl" for number in (1, 2, 3))
COMMIT = "c0ffee" + "0" * 34
NIGHTLY = "channels/nightly/"


@dataclass(frozen=True)
class Act:
    """Something to be killed at each of its calls.

    Attributes:
        begin: makes the store it starts from; gets wheels 1.0 and 2.0.
        run: does it, and may be done again.
        before: what the pages it changes show at first.
        after: what they show when it is done.
        roots: the folders above these pages.
    """

    begin: Callable[[Transport, list[Path]], object]
    run: Callable[[Transport, list[Path]], object]
    before: frozenset[str]
    after: frozenset[str]
    roots: tuple[str, ...] = ("",)


def _nothing(_transport: Transport, _wheels: list[Path]) -> None:
    pass


def _publish_one(transport: Transport, wheels: list[Path]) -> None:
    publish(transport, wheels[:1])


def _publish_two(transport: Transport, wheels: list[Path]) -> None:
    publish(transport, wheels[1:])


def _publish_nightly(transport: Transport, wheels: list[Path]) -> None:
    publish(transport, wheels[1:], channel="nightly", commit=COMMIT)


def _promote(transport: Transport, wheels: list[Path]) -> None:
    publish(transport, wheels[:1], channel="nightly")


def _publish_both(transport: Transport, wheels: list[Path]) -> None:
    publish(transport, wheels)


def _yank(transport: Transport, _wheels: list[Path]) -> None:
    _amend(transport, "yank")


def _quarantine(transport: Transport, _wheels: list[Path]) -> None:
    _amend(transport, "quarantine")


def _amend(transport: Transport, action: str) -> None:
    # Nothing to change: it was done before, and killed after that.
    with suppress(NothingToChange):
        amend(transport, action, "widget", "2.0", reason="hot")


def _fill_up(transport: Transport, wheels: list[Path]) -> None:
    """Bring the journal to the entry before its first checkpoint."""
    publish(transport, wheels[:1])
    for number in range(2, CHECKPOINT_ENTRIES):
        amend(transport, "unyank" if number % 2 else "yank", "widget", "1.0")
    journal = open_journal(transport, read_store(transport), "widget")
    assert journal.outline.number == CHECKPOINT_ENTRIES - 1


NONE, OLD, BOTH = frozenset[str](), frozenset({ONE}), frozenset({ONE, TWO})
ACTS = {
    "first publish": Act(_nothing, _publish_one, NONE, OLD),
    "later publish": Act(_publish_one, _publish_two, OLD, BOTH),
    "publish of a commit to a channel": Act(
        _publish_one,
        _publish_nightly,
        NONE,
        frozenset({TWO}),
        roots=(NIGHTLY, f"commits/{COMMIT}/"),
    ),
    "further channel": Act(_publish_one, _promote, NONE, OLD, roots=(NIGHTLY,)),
    "yank": Act(_publish_both, _yank, BOTH, BOTH),
    "quarantine": Act(_publish_both, _quarantine, BOTH, OLD),
    "checkpoint": Act(_fill_up, _publish_two, OLD, BOTH),
}
# A server takes longer to have each of hundreds of stores begun in it.
PLACES = [
    *(("folder", name) for name in ACTS),
    *(("seaweedfs", name) for name in list(ACTS)[:3]),
]


def _copy(objects: dict[str, bytes], transport: Transport) -> None:
    with ThreadPoolExecutor(transport.parallel) as pool:
        for key, data in objects.items():
            pool.submit(transport.put_if_absent, key, BytesBody(data))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Give the objects that each act starts from, each made once."""
    folder = tmp_path_factory.mktemp("begun")
    wheels = _wheels(folder)
    found: dict[str, dict[str, bytes]] = {}
    for name, act in ACTS.items():
        act.begin(FolderTransport(folder / name), wheels)
        found[name] = tree(folder / name)
    return found


def _wheels(folder: Path) -> list[Path]:
    return [make_wheel(folder, version=version) for version in ("1.0", "2.0")]


@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_a_publisher_killed_at_any_call_leaves_the_old_state_or_the_new(
    kind: str,
    name: str,
    begun: dict[str, dict[str, bytes]],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    act, wheels = ACTS[name], _wheels(tmp_path)
    three = make_wheel(tmp_path, version="3.0")
    seen: list[frozenset[str]] = []
    for number in range(1, 500):
        make = _new_place(kind, request, tmp_path / f"store-{number}")
        _copy(begun[name], make())

        def die(make: Callable[[], Transport] = make, number: int = number) -> None:
            act.run(kill_at_call(make(), number), wheels)

        ended = in_child(die)
        seen.append(_check_readers(make(), act))
        if ended == 0:
            assert len(seen) > 10, "its calls are counted"
            assert set(seen) == {act.before, act.after}
            assert seen == sorted(seen, key=lambda names: names == act.after)
            return
        assert ended == -signal.SIGKILL
        if number % 2:
            act.run(make(), wheels)
            _check_healed(make(), act, act.after)
        else:
            publish(make(), [three])
            _check_healed(make(), act, _with_three(make(), act, begun[name]))
    pytest.fail("it makes more calls than this test expects")


def _new_place(
    kind: str, request: pytest.FixtureRequest, root: Path
) -> Callable[[], Transport]:
    if kind == "folder":
        return lambda: FolderTransport(root)
    endpoint: str = request.getfixturevalue(kind)
    prefix = f"{secrets.token_hex(8)}/"
    return lambda: s3_transport(endpoint, prefix)


def _check_readers(transport: Transport, act: Act) -> frozenset[str]:
    """Check that all pages show the old or the new; give what the last of them does."""
    for root in act.roots:
        for show in (visible, visible_json):
            shown = frozenset(show(transport, root=root))
            assert shown in (act.before, act.after)
    return shown


def _with_three(
    transport: Transport, act: Act, begun: dict[str, bytes]
) -> frozenset[str]:
    """Give what must be shown when a publisher of 3.0 came after the one killed."""
    entries = sum(key.startswith("journal/") for key in begun)
    project = read_project(transport, read_store(transport), "widget")
    is_committed = project.number == entries + 2
    three = {THREE} if act.roots == ("",) else NONE
    return (act.after if is_committed else act.before) | three


def _check_healed(transport: Transport, act: Act, expected: frozenset[str]) -> None:
    for root in act.roots:
        assert visible(transport, root=root) == expected
        assert visible_json(transport, root=root) == expected
    assert listed(transport) == {"widget"}
    outcome = repair(transport)
    assert (outcome.pages, outcome.problems) == ((), ())
