"""Opens connections: the first ones as a warm-up, more where somebody waits.

Opening is real work. A connection is handed out when what is hot was prepared on it and
a query has gone there and back; nothing is taken on trust, and nothing sleeps.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic

from engineroom import errors
from engineroom.pool.deadline import Deadline
from engineroom.pool.lane import Lane, Slot, Start
from engineroom.pool.log import INFO, WARNING, tell
from engineroom.pool.places import credentials_of, with_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engineroom.connection import Location
    from engineroom.pool.pool import Pool, Steps

__all__ = ["grow", "warm_up", "warm_up_failed"]

# Where it is off, a backslash ends no literal, and texts are read wrongly here.
_STRINGS = "parameter:standard_conforming_strings"


def warm_up(pool: Pool, lane: Lane, start: Start) -> Steps[None]:
    """Make a lane ready that is connecting: open, prepare, and prove it works."""
    began = lane.starting_since = start.began
    slots: list[Slot] = []
    try:
        yield from _open_least(pool, lane, began, slots)
    except BaseException as error:
        warm_up_failed(pool, lane, began, error)
        pool.io.settle(_drop_all(pool, slots))
        if not isinstance(error, Exception):
            raise
        return
    lane.starting_since = None
    if not lane.move("ready"):
        yield from _drop_all(pool, slots)
        return
    lane.told_of = ""
    seconds = monotonic() - began
    pool.learned.add(seconds)
    pool.metrics.count("warm_ups", result="ready")
    message = f"`{lane.name}` of {pool.url} is ready after {seconds:.3f} s"
    tell(INFO, "ready", message, lane=lane.name, warm_up_seconds=seconds)
    pool.metrics.observe("warm_up_seconds", seconds)
    for slot in slots:
        pool.give(slot)
    pool.see_to_waiting(lane)


def _open_least(pool: Pool, lane: Lane, began: float, slots: list[Slot]) -> Steps[None]:
    """Open as many connections as there are at least, the first one alone."""
    until = began + pool.options.warm_up_seconds

    def open_one() -> Steps[None]:
        lane.reserve(1)
        slots.append((yield from _open_proven(pool, lane, until)))

    yield from _prepare_place(pool, lane)
    yield from open_one()
    lane.move("warming")
    if lane.least > 1:
        rest = [open_one() for _ in range(lane.least - 1)]
        outcomes: list[Any] = yield pool.io.gather(rest)
        failure = next(filter(_is_failure, outcomes), None)
        if failure is not None:
            raise failure


def _is_failure(outcome: object) -> bool:
    """Whether a connection that was wanted is missing for another reason than room."""
    # A server that is full has given what it can.
    return outcome is not None and getattr(outcome, "fault", "") != "capacity"


def _prepare_place(pool: Pool, lane: Lane) -> Steps[None]:
    """See to it that there is a file for readers, which do not make it."""
    primary = pool.primary
    is_reader_of_file = pool.backend == "sqlite" and lane is not primary
    if is_reader_of_file and primary.life.name != "ready":
        deadline = Deadline(pool.options.warm_up_seconds)
        pool.give((yield from pool.acquire(primary, deadline)))


def _drop_all(pool: Pool, slots: list[Slot]) -> Steps[None]:
    for slot in slots:
        slot.lane.drop(slot, is_lost=False)
    yield from pool.discard_all(slots, "warm-up failed")


def warm_up_failed(pool: Pool, lane: Lane, began: float, error: BaseException) -> None:
    """Note that a lane did not become ready, and tell who waits."""
    lane.starting_since = None
    seconds = monotonic() - began
    cause = _as_ours(error, began)
    is_late = isinstance(cause, errors.TimedOut)
    if is_late:
        pool.learned.add_late()
        cause = errors.WarmUpTimedOut(
            error, attempts=1, seconds=seconds, budget_seconds=seconds
        )
    pool.metrics.count("warm_ups", result="timed_out" if is_late else "failed")
    pool.metrics.observe("warm_up_seconds", seconds)
    if lane.move("timed_out" if is_late else "failed", cause):
        lane.fail_all(cause)
    if lane.told_of == cause.code:
        return  # in an outage callers ask again and again, and each would be told
    lane.told_of = cause.code
    message = f"`{lane.name}` of {pool.url} is not ready: {cause.message}"
    tell(
        WARNING, "failed", message, lane=lane.name, code=cause.code,
        fault=cause.fault,
    )  # fmt: skip


def _as_ours(error: BaseException, began: float) -> errors.Error:
    if isinstance(error, errors.Error):
        return error
    # Of somebody's hook, or the end of the program.
    return errors.WarmUpFailed(error, attempts=1, seconds=monotonic() - began)


def grow(pool: Pool, lane: Lane) -> Steps[None]:
    """Open one more connection, for who waits."""
    began = monotonic()
    until = began + pool.options.warm_up_seconds
    try:
        slot = yield from _open_proven(pool, lane, until)
    except Exception as error:
        cause = _as_ours(error, began)
        if lane.give_up(cause):
            lane.fail_all(cause)
        return
    pool.give(slot)
    pool.see_to_waiting(lane)


def _open_proven(pool: Pool, lane: Lane, until: float) -> Steps[Slot]:
    """Open a connection that was counted, prepare what is hot, ask it something."""
    began = monotonic()
    generation = lane.generation
    slot: Slot | None = None
    connection: Any = None
    try:
        limit = pool.learned.limit(until - began)
        try:
            location = yield from _locate(pool, lane)
            connection = yield pool.io.open(location, limit)
        except errors.AuthenticationFailed:
            if pool.options.credentials is None:
                raise
            # A token may have run out on the way; the callback has another.
            location = yield from _locate(pool, lane)
            connection = yield pool.io.open(location, until - monotonic())
        expires = began + pool.options.lifetime_seconds
        if lane.is_lasting:
            expires = float("inf")
        slot = Slot(lane, connection, generation, expires, *pool.io.reach(connection))
        slot.limit(max(1, int(1000 * (until - monotonic()))))
        yield from _make_ready(pool, slot)
    except BaseException as error:
        lane.miss(_as_ours(error, began))
        pool.metrics.count("connect_failures", fault=getattr(error, "fault", ""))
        if connection is not None:
            with suppress(errors.Error):
                yield pool.io.close(connection)
        raise
    lane.add(slot)
    pool.metrics.count("connects")
    pool.metrics.observe("connect_seconds", monotonic() - began)
    return slot


def _make_ready(pool: Pool, slot: Slot) -> Steps[None]:
    """Do with a new connection all that comes before its first use."""
    lane, connection = slot.lane, slot.connection
    if pool.backend == "sqlite" and not lane.is_reader:
        # So that readers and the writer do not wait for each other. A database in
        # memory stays as it is, and one that cannot be written may be read.
        with suppress(errors.ReadOnly):
            yield pool.io.script(connection, "PRAGMA journal_mode = WAL")
    if pool.options.on_connect is not None:
        yield pool.io.call(pool.options.on_connect, connection)
        if slot.conversation.handle.in_transaction:
            yield pool.io.rollback(connection)
    if pool.backend == "sqlite" and lane.is_reader:
        yield pool.io.script(connection, "PRAGMA query_only = ON")
    handle = slot.conversation.handle
    if pool.backend == "postgres" and handle.about(_STRINGS) == "off":
        pool.is_text_clear = False
    for sql in pool.options.hot:
        yield pool.io.prepare(connection, sql)
    yield pool.io.ask(slot, "SELECT 1")


def _locate(pool: Pool, lane: Lane) -> Steps[Location]:
    callback = pool.options.credentials
    if callback is None:
        return lane.location
    try:
        given = yield pool.io.call(callback)
    except errors.Error:
        raise
    except Exception as error:
        # Not chained: what it says may be a secret.
        raise errors.CredentialsFailed(f"raised a `{type(error).__name__}`") from None
    words, valid_seconds = credentials_of(given)
    if valid_seconds is not None:
        pool.credentials_until = monotonic() + valid_seconds
    return with_credentials(lane.location, words)
