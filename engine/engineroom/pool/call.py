"""One call of a client: attempts until one succeeds, or until none is due any more."""

from __future__ import annotations

from time import monotonic

from engineroom import errors
from engineroom.pool.deadline import tell_account
from engineroom.pool.log import INFO, tell
from engineroom.pool.outcome import another
from engineroom.pool.retry import decide, has_given_up, note_given_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engineroom.pool.deadline import Deadline
    from engineroom.pool.known import Known
    from engineroom.pool.lane import Lane, Slot
    from engineroom.pool.pool import Pool, Steps

__all__ = ["Call", "fail_first", "is_demoted", "make_call"]


# How much earlier than asked an engine may say that its time was up.
_GRACE_SECONDS = 0.05


class Call:
    """What is to be done with a connection, and what may be done if that fails.

    Attributes:
        deadline: of all of it.
        given: its parameters.
        fallback: the lane to go on with where this one cannot serve it.
        is_repeatable: whether it does no harm when it is applied twice.
        is_write: whether it may change something.
        keeps: whether the connection is kept when it has succeeded.
        key: tells this call from others.
        known: the statement, where it is one.
        lane: whose connection it takes.
        work: does it; gets the connection, and is awaited in the awaited face.
    """

    __slots__ = (
        "deadline",
        "fallback",
        "given",
        "is_repeatable",
        "is_write",
        "keeps",
        "key",
        "known",
        "lane",
        "work",
    )

    def __init__(
        self,
        work: Callable[[Slot], Any],
        lane: Lane,
        deadline: Deadline,
        *,
        key: object,
        given: object = None,
        known: Known | None = None,
        is_repeatable: bool = False,
        is_write: bool = True,
        keeps: bool = False,
        fallback: Lane | None = None,
    ) -> None:
        self.work = work
        self.lane = lane
        self.deadline = deadline
        self.key = key
        self.given = given
        self.known = known
        self.is_repeatable = is_repeatable
        self.is_write = is_write
        self.keeps = keeps
        self.fallback = fallback


def make_call(pool: Pool, call: Call) -> Steps[Any]:
    """Do what is to be done, again where that is allowed and of use.

    Returns:
        What the work returned; the connection too, as a pair, where it is kept.

    Raises:
        Error: of the last attempt, with the account of all.
    """
    failure: errors.Error | None = None
    while True:
        call.deadline.attempts += 1
        slot: Slot | None = None
        try:
            slot = yield from pool.acquire(call.lane, call.deadline)
            call.deadline.enter("querying")
            slot.limit(int(call.deadline.limit() * 1000))
            began = monotonic()
            slot.is_dirty |= call.known is not None and call.known.changes_session
            result = yield pool.io.do(call.work, slot)
        except errors.Error as error:
            failure = error
        except BaseException:
            if slot is not None:
                pool.io.settle(pool.put_back(slot))
            raise
        else:
            if call.known is not None:
                rows, reader = result
                count = len(rows) or max(0, reader.changes)
                call.known.stats.add(monotonic() - began, count)
            _succeeded(pool, call, slot)
            return (result, slot) if call.keeps else result
        yield from after_failure(pool, call, slot, failure)


def fail_first(pool: Pool, call: Call, slot: Slot, error: errors.Error) -> Steps[Any]:
    """Go on with a call whose first attempt has failed already."""
    call.deadline.attempts = 1
    call.deadline.enter("querying")
    yield from after_failure(pool, call, slot, error)
    return (yield from make_call(pool, call))


def _succeeded(pool: Pool, call: Call, slot: Slot) -> None:
    if call.deadline.attempts > 1:
        pool.metrics.count("attempt_won", attempt=call.deadline.attempts)
    call.lane.last_success = slot.since = monotonic()
    if not call.keeps:
        pool.give(slot)


def after_failure(
    pool: Pool, call: Call, slot: Slot | None, error: errors.Error
) -> Steps[None]:
    """Mend what an attempt left behind, and pause before the next; or raise.

    Raises:
        Error: there is no next attempt.
    """
    deadline = call.deadline
    was_demoted = is_demoted(error, slot)
    if slot is not None:
        yield from _give_up(pool, slot, error)
    if was_demoted:
        yield from pool.retire("read-only")
    elif _goes_elsewhere(call, error):
        assert call.fallback is not None
        if call.lane.location.server is not None:
            pool.metrics.count("replica_fallbacks")
        else:
            deadline.attempts -= 1  # it was refused before anything was done
        call.lane, call.fallback = call.fallback, None
        return
    elif error.fault == "read-only":
        raise _final(pool, call, error)  # it would be refused again
    verdict = decide(
        error,
        # A lane of readers refuses what would change something.
        is_repeatable=call.is_repeatable or call.lane.is_reader,
        is_nested=has_given_up(call.key, call.given, call.lane.last_success),
        options=pool.options,
        deadline=deadline,
    )
    if verdict.pause_seconds is None:
        if verdict.reason == "nested":
            pool.metrics.count("nested_retries")
        if verdict.reason in ("attempts", "time", "nested"):
            pool.metrics.count("attempts_exhausted")
            note_given_up(call.key, call.given)
        raise _final(pool, call, error)
    pool.metrics.count("retries", fault=error.fault)
    pause = verdict.pause_seconds
    message = f"Attempt {deadline.attempts} failed, the next is in {pause:.2f} s: "
    tell(
        INFO, "retry", message + error.message, attempt=deadline.attempts,
        pause_seconds=pause, code=error.code, fault=error.fault,
    )  # fmt: skip
    deadline.enter("pausing")
    yield pool.io.pause(pause)


def _give_up(pool: Pool, slot: Slot, error: errors.Error) -> Steps[None]:
    """Give a connection back that something has failed on, or throw it away."""
    if pool.is_broken(slot):
        yield from pool.lose(slot, error.fault)
    elif slot.conversation.handle.in_transaction or slot.is_dirty:
        yield from pool.put_back(slot)
    else:
        pool.give(slot)


def is_demoted(error: errors.Error, slot: Slot | None) -> bool:
    """Whether a server that was written to has become one that can only be read."""
    if error.fault != "read-only" or slot is None or slot.lane.is_reader:
        return False
    handle = slot.conversation.handle
    if handle.is_closed or not slot.conversation.is_server:
        return False
    return handle.about("parameter:in_hot_standby") == "on"


def _goes_elsewhere(call: Call, error: errors.Error) -> bool:
    """Whether another lane serves what this one could not."""
    if call.fallback is None:
        return False
    if call.lane.location.server is None:
        return error.fault == "read-only"  # it was taken for a read, and writes
    # A replica changes nothing, so what failed there may be done elsewhere.
    return error.retryable and error.fault != "read-only"


def _final(pool: Pool, call: Call, error: errors.Error) -> errors.Error:
    """Return the error that the caller gets, with what used the time."""
    deadline = call.deadline
    spent = deadline.account()
    pool.on_failure(error)
    # The engine counts in milliseconds and is woken when it is its turn.
    if _is_ours(error) and deadline.left() <= deadline.reserve + _GRACE_SECONDS:
        late = errors.DeadlineExceeded(
            deadline.seconds,
            spent=spent,
            doing="querying",
            attempts=deadline.attempts,
            was_sent=error.sent_to_server,
        )
        late.__cause__ = error
        error = late
        pool.metrics.count("timeouts", phase="querying")
    if call.known is not None:
        call.known.stats.add_error(error.fault, deadline.elapsed())
    error = another(error) if error.account else error
    if isinstance(error, errors.DatabaseError):
        error.attempts = deadline.attempts
    error.account = tell_account(spent, deadline.attempts)
    return error


def _is_ours(error: errors.Error) -> bool:
    """Whether the engine's time was up, which the deadline had set."""
    if isinstance(error, (errors.DeadlineExceeded, errors.ConnectFailed)):
        return False
    return isinstance(error, errors.TimedOut)
