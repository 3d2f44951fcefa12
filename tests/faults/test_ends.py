"""Opening, asking for health and closing while the server is in trouble.

Each has an end of its own, which comes in time whatever the server does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from postgres.programs import wait_until

from engineroom import errors

from .plays import DEADLINE_SECONDS, SLACK_SECONDS, seconds_until_healthy
from .styles import measured, own_threads

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from .figures import Figures
    from .gate import Gate
    from .styles import Style

HEALTH_SECONDS = 1.0
SOON_SECONDS = 0.5

# How each begins, and whether a connection that is tried hears nothing at all.
TROUBLES: dict[str, tuple[Callable[[Any], None], bool]] = {
    "refused": (lambda gate: gate.refuse(), False),
    "black hole": (lambda gate: gate.swallow(), True),
    "unanswered": (lambda gate: gate.leave_unanswered(), True),
    "slow reply": (lambda gate: gate.slow(10), True),
    "replies reset": (lambda gate: gate.reset_replies(3), False),
    "garbage": (lambda gate: gate.garble(), False),
}
SILENT = {name for name, (_, is_silent) in TROUBLES.items() if is_silent}


@pytest.fixture(params=TROUBLES)
def trouble(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def clients_threads() -> set[threading.Thread]:
    """Return the threads that clients have started; the gate's are others."""
    return {one for one in own_threads() if one.name.startswith("engineroom")}


def begin(trouble: str, gate: Gate) -> None:
    TROUBLES[trouble][0](gate)


def test_opening_in_trouble_fails_in_time_and_leaves_nothing(
    style: Style, trouble: str, gate: Gate, gate_url: str, figures: Figures
) -> None:
    threads = clients_threads()
    begin(trouble, gate)

    def open_and_close() -> None:
        with style.open(gate_url):
            pass

    outcome = measured(open_and_close)
    expected = errors.WarmUpTimedOut if trouble in SILENT else errors.WarmUpFailed
    assert type(outcome.error) is expected
    assert isinstance(outcome.error.__cause__, errors.Error)
    assert outcome.seconds <= DEADLINE_SECONDS + SLACK_SECONDS
    figures.note_longest("opening in trouble", outcome.seconds)
    gate.heal()
    wait_until(lambda: gate.open == 0, "no connection is left", seconds=2)
    wait_until(lambda: clients_threads() <= threads, "no thread is left", seconds=2)


def test_health_in_trouble_is_told_within_its_second(
    style: Style, trouble: str, gate: Gate, gate_url: str, figures: Figures
) -> None:
    with style.open(gate_url, health_cache_seconds=0) as caller:
        assert caller.call("health").is_healthy
        begin(trouble, gate)
        caller.call("reconnect")
        outcome = measured(lambda: caller.call("health"))
        health: Any = outcome.value
        assert outcome.error is None
        assert outcome.seconds <= HEALTH_SECONDS + SLACK_SECONDS
        assert not health.is_healthy
        assert health.error.fault
        figures.note_longest("health in trouble", outcome.seconds)
        gate.heal()
        assert seconds_until_healthy(caller) <= HEALTH_SECONDS + SLACK_SECONDS


def test_closing_in_trouble_ends_soon(
    style: Style, trouble: str, gate: Gate, gate_url: str, figures: Figures
) -> None:
    with style.open(gate_url, min_size=2) as caller:
        begin(trouble, gate)
        outcome = measured(lambda: caller.call("close"))
        assert outcome.error is None
        assert outcome.seconds < SOON_SECONDS
        assert caller.client.state.name == "closed"
        figures.note_longest("closing in trouble", outcome.seconds)
