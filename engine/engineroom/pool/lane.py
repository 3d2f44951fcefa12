"""A lane: the connections to one place, who has which, and who waits for one.

Only the book-keeping: nothing here opens, closes or waits. Both faces of the client
keep their books here, a lock around each entry, so that threads may share a lane; on
an event loop the lock is never waited for.

Whoever waits is served in the order of coming. Of the idle connections the one used
last goes first, so that those that are not needed grow old.

A connection that is lent is known here only as long as somebody has it. An exception
can come between any two instructions, as Ctrl-C does; whoever loses a connection to it
loses that connection, and not its place in the pool for ever.
"""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

from _thread import allocate_lock
from collections import OrderedDict
from time import monotonic
from weakref import WeakSet, ref

from engineroom import errors
from engineroom.pool.states import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from engineroom.connection import Location
    from engineroom.connection.conversation import Conversation
    from engineroom.pool.lease import LeaseFacts
    from engineroom.pool.states import StateName

    class Waiter(Protocol):
        """Somebody who waits for a connection; each face has its own kind."""

        slot: Slot | None
        error: errors.Error | None

        def wake(self) -> None: ...


__all__ = ["NEVER", "Lane", "Slot", "Start"]

NEVER = float("-inf")
# After a connection that did not come about, while there are others.
_GROWTH_PAUSE = 0.1
_OVER = ("draining", "closed")
_IDLE = ("new", "failed", "timed_out")


class Start:
    """A warm-up; it is over when nobody has it any more.

    Attributes:
        began: when, as `time.monotonic()` counts.
    """

    __slots__ = ("__weakref__", "began")

    def __init__(self) -> None:
        self.began = monotonic()


def _nothing() -> None:
    pass


class Slot:
    """One connection of a lane.

    Attributes:
        born: when it was opened, as `time.monotonic()` counts.
        connection: the face's own connection.
        conversation: what it is in the middle of.
        end: closes it for good, where whoever had it has lost it.
        expires: when it has lived long enough, likewise.
        generation: of the lane, when it was opened.
        is_dirty: whether the session was changed and has to be reset.
        lane: where it belongs.
        lease: who has it, where it was taken for more than one statement.
        limit: sets how long the engine may take from now on, in milliseconds.
        is_gone: tells without waiting whether the other end has gone.
        since: when it was taken, or given back; `NEVER` where it has to be asked
            whether it still works before it is handed out.
    """

    __slots__ = (
        "__weakref__",
        "born",
        "connection",
        "conversation",
        "end",
        "expires",
        "generation",
        "is_dirty",
        "is_gone",
        "lane",
        "lease",
        "limit",
        "since",
    )

    def __init__(
        self,
        lane: Lane,
        connection: Any,
        generation: int,
        expires: float,
        limit: Callable[[int], object],
        is_gone: Callable[[], bool],
        end: Callable[[], object],
    ) -> None:
        self.end = end
        self.lane = lane
        self.connection = connection
        self.conversation: Conversation = connection._conversation
        self.limit = limit
        self.is_gone = is_gone
        self.generation = generation
        self.born = self.since = monotonic()
        self.expires = expires
        self.is_dirty = False
        self.lease: LeaseFacts | None = None

    def __del__(self) -> None:
        # What it holds on its server ends here, and not when the garbage is collected.
        self.end()


class Lane:
    """The connections to one place.

    Attributes:
        name: what it is for: `primary`, `reader`, `replica 1` and so on.
        location: where its connections go.
        least, most: how many there are at least and at most.
        life: the state that it is in.
        lock: around each change.
        slots: all that are open, idle or not, as long as anybody has them.
        idle: those that nobody has, the one used last at the end.
        waiters: who waits, in the order of coming.
        opening: how many connections are on their way.
        generation: raised whenever a connection is lost or all are to be replaced.
        floor: connections of an older generation are not handed out any more.
        last_success: when something last went well, as `time.monotonic()` counts.
        grow_after: before this moment no further connection is tried.
        starting_since: when its warm-up began, None where there is none.
        told_of: the code of the failure that was logged last, since it was ready.
        trouble: why the last connection that was tried did not come about.
        emptied: woken when the last connection of a lane that is closing has gone;
            one for each who closes it.
        is_reader: whether its connections only read.
        is_lasting: whether what it leads to ends with its connection, as a database in
            memory does; then that is never replaced.
    """

    def __init__(
        self,
        name: str,
        location: Location,
        least: int,
        most: int,
        *,
        is_reader: bool = False,
        is_lasting: bool = False,
    ) -> None:
        self.name = name
        self.location = location
        self.least = least
        self.most = most
        self.is_reader = is_reader
        self.is_lasting = is_lasting
        self.life = Life()
        self.trouble: errors.Error | None = None
        self.generation = 1
        self.floor: float = 1
        self.last_success = NEVER
        self.grow_after = NEVER
        self._empty()

    def _empty(self) -> None:
        self.lock = allocate_lock()
        self.slots: WeakSet[Slot] = WeakSet()
        self.idle: list[Slot] = []
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.opening = 0
        self.emptied: list[Waiter] = []
        self.starting_since: float | None = None
        self.told_of = ""
        self._start: Callable[[], Start | None] = _nothing

    def begin_anew(self) -> None:
        """Forget everything: a forked child has nothing of its parent's connections."""
        self._empty()
        self.generation += 1
        self.floor = self.generation
        self.life.begin_anew()

    @property
    def in_use(self) -> int:
        """How many connections somebody has."""
        return len(self.slots) - len(self.idle)

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self.waiters)

    def all(self) -> list[Slot]:
        """Return those that are open, idle or not."""
        with self.lock:
            return list(self.slots)

    @property
    def is_full(self) -> bool:
        """Whether no further connection may be opened."""
        return len(self.slots) + self.opening >= self.most

    def take(self) -> Slot | None:
        """Return an idle connection, None where there is none or somebody waits."""
        with self.lock:
            if self.waiters or not self.idle:
                return None
            return self.idle.pop()

    def join(self, waiter: Waiter) -> None:
        """Stand in line; or be given a connection that has come free meanwhile.

        Raises:
            ClientClosed: the client is closed, or about to be.
        """
        with self.lock:
            if self.life.name in _OVER:
                raise errors.ClientClosed(self.life.name)
            if self.idle and not self.waiters:
                waiter.slot = self.idle.pop()
                waiter.wake()
            else:
                self.waiters[waiter] = None

    def leave(self, waiter: Waiter) -> Slot | None:
        """Stand in line no longer; return what was given meanwhile, to be given on."""
        with self.lock:
            self.waiters.pop(waiter, None)
            slot, waiter.slot = waiter.slot, None
            return slot

    def give(self, slot: Slot) -> bool:
        """Give a connection to who has waited longest, or lay it by.

        Returns:
            Whether it was taken. One of a generation that is over is not: it is out of
            the books then, and to be closed.
        """
        with self.lock:
            if slot.generation < self.floor:
                self._discard(slot)
                return False
            if self.waiters:
                waiter, _ = self.waiters.popitem(last=False)
                waiter.slot = slot
                waiter.wake()
            else:
                self.idle.append(slot)
            return True

    def fail_all(self, error: errors.Error) -> None:
        """Tell all who wait why there is nothing to wait for."""
        with self.lock:
            while self.waiters:
                waiter, _ = self.waiters.popitem(last=False)
                waiter.error = error
                waiter.wake()

    def wants_start(self) -> Start | None:
        """Return a start where there is nothing, and nothing on its way.

        Who is given it warms the lane up, which is connecting then. However many ask at
        once, one is given it.
        """
        with self.lock:
            if self.is_starting and self._start() is None:
                self.life.move("failed")
            is_empty = not self.slots and not self.opening
            if self.life.name in _IDLE or (self.life.name == "ready" and is_empty):
                start = Start()
                self._start = ref(start)
                self.life.move("connecting")
                return start
            return None

    def move(self, name: StateName, cause: errors.Error | None = None) -> bool:
        """Go over to another state, unless the end has begun; whether it did."""
        with self.lock:
            is_end = self.life.name == "draining" and name == "closed"
            if self.life.name in _OVER and not is_end:
                return False
            self.life.move(name, cause)
            return True

    @property
    def is_starting(self) -> bool:
        """Whether it is being warmed up."""
        return self.life.name in ("connecting", "warming")

    def wants_growth(self) -> bool:
        """Whether somebody waits for whom no connection is on its way; counts one.

        Who is told so opens one, and calls `add()` or `miss()`.
        """
        with self.lock:
            if self.life.name != "ready" or self.is_full:
                return False
            if self.waiting <= self.opening:
                return False
            if self.slots and monotonic() < self.grow_after:
                return False
            self.opening += 1
            return True

    def wants_least(self) -> bool:
        """Whether there are fewer connections than there should be; counts one."""
        with self.lock:
            if self.life.name != "ready" or not self.slots:
                return False
            if len(self.slots) + self.opening >= self.least:
                return False
            self.opening += 1
            return True

    def reserve(self, count: int) -> None:
        """Note that so many connections are on their way."""
        with self.lock:
            self.opening += count

    def add(self, slot: Slot) -> None:
        """Note that a connection that was on its way is there."""
        with self.lock:
            self.opening -= 1
            self.slots.add(slot)
            self.trouble = None

    def miss(self, why: errors.Error | None) -> None:
        """Note that a connection that was on its way did not come about."""
        with self.lock:
            self.opening -= 1
            self.trouble = why
            self.grow_after = monotonic() + _GROWTH_PAUSE
            self._look_empty()

    def give_up(self, why: errors.Error) -> bool:
        """Be failed where no connection is there or on its way; whether it is."""
        with self.lock:
            if self.slots or self.opening or self.life.name != "ready":
                return False
            self.life.move("failed", why)
            return True

    def _discard(self, slot: Slot) -> None:
        self.slots.discard(slot)
        self._look_empty()

    def _look_empty(self) -> None:
        if not self.slots and not self.opening:
            for waiter in self.emptied:
                waiter.wake()

    def drop(self, slot: Slot, *, is_lost: bool) -> None:
        """Take a connection out of the books; its owner closes it.

        Args:
            slot: which somebody has; it is not idle.
            is_lost: whether it broke. Then a new generation begins, and the idle ones
                are asked before they are handed out again.
        """
        with self.lock:
            self._discard(slot)
            if is_lost:
                self.generation += 1
                for other in self.idle:
                    other.since = NEVER

    def outlive(self, slot: Slot) -> None:
        """Have a connection closed when it comes back."""
        if not self.is_lasting:
            slot.generation = 0

    def retire_all(self) -> list[Slot]:
        """Begin a new generation, to which none of the connections belongs.

        Returns:
            Those that were idle, to be closed; the others are as they come back.
        """
        with self.lock:
            self.generation += 1
            self.floor = max(self.floor, self.generation)
            return self._take_idle()

    def _take_idle(self) -> list[Slot]:
        idle, self.idle = self.idle, []
        self.slots.difference_update(idle)
        return idle

    def take_overdue(self, now: float, idle_seconds: float) -> list[Slot]:
        """Take idle connections out of the books that are too old or of no use."""
        overdue: list[Slot] = []
        with self.lock:
            spare = len(self.slots) - self.least
            kept: list[Slot] = []
            for slot in self.idle:  # the one longest unused first
                is_unused = spare > 0 and now - slot.since > idle_seconds
                if slot.expires <= now or is_unused:
                    overdue.append(slot)
                    spare -= 1
                else:
                    kept.append(slot)
            self.idle = kept
            self.slots.difference_update(overdue)
        return overdue

    def drain(self, emptied: Waiter) -> list[Slot]:
        """Begin the end, which may have begun; wake the waiter at its end.

        Returns:
            Those that were idle, to be closed; the others are as they come back, and
            so are those that are on their way.
        """
        with self.lock:
            if self.life.name not in _OVER:
                self.life.move("draining")
            self.floor = float("inf")
            idle = self._take_idle()
            self.emptied.append(emptied)
            self._look_empty()
            return idle

    def oldest(self) -> Slot | None:
        """Return the connection that somebody has had for longest."""
        with self.lock:
            taken = set(self.slots).difference(self.idle)
        return min(taken, key=lambda slot: slot.since, default=None)
