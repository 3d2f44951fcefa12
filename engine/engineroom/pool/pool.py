"""What both faces of the client do with their connections, in steps that never wait.

A step is a generator. Where something has to be waited for, it yields what its `io` was
asked to do: in the blocking face that has been done by then, in the awaited one it is
awaited, and either way the result comes back. So there is one set of rules for who gets
which connection, how one is opened and when it is thrown away, and two thin runners.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import partial
from time import monotonic

from engineroom import errors
from engineroom.metrics import Metrics
from engineroom.pool.learning import learned_for
from engineroom.pool.log import INFO, WARNING, tell
from engineroom.pool.opening import grow, warm_up, warm_up_failed
from engineroom.pool.outcome import another
from engineroom.pool.places import SHARING_POOLERS, make_lanes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from typing import Any, Protocol, TypeVar

    from engineroom.connection import Location
    from engineroom.pool.deadline import Deadline
    from engineroom.pool.lane import Lane, Slot, Waiter
    from engineroom.pool.options import Options

    T = TypeVar("T")
    Steps = Generator[Any, Any, T]

    class IO(Protocol):
        """What waits: done when it is asked for, or awaited when it is yielded."""

        def make_waiter(self) -> Waiter: ...
        def wait(self, waiter: Any, seconds: float) -> Any: ...
        def pause(self, seconds: float) -> Any: ...
        def open(self, location: Location, seconds: float) -> Any: ...
        def close(self, connection: Any) -> Any: ...
        def script(self, connection: Any, sql: str) -> Any: ...
        def prepare(self, connection: Any, sql: str) -> Any: ...
        def ask(self, slot: Slot, sql: str) -> Any: ...
        def rollback(self, connection: Any) -> Any: ...
        def do(self, work: Callable[[Slot], Any], slot: Slot) -> Any: ...
        def reach(
            self, connection: Any
        ) -> tuple[
            Callable[[int], object], Callable[[], bool], Callable[[], object]
        ]: ...
        def call(self, hook: Callable[..., Any], *arguments: Any) -> Any: ...
        def gather(self, every: Sequence[Steps[Any]]) -> Any: ...
        def spawn(
            self, steps: Steps[Any], unbegun: Callable[[BaseException], object]
        ) -> None: ...
        def settle(self, steps: Steps[Any]) -> object: ...


__all__ = ["Pool"]

# The longest that a connection may take to show that it works, or to be reset.
_VALIDATE_SECONDS = 1.0

# All that a session of PostgreSQL may have changed but what is prepared, which is ours.
_RESET = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; "
    "SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)


class Pool:
    """The lanes of a client.

    Args:
        url: where the primary is.
        replicas: where the replicas are.
        options: of the client.
        io: what waits.

    Attributes:
        forgotten: connections whose blocks were never ended. A finaliser may run in the
            middle of anything, so it leaves them here, for whoever comes next.
        io: as above.
        is_text_clear: whether a statement's text tells what it does.
        lanes: all, the primary first.
        learned: what cold starts have taught.
        metrics: what is counted.
        on_failure: told of every failure that a caller gets.
        options: as above.
        primary: the lane that may write.
        url: where that leads, without secrets.
    """

    def __init__(
        self, url: str, replicas: Sequence[str], options: Options, io: IO
    ) -> None:
        self.options = options
        self.io = io
        self.lanes = make_lanes(url, replicas, options)
        self.primary = self.lanes[0]
        self.backend = self.primary.location.backend
        self.url = self.primary.location.display
        self.credentials_until = float("inf")
        self.is_text_clear = True
        self.closing = io.make_waiter()
        self.forgotten: deque[Slot] = deque()
        self.on_failure: Callable[[errors.Error], object] = _ignore
        self.learned = learned_for(self.url)
        # A reset would undo what `on_connect` did too, and SQLite has none.
        is_reset_enough = self.backend == "postgres" and options.on_connect is None
        self._resets = is_reset_enough and options.pooler not in SHARING_POOLERS
        self._make_metrics()

    def _make_metrics(self) -> None:
        self.metrics = Metrics(
            backend=self.backend,
            url=self.url,
            read_state=self._state,
        )
        for lane in self.lanes:
            self._measure(lane)
        gauge = self.metrics.gauge
        gauge("generation", lambda: self.primary.generation)
        gauge("warming_for_seconds", self._warming_for)
        gauge("oldest_lease_seconds", self._oldest_lease)

    def _measure(self, lane: Lane) -> None:
        gauge = self.metrics.gauge
        gauge("pool_size", lambda: len(lane.slots), lane=lane.name)
        gauge("pool_in_use", lambda: lane.in_use, lane=lane.name)
        gauge("pool_idle", lambda: len(lane.idle), lane=lane.name)
        gauge("pool_waiting", lambda: lane.waiting, lane=lane.name)

    def _state(self) -> dict[str, object]:
        return self.primary.life.state.as_dict()

    def _warming_for(self) -> float:
        now = monotonic()
        began = [lane.starting_since for lane in self.lanes]
        return max((now - each for each in began if each is not None), default=0.0)

    def _oldest_lease(self) -> float:
        now = monotonic()
        leases = [s.lease for lane in self.lanes for s in lane.all() if s.lease]
        return max((now - lease.began for lease in leases), default=0.0)

    def begin_anew(self) -> None:
        """Forget everything: a forked child has nothing of its parent's connections."""
        for lane in self.lanes:
            lane.begin_anew()
        self.closing = self.io.make_waiter()
        self.forgotten.clear()
        self._make_metrics()

    # Taking a connection.

    def acquire(self, lane: Lane, deadline: Deadline) -> Steps[Slot]:
        """Return a connection that works, as far as can be told.

        Args:
            lane: of which.
            deadline: of the call.

        Raises:
            PoolExhausted: none came free in time.
            DeadlineExceeded: there was none in time.
            ClientClosed: the client is closed, or closing.
            Error: none could be opened; this is why.
        """
        while True:
            slot = lane.take()
            if slot is None:
                slot = yield from self._wait_for_one(lane, deadline)
            if (yield from self._is_usable(slot, deadline)):
                return slot

    def _wait_for_one(self, lane: Lane, deadline: Deadline) -> Steps[Slot]:
        waiter = self.io.make_waiter()
        began = monotonic()
        try:
            lane.join(waiter)
            self.take_back()
            if waiter.slot is None:
                self.see_to(lane)
                deadline.enter("warming" if lane.is_starting else "waiting")
                if not lane.is_starting:
                    self.metrics.count("waits")
                yield self.io.wait(waiter, deadline.left())
            slot, waiter.slot = waiter.slot, None
        finally:
            self.metrics.observe("wait_seconds", monotonic() - began)
            given = lane.leave(waiter)
            if given is not None:  # to somebody who was stopped meanwhile
                self.give(given)
        if slot is not None:
            return slot
        if waiter.error is not None:
            raise another(waiter.error)
        raise self._none_in_time(lane, deadline, monotonic() - began)

    def _none_in_time(
        self, lane: Lane, deadline: Deadline, waited: float
    ) -> errors.Error:
        self.metrics.count("timeouts", phase=deadline.phase)
        if deadline.phase != "waiting":
            return errors.DeadlineExceeded(
                deadline.seconds,
                spent=deadline.account(),
                doing=deadline.phase,
                attempts=deadline.attempts,
            )
        oldest = lane.oldest()
        lease = oldest.lease if oldest is not None else None
        error = errors.PoolExhausted(
            size=lane.most,
            in_use=lane.in_use,
            waiting=lane.waiting + 1,
            waited_seconds=waited,
            oldest_seconds=monotonic() - oldest.since if oldest is not None else None,
            oldest_at=lease.taken_at if lease is not None else "",
            is_fixed=self.backend == "sqlite" and lane.most == 1,
        )
        error.__cause__ = lane.trouble
        return error

    def see_to(self, lane: Lane) -> None:
        """Have connections opened where somebody waits for whom there is none."""
        start = lane.wants_start()
        if start is not None:
            failed = partial(warm_up_failed, self, lane, start.began)
            self.io.spawn(warm_up(self, lane, start), failed)
        while lane.wants_growth():
            self._grow(lane)

    def _grow(self, lane: Lane) -> None:
        self.io.spawn(grow(self, lane), lambda _: lane.miss(None))

    def _is_usable(self, slot: Slot, deadline: Deadline) -> Steps[bool]:
        """Look whether a connection works; where there is a reason, ask it."""
        now = monotonic()
        if slot.expires <= now:
            yield from self.lose(slot, "lifetime", is_lost=False)
            return False
        unused = now - slot.since
        slot.since = now
        if slot.is_gone():
            yield from self.lose(slot, "found closed")
            return False
        if unused > self.options.validate_seconds:
            slot.limit(int(1000 * min(_VALIDATE_SECONDS, deadline.limit())))
            try:
                yield self.io.ask(slot, "SELECT 1")
            except errors.Error:
                yield from self.lose(slot, "did not answer")
                return False
            except BaseException:
                self.io.settle(self.put_back(slot))
                raise
        return True

    # Giving one back.

    def give(self, slot: Slot) -> None:
        """Give a connection to who has waited longest, or lay it by."""
        if slot.is_dirty or slot.conversation.handle.is_closed:
            self.io.settle(self.put_back(slot))
        elif not slot.lane.give(slot):
            self.io.settle(self.discard(slot, "generation"))

    def take_back(self) -> None:
        """Give back what was forgotten."""
        while self.forgotten:
            self.io.settle(self.put_back(self.forgotten.popleft()))

    def put_back(self, slot: Slot) -> Steps[None]:
        """Give a connection back that may have to be mended first."""
        try:
            reason = yield from self._mend(slot)
            if reason:
                yield from self.lose(slot, reason, is_lost=reason == "broken")
                return
        except GeneratorExit:
            raise  # nobody goes through this any more
        except BaseException:
            yield from self.lose(slot, "not mended")
            raise
        if not slot.lane.give(slot):
            yield from self.discard(slot, "generation")

    def _mend(self, slot: Slot) -> Steps[str]:
        """Bring a connection into the state that a new one has.

        Returns:
            Why that is not possible, empty where it is done.
        """
        conversation = slot.conversation
        if self.is_broken(slot):
            return "broken"
        if conversation.pipelines or conversation.transactions:
            return "block without end"
        slot.limit(int(1000 * _VALIDATE_SECONDS))
        try:
            if conversation.handle.in_transaction:
                self.metrics.count("rollbacks_on_return")
                yield self.io.rollback(slot.connection)
            conversation.be_as_new()
            if slot.is_dirty and not slot.lane.is_lasting:
                if self._resets:
                    self.metrics.count("resets")
                    yield self.io.script(slot.connection, _RESET)
                elif self.options.pooler not in SHARING_POOLERS:
                    return "session changed"
            slot.is_dirty = False
        except errors.Error:
            return "broken"
        return "broken" if conversation.handle.is_closed else ""

    def is_broken(self, slot: Slot) -> bool:
        """Whether a connection can only be closed."""
        handle = slot.conversation.handle
        if handle.is_closed:
            return True
        try:
            return slot.conversation.transaction_status == "lost"
        except errors.Error:
            return True

    def lose(self, slot: Slot, reason: str, *, is_lost: bool = True) -> Steps[None]:
        """Take a connection that somebody has out of the books, and close it."""
        slot.lane.drop(slot, is_lost=is_lost)
        if is_lost:
            lane = slot.lane.name
            message = f"A connection of `{lane}` to {self.url} was lost: {reason}"
            tell(INFO, "lost", message, lane=lane, reason=reason)
        yield from self.discard(slot, reason)
        self.see_to_waiting(slot.lane)

    def see_to_waiting(self, lane: Lane) -> None:
        """As `see_to()`, where somebody waits."""
        if lane.waiting:
            self.see_to(lane)

    def discard(self, slot: Slot, reason: str) -> Steps[None]:
        """Close a connection that is out of the books."""
        self.metrics.count("disconnects", reason=reason)
        with suppress(errors.Error):
            yield self.io.close(slot.connection)

    def discard_all(self, slots: list[Slot], reason: str) -> Steps[None]:
        """Close connections that are out of the books, all of them."""
        try:
            while slots:
                yield from self.discard(slots.pop(), reason)
        except BaseException:
            # Who waits for it is stopped; the others are closed all the same.
            self.io.settle(self.discard_all(slots, reason))
            raise

    # Keeping.

    def tend(self) -> Steps[None]:
        """Close what is too old, open what is missing, report leases that last."""
        self.take_back()
        now = monotonic()
        if now >= self.credentials_until:
            self.credentials_until = float("inf")
            yield from self.retire("credentials")
        for lane in self.lanes:
            overdue = lane.take_overdue(now, self.options.idle_seconds)
            yield from self.discard_all(overdue, "age")
            if lane.least and lane.life.name == "ready" and not lane.slots:
                self.see_to(lane)
            while lane.wants_least():
                self._grow(lane)
            self.see_to_waiting(lane)
        self._report_leaks()

    def _report_leaks(self) -> None:
        for lane in self.lanes:
            for slot in lane.all():
                lease = slot.lease
                if lease is None or lease.is_reported or lease.is_over:
                    continue
                if lease.seconds >= self.options.leak_seconds:
                    lease.is_reported = True
                    self.metrics.count("leaks")
                    places = "; called from ".join(lease.stack)
                    tell(
                        WARNING,
                        "leak",
                        f"A connection was taken {lease.seconds:.0f} s ago and not "
                        f"given back, at {places}",
                        is_urgent=True,
                        lane=lane.name,
                        lease_seconds=lease.seconds,
                        stack=lease.stack,
                    )

    def tend_every(self) -> float:
        """Return how many seconds may pass between two rounds of `tend()`."""
        options = self.options
        shortest = min(
            options.idle_seconds, options.lifetime_seconds, options.leak_seconds
        )
        return min(1.0, max(0.01, shortest / 4))

    def retire(self, reason: str) -> Steps[None]:
        """Replace every connection: idle ones now, the others as they come back."""
        lanes = [lane for lane in self.lanes if not lane.is_lasting]
        retired = [slot for lane in lanes for slot in lane.retire_all()]
        yield from self.discard_all(retired, reason)
        for lane in lanes:
            self.see_to_waiting(lane)

    def close(self, seconds: float) -> Steps[None]:
        """Take nothing new, wait for what is lent, and close everything.

        Args:
            seconds: how long to wait for leases; those that last longer are closed
                when they come back.
        """
        until = monotonic() + seconds
        idle: list[Slot] = []
        draining: list[tuple[Lane, Waiter]] = []
        for lane in self.lanes:
            emptied = self.io.make_waiter()
            draining.append((lane, emptied))
            idle += lane.drain(emptied)
            lane.fail_all(errors.ClientClosed("draining"))
        self.closing.wake()
        self.take_back()
        yield from self.discard_all(idle, "client closed")
        for lane, emptied in draining:
            yield self.io.wait(emptied, max(0.0, until - monotonic()))
            lane.move("closed")


def _ignore(_error: errors.Error) -> None:
    pass
