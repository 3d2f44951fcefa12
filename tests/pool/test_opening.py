"""Opening a client: three ways to begin, and one warm-up, which is real, for all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from postgres.programs import free_port, wait_until

from engineroom import errors

from .plain import all_at_once, opened

if TYPE_CHECKING:
    from pathlib import Path

    from faults.gate import Gate
    from faults.styles import Style
    from postgres.cluster import Cluster

    from .conftest import Open

# In the blocking face they are threads, and tasks in the other.
FIRST_QUERIES = {"blocking": 100, "asyncio": 1000}


def names_of(client: Any) -> list[str]:
    return [state.name for state in client.states]


def counters(client: Any) -> dict[str, int]:
    found: dict[str, int] = client.snapshot()["counters"]
    return found


def connects(client: Any) -> int:
    return counters(client).get("connects", 0)


# The three ways.


def test_a_client_that_was_waited_for_is_ready(open_client: Open, url: str) -> None:
    client = open_client(url)
    assert client.is_ready
    assert names_of(client) == ["new", "connecting", "warming", "ready"]
    assert client.state.cause is None
    assert connects(client) >= 1
    assert client.fetchvalue("SELECT 42") == 42


def test_a_client_in_the_background_has_its_first_query_wait(
    open_client: Open, url: str
) -> None:
    client = open_client(url, start="background")
    assert client.fetchvalue("SELECT 42") == 42
    assert names_of(client) == ["new", "connecting", "warming", "ready"]
    assert "retries" not in str(counters(client).keys() - {"nested_retries"})


def test_a_client_in_the_background_becomes_ready_unasked(
    open_client: Open, url: str
) -> None:
    client = open_client(url, start="background")
    wait_until(lambda: client.is_ready, "the client is ready")


def test_a_client_of_first_use_does_nothing_before(open_client: Open, url: str) -> None:
    client = open_client(url, start="first use")
    assert (client.state.name, client.is_ready, connects(client)) == ("new", False, 0)
    client.wait_ready()
    assert client.is_ready


# Warm-up.


def test_a_warm_up_opens_the_least_and_prepares_what_is_hot(
    open_client: Open, cluster: Cluster
) -> None:
    hot = ["SELECT 1 + ?::int", "SELECT relname FROM pg_class WHERE oid = :oid"]
    client = open_client(cluster.url(), min_size=3, max_size=5, hot=hot)
    wait_until(lambda: len(cluster.backends()) == 3, "there are three")
    snapshot = client.snapshot()
    assert snapshot["gauges"]["pool_size{lane=primary}"] == 3
    assert snapshot["gauges"]["pool_idle{lane=primary}"] == 3
    assert snapshot["counters"]["warm_ups{result=ready}"] == 1
    assert snapshot["histograms"]["warm_up_seconds"]["count"] == 1
    with client.connection() as connection:
        prepared = connection.execute(
            "SELECT statement FROM pg_prepared_statements ORDER BY prepare_time"
        ).fetchall()
    texts = " ".join(text for (text,) in prepared)
    assert "SELECT 1 + $1::int" in texts
    assert "WHERE oid = $1" in texts


def test_a_hot_statement_that_is_wrong_fails_the_warm_up(
    style: Style, url: str
) -> None:
    with pytest.raises(errors.WarmUpFailed) as failed:
        opened(style, url, hot=["SELECT * FROM no_such_table"]).__enter__()
    assert isinstance(failed.value.__cause__, errors.ProgrammingError)
    assert not failed.value.retryable
    assert failed.value.attempts == 1


def test_a_warm_up_on_loopback_takes_milliseconds(
    open_client: Open, cluster: Cluster, record_property: Any
) -> None:
    open_client(cluster.url())  # what is loaded once in a process is loaded
    began = time.perf_counter()
    open_client(cluster.url())
    seconds = time.perf_counter() - began
    record_property("warm_up_seconds", f"{seconds:.4f}")
    assert seconds < 2.5


WRONG: dict[str, tuple[dict[str, Any], type[errors.Error]]] = {
    "password": ({"password": "no"}, errors.AuthenticationFailed),
    "port": ({"port": free_port()}, errors.ConnectFailed),
    "database": ({"database": "no"}, errors.InvalidCatalogName),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_who_opens_is_told_why_it_failed(
    style: Style, cluster: Cluster, wrong: str
) -> None:
    place, kind = WRONG[wrong]
    began = time.monotonic()
    with pytest.raises(errors.WarmUpFailed) as failed:
        opened(style, cluster.url(**place), pauses_seconds=(0.01,)).__enter__()
    assert time.monotonic() - began < 2.5
    reason = failed.value.__cause__
    assert isinstance(reason, kind)
    assert reason.message in failed.value.message
    assert failed.value.retryable == reason.retryable
    assert failed.value.attempts == (3 if reason.retryable else 1)


def test_a_missing_file_is_told_and_not_tried_again(
    style: Style, tmp_path: Path
) -> None:
    with pytest.raises(errors.WarmUpFailed) as failed:
        opened(style, f"sqlite:///{tmp_path}/none.db").__enter__()
    assert isinstance(failed.value.__cause__, errors.FileMissing)
    assert failed.value.attempts == 1


def test_all_who_wait_are_told_at_once(open_client: Open, cluster: Cluster) -> None:
    client = open_client(cluster.url(password="no"), start="first use")
    asked = [lambda: client.fetchvalue("SELECT 1")] * 20
    for outcome in all_at_once(asked):
        assert isinstance(outcome.error, errors.AuthenticationFailed)
        assert outcome.seconds < 2.5
    assert client.state.name == "failed"
    assert isinstance(client.state.cause, errors.AuthenticationFailed)


def test_a_server_that_never_answers_is_told_within_the_budget(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    gate.swallow()
    client = open_client(gate_url, start="first use", warm_up_seconds=0.3, attempts=1)
    began = time.monotonic()
    with pytest.raises(errors.WarmUpTimedOut) as late:
        client.fetchvalue("SELECT 1")
    assert time.monotonic() - began < 2.5
    assert client.state.name == "timed_out"
    assert isinstance(client.state.cause, errors.WarmUpTimedOut)
    assert late.value.fault == "connect-timeout"


def test_a_client_that_failed_begins_again_when_it_is_asked(
    open_client: Open, tmp_path: Path
) -> None:
    client = open_client(f"sqlite:///{tmp_path}/later.db", start="first use")
    with pytest.raises(errors.FileMissing):
        client.fetchvalue("SELECT 42")
    assert client.state.name == "failed"
    (tmp_path / "later.db").touch()
    assert client.fetchvalue("SELECT 42") == 42
    assert client.state.name == "ready"


# One warm-up for all.


def test_any_number_of_first_queries_cause_one_warm_up(
    style: Style, cluster: Cluster
) -> None:
    entry = "connection authorized: user=engine"
    before = cluster.log_text().count(entry)
    options = {"start": "first use", "max_size": 4, "deadline_seconds": 30}
    with style.open(cluster.url(), **options) as caller:
        calls = [("SELECT ?::int", (n,)) for n in range(FIRST_QUERIES[style.name])]
        outcomes = caller.together("fetchvalue", calls)
        assert [outcome.value for outcome in outcomes] == [*range(len(calls))]
        # One may be on its way for somebody who was served meanwhile.
        lane = caller.client._pool.primary
        wait_until(lambda: not lane.opening, "nothing is on its way")
        found = counters(caller.client)
        size = found["connects"]
        assert size <= 4
        wait_until(lambda: len(cluster.backends()) == size, "there are no others")
        assert cluster.log_text().count(entry) - before == size
    assert found["warm_ups{result=ready}"] == 1
    assert not any(name.startswith(("disconnects", "retries")) for name in found)


def test_five_requests_during_the_warm_up_all_succeed(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    gate.slow(20_000)
    client = open_client(gate_url, start="background", max_size=5)
    wait_until(lambda: client.state.name == "connecting", "it connects")
    outcomes = all_at_once([lambda: client.fetchvalue("SELECT 42")] * 5)
    assert [outcome.value for outcome in outcomes] == [42] * 5
    found = counters(client)
    assert not any(name.startswith(("disconnects", "retries")) for name in found)


def test_a_pool_grows_as_it_is_needed_and_no_further(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), max_size=3)
    blocks = [client.connection() for _ in range(3)]
    for size, block in enumerate(blocks, 1):
        block.__enter__()
        wait_until(lambda n=size: len(cluster.backends()) == n, "there is one more")
    with pytest.raises(errors.PoolExhausted):
        client.execute("SELECT 1", deadline_seconds=0.05)
    for block in blocks:
        block.__exit__(None, None, None)
    assert len(cluster.backends()) == 3
