"""Health: a query by the way of all queries, for many who ask at once."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from .plain import all_at_once

if TYPE_CHECKING:
    from pathlib import Path

    from faults.gate import Gate
    from postgres.cluster import Cluster

    from .conftest import Open


def counters(client: Any) -> dict[str, int]:
    found: dict[str, int] = client.snapshot()["counters"]
    return found


def queries(client: Any) -> int:
    return counters(client)["queries"]


def test_health_is_a_query_like_any_other(open_client: Open, url: str) -> None:
    client = open_client(url)
    before = queries(client)
    health = client.health()
    assert health.is_healthy
    assert (health.state, health.error, health.is_cached) == ("ready", None, False)
    assert 0 < health.seconds < 1
    assert queries(client) == before + 1
    assert counters(client)["health_checks{result=pass}"] == 1
    shapes = {shape["shape"] for shape in client.snapshot()["shapes"]}
    assert "select ?" in shapes
    assert json.loads(json.dumps(health.as_dict()))["is_healthy"] is True


def test_an_answer_is_given_again_for_a_while(open_client: Open, url: str) -> None:
    client = open_client(url, health_cache_seconds=1)
    first = client.health()
    before = queries(client)
    again = client.health()
    assert again.is_cached
    assert again.seconds == first.seconds
    assert queries(client) == before
    assert counters(client)["health_cached"] == 1


def test_no_answer_is_given_again_where_none_shall_be(
    open_client: Open, url: str
) -> None:
    client = open_client(url, health_cache_seconds=0)
    before = queries(client)
    assert [client.health().is_cached for _ in range(3)] == [False] * 3
    assert queries(client) == before + 3


def test_many_who_ask_at_once_are_served_by_one_query(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    client = open_client(gate_url, health_cache_seconds=0, health_seconds=5)
    before = queries(client)
    gate.slow(200)  # bytes a second, and the answer has some sixty
    answers = [outcome.value for outcome in all_at_once([client.health] * 8)]
    assert {answer.is_healthy for answer in answers} == {True}
    assert queries(client) == before + 1
    gate.heal()


def test_health_waits_for_the_warm_up_and_says_yes(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    gate.slow(20_000)
    client = open_client(gate_url, start="background", health_seconds=4)
    assert client.state.name in ("new", "connecting", "warming")
    assert not client.is_ready
    assert client.is_alive
    assert client.health().is_healthy
    assert client.is_ready
    assert client.fetchvalue("SELECT 42") == 42
    assert "disconnects" not in str(counters(client))


def test_health_has_a_deadline_of_its_own(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    options = {"health_cache_seconds": 0, "deadline_seconds": 30}
    client = open_client(gate_url, health_seconds=0.2, **options)
    gate.hold()
    began = time.monotonic()
    health = client.health()
    assert time.monotonic() - began < 1
    assert not health.is_healthy
    assert health.error.code == "ER2606"
    gate.heal()
    assert client.health().is_healthy


def test_all_who_ask_hear_no_within_the_deadline(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    client = open_client(gate_url, health_seconds=0.3, health_cache_seconds=0)
    gate.hold()
    for outcome in all_at_once([client.health] * 6):
        assert not outcome.value.is_healthy
        assert outcome.seconds < 0.3 + 0.5
    gate.heal()


def test_health_says_why_it_is_not_well(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    client = open_client(gate_url, pauses_seconds=(0.01,))
    gate.refuse()
    health = client.health()
    assert not health.is_healthy
    assert health.error.fault == "unreachable"
    assert client.is_alive
    assert not client.is_ready
    assert counters(client)["health_checks{result=fail}"] == 1
    gate.heal()
    assert client.fetchvalue("SELECT 42") == 42
    assert client.health().is_healthy, "a query has shown that it is well again"


def test_health_that_passed_while_queries_fail_is_counted(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    client = open_client(gate_url, health_cache_seconds=1, pauses_seconds=(0.01,))
    assert client.health().is_healthy
    gate.refuse()
    try:
        client.fetchvalue("SELECT 1")
    except Exception as error:
        assert error.fault == "unreachable"  # noqa: PT017 - any other is a surprise
    kind = "health_disagreements{kind=health passed, query failed}"
    assert counters(client)[kind] == 1
    assert not client.health().is_healthy, "the answer was forgotten"
    gate.heal()


def test_health_of_a_pool_that_is_used_up(open_client: Open, server_url: str) -> None:
    client = open_client(server_url, max_size=1, health_seconds=0.1)
    with client.connection():
        health = client.health()
        assert not health.is_healthy
        assert health.error.fault == "capacity"
        assert client.is_ready, "it has connections, which are all in use"


def test_health_of_a_file_that_is_missing(open_client: Open, tmp_path: Path) -> None:
    client = open_client(f"sqlite:///{tmp_path}/none.db", start="first use")
    health = client.health()
    assert (health.is_healthy, health.state) == (False, "failed")
    assert health.error.fault == "unreachable"
    assert health.error.hint


def test_readiness_follows_the_connections(open_client: Open, cluster: Cluster) -> None:
    client = open_client(cluster.url(), max_size=1)
    assert client.is_ready
    cluster.terminate()
    client.fetchvalue("SELECT 1")
    assert client.is_ready
    client.close()
    assert not client.is_ready
    assert client.is_alive
