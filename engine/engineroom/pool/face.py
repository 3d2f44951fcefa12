"""What both faces of the client have, blocking and awaited: all that never waits."""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

import os
from contextvars import ContextVar
from time import monotonic
from weakref import WeakSet

from engineroom import errors
from engineroom.pool.call import Call
from engineroom.pool.deadline import Deadline, tell_account
from engineroom.pool.health import HealthCache
from engineroom.pool.known import KnownTexts
from engineroom.pool.options import Options
from engineroom.pool.pool import Pool
from engineroom.pool.retry import decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal, Protocol

    from engineroom.core.handle import Reader
    from engineroom.dbapi.cursor import Row
    from engineroom.metrics import Metrics
    from engineroom.metrics.repeats import Repeats
    from engineroom.metrics.slow import SlowLog
    from engineroom.pool.known import Known
    from engineroom.pool.lane import Lane, Slot
    from engineroom.pool.lease import LeaseFacts
    from engineroom.pool.pool import IO
    from engineroom.pool.states import State

    Start = Literal["wait", "background", "first use"]

    class Undone(Protocol):
        """A block that may be run again."""

        _is_undone: bool
        _is_demoted: bool


__all__ = ["ClientFace", "check_start"]

# Words that begin statements which write, whatever stands behind them.
_WRITING = frozenset(
    [
        "alter",
        "analyze",
        "cluster",
        "comment",
        "create",
        "delete",
        "drop",
        "grant",
        "insert",
        "merge",
        "refresh",
        "reindex",
        "replace",
        "revoke",
        "truncate",
        "update",
        "vacuum",
    ]
)
_STARTS = ("wait", "background", "first use")
# Until when the reads of a thread or task go to the primary, because it has written.
_pinned_until: ContextVar[float] = ContextVar("engineroom_pinned_until", default=0.0)

_clients: WeakSet[ClientFace] = WeakSet()


class ClientFace:
    """The common part of clients.

    Attributes:
        options: what it was opened with.
        url: where it leads, without secrets.
    """

    def __init__(
        self, url: str, replicas: Sequence[str], given: Mapping[str, object], io: IO
    ) -> None:
        self.options = Options(given)
        self._pool = Pool(url, replicas, self.options, io)
        self.url = self._pool.primary.location.display
        lanes = self._pool.lanes
        is_file = self._pool.primary.location.server is None
        self._write_lane = lanes[0]
        self._read_lane = lanes[-1] if is_file else lanes[0]
        self._replicas = [] if is_file else lanes[1:]
        self._turn = 0
        self._limit_ms = int(Deadline(self.options.deadline_seconds).limit() * 1000)
        self._watching: list[Repeats] = []
        self._health = HealthCache(self, self.options.health_cache_seconds)
        self._pool.on_failure = self._health.note_failure
        self._begin_counting()
        _clients.add(self)

    def _begin_counting(self) -> None:
        self._known = KnownTexts(self._pool.backend, self._pool.metrics)
        self._slow_log: SlowLog | None = None
        # From when on somebody wants to hear of a statement.
        self._notice_seconds = float("inf")
        if self.options.slow_seconds is not None:
            from engineroom.metrics.slow import SlowLog

            self._notice_seconds = self.options.slow_seconds
            self._slow_log = SlowLog(self._notice_seconds, self._pool.metrics)

    def _begin_anew(self) -> None:
        """Be as new in a forked child: nothing of the parent's is used."""
        self._pool.begin_anew()
        self._health.forget()
        self._begin_counting()

    @property
    def metrics(self) -> Metrics:
        """What is counted and measured."""
        return self._pool.metrics

    @property
    def state(self) -> State:
        """The state of the connections to the primary, since when, and why."""
        return self._pool.primary.life.state

    @property
    def states(self) -> list[State]:
        """The last states, the oldest first, with the present one at the end."""
        return list(self._pool.primary.life.past)

    @property
    def is_alive(self) -> bool:
        """Whether this process can answer at all; it does not ask the database."""
        return True

    @property
    def is_ready(self) -> bool:
        """Whether there are connections that have proved to work."""
        primary = self._pool.primary
        return primary.life.name == "ready" and bool(primary.slots)

    @property
    def _last_success(self) -> float:
        """When a call last succeeded, as `time.monotonic()` counts."""
        return max(lane.last_success for lane in self._pool.lanes)

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self.state.name in ("draining", "closed")

    def leases(self) -> list[LeaseFacts]:
        """Return who has a connection for more than one statement, the oldest first."""
        slots = [slot for lane in self._pool.lanes for slot in lane.all()]
        found = [slot.lease for slot in slots if slot.lease is not None]
        return sorted(found, key=lambda lease: lease.began)

    def snapshot(self) -> dict[str, Any]:
        """Return state, counters, gauges, histograms and shapes as plain data.

        The form is told in docs/reference/metrics.md.
        """
        return self._pool.metrics.snapshot()

    def find_repeats(self, limit: int = 5, *, fail: bool = True) -> Repeats:
        """Return a block that finds statements which are run over and over.

        Args:
            limit: how often one statement may be run from one place.
            fail: whether the block raises `RepeatedQueries` at its end.
        """
        from engineroom.pool.watching import RepeatsOfClient

        return RepeatsOfClient(self._watching, limit, fail=fail)

    def _notice(
        self, known: Known, seconds: float, rows: int, attempts: int = 1
    ) -> None:
        """Tell those who watch of a statement that has ended."""
        for repeats in list(self._watching):
            repeats.note(known.statement)
        if self._slow_log is not None:
            self._slow_log.note(known.statement, seconds, rows=rows, attempts=attempts)

    # Calls.

    def _deadline(self, seconds: float | None) -> Deadline:
        if seconds is None:
            return Deadline(self.options.deadline_seconds)
        if not seconds > 0:
            raise errors.Misuse(
                f"A deadline of {seconds} s has passed before anything is done",
                hint="give `deadline_seconds` a time above 0",
            )
        return Deadline(seconds)

    def _call_of(
        self,
        operation: str,
        given: object,
        work: Callable[[Slot], Any],
        deadline: Deadline,
        *,
        idempotent: bool,
        read_only: bool,
        is_many: bool = False,
    ) -> Call:
        """Return the call that runs a statement."""
        known = self._known[operation]
        self._refuse_odd(known)
        if read_only and known.statement.word in _WRITING:
            raise errors.Misuse(
                f"`{known.statement.word}` writes, and `read_only` was asked for",
                hint="leave `read_only` out",
            )
        is_read = (known.is_read or read_only) and not is_many
        lane, fallback = self._lanes_for(is_read, read_only)
        return Call(
            work,
            lane,
            deadline,
            key=(id(self), known.statement.fingerprint),
            given=given,
            known=known,
            is_repeatable=idempotent or (known.is_read and self._pool.is_text_clear),
            is_write=not is_read,
            fallback=fallback,
        )

    def _refuse_odd(self, known: Known) -> None:
        if known.statement.controls_transaction:
            raise errors.Misuse(
                f"`{known.statement.word}` would be run on one connection, and what "
                "follows on another",
                hint="use a block of `client.transaction()`",
            )
        # A block of code may, and mostly does not: its connection is reset behind it.
        if known.statement.changes_session and known.statement.word != "do":
            raise errors.Misuse(
                f"`{known.statement.word}` changes a session, and what follows runs in "
                "another",
                hint="use `client.connection()`, or `on_connect` for every connection",
            )

    def _lanes_for(self, is_read: bool, read_only: bool) -> tuple[Lane, Lane | None]:
        """Return whose connection a call takes, and whose if that cannot serve it."""
        if not self._replicas:
            if not is_read:
                return self._write_lane, None
            is_file = self._read_lane is not self._write_lane
            # Who says that a call only reads is taken at his word, and held to it.
            can_fall = is_file and not read_only
            return self._read_lane, self._write_lane if can_fall else None
        if not read_only or _pinned_until.get() > monotonic():
            return self._write_lane, None
        self._turn += 1
        lane = self._replicas[self._turn % len(self._replicas)]
        return lane, self._write_lane

    def _pin(self) -> None:
        """Have this thread's or task's next reads see what it has written."""
        if self._replicas and self.options.pin_seconds:
            _pinned_until.set(monotonic() + self.options.pin_seconds)

    def _check_blocks(self) -> None:
        """Refuse transactions where the pooler between has none.

        Raises:
            NotSupportedError: its kind is `statement`.
        """
        if self.options.pooler == "statement":
            raise errors.NotSupportedError(
                "A pooler of the kind `statement` gives each statement another server",
                hint="use one of the kind `transaction` or `session`",
            )

    def _for_block(
        self, read_only: bool, deadline: Deadline, work: Callable[[Slot], Any]
    ) -> Call:
        """Return the call that takes a connection for a block."""
        lane, fallback = self._lanes_for(read_only, read_only)
        return Call(
            work,
            lane,
            deadline,
            key=(id(self), "block"),
            is_repeatable=True,  # nothing but BEGIN is sent
            is_write=True,
            keeps=True,
            fallback=fallback,
        )

    def _notice_call(self, call: Call, rows: list[Row], reader: Reader) -> None:
        """Tell those who watch of a call that took the long way."""
        seconds = call.deadline.elapsed()
        if call.known is not None and (
            self._watching or seconds >= self._notice_seconds
        ):
            count = len(rows) or max(0, reader.changes)
            self._notice(call.known, seconds, count, call.deadline.attempts)

    def _late(self, error: errors.Error, deadline: Deadline | None) -> errors.Error:
        """Return what a statement of a block fails with: its time is ours.

        Args:
            error: what the engine says.
            deadline: of the block; None where the statement has its own.
        """
        self._pool.on_failure(error)
        is_ours = isinstance(error, errors.DeadlineExceeded)
        if is_ours or not isinstance(error, errors.TimedOut):
            return error
        seconds = self.options.deadline_seconds
        spent = {"querying": seconds}
        if deadline is not None:
            seconds, spent = deadline.seconds, deadline.account()
        # Where its time had passed before it was sent, the caller has used it.
        is_callers = not error.sent_to_server and spent.get("caller", 0.0) > 0
        doing = "caller" if is_callers else "querying"
        late = errors.DeadlineExceeded(
            seconds, spent=spent, doing=doing, was_sent=error.sent_to_server
        )
        late.account = tell_account(spent, 1)
        late.__cause__ = error
        self.metrics.count("timeouts", phase=doing)
        return late

    def _pause_before_rerun(
        self, error: errors.Error, block: Undone, deadline: Deadline
    ) -> float | None:
        """Return how long to pause before a block is run again, None if it is not.

        Args:
            error: what it failed with.
            block: knows whether it is certain that nothing of it was kept.
            deadline: of all its runs.
        """
        if error.fault == "read-only" and not block._is_demoted:
            return None  # the next server would say the same
        # What was tried again by a call inside the block is not tried again by it.
        is_nested = error.attempts != 1
        verdict = decide(
            error,
            is_repeatable=block._is_undone,
            is_nested=is_nested,
            options=self.options,
            deadline=deadline,
        )
        if verdict.pause_seconds is None:
            if verdict.reason in ("attempts", "time"):
                self.metrics.count("attempts_exhausted")
            elif verdict.reason == "nested" and error.attempts != deadline.attempts:
                self.metrics.count("nested_retries")  # and not of the way to BEGIN
            return None
        self.metrics.count("retries", fault=error.fault)
        deadline.enter("pausing")
        return verdict.pause_seconds

    def _account(self, error: errors.Error, deadline: Deadline) -> None:
        """Have an error say what used the time of all runs of a block."""
        if not error.account:
            error.attempts = deadline.attempts
            error.account = tell_account(deadline.account(), deadline.attempts)

    def _not_started(self, error: errors.Error, seconds: float) -> errors.WarmUpFailed:
        """Return what `open()` fails with."""
        attempts = getattr(error, "attempts", 1)
        reason: BaseException = error
        if isinstance(error, errors.WarmUpFailed):
            reason = error.__cause__ or error
        if isinstance(error, errors.TimedOut):
            return errors.WarmUpTimedOut(
                reason,
                attempts=attempts,
                seconds=seconds,
                budget_seconds=self.options.deadline_seconds,
            )
        return errors.WarmUpFailed(reason, attempts=attempts, seconds=seconds)

    def __repr__(self) -> str:
        return f"<engineroom.Client {self.url} {self.state.name}>"


def check_start(start: str) -> None:
    """Refuse a word that says no way to begin.

    Raises:
        OptionRefused: as it says.
    """
    if start not in _STARTS:
        words = ", ".join(f"`{word}`" for word in _STARTS)
        raise errors.OptionRefused("start", start, f"it takes one of {words}")


def _begin_all_anew() -> None:
    for client in list(_clients):
        client._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all_anew)
