"""The books of a lane: who has which connection, and who is next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import engineroom
from engineroom import errors
from engineroom.connection import locate
from engineroom.pool.lane import NEVER, Lane, Slot
from engineroom.pool.thread_io import ThreadWaiter

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "sqlite://:memory:"
MOST = 4


def ready_lane() -> Lane:
    place = locate(URL, is_autocommit=True)
    lane = Lane("primary", place, 1, MOST, is_reader=False)
    for name in ("connecting", "warming", "ready"):
        lane.move(name)
    return lane


def new_slot(lane: Lane, connection: Any, *, expires: float = float("inf")) -> Slot:
    session = connection._handle.session
    generation = lane.generation
    # Several slots have the same connection, so that none may end it.
    reach = (session.limit, session.is_gone, bool)
    return Slot(lane, connection, generation, expires, *reach)


class Books(RuleBasedStateMachine):
    """Threads come and go in any order; the books stay right.

    `queue` is who waits, `given` who was given a connection and has not fetched it, and
    `lent` the connections in somebody's hands.
    """

    @initialize()
    def begin(self) -> None:
        self.connection = engineroom.connect(URL)
        self.lane = ready_lane()
        self.queue: list[ThreadWaiter] = []
        self.given: list[ThreadWaiter] = []
        self.lent: list[Slot] = []
        self.idle: list[Slot] = []
        self.opening = 0

    def teardown(self) -> None:
        self.connection.close()

    def hand_on(self, slot: Slot, *, is_taken: bool) -> None:
        """Expect that a connection goes to who has waited longest, or is laid by."""
        assert is_taken == (slot.generation >= self.lane.floor)
        if not is_taken:
            return
        if not self.queue:
            self.idle.append(slot)
            return
        first = self.queue.pop(0)
        assert first.slot is slot, "it went to somebody who came later"
        assert first.wait(0), "who was given a connection was not woken"
        self.given.append(first)

    @rule()
    def take(self) -> None:
        slot = self.lane.take()
        assert (slot is None) == (not self.idle)
        if slot is not None:
            assert slot is self.idle.pop(), "not the one that was used last"
            self.lent.append(slot)

    @rule()
    def join(self) -> None:
        waiter = ThreadWaiter()
        self.lane.join(waiter)
        if self.idle:
            assert waiter.slot is self.idle.pop()
            self.given.append(waiter)
        else:
            assert waiter.slot is None
            self.queue.append(waiter)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def fetch(self, data: st.DataObject) -> None:
        waiter = data.draw(st.sampled_from(self.given))
        self.given.remove(waiter)
        assert waiter.slot is not None
        self.lent.append(waiter.slot)
        waiter.slot = None
        assert self.lane.leave(waiter) is None

    @precondition(lambda self: self.queue or self.given)
    @rule(data=st.data())
    def give_up_waiting(self, data: st.DataObject) -> None:
        """Be stopped while waiting, or at the moment of being given one."""
        waiter = data.draw(st.sampled_from(self.queue + self.given))
        slot = self.lane.leave(waiter)
        assert (slot is not None) == (waiter in self.given)
        if slot is None:
            self.queue.remove(waiter)
            return
        self.given.remove(waiter)
        self.hand_on(slot, is_taken=self.lane.give(slot))

    @precondition(lambda self: self.lent)
    @rule(data=st.data())
    def give(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(self.lent))
        self.lent.remove(slot)
        self.hand_on(slot, is_taken=self.lane.give(slot))

    @precondition(lambda self: self.lent)
    @rule(data=st.data(), is_lost=st.booleans())
    def drop(self, data: st.DataObject, *, is_lost: bool) -> None:
        slot = data.draw(st.sampled_from(self.lent))
        self.lent.remove(slot)
        before = self.lane.generation
        self.lane.drop(slot, is_lost=is_lost)
        assert self.lane.generation == before + is_lost
        if is_lost:
            assert all(other.since == NEVER for other in self.idle)

    @rule()
    def grow(self) -> None:
        is_wanted = len(self.queue) > self.opening
        has_room = len(self.lane.slots) + self.opening < MOST
        self.lane.grow_after = NEVER
        assert self.lane.wants_growth() == (is_wanted and has_room)
        self.opening += is_wanted and has_room

    @precondition(lambda self: self.opening)
    @rule()
    def open(self) -> None:
        slot = new_slot(self.lane, self.connection)
        self.lane.add(slot)
        self.opening -= 1
        self.hand_on(slot, is_taken=self.lane.give(slot))

    @precondition(lambda self: self.opening)
    @rule()
    def miss(self) -> None:
        self.lane.miss(errors.ConnectFailed("No server", hint=""))
        self.opening -= 1

    @rule()
    def replace_all(self) -> None:
        retired = self.lane.retire_all()
        assert retired == self.idle
        self.idle = []

    @precondition(lambda self: self.idle)
    @rule(data=st.data())
    def grow_old(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(self.idle))
        old.expires = 0.0
        assert self.lane.take_overdue(1.0, float("inf")) == [old]
        self.idle.remove(old)

    @rule()
    def tell_all(self) -> None:
        why = errors.ClientClosed()
        self.lane.fail_all(why)
        assert all(waiter.error is why and waiter.wait(0) for waiter in self.queue)
        self.queue.clear()

    @invariant()
    def books_are_right(self) -> None:
        lane = self.lane
        in_hands = [*self.lent, *(waiter.slot for waiter in self.given)]
        everything = [*in_hands, *self.idle]
        assert len(set(everything)) == len(everything), "one connection, two owners"
        assert set(everything) == set(lane.slots), "a connection was lost"
        assert lane.idle == self.idle
        assert lane.waiting == len(self.queue)
        assert lane.in_use == len(in_hands)
        assert lane.opening == self.opening
        assert len(lane.slots) + lane.opening <= MOST
        assert not (lane.idle and lane.waiting), "somebody waits for what lies idle"


Books.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None
)
TestBooks = Books.TestCase


@pytest.fixture
def lane() -> Iterator[tuple[Lane, Slot]]:
    """A lane with one connection, which is lent."""
    with engineroom.connect(URL) as connection:
        lane = ready_lane()
        lane.reserve(1)
        slot = new_slot(lane, connection)
        lane.add(slot)
        yield lane, slot


def test_a_lane_that_drains_ends_when_the_last_lease_does(
    lane: tuple[Lane, Slot],
) -> None:
    books, slot = lane
    emptied = ThreadWaiter()
    assert books.drain(emptied) == []
    assert not emptied.wait(0)
    again = ThreadWaiter()
    assert books.drain(again) == [], "it had begun"
    with pytest.raises(errors.ClientClosed) as refused:
        books.join(ThreadWaiter())
    assert refused.value.state == "draining"
    assert not books.give(slot), "it would lie idle for ever"
    assert emptied.wait(0)
    assert again.wait(0)
    assert books.move("closed")
    assert not books.move("ready")


def test_a_lane_that_drains_waits_for_what_is_on_its_way(
    lane: tuple[Lane, Slot],
) -> None:
    books, slot = lane
    books.reserve(1)
    emptied = ThreadWaiter()
    books.drain(emptied)
    books.retire_all()
    books.give(slot)
    assert not emptied.wait(0)
    books.miss(None)
    assert emptied.wait(0)


def test_a_lane_without_connections_is_started_once(lane: tuple[Lane, Slot]) -> None:
    books, slot = lane
    assert books.wants_start() is None
    books.drop(slot, is_lost=True)
    start = books.wants_start()
    assert start is not None
    assert books.wants_start() is None
    assert books.is_starting
    del start
    assert books.wants_start() is not None, "nobody was about it any more"


def test_a_forked_lane_knows_nothing_of_its_parents(lane: tuple[Lane, Slot]) -> None:
    books, slot = lane
    before = books.generation
    books.lock.acquire()  # as another thread has it at the moment of the fork
    books.begin_anew()
    assert (set(books.slots), books.idle, books.waiting) == (set(), [], 0)
    assert books.life.name == "new"
    assert books.floor == books.generation > before
    assert not books.give(slot)


def test_the_oldest_lease_is_told(lane: tuple[Lane, Slot]) -> None:
    books, slot = lane
    assert books.oldest() is slot
    books.give(slot)
    assert books.oldest() is None
