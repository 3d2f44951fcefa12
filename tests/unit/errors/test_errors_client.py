"""What a client fails with: the words of each message, and its fields."""

from __future__ import annotations

import pickle

import pytest

from engineroom import errors
from engineroom.errors import client

REFUSED = errors.ConnectFailed("Connection refused", hint="see whether it runs")

MESSAGES = {
    "NotConnected": (
        errors.NotConnected("failed"),
        (
            "ER2601: The client is not connected: it is `failed`\n\n"
            "hint: `client.state` tells why; `client.reconnect()` tries anew"
        ),
    ),
    "ClientClosed": (
        errors.ClientClosed(),
        (
            "ER2602: The client is not connected: it is `closed`\n\n"
            "hint: open a new client with `engineroom.open()`"
        ),
    ),
    "WarmUpFailed": (
        errors.WarmUpFailed(REFUSED, attempts=3, seconds=1.52),
        (
            "ER2603: The client did not become ready in 3 attempts and 1.5 s: "
            "ER2106 Connection refused\n\nhint: see whether it runs"
        ),
    ),
    "WarmUpTimedOut": (
        errors.WarmUpTimedOut(REFUSED, attempts=1, seconds=2.5, budget_seconds=2.5),
        (
            "ER2604: The client did not become ready within 2.5 s, in 1 attempt; the "
            "last failed with ER2106 Connection refused\n\nhint: see whether it runs"
        ),
    ),
    "PoolExhausted": (
        errors.PoolExhausted(
            size=10,
            in_use=10,
            waiting=37,
            waited_seconds=4.0,
            oldest_seconds=12.34,
            oldest_at="shop/orders.py:41",
        ),
        (
            "ER2605: No connection came free in 4.00 s: 10 of 10 are in use and 37 "
            "callers wait; the "
            "oldest lease is 12.3 s old, taken at `shop/orders.py:41`\n\n"
            "hint: give connections back sooner, or make the pool larger with "
            "`max_size`"
        ),
    ),
    "DeadlineExceeded": (
        errors.DeadlineExceeded(
            4.0,
            spent={"waiting": 0.0, "connecting": 1.2, "querying": 2.3, "pausing": 0.5},
            doing="querying",
            attempts=2,
            was_sent=True,
        ),
        (
            "ER2606: The call did not end within 4 s; it was querying, in attempt 2\n\n"
            "time: connecting 1.20 s, querying 2.30 s, pausing 0.50 s\n\n"
            "hint: see what the server is doing; `client.snapshot()` tells which "
            "statements are slow"
        ),
    ),
    "StateMoveRefused": (
        errors.StateMoveRefused("closed", "ready"),
        (
            "ER2607: A client that is `closed` cannot become `ready`\n\n"
            "hint: this is a fault in Engineroom; report it with the traceback"
        ),
    ),
    "StalePlan": (
        errors.StalePlan("Cached plan must not change result type", hint="run it"),
        "ER2608: Cached plan must not change result type\n\nhint: run it",
    ),
    "LeaseEnded": (
        errors.LeaseEnded(),
        (
            "ER2609: The lease of this connection has ended\n\n"
            "hint: use it inside the `with` block that lends it"
        ),
    ),
    "OptionRefused": (
        errors.OptionRefused("max_size", 0, "it has to be 1 or more", hint="give 10"),
        "ER2610: The option `max_size` is `0`: it has to be 1 or more\n\nhint: give 10",
    ),
    "CredentialsFailed": (
        errors.CredentialsFailed("raised `TokenExpired`"),
        (
            "ER2611: The callback `credentials` raised `TokenExpired`\n\n"
            "hint: it has to return a mapping with `user`, `password` or both"
        ),
    ),
    "MetricsUnreachable": (
        errors.MetricsUnreachable("http://127.0.0.1:9/metrics.json", "refused"),
        (
            "ER2612: No metrics came from `http://127.0.0.1:9/metrics.json`: refused"
            "\n\nhint: see whether the service runs and mounts `health_app()` there"
        ),
    ),
    "MetricsNotUnderstood": (
        errors.MetricsNotUnderstood("http://127.0.0.1:9/", "it is HTML"),
        (
            "ER2613: What came from `http://127.0.0.1:9/` is not a client's metrics: "
            "it is HTML\n\nhint: give the address of `/metrics.json` of `health_app()`"
        ),
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_each_message_has_these_words(name):
    error, words = MESSAGES[name]
    assert type(error).__name__ == name
    assert str(error) == words


def test_every_error_of_a_client_has_its_words_above():
    own = {
        kind.__name__
        for kind in vars(client).values()
        if isinstance(kind, type) and kind.__module__ == client.__name__
    }
    assert own == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_each_crosses_to_another_process(name):
    error, words = MESSAGES[name]
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == words
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("doing", "hint"),
    [
        ("waiting", "max_size"),
        ("warming", "engineroom health"),
        ("connecting", "engineroom health"),
        ("querying", "snapshot"),
        ("pausing", "__cause__"),
    ],
)
def test_a_deadline_advises_by_what_it_ended_in(doing, hint):
    error = errors.DeadlineExceeded(4.0, spent={doing: 4.0}, doing=doing)
    assert hint in error.hint
    assert error.account == f"{doing} 4.00 s"


def test_an_option_that_is_not_there_is_told_without_its_value():
    error = errors.OptionRefused("max_sise", "", "there is no such option")
    assert error.message == "The option `max_sise`: there is no such option"


def test_exhaustion_of_a_single_writer_does_not_call_for_more():
    error = errors.PoolExhausted(
        size=1,
        in_use=1,
        waiting=1,
        waited_seconds=0.5,
        oldest_seconds=2.0,
        is_fixed=True,
    )
    assert "1 of 1 are in use and 1 caller waits" in error.message
    assert error.message.endswith("the oldest lease is 2.0 s old")
    assert error.hint == "give connections back sooner"


def test_a_warm_up_says_of_itself_what_its_reason_says():
    reason = errors.InvalidPassword("password authentication failed")
    error = errors.WarmUpFailed(reason, attempts=1, seconds=0.1)
    assert error.__cause__ is reason
    assert (error.fault, error.retryable) == ("access", False)
    error = errors.WarmUpFailed(REFUSED, attempts=1, seconds=0.1)
    assert (error.fault, error.retryable) == ("unreachable", True)
    late = errors.WarmUpTimedOut(attempts=1, seconds=2.5, budget_seconds=2.5)
    assert (late.fault, late.retryable) == ("connect-timeout", True)


def test_what_another_program_raised_is_named_and_not_quoted():
    error = errors.WarmUpFailed(ValueError("hunter2"), attempts=1, seconds=0.1)
    assert "`ValueError`" in str(error)
    assert "hunter2" not in str(error)
    assert error.fault == "unreachable"
