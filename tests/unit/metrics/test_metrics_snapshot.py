"""A snapshot is plain data: what was counted, and what follows from it."""

from __future__ import annotations

import json
import time
from threading import Thread

import pytest

from engineroom.metrics import Metrics
from engineroom.metrics.table import METRICS, SNAPSHOT_KEYS
from engineroom.version import __version__
from tests.unit.metrics.conftest import Text

ONE = Text("select ?")
TWO = Text("insert into orders values (?)")


def test_a_snapshot_holds_what_was_counted() -> None:
    metrics = Metrics(
        backend="sqlite",
        url="sqlite:///shop.db",
        read_state=lambda: {"name": "ready", "since": 12.5, "cause": None},
    )
    metrics.shapes.stats(ONE).add(0.002, 3)
    metrics.shapes.stats(TWO).add_error("data-refused", 0.004)
    metrics.count("leases")
    metrics.count("leases", 2)
    metrics.count("retries", fault="unreachable")
    metrics.count("attempt_won", attempt=2)
    metrics.observe("wait_seconds", 0.0001)
    metrics.gauge("pool_size", lambda: 4, lane="readers")
    before = time.time()
    snapshot = json.loads(json.dumps(metrics.snapshot()))
    assert before <= snapshot.pop("time") <= time.time()
    assert {name: snapshot[name] for name in list(snapshot)[:5]} == {
        "format": 1,
        "version": __version__,
        "backend": "sqlite",
        "url": "sqlite:///shop.db",
        "state": {"name": "ready", "since": 12.5, "cause": None},
    }
    counted = {name: n for name, n in snapshot["counters"].items() if n}
    assert counted == {
        "queries": 2,
        "rows": 3,
        "query_errors{fault=data-refused}": 1,
        "leases": 3,
        "retries{fault=unreachable}": 1,
        "attempt_won{attempt=2}": 1,
    }
    assert snapshot["gauges"]["pool_size{lane=readers}"] == 4
    assert snapshot["gauges"]["state{state=ready}"] == 1
    assert snapshot["gauges"]["state{state=warming}"] == 0
    assert snapshot["histograms"]["wait_seconds"]["count"] == 1
    assert snapshot["histograms"]["wait_seconds"]["buckets"][0] == [0.0001, 1]
    of_queries = snapshot["histograms"]["query_seconds"]
    assert (of_queries["count"], of_queries["sum"]) == (2, pytest.approx(0.006))
    assert snapshot["shapes"] == [
        {
            "fingerprint": TWO.fingerprint,
            "shape": TWO.shape,
            "count": 1,
            "rows": 0,
            "errors": 1,
            "faults": {"data-refused": 1},
            "total_seconds": 0.004,
            "p50": 0.004,
            "p95": 0.004,
            "p99": 0.004,
        },
        {
            "fingerprint": ONE.fingerprint,
            "shape": ONE.shape,
            "count": 1,
            "rows": 3,
            "errors": 0,
            "faults": {},
            "total_seconds": 0.002,
            "p50": 0.002,
            "p95": 0.002,
            "p99": 0.002,
        },
    ]


def test_what_was_never_counted_is_zero(metrics: Metrics) -> None:
    """Rates of change need a first value."""
    snapshot = metrics.snapshot()
    assert list(snapshot) == list(SNAPSHOT_KEYS)
    assert snapshot["state"] is None
    assert snapshot["counters"]["leases"] == 0
    assert snapshot["counters"]["queries"] == 0
    assert snapshot["histograms"]["warm_up_seconds"]["count"] == 0
    plain = {m.name for m in METRICS.values() if m.kind == "counter" and not m.label}
    assert plain <= set(snapshot["counters"])


def test_first_attempts_are_what_is_left(metrics: Metrics) -> None:
    stats = metrics.shapes.stats(ONE)
    for _ in range(10):
        stats.add(0.001, 1)
    stats.add_error("unreachable", 1.5)
    metrics.count("attempt_won", 3, attempt=2)
    metrics.count("attempt_won", 1, attempt=3)
    assert metrics.snapshot()["counters"]["attempt_won{attempt=1}"] == 6


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("querys", {}),
        ("queries", {}),
        ("retries", {}),
        ("retries", {"phase": "waiting"}),
        ("leases", {"lane": "readers"}),
        ("pool_size", {"lane": "readers"}),
    ],
    ids=["unknown", "derived", "no label", "other label", "has none", "a gauge"],
)
def test_only_what_the_table_has_can_be_counted(
    metrics: Metrics, name: str, labels: dict[str, str]
) -> None:
    with pytest.raises((AssertionError, KeyError)):
        metrics.count(name, **labels)


def test_only_gauges_and_histograms_of_the_table_are_taken(metrics: Metrics) -> None:
    with pytest.raises(AssertionError):
        metrics.gauge("leases", lambda: 1)
    with pytest.raises(KeyError):
        metrics.observe("query_seconds", 0.1)


def test_counts_and_durations_of_many_threads_add_up(metrics: Metrics) -> None:
    def work() -> None:
        for _ in range(5_000):
            metrics.count("leases")
            metrics.count("retries", 2, fault="unreachable")
            metrics.observe("lease_seconds", 0.25)

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    snapshot = metrics.snapshot()
    assert snapshot["counters"]["leases"] == 40_000
    assert snapshot["counters"]["retries{fault=unreachable}"] == 80_000
    assert snapshot["histograms"]["lease_seconds"]["count"] == 40_000
    assert snapshot["histograms"]["lease_seconds"]["sum"] == pytest.approx(10_000)
