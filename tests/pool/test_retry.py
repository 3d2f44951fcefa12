"""What is done again after which failure: the whole table, and the pauses."""

from __future__ import annotations

import contextvars
import itertools
from typing import Any

import pytest

from engineroom import errors
from engineroom.pool.deadline import Deadline
from engineroom.pool.options import Options
from engineroom.pool.retry import (
    decide,
    has_given_up,
    note_given_up,
    pause_after,
    was_undone,
)

OPTIONS = Options({"jitter": 0.0})


def failure(kind: type[errors.Error], *, sent: bool, severity: str = "") -> Any:
    error = kind("It went wrong", hint="")
    error.was_sent = sent
    if severity:
        assert isinstance(error, errors.DatabaseError)
        error.severity = severity
    return error


# One class of each fault that may pass by itself, and some that never do.
RETRYABLE = (
    errors.ConnectFailed,
    errors.ConnectionLost,
    errors.ConnectTimedOut,
    errors.TooManyConnections,
    errors.TimedOut,
    errors.DatabaseLocked,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.ReadOnlyTransaction,
    errors.StalePlan,
)
CERTAIN = (
    errors.UniqueViolation,
    errors.SqlError,
    errors.AuthenticationFailed,
    errors.Interrupted,
    errors.DiskFull,
    errors.Misuse,
)
# What the server itself says had no effect, where it says it.
UNDONE = {
    errors.DatabaseLocked,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.ReadOnlyTransaction,
    errors.StalePlan,
    errors.TooManyConnections,
}


def expected(
    error: errors.Error, *, repeatable: bool, nested: bool, attempts: int, left: float
) -> str:
    """Say what the rules in docs/guides come to, in other words than the code."""
    if isinstance(error, CERTAIN):
        return "certain"
    is_safe = repeatable or not error.sent_to_server
    if not is_safe and not (type(error) in UNDONE and severity_of(error) == "ERROR"):
        return "may be applied"
    if nested:
        return "nested"
    if attempts >= 3:
        return "attempts"
    return "" if left > (0.5, 1.0)[attempts - 1] else "time"


def severity_of(error: errors.Error) -> str:
    return error.severity if isinstance(error, errors.DatabaseError) else ""


@pytest.mark.parametrize("kind", RETRYABLE + CERTAIN, ids=lambda kind: kind.__name__)
def test_the_table_of_decisions(kind: type[errors.Error]) -> None:
    severities = ("", "ERROR") if issubclass(kind, errors.DatabaseError) else ("",)
    cases = itertools.product(
        (True, False), severities, (True, False), (True, False), (1, 2, 3), (0.3, 9.0)
    )
    for sent, severity, repeatable, nested, attempts, left in cases:
        error = failure(kind, sent=sent, severity=severity)
        deadline = Deadline(10.0, already=10.0 - left)
        deadline.attempts = attempts
        verdict = decide(
            error,
            is_repeatable=repeatable,
            is_nested=nested,
            options=OPTIONS,
            deadline=deadline,
        )
        wanted = expected(
            error, repeatable=repeatable, nested=nested, attempts=attempts, left=left
        )
        case = (sent, severity, repeatable, nested, attempts, left)
        assert verdict.reason == wanted, case
        if wanted:
            assert verdict.pause_seconds is None, case
        else:
            assert verdict.pause_seconds == (0.5, 1.0)[attempts - 1], case


def test_what_the_engine_finds_wrong_with_an_answer_was_not_undone() -> None:
    assert not was_undone(failure(errors.StalePlan, sent=True))
    assert was_undone(failure(errors.StalePlan, sent=True, severity="ERROR"))
    assert not was_undone(
        failure(errors.TooManyConnections, sent=True, severity="FATAL")
    )


def test_pauses_follow_the_option_and_the_last_holds_for_all_that_come() -> None:
    options = Options({"jitter": 0, "pauses_seconds": [0.25, 0.75], "attempts": 9})
    assert [pause_after(n, options) for n in (1, 2, 3, 8)] == [0.25, 0.75, 0.75, 0.75]
    assert pause_after(1, Options({"pauses_seconds": ()})) == 0.0


def test_pauses_differ_by_the_jitter_and_no_more() -> None:
    options = Options({"jitter": 0.2})
    pauses = [pause_after(1, options) for _ in range(500)]
    assert 0.4 <= min(pauses) < 0.45
    assert 0.55 < max(pauses) <= 0.6


def test_who_gave_up_is_known_in_his_own_context_only() -> None:
    def give_up() -> None:
        note_given_up("call", (1,))
        assert has_given_up("call", (1,), 0.0)
        assert not has_given_up("call", (2,), 0.0)
        assert not has_given_up("another", (1,), 0.0)
        assert not has_given_up("call", (1,), float("inf")), "it has succeeded since"

    contextvars.copy_context().run(give_up)
    assert not has_given_up("call", (1,), 0.0)


def test_parameters_that_cannot_be_compared_are_not_the_same() -> None:
    class Odd:
        __hash__ = None

        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

    def give_up() -> None:
        note_given_up("call", Odd())
        assert not has_given_up("call", Odd(), 0.0)

    contextvars.copy_context().run(give_up)
