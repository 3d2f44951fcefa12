"""The table of states, deadlines and what is learned of a place."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from engineroom import errors
from engineroom.pool.deadline import Deadline
from engineroom.pool.learning import Learned, learned_for
from engineroom.pool.states import MOVES, Life


def ways_to(name: str) -> list[str]:
    """Return the states on a shortest way from `new`."""
    ways = {"new": ["new"]}
    for _ in MOVES:
        for before, after in list(ways.items()):
            for follower in MOVES[before]:
                ways.setdefault(follower, [*after, follower])
    return ways[name]


def life_in(name: str) -> Life:
    life = Life()
    for each in ways_to(name)[1:]:
        life.move(each)
    return life


@pytest.mark.parametrize(("before", "after"), [*itertools.product(MOVES, MOVES)])
def test_every_move_is_made_or_refused_as_the_table_says(
    before: str, after: str
) -> None:
    life = life_in(before)
    if after in MOVES[before]:
        life.move(after)
        assert life.name == after
        return
    with pytest.raises(errors.StateMoveRefused) as refused:
        life.move(after)
    assert (refused.value.before, refused.value.after) == (before, after)
    assert life.name == before


def test_the_end_is_reached_from_everywhere_and_left_by_nothing() -> None:
    for name in MOVES:
        life = life_in(name)
        if name not in ("draining", "closed"):
            life.move("draining")
        if name != "closed":
            life.move("closed")
        assert life.name == "closed"
    assert MOVES["closed"] == ()


def test_a_state_tells_since_when_and_why() -> None:
    before = time.time()
    life = life_in("connecting")
    why = errors.ConnectFailed("The server is not there", hint="start it")
    life.move("failed", why)
    assert before <= life.state.since <= time.time()
    assert life.state.cause is why
    assert json.loads(json.dumps(life.state.as_dict())) == {
        "name": "failed",
        "since": life.state.since,
        "cause": {
            "code": why.code,
            "fault": "unreachable",
            "message": "The server is not there",
        },
    }
    assert [state.name for state in life.past] == ["new", "connecting", "failed"]


def test_a_life_remembers_its_last_states_and_no_more() -> None:
    life = life_in("ready")
    for _ in range(100):
        for name in ("connecting", "warming", "ready"):
            life.move(name)
    assert len(life.past) == 20
    assert life.past[-1] is life.state


def test_a_deadline_accounts_for_each_phase() -> None:
    deadline = Deadline(10.0)
    for phase in ("warming", "querying", "pausing", "querying"):
        deadline.enter(phase)
        until = time.monotonic() + (0.05 if phase == "querying" else 0.002)
        while time.monotonic() < until:
            pass
    spent = deadline.account()
    assert set(spent) >= {"warming", "querying", "pausing"}
    assert spent["querying"] >= 0.1
    assert sum(spent.values()) <= time.monotonic() - deadline.began
    deadline.attempts = 2
    assert deadline.tell().startswith("2 attempts, 0.1")
    assert deadline.tell().index("querying") < deadline.tell().index("pausing")


def test_a_deadline_counts_what_was_used_before() -> None:
    deadline = Deadline(1.0, already=0.75)
    assert 0.2 < deadline.left() <= 0.25
    assert deadline.account()["querying"] == 0.75


def test_a_deadline_that_is_over_has_nothing_left() -> None:
    deadline = Deadline(1.0, already=2.0)
    assert deadline.left() == 0.0
    assert deadline.limit() > 0  # an engine takes 0 for no limit at all


@pytest.mark.parametrize("seconds", [0.01, 1.0, 4.0, 3600.0])
def test_an_engine_has_less_time_than_the_call(seconds: float) -> None:
    deadline = Deadline(seconds)
    assert 0 < deadline.limit() < deadline.left()
    assert deadline.reserve <= 0.1


def test_a_place_that_is_unknown_has_the_whole_budget() -> None:
    assert Learned().limit(2.5) == 2.5


def test_a_place_that_was_quick_is_given_less_and_more_after_being_late() -> None:
    learned = Learned()
    learned.add(0.02)
    assert learned.limit(2.5) == 0.75
    learned.add(0.3)
    assert learned.limit(2.5) == pytest.approx(1.2)
    learned.add_late()
    assert learned.limit(2.5) == pytest.approx(2.4)
    learned.add_late()
    assert learned.limit(2.5) == 2.5  # never past the budget
    learned.add(0.3)
    assert learned.limit(2.5) == pytest.approx(1.2)


def test_a_slow_start_is_forgotten_after_ten_others() -> None:
    learned = Learned()
    learned.add(2.0)
    for _ in range(10):
        learned.add(0.01)
    assert learned.limit(10.0) == 0.75


def test_a_place_is_known_by_its_name() -> None:
    place = "postgresql://somewhere/test-of-learning"
    assert learned_for(place) is learned_for(place)
    assert learned_for(place) is not learned_for(place + "2")
