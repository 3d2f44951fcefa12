"""Collecting garbage: what nobody needs goes in time, what anybody needs never does."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import StoreDamaged
from engineroom.store import FolderTransport, amend, publish
from engineroom.store.collect import collect
from engineroom.store.transport import BytesBody
from engineroom.store.upload import GRACE_SECONDS
from engineroom.store.verify import verify

from .faults import Killed, OvertakenTransport
from .stage import Clock, ClockedTransport, Stage, StagedTransport
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.store import Transport

LATER = GRACE_SECONDS + 1.0

on_folder = pytest.mark.parametrize("make_transport", ["folder"], indirect=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(transport: Transport, clock: Clock) -> ClockedTransport:
    return ClockedTransport(transport, clock)


def leave_behind(store: Transport, wheel: Path) -> list[str]:
    """Let a publisher die right before its commit; give the bytes that it leaves."""

    def die() -> None:
        raise Killed

    before = set(store.list("blobs/"))
    number = len(list(store.list("journal/"))) + 1
    commit = f"put_if_absent journal/widget/{number:012d}.json"
    with pytest.raises(Killed):
        publish(OvertakenTransport(store, before=commit, act=die), [wheel])
    return sorted(set(store.list("blobs/")) - before)


def collect_over_time(store: ClockedTransport, clock: Clock) -> list[str]:
    """Let time pass, mark, let it pass again, sweep; give the bytes removed."""
    clock.seconds += LATER
    collect(store, mark=True)
    clock.seconds += LATER
    return [entry.key for entry in collect(store, sweep=True).removed]


def test_bytes_left_behind_go_after_a_mark_and_a_sweep(
    store: ClockedTransport, clock: Clock, tmp_path: Path
) -> None:
    publish(store, [make_wheel(tmp_path, version="1.0")])
    left = leave_behind(store, make_wheel(tmp_path, version="2.0"))
    [upload] = store.list("uploads/")
    clock.seconds += LATER
    found = collect(store)
    assert [entry.key for entry in found.candidates] == left
    assert found.is_dry_run
    assert found.ready == []
    [mark] = collect(store, mark=True).marks
    early = collect(store, sweep=True)
    assert (early.removed, early.cleaned) == ([], [upload])
    clock.seconds += LATER
    assert [entry.key for entry in collect(store).ready] == left
    swept = collect(store, sweep=True)
    assert [entry.key for entry in swept.removed] == left
    assert swept.cleaned == [mark]
    assert not set(store.list("blobs/")) & set(left)
    assert not list(store.list("gc/"))
    assert not list(store.list("uploads/"))
    assert verify(store, full=True).findings == []


@on_folder
def test_young_bytes_and_what_young_lists_name_are_spared(
    store: ClockedTransport, clock: Clock, tmp_path: Path
) -> None:
    publish(store, [make_wheel(tmp_path, version="1.0")])
    wheel = make_wheel(tmp_path, version="2.0")
    leave_behind(store, wheel)
    assert collect(store).candidates == []
    clock.seconds += LATER
    assert len(collect(store).candidates) == 2
    # The bytes are old by now, and somebody begins to bring them once more.
    assert leave_behind(store, wheel) == []
    assert collect(store).candidates == []


@on_folder
def test_a_mark_is_no_sentence(
    store: ClockedTransport, clock: Clock, tmp_path: Path
) -> None:
    """What was published after it was marked stays, of a mark however old."""
    publish(store, [make_wheel(tmp_path, version="1.0")])
    wheel = make_wheel(tmp_path, version="2.0")
    leave_behind(store, wheel)
    clock.seconds += LATER
    collect(store, mark=True)
    publish(store, [wheel])
    clock.seconds += LATER
    assert collect(store, sweep=True).removed == []
    assert verify(store, full=True).findings == []


@on_folder
def test_withdrawn_bytes_go_and_quarantined_ones_stay(
    store: ClockedTransport, clock: Clock, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0"):
        publish(store, [make_wheel(tmp_path, version=version)])
    amend(store, "withdraw", "widget", "1.0", reason="a key in it")
    amend(store, "quarantine", "widget", "2.0", reason="odd")
    removed = collect_over_time(store, clock)
    assert len(removed) == 2
    assert all("/widget-1.0-" in key for key in removed)
    assert verify(store, full=True).findings == []


@on_folder
def test_a_store_whose_journal_is_damaged_is_left_alone(
    store: ClockedTransport, clock: Clock, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0"):
        publish(store, [make_wheel(tmp_path, version=version)])
    clock.seconds += LATER
    last = "journal/widget/000000000002.json"
    stored = store.get(last)
    assert stored is not None
    store.delete(last)
    with pytest.raises(StoreDamaged, match="000000000002"):
        collect(store, mark=True)
    store.delete("journal/widget/000000000001.json")
    with pytest.raises(StoreDamaged, match="000000000001"):
        collect(store, mark=True)


@on_folder
@pytest.mark.parametrize("moment", ["get store.json", "delete"])
def test_bytes_wanted_at_the_last_moment_are_put_back(
    store: ClockedTransport, clock: Clock, tmp_path: Path, moment: str
) -> None:
    publish(store, [make_wheel(tmp_path, version="1.0")])
    wheel = make_wheel(tmp_path, version="2.0")
    blobs = leave_behind(store, wheel)
    clock.seconds += LATER
    collect(store, mark=True)
    clock.seconds += LATER
    overtaken = OvertakenTransport(
        store,
        before=f"delete {blobs[0]}" if moment == "delete" else moment,
        act=lambda: publish(store, [wheel]),
    )
    assert collect(overtaken, sweep=True).removed == []
    assert verify(store, full=True).findings == []


@on_folder
def test_superseded_checkpoints_go(store: ClockedTransport, tmp_path: Path) -> None:
    publish(store, [make_wheel(tmp_path)])
    made = [f"checkpoints/widget/{number:012d}.json" for number in (64, 128, 192)]
    for key in made:
        store.put_if_absent(key, BytesBody(b"{}"))
    assert collect(store, sweep=True).cleaned == made[:1]


@pytest.fixture
def fast_folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder in memory, where there is one: durability is not the matter."""
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else tmp_path
    made = Path(tempfile.mkdtemp(dir=folder))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("first", range(0, 400, 100), ids=lambda first: f"from {first}")
def test_no_order_of_events_loses_bytes_that_are_published(
    fast_folder: Path, tmp_path: Path, first: int
) -> None:
    """Publishers of bytes that are marked, and collectors, in four hundred orders."""
    wheels = [make_wheel(tmp_path, version=f"{n}.0") for n in range(1, 4)]
    clock = Clock()
    template = ClockedTransport(FolderTransport(fast_folder / "template"), clock)
    publish(template, wheels[:1])
    for wheel in wheels[1:]:
        leave_behind(template, wheel)
    clock.seconds += LATER
    collect(template, mark=True)
    clock.seconds += LATER
    for seed in range(first, first + 100):
        root = fast_folder / secrets.token_hex(4)
        shutil.copytree(fast_folder / "template", root)
        play(random.Random(seed), FolderTransport(root), clock, wheels, seed)
        shutil.rmtree(root)


def play(
    order: random.Random,
    place: Transport,
    template_clock: Clock,
    wheels: list[Path],
    seed: int,
) -> None:
    clock = Clock()
    clock.seconds = template_clock.seconds
    clock.written.update(template_clock.written)
    stage = Stage(order)
    begun: dict[str, float] = {}

    def publisher(name: str, wheel: Path) -> None:
        begun[name] = clock.seconds
        publish(StagedTransport(place, clock, stage, name), [wheel])
        del begun[name]

    def collector(name: str) -> None:
        for _ in range(2):
            transport = StagedTransport(place, clock, stage, name)
            collect(transport, mark=True, sweep=True)

    def let_time_pass() -> None:
        if order.random() < 0.3:
            clock.seconds += order.random() * GRACE_SECONDS
        for name, start in begun.items():
            # A publisher refuses to commit what it announced so long ago; others die.
            if clock.seconds - start > GRACE_SECONDS / 2 or order.random() < 0.02:
                stage.killed.add(name)

    stage.play(
        {
            "publisher 1": lambda: publisher("publisher 1", wheels[1]),
            "publisher 2": lambda: publisher("publisher 2", wheels[2]),
            "collector": lambda: collector("collector"),
        },
        let_time_pass,
    )
    assert stage.failures == {}, seed
    found = verify(ClockedTransport(place, clock), full=True)
    assert not found.is_damaged, (seed, found.findings)
