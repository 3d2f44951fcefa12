"""Prometheus' text format 0.0.4, made from a snapshot.

The format is described at https://prometheus.io/docs/instrumenting/exposition_formats/.
Shapes are not in it: each would be a time series of its own. JSON has them.
"""

from __future__ import annotations

from engineroom.metrics.table import HISTOGRAM, METRICS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from engineroom.metrics.registry import Metrics
    from engineroom.metrics.table import Metric

__all__ = ["CONTENT_TYPE", "prometheus", "samples_of", "split_key"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def prometheus(metrics: Metrics) -> str:
    """Return everything that is counted in Prometheus' text format."""
    return "".join(_lines(metrics.snapshot()))


def split_key(key: str) -> tuple[str, str]:
    """Return the name and the label's value of a key of a snapshot."""
    name, _, label = key.partition("{")
    return name, label.partition("=")[2][:-1]


def samples_of(metric: Metric, snapshot: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the label's value and the number of each sample of a counter or gauge."""
    for key, number in snapshot[f"{metric.kind}s"].items():
        name, value = split_key(key)
        if name == metric.name:
            yield value, number


def _lines(snapshot: dict[str, Any]) -> Iterator[str]:
    for metric in METRICS.values():
        name = metric.exported
        lines = list(
            _histogram(name, snapshot["histograms"][metric.name])
            if metric.kind == HISTOGRAM
            else _samples(metric, snapshot)
        )
        if lines:
            yield f"# HELP {name} {metric.help}.\n# TYPE {name} {metric.kind}\n"
            yield from lines


def _samples(metric: Metric, snapshot: dict[str, Any]) -> Iterator[str]:
    for value, number in samples_of(metric, snapshot):
        label = f'{{{metric.label}="{_escaped(value)}"}}' if metric.label else ""
        yield f"{metric.exported}{label} {number}\n"


def _histogram(name: str, histogram: dict[str, Any]) -> Iterator[str]:
    for edge, count in histogram["buckets"]:
        yield f'{name}_bucket{{le="{edge}"}} {count}\n'
    yield f'{name}_bucket{{le="+Inf"}} {histogram["count"]}\n'
    yield f"{name}_sum {histogram['sum']}\n"
    yield f"{name}_count {histogram['count']}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
