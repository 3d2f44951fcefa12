"""The figures of a client as instruments of OpenTelemetry, whose API is an extra.

All instruments are observable: OpenTelemetry asks when it collects, and a query pays
nothing. It has no observable histogram, so a histogram comes as three counters, as
Prometheus has it: `.count`, `.sum`, and `.bucket` by the upper edge `le`.
"""

from __future__ import annotations

import weakref
from threading import Lock
from typing import TYPE_CHECKING

from engineroom.metrics.exposition import samples_of
from engineroom.metrics.table import COUNTER, HISTOGRAM, METRICS
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from opentelemetry.metrics import (
        CallbackOptions,
        Meter,
        MeterProvider,
        Observation,
    )

    from engineroom.metrics.registry import Metrics
    from engineroom.metrics.table import Metric

    Sample = tuple[float, dict[str, str]]
    Read = Callable[[dict[str, Any]], Iterable[Sample]]

__all__ = ["export"]


def export(metrics: Metrics, meter_provider: MeterProvider | None = None) -> None:
    """Have OpenTelemetry collect what a client counts, for as long as the client lives.

    Args:
        metrics: the client's, `client.metrics`.
        meter_provider: who collects; the global one if None.

    Raises:
        MissingExtra: the package `opentelemetry-api` is not installed.
    """
    try:
        from opentelemetry.metrics import get_meter
    except ImportError as error:
        from engineroom.errors import MissingExtra

        raise MissingExtra(
            "Exporting to OpenTelemetry", "opentelemetry-api", "otel"
        ) from error
    meter = get_meter("engineroom", __version__, meter_provider)
    source = _Source(metrics)
    for metric in METRICS.values():
        if metric.kind == HISTOGRAM:
            _histogram(meter, source, metric)
        else:
            _numbers(meter, source, metric)


class _Source:
    """Gives every instrument its samples, from one snapshot for each collection."""

    def __init__(self, metrics: Metrics) -> None:
        # Instruments cannot be taken back; they must not keep a closed client alive.
        self._metrics = weakref.ref(metrics)
        self._lock = Lock()
        self._snapshot: dict[str, Any] = {}
        self._asked: set[str] = set()

    def callback(
        self, name: str, read: Read
    ) -> Callable[[CallbackOptions], Iterator[Observation]]:
        """Return what OpenTelemetry calls for the samples of an instrument."""
        from opentelemetry.metrics import Observation

        def observe(_: CallbackOptions) -> Iterator[Observation]:
            snapshot = self._current(name)
            if snapshot is not None:
                for number, attributes in read(snapshot):
                    yield Observation(number, attributes)

        return observe

    def _current(self, name: str) -> dict[str, Any] | None:
        """Return the snapshot of a collection; None when the client has gone."""
        metrics = self._metrics()
        if metrics is None:
            return None
        with self._lock:
            # A collection asks each instrument once: the second time is the next one.
            if not self._snapshot or name in self._asked:
                self._snapshot = metrics.snapshot()
                self._asked.clear()
            self._asked.add(name)
            return self._snapshot


def _numbers(meter: Meter, source: _Source, metric: Metric) -> None:
    def read(snapshot: dict[str, Any]) -> Iterator[Sample]:
        for value, number in samples_of(metric, snapshot):
            yield number, {metric.label: value} if metric.label else {}

    is_counter = metric.kind == COUNTER
    create = (
        meter.create_observable_counter if is_counter else meter.create_observable_gauge
    )
    name = f"engineroom.{metric.name}"
    unit = "s" if name.endswith("_seconds") else "1"
    create(name, [source.callback(name, read)], unit, metric.help)


def _histogram(meter: Meter, source: _Source, metric: Metric) -> None:
    def count(histogram: dict[str, Any]) -> Iterator[Sample]:
        yield histogram["count"], {}

    def total(histogram: dict[str, Any]) -> Iterator[Sample]:
        yield histogram["sum"], {}

    def buckets(histogram: dict[str, Any]) -> Iterator[Sample]:
        for edge, number in histogram["buckets"]:
            yield number, {"le": str(edge)}
        yield histogram["count"], {"le": "+Inf"}

    for part, unit, read in (
        ("count", "1", count),
        ("sum", "s", total),
        ("bucket", "1", buckets),
    ):
        name = f"engineroom.{metric.name}.{part}"

        def of_snapshot(
            snapshot: dict[str, Any], read: Read = read
        ) -> Iterable[Sample]:
            return read(snapshot["histograms"][metric.name])

        callback = source.callback(name, of_snapshot)
        meter.create_observable_counter(name, [callback], unit, metric.help)
