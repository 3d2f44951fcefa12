"""Publishers at once, each its own process: all succeed and nothing is lost."""

from __future__ import annotations

import hashlib
import os
import signal
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import FileNameTaken
from engineroom.store import publish, read_project, read_store, repair

from .faults import OvertakenTransport
from .processes import run_at_once
from .reader import listed, visible, visible_json
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engineroom.store import Transport


def test_publishers_at_once_lose_nothing(
    make_transport: Callable[[], Transport], tmp_path: Path
) -> None:
    """Also the store itself is made by all of them at once."""
    groups = [
        [make_wheel(tmp_path, version=f"{runner}.{turn}") for turn in range(4)]
        for runner in range(6)
    ]

    def publisher(wheels: list[Path]) -> Callable[[], None]:
        def work() -> None:
            for wheel in wheels:
                published = publish(make_transport(), [wheel])
                assert len(published.commits[0].new) == 1

        return work

    assert run_at_once([publisher(wheels) for wheels in groups]) == [0] * 6
    everything = {wheel.name for wheels in groups for wheel in wheels}
    transport = make_transport()
    assert visible(transport) == visible_json(transport) == everything
    project = read_project(transport, read_store(transport), "widget")
    assert project.number == 24
    outcome = repair(transport)
    assert (outcome.pages, outcome.removed, outcome.problems) == ((), (), ())


def test_first_publishes_of_many_projects_at_once_are_all_listed(
    make_transport: Callable[[], Transport], tmp_path: Path
) -> None:
    names = [f"widget-{number}" for number in range(8)]
    wheels = [make_wheel(tmp_path, project=name) for name in names]

    def publisher(wheel: Path) -> Callable[[], None]:
        def work() -> None:
            publish(make_transport(), [wheel])

        return work

    assert run_at_once([publisher(wheel) for wheel in wheels]) == [0] * 8
    assert listed(make_transport()) == set(names)
    assert repair(make_transport()).pages == ()


def test_one_name_with_many_contents_has_one_winner(
    make_transport: Callable[[], Transport], tmp_path: Path
) -> None:
    wheels = [make_wheel(tmp_path / str(n), text=str(n)) for n in range(16)]

    def publisher(wheel: Path) -> Callable[[], None]:
        def work() -> None:
            try:
                publish(make_transport(), [wheel])
            except FileNameTaken:
                os._exit(3)

        return work

    ended = run_at_once([publisher(wheel) for wheel in wheels])
    assert sorted(ended) == [0] + [3] * 15
    transport = make_transport()
    project = read_project(transport, read_store(transport), "widget")
    winner = wheels[ended.index(0)].read_bytes()
    sha256 = project.files[0].sha256
    assert project.number == 1
    assert sha256 == hashlib.sha256(winner).hexdigest()
    assert visible(transport) == {"widget-1.0-py3-none-any.whl"}


def test_the_same_wheel_published_by_many_is_committed_once(
    make_transport: Callable[[], Transport], tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path)

    def work() -> None:
        publish(make_transport(), [wheel])

    assert run_at_once([work] * 8) == [0] * 8
    transport = make_transport()
    assert read_project(transport, read_store(transport), "widget").number == 1
    assert visible(transport) == {wheel.name}


@pytest.mark.parametrize(
    "before",
    [
        "list",
        "put_if_absent store.json",
        "put_if_absent journal/widget/000000000001.json",
        "replace simple/widget/index.html",
        "replace json/widget/index.json",
        "replace simple/index.html",
        "folders",
        "replace json/index.json",
    ],
)
def test_a_first_publisher_overtaken_at_one_step_loses_nothing(
    make_transport: Callable[[], Transport], tmp_path: Path, before: str
) -> None:
    """The races that the tests above meet by chance, each met for certain."""
    one, two = (make_wheel(tmp_path, version=version) for version in ("1.0", "2.0"))
    other = make_wheel(tmp_path, project="gadget")
    acted: list[object] = []
    transport = OvertakenTransport(
        make_transport(),
        before=before,
        act=lambda: acted.append(publish(make_transport(), [two, other])),
    )
    publish(transport, [one])
    assert len(acted) == 1
    assert visible(transport) == visible_json(transport) == {one.name, two.name}
    assert listed(transport) == {"widget", "gadget"}
    outcome = repair(make_transport())
    assert (outcome.pages, outcome.problems) == ((), ())


@pytest.mark.parametrize("delay_milliseconds", [5, 15, 30])
def test_publishers_killed_at_random_do_not_hinder_the_others(
    make_transport: Callable[[], Transport], tmp_path: Path, delay_milliseconds: int
) -> None:
    groups = [
        [make_wheel(tmp_path, version=f"{runner}.{turn}") for turn in range(3)]
        for runner in range(6)
    ]

    def publisher(runner: int, wheels: list[Path]) -> Callable[[], None]:
        def work() -> None:
            if runner % 2:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whose default is death
                seconds = delay_milliseconds / 1000 * (1 + runner)
                signal.setitimer(signal.ITIMER_REAL, seconds)
            for wheel in wheels:
                publish(make_transport(), [wheel])

        return work

    ended = run_at_once([publisher(n, wheels) for n, wheels in enumerate(groups)])
    assert [ended[runner] for runner in (0, 2, 4)] == [0, 0, 0]
    assert all(code in (0, -signal.SIGALRM) for code in ended)
    transport = make_transport()
    survivors = {wheel.name for n in (0, 2, 4) for wheel in groups[n]}
    assert survivors <= visible(transport)
    assert repair(make_transport()).problems == ()
    everything = [wheel for wheels in groups for wheel in wheels]
    publish(make_transport(), everything)
    expected = {wheel.name for wheel in everything}
    assert visible(transport) == visible_json(transport) == expected
