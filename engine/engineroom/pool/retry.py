"""The one retry layer: what is done again after which failure, and when not.

Everything here is decided and nothing done. A statement is done again where it is
certain that it cannot be applied twice: it reads and stands alone, it never reached the
server, the server refused it and undid it, or whoever wrote it calls it idempotent.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom import errors
    from engineroom.pool.deadline import Deadline
    from engineroom.pool.options import Options

__all__ = ["Verdict", "decide", "has_given_up", "note_given_up"]

# How long after this layer gave up the same call from the same context is taken for
# the work of another retry layer around it.
_NESTED_SECONDS = 2.0

# What gave up last in this thread or task: a key, what it was given, and when.
_given_up: ContextVar[tuple[object, object, float] | None] = ContextVar(
    "engineroom_given_up", default=None
)


class Verdict:
    """What follows a failure.

    Attributes:
        pause_seconds: before the next attempt; None where there is none.
        reason: why there is none: `certain`, `may be applied`, `attempts`, `time` or
            `nested`; empty where there is one.
    """

    __slots__ = ("pause_seconds", "reason")

    def __init__(self, pause_seconds: float | None, reason: str = "") -> None:
        self.pause_seconds = pause_seconds
        self.reason = reason


def decide(
    error: errors.Error,
    *,
    is_repeatable: bool,
    is_nested: bool,
    options: Options,
    deadline: Deadline,
) -> Verdict:
    """Return what follows a failed attempt.

    Args:
        error: what it failed with.
        is_repeatable: whether it does no harm when it is applied twice.
        is_nested: whether another retry layer asked for it again.
        options: how many attempts and which pauses.
        deadline: knows how many attempts were made, and what time is left.
    """
    if not error.retryable:
        return Verdict(None, "certain")
    if error.sent_to_server and not is_repeatable and not was_undone(error):
        return Verdict(None, "may be applied")
    if is_nested:
        return Verdict(None, "nested")
    if deadline.attempts >= options.attempts:
        return Verdict(None, "attempts")
    pause = pause_after(deadline.attempts, options)
    if pause >= deadline.left():
        return Verdict(None, "time")
    return Verdict(pause)


# Faults of which the server says that the statement had no effect, where it says so.
_UNDONE = frozenset(
    ("serialisation", "lock-timeout", "capacity", "stale-plan", "read-only")
)


def was_undone(error: errors.Error) -> bool:
    """Whether the statement is known to have had no effect, though it was sent.

    Only where the server itself refused it and goes on: what the engine finds wrong
    with an answer comes after the statement was run.
    """
    return error.fault in _UNDONE and getattr(error, "severity", "") == "ERROR"


def pause_after(attempt: int, options: Options) -> float:
    """Return the seconds to pause after an attempt, counted from 1, with jitter."""
    pauses = options.pauses_seconds
    if not pauses:
        return 0.0
    import random  # five milliseconds that only those pay who pause

    pause = pauses[min(attempt, len(pauses)) - 1]
    # Not for secrets: so that many clients do not come back at the same moment.
    return pause * (1 + options.jitter * random.uniform(-1, 1))  # noqa: S311


def note_given_up(key: object, given: object) -> None:
    """Note that this layer has done what it could, for whoever asks again at once."""
    _given_up.set((key, given, monotonic()))


def has_given_up(key: object, given: object, last_success: float) -> bool:
    """Whether this context was told a moment ago that the same call had failed.

    Args:
        key: what is called.
        given: its parameters.
        last_success: when a call last succeeded, as `time.monotonic()` counts.
    """
    noted = _given_up.get()
    if noted is None or noted[0] != key or last_success > noted[2]:
        return False
    return monotonic() - noted[2] < _NESTED_SECONDS and _are_same(noted[1], given)


def _are_same(one: object, other: object) -> bool:
    if one is other:
        return True
    try:
        return bool(one == other)
    except Exception:
        return False  # of a kind that cannot be compared, as arrays
