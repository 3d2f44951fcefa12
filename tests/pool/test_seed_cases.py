"""The four cases that this client was built for, as they went wrong elsewhere.

A first query met an engine that was not connected yet; requests during the warm-up
threw each other's connections away; health passed by another way than queries; layers
of retries slept far beyond the time that a caller had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from faults.styles import figure, measured
from postgres.programs import wait_until

from engineroom import errors

if TYPE_CHECKING:
    from pathlib import Path

    from faults.gate import Gate
    from faults.styles import Caller, Style
    from postgres.cluster import Cluster

ASK = {"postgres": "SELECT ?::int8", "sqlite": "SELECT ?"}
TOGETHER = 5
# The pauses of 0.5 s and 1.0 s, each with its tenth of jitter, and time to connect.
PAUSES = ((0.45, 0.75), (0.9, 1.3))


@pytest.fixture
def database(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database; a server is behind its gate."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path}/test.db?mode=rwc"
    cluster: Cluster = request.getfixturevalue("cluster")
    gate: Gate = request.getfixturevalue("gate")
    return cluster.url(port=gate.port, sslmode="disable")


def counted(caller: Caller, name: str) -> float:
    return figure(caller.client, "counters", name)


def test_a_cold_start_answers_its_first_query_without_a_retry(
    style: Style, database: str, backend: str
) -> None:
    with style.open(database, start="first use") as caller:
        assert caller.client.state.name == "new"
        assert caller.call("fetchvalue", ASK[backend], (42,)) == 42
        assert caller.client.state.name == "ready"
        assert counted(caller, "retries") == 0
        assert counted(caller, "connect_failures") == 0


def test_requests_during_the_warm_up_all_succeed_and_none_disconnects(
    style: Style, database: str, backend: str
) -> None:
    with style.open(database, start="background") as caller:
        calls = [(ASK[backend], (number,)) for number in range(TOGETHER)]
        outcomes = caller.together("fetchvalue", calls)
        assert [outcome.value for outcome in outcomes] == list(range(TOGETHER))
        assert counted(caller, "disconnects") == 0
        assert counted(caller, "retries") == 0


def test_health_during_the_warm_up_waits_and_what_follows_succeeds(
    style: Style, database: str, backend: str
) -> None:
    with style.open(database, start="background") as caller:
        health = caller.call("health")
        assert health.is_healthy
        assert not health.is_cached
        assert caller.client.is_ready
        for number in range(TOGETHER):
            assert caller.call("fetchvalue", ASK[backend], (number,)) == number
        assert counted(caller, "retries") == 0


def test_a_server_that_fails_is_asked_three_times_and_not_again(
    style: Style, cluster: Cluster, gate: Gate
) -> None:
    url = cluster.url(port=gate.port, sslmode="disable")
    gate.reset_replies(0)
    with style.open(url, start="first use") as caller:
        outcome = measured(lambda: caller.call("fetchvalue", "SELECT 42"))
        assert isinstance(outcome.error, errors.ConnectFailed)
        assert outcome.error.attempts == 3
        assert outcome.error.sent_to_server is False
        assert "pausing" in outcome.error.account
        assert len(gate.began) == 3
        for (least, most), before, after in zip(PAUSES, gate.began, gate.began[1:]):
            assert least < after - before < most
        assert counted(caller, "retries") == 2
        assert counted(caller, "attempts_exhausted") == 1
        with pytest.raises(TimeoutError):
            wait_until(lambda: len(gate.began) > 3, "somebody tries again", seconds=1.5)


def test_a_file_that_is_missing_is_told_at_once(style: Style, tmp_path: Path) -> None:
    """No second attempt would find it."""
    with style.open(f"sqlite:///{tmp_path}/none.db", start="first use") as caller:
        outcome = measured(lambda: caller.call("fetchvalue", "SELECT 42"))
        error: Any = outcome.error
        assert error.fault == "unreachable"
        assert error.retryable is False
        assert outcome.seconds < 0.4
        assert counted(caller, "retries") == 0
