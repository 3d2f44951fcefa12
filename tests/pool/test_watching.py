"""What a client tells of itself: snapshots, gauges, slow statements, repeats."""

from __future__ import annotations

import json
import logging
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from faults.styles import Awaited
from postgres.cluster import OWNER, PASSWORDS
from postgres.programs import wait_until

from engineroom import errors
from engineroom.metrics import prometheus
from engineroom.pool.states import MOVES

if TYPE_CHECKING:
    from faults.gate import Gate
    from faults.styles import Style

    from .conftest import Open

SECRET = PASSWORDS[OWNER]
VALUE = "a-value-that-nobody-may-see"


def live(client: Any) -> None:
    """Do a little of everything."""
    client.execute("CREATE TABLE t (n int PRIMARY KEY, word text)")
    client.executemany("INSERT INTO t VALUES (?, ?)", [(1, VALUE), (2, "b")])
    client.fetchall("SELECT n FROM t WHERE word = ?", (VALUE,))
    client.fetchall(f"SELECT n FROM t WHERE word = '{VALUE}'")
    with client.connection() as connection:
        connection.execute("SELECT n FROM t ORDER BY n").fetchall()
    with client.transaction() as connection:
        connection.execute("UPDATE t SET word = ? WHERE n = 2", (VALUE,))
    client.run(lambda connection: connection.execute("DELETE FROM t WHERE n = 2"))
    with pytest.raises(errors.IntegrityError):
        client.execute("INSERT INTO t VALUES (1, ?)", (VALUE,))
    with pytest.raises(errors.ProgrammingError):
        client.execute(f"SELECT '{VALUE}' FROM no_such_table")
    client.health()
    client.reconnect()
    client.fetchvalue("SELECT 1")


def test_a_snapshot_is_json_without_secrets(open_client: Open, url: str) -> None:
    client = open_client(url, slow_seconds=0)
    live(client)
    client.close()
    snapshot = client.snapshot()
    text = json.dumps(snapshot, allow_nan=False)
    assert json.loads(text) == snapshot
    for shown in (text, prometheus(client.metrics), repr(client), client.url):
        assert SECRET not in shown
        assert VALUE not in shown
    assert snapshot["format"] == 1
    assert snapshot["backend"] in url
    assert snapshot["state"]["name"] == "closed"
    assert snapshot["url"] == client.url


def test_what_was_done_is_counted(open_client: Open, url: str) -> None:
    client = open_client(url)
    live(client)
    snapshot = client.snapshot()
    counters = snapshot["counters"]
    assert counters["leases"] == 3
    assert counters["query_errors{fault=data-refused}"] == 1
    assert counters["query_errors{fault=statement}"] == 1
    assert counters["health_checks{result=pass}"] == 1
    assert counters["connects"] >= 2
    shapes = {shape["shape"]: shape for shape in snapshot["shapes"]}
    assert shapes["select n from t where word = ?"]["count"] == 2
    assert shapes["select n from t where word = ?"]["rows"] == 2
    insert = shapes["insert into t values (?)"]
    assert insert["count"] - insert["errors"] == 1
    assert insert["errors"] == 1
    assert shapes["delete from t where n = ?"]["rows"] == 1
    for shape in snapshot["shapes"]:
        assert 0 <= shape["p50"] <= shape["p95"] <= shape["p99"]
        assert len(shape["fingerprint"]) == 16
    assert snapshot["histograms"]["lease_seconds"]["count"] == 3
    assert snapshot["histograms"]["query_seconds"]["count"] == counters["queries"]


def test_gauges_say_how_it_is(open_client: Open, server_url: str) -> None:
    client = open_client(server_url, min_size=2, max_size=4)

    def gauges() -> tuple[float, ...]:
        found = client.snapshot()["gauges"]
        names = ("pool_size", "pool_in_use", "pool_idle", "pool_waiting")
        return tuple(found[f"{name}{{lane=primary}}"] for name in names)

    assert gauges() == (2, 0, 2, 0)
    with ExitStack() as leases:
        for lent in (1, 2, 3):
            leases.enter_context(client.connection())
            assert gauges() == (max(2, lent), lent, max(0, 2 - lent), 0)
        assert client.snapshot()["gauges"]["oldest_lease_seconds"] > 0
    assert gauges() == (3, 0, 3, 0)
    found = client.snapshot()["gauges"]
    assert found["oldest_lease_seconds"] == found["warming_for_seconds"] == 0
    assert {name: found[f"state{{state={name}}}"] for name in MOVES} == {
        **dict.fromkeys(MOVES, 0),
        "ready": 1,
    }
    client.close()
    assert gauges() == (0, 0, 0, 0)


def test_a_warm_up_that_lasts_is_seen_and_not_waited_for(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    gate.swallow()
    client = open_client(gate_url, start="background", warm_up_seconds=10)

    def warming_for() -> float:
        found: float = client.snapshot()["gauges"]["warming_for_seconds"]
        return found

    wait_until(lambda: warming_for() > 0.05, "it warms up")
    assert client.snapshot()["state"]["name"] == "connecting"
    began = time.monotonic()
    client.close(timeout_seconds=0.1)
    assert time.monotonic() - began < 1
    gate.heal()


def test_a_slow_statement_is_logged_with_its_line_and_without_values(
    open_client: Open, url: str, caplog: pytest.LogCaptureFixture, style: Style
) -> None:
    client = open_client(url, slow_seconds=0.0)
    caplog.clear()
    client.execute("SELECT ? AS word", (VALUE,))
    client.fetchall(f"SELECT '{VALUE}' AS word")
    with client.connection() as connection:
        connection.execute("SELECT ? AS word", (VALUE,))
    slow = [record for record in caplog.records if "slow query" in record.getMessage()]
    assert len(slow) == 3
    for record in slow:
        fields: Any = record
        assert (record.name, record.levelno) == ("engineroom", logging.WARNING)
        assert fields.shape == "select ? as word"
        assert VALUE not in record.getMessage() + str(vars(record))
        if not isinstance(style, Awaited):  # a loop has no frame of ours
            assert fields.caller_file == __file__
    assert client.snapshot()["counters"]["slow_queries"] >= 3


def test_what_is_not_slow_is_not_logged(
    open_client: Open, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_client(url, slow_seconds=60)
    client.execute("SELECT 1")
    assert caplog.records == []
    assert client.snapshot()["counters"]["slow_queries"] == 0


def test_a_statement_in_a_loop_is_found(open_client: Open, url: str) -> None:
    client = open_client(url)
    client.execute("CREATE TABLE t (n int)")
    found = pytest.raises(errors.RepeatedQueries)
    with found as repeated, client.find_repeats(limit=3):
        for n in range(5):
            client.fetchall("SELECT n FROM t WHERE n = ?", (n,))
    assert "select n from t where n = ?" in str(repeated.value)
    with client.find_repeats(limit=3, fail=False) as repeats:
        for n in range(5):
            client.fetchall(f"SELECT n FROM t WHERE n = {n}")
            with client.connection() as connection:
                connection.execute("SELECT n FROM t")
        client.fetchall("SELECT 1")
    assert sorted(found.count for found in repeats.found) == [5, 5]


def test_a_statement_that_is_run_as_often_as_allowed_is_not_found(
    open_client: Open, url: str
) -> None:
    client = open_client(url)
    with client.find_repeats(limit=3) as repeats:
        for n in range(3):
            client.fetchall("SELECT ? AS n", (n,))
    assert repeats.found == []
    for n in range(9):
        client.fetchall("SELECT ? AS n", (n,))
    assert repeats.found == [], "its block is over"


def test_a_text_that_nobody_could_keep_does_not_fill_the_memory(
    open_client: Open, url: str
) -> None:
    client = open_client(url)
    for n in range(2100):
        client.fetchvalue(f"SELECT {n} AS a{n % 700}")
    assert len(client._known) <= 2000
    shapes = client.snapshot()["shapes"]
    assert len(shapes) <= 501
    assert sum(shape["count"] for shape in shapes) >= 2100
