"""OpenTelemetry's own SDK collects what a client counts."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    Gauge,
    InMemoryMetricReader,
    Metric,
    NumberDataPoint,
    Sum,
)

import engineroom
from engineroom.metrics import Metrics
from engineroom.metrics.otel import export
from engineroom.metrics.table import METRICS
from tests.unit.metrics.conftest import Text
from tests.unit.metrics.test_metrics_exposition import busy

if TYPE_CHECKING:
    from collections.abc import Iterator


class Collector:
    """A provider with a reader that keeps what it collects in memory."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider(metric_readers=[self.reader])

    def collect(self) -> dict[str, Metric]:
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.provider.shutdown()


def points(metric: Metric) -> dict[str, float]:
    """Return the number of each point by the value of its only label."""
    return {
        "".join(map(str, (point.attributes or {}).values())): point.value
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    }


def test_every_metric_of_the_table_is_collected(collector: Collector) -> None:
    metrics = busy()
    export(metrics, collector.provider)
    collected = collector.collect()
    for metric in METRICS.values():
        name = f"engineroom.{metric.name}"
        if metric.kind == "histogram":
            for part in ("count", "sum", "bucket"):
                assert isinstance(collected[f"{name}.{part}"].data, Sum)
        else:
            kind = Sum if metric.kind == "counter" else Gauge
            assert isinstance(collected[name].data, kind)
            assert collected[name].description == metric.help
    assert points(collected["engineroom.queries"]) == {"": 301}
    assert points(collected["engineroom.query_errors"]) == {"unreachable": 1}
    assert points(collected["engineroom.pool_size"]) == {"3": 0.5}
    assert points(collected["engineroom.state"])["warming"] == 1
    buckets = points(collected["engineroom.query_seconds.bucket"])
    assert (buckets["0.25"], buckets["+Inf"]) == (251, 301)
    assert collected["engineroom.query_seconds.sum"].unit == "s"


def test_each_collection_sees_what_came_since(collector: Collector) -> None:
    metrics = Metrics()
    export(metrics, collector.provider)
    seen = []
    for _ in range(3):
        metrics.count("leases")
        metrics.shapes.stats(Text("select ?")).add(0.1, 1)
        collected = collector.collect()
        seen.append(
            (
                points(collected["engineroom.leases"]),
                points(collected["engineroom.queries"]),
            )
        )
    assert seen == [({"": n}, {"": n}) for n in (1, 2, 3)]


def test_a_collection_takes_one_snapshot(collector: Collector) -> None:
    metrics = Metrics()
    reads: list[int] = []

    def read() -> float:
        reads.append(1)
        return 1.0

    metrics.gauge("generation", read)
    export(metrics, collector.provider)
    collector.collect()
    collector.collect()
    assert len(reads) == 2


def test_what_is_exported_keeps_no_closed_client_alive(collector: Collector) -> None:
    metrics = Metrics()
    metrics.count("leases")
    export(metrics, collector.provider)
    assert "engineroom.leases" in collector.collect()
    del metrics
    gc.collect()
    assert "engineroom.leases" not in collector.collect()


def test_without_the_package_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from engineroom.metrics import Metrics\n"
        "from engineroom.metrics.otel import export\n"
        "try: export(Metrics())\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(engineroom.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "`opentelemetry-api`" in done.stdout
    assert "engineroom[otel]" in done.stdout
