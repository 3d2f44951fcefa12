"""How a pool is kept: who gets a connection next, and which are replaced when."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from postgres.programs import wait_until

import engineroom
import engineroom.aio
from engineroom import errors

from .plain import all_at_once

if TYPE_CHECKING:
    from faults.styles import Style
    from postgres.cluster import Cluster

    from .conftest import Open

PID = "SELECT pg_backend_pid()"


def counters(client: Any) -> dict[str, int]:
    found: dict[str, int] = client.snapshot()["counters"]
    return found


def gauge(client: Any, name: str) -> float:
    found: float = client.snapshot()["gauges"][f"{name}{{lane=primary}}"]
    return found


# Who waits.


def test_a_pool_that_is_used_up_says_by_whom(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, max_size=2)
    with client.connection() as connection, client.connection():
        with pytest.raises(errors.PoolExhausted) as exhausted:
            client.execute("SELECT 1", deadline_seconds=0.1)
        error = exhausted.value
        assert (error.size, error.in_use, error.waiting) == (2, 2, 1)
        assert 0.1 <= error.waited_seconds < 1
        assert error.oldest_seconds is not None
        assert error.oldest_seconds >= error.waited_seconds
        if isinstance(connection, engineroom.Connection):  # a loop has no frame of ours
            assert error.oldest_at.startswith(f"{__file__}:")
            assert error.oldest_at in error.message
        assert error.retryable
        assert not error.sent_to_server
        assert error.fault == "capacity"
        assert "waiting" in error.account
    assert client.fetchvalue("SELECT 42") == 42
    assert counters(client)["timeouts{phase=waiting}"] == 1


def test_all_who_wait_in_vain_are_counted(open_client: Open, server_url: str) -> None:
    client = open_client(server_url, max_size=1)
    with client.connection():
        asked = [lambda: client.execute("SELECT 1", deadline_seconds=0.3)] * 5
        outcomes = all_at_once(asked)
    seen = set()
    for outcome in outcomes:
        assert isinstance(outcome.error, errors.PoolExhausted)
        seen.add(outcome.error.waiting)
    assert max(seen) == 5
    assert gauge(client, "pool_waiting") == 0


def test_who_came_first_is_served_first(open_client: Open, server_url: str) -> None:
    client = open_client(server_url, max_size=1, deadline_seconds=20)
    client.execute("CREATE TABLE served (place serial, number int)")
    threads = []
    with client.connection():
        for number in range(20):
            sql = "INSERT INTO served (number) VALUES (?)"
            thread = threading.Thread(target=client.execute, args=(sql, (number,)))
            thread.start()
            threads.append(thread)
            wait_until(lambda: gauge(client, "pool_waiting") == len(threads), "waits")
    for thread in threads:
        thread.join()
    rows = client.fetchall("SELECT number FROM served ORDER BY place")
    assert [number for (number,) in rows] == [*range(20)]


def test_ten_thousand_tasks_wait_their_turn_and_no_longer(
    server_url: str, record_property: Any
) -> None:
    async def everything() -> list[float]:
        order = []
        waits = []

        async def one(number: int) -> None:
            began = time.monotonic()
            async with client.connection() as connection:
                waits.append(time.monotonic() - began)
                order.append(number)
                await connection.execute("SELECT 1")

        options: Any = {"max_size": 4, "deadline_seconds": 60}
        async with engineroom.aio.open(server_url, **options) as client:
            await asyncio.gather(*map(one, range(10_000)))
        assert order == sorted(order)
        return waits

    waits = asyncio.run(everything())
    record_property("longest_over_median", f"{max(waits) / median(waits):.2f}")
    assert max(waits) <= 3 * median(waits)


def test_who_stops_waiting_leaves_the_line(open_client: Open, server_url: str) -> None:
    client = open_client(server_url, max_size=1)
    with client.connection():
        for _ in range(20):
            with pytest.raises(errors.PoolExhausted):
                client.execute("SELECT 1", deadline_seconds=0.01)
        assert gauge(client, "pool_waiting") == 0
    assert client.fetchvalue("SELECT 42") == 42


def test_a_lease_that_lasts_is_reported_once(
    open_client: Open, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_client(url, leak_seconds=0.05)
    with client.connection() as connection:
        wait_until(lambda: counters(client).get("leaks", 0) > 0, "it is reported")
        connection.execute("SELECT 1")
        (record,) = [r for r in caplog.records if "not given back" in r.getMessage()]
        assert (record.name, record.levelno) == ("engineroom", logging.WARNING)
        if isinstance(connection, engineroom.Connection):
            where = "test_a_lease_that_lasts_is_reported_once"
            assert f"{__file__}:" in record.getMessage()
            assert where in record.getMessage()
        (lease,) = client.leases()
        assert lease.is_reported
    assert counters(client)["leaks"] == 1


# Generations.


def test_reconnecting_replaces_idle_ones_at_once_and_lent_ones_when_they_return(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), max_size=2, min_size=2)
    before = client.snapshot()["gauges"]["generation"]
    with client.connection() as connection:
        lent = connection.execute(PID).fetchone()[0]
        client.reconnect()
        wait_until(lambda: lent in cluster.backends(), "the lent one lives")
        assert connection.execute(PID).fetchone() == (lent,)
        assert client.snapshot()["gauges"]["generation"] > before
    wait_until(lambda: lent not in cluster.backends(), "it has gone")
    assert client.fetchvalue(PID) != lent
    found = counters(client)
    assert found["disconnects{reason=reconnect}"] == 1
    assert found["disconnects{reason=generation}"] == 1


def test_a_connection_that_the_server_ended_is_not_handed_out(
    open_client: Open, cluster: Cluster
) -> None:
    options = {"min_size": 3, "max_size": 3, "pauses_seconds": (0.01,)}
    client = open_client(cluster.url(), **options)
    before = client.snapshot()["gauges"]["generation"]
    cluster.terminate()
    assert client.fetchvalue("SELECT 42") == 42
    assert client.snapshot()["gauges"]["generation"] > before
    outcomes = all_at_once([lambda: client.fetchvalue(PID)] * 6)
    assert {outcome.error for outcome in outcomes} == {None}
    assert client.state.name == "ready"


def test_a_write_is_not_sent_into_a_dead_connection(
    open_client: Open, cluster: Cluster, server_url: str
) -> None:
    client = open_client(server_url, max_size=2, min_size=2)
    client.execute("CREATE TABLE kept (n int)")
    cluster.terminate()
    client.execute("INSERT INTO kept VALUES (1)")
    assert client.fetchall("SELECT n FROM kept") == [(1,)]


def test_one_that_breaks_in_a_lease_does_not_come_back(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), max_size=1)
    with client.connection() as connection:
        broken = connection.execute(PID).fetchone()[0]
        cluster.terminate()
        with pytest.raises(errors.DatabaseError) as lost:
            connection.execute("SELECT 1")
        assert lost.value.poisons_connection
    assert client.fetchvalue(PID) != broken
    assert gauge(client, "pool_size") == 1


def asked(cluster: Cluster) -> list[list[str]]:
    """Return when each of the owner's connections was last asked something."""
    return cluster.run(
        "SELECT pid, query_start FROM pg_stat_activity WHERE usename = 'engine'"
    )


def test_a_connection_that_lay_idle_is_asked_before_it_is_handed_out(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), max_size=1, validate_seconds=30)
    before = asked(cluster)
    with client.connection():  # in which nothing is run
        assert asked(cluster) == before, "it was used a moment ago"
    client._write_lane.idle[0].since -= 60
    with client.connection():
        assert asked(cluster) != before


def test_a_connection_whose_sibling_was_lost_is_asked_before_it_is_handed_out(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), max_size=2, min_size=2)
    with client.connection() as connection:
        (pid,) = connection.execute(PID).fetchone()
        cluster.run(f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(errors.DatabaseError):
            connection.execute("SELECT 1")
    before = asked(cluster)
    with client.connection():
        assert asked(cluster) != before
    assert counters(client)["disconnects{reason=broken}"] == 1


# Age.


def test_a_connection_is_replaced_when_it_has_lived_long_enough(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), max_size=1, lifetime_seconds=0.05)
    first = client.fetchvalue(PID)
    wait_until(lambda: client.fetchvalue(PID) != first, "another one serves")
    wait_until(lambda: first not in cluster.backends(), "the first one has ended")


def test_connections_beyond_the_least_are_closed_when_unused(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), min_size=2, max_size=5, idle_seconds=0.1)
    with ExitStack() as leases:
        for _ in range(5):
            leases.enter_context(client.connection())
        wait_until(lambda: len(cluster.backends()) == 5, "there are five")
    wait_until(lambda: gauge(client, "pool_size") == 2, "two are left")
    wait_until(lambda: len(cluster.backends()) == 2, "two are left at the server")
    assert counters(client)["disconnects{reason=age}"] == 3


def test_connections_that_were_lost_are_replaced_up_to_the_least(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), min_size=3, max_size=5, leak_seconds=0.2)
    assert gauge(client, "pool_size") == 3
    with client.connection() as connection:
        (pid,) = connection.execute(PID).fetchone()
        cluster.run(f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(errors.DatabaseError):
            connection.execute("SELECT 1")
    wait_until(lambda: len(cluster.backends()) == 3, "there are three again")
    wait_until(lambda: gauge(client, "pool_size") == 3, "and the books say so")


def test_a_pool_whose_least_is_none_starts_again(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), min_size=0, max_size=2, idle_seconds=0.05)
    wait_until(lambda: gauge(client, "pool_size") == 0, "none is left")
    assert not client.is_ready
    assert client.fetchvalue("SELECT 42") == 42
    assert client.is_ready


def test_a_server_that_was_restarted_is_found_again(
    open_client: Open, cluster: Cluster, style: Style
) -> None:
    client = open_client(cluster.url(), min_size=2, max_size=4, pauses_seconds=(0.05,))
    cluster.restart()
    outcomes = all_at_once([lambda: client.fetchvalue("SELECT 42")] * 4)
    assert [outcome.value for outcome in outcomes] == [42] * 4, style
    assert client.state.name == "ready"
