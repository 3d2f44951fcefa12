"""`Metrics`: what a client counts, and a picture of it at one moment.

The picture is plain data that JSON can hold. Prometheus' text, OpenTelemetry, the
gate and `engineroom monitor` are all made from it, so they cannot disagree.
"""

from __future__ import annotations

import time
from threading import Lock

from engineroom.metrics.distribution import Distribution
from engineroom.metrics.shapes import FOLD_AT, Shapes, cut
from engineroom.metrics.table import COUNTER, GAUGE, HISTOGRAM, METRICS, STATES, of_kind
from engineroom.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engineroom.metrics.shapes import ShapeFacts

__all__ = ["FORMAT", "Metrics"]

# The version of the snapshot's form; a form that a reader cannot follow gets the next.
FORMAT = 1

# What queries count has no label, and its name is its key.
_PLAIN = frozenset(
    metric.name
    for metric in of_kind(COUNTER)
    if not metric.label and not metric.is_derived
)


class Metrics:
    """Counters, gauges, histograms and statistics of shapes of one client.

    Everything may be called from many threads at once. After a fork make a new one: the
    child would count its parent's calls, and may have inherited a lock that is held.

    Args:
        backend: which engine it is, such as `sqlite`.
        url: where the client leads, as it may be shown.
        read_state: returns the client's state, in the form that snapshots have.
        max_shapes: shapes that are told apart.

    Attributes:
        shapes: the statistics of each shape.
    """

    def __init__(
        self,
        *,
        backend: str = "",
        url: str = "",
        read_state: Callable[[], dict[str, Any]] | None = None,
        max_shapes: int = 500,
    ) -> None:
        self.shapes = Shapes(max_shapes)
        self._backend = backend
        self._url = url
        self._read_state = read_state
        self._lock = Lock()
        # Gathered and folded as shapes.py does with samples.
        self._pending: list[tuple[str, int]] = []
        self._counters = dict.fromkeys(_PLAIN, 0)
        self._gauges: dict[str, Callable[[], float]] = {}
        self._histograms = {
            metric.name: _Durations()
            for metric in of_kind(HISTOGRAM)
            if not metric.is_derived
        }

    def count(self, name: str, amount: int = 1, **labels: str | int) -> None:
        """Add to a counter of the table."""
        is_plain = name in _PLAIN and not labels
        key = name if is_plain else _key(name, COUNTER, labels)
        pending = self._pending
        pending.append((key, amount))
        if len(pending) >= FOLD_AT and self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def gauge(self, name: str, read: Callable[[], float], **labels: str) -> None:
        """Have a gauge of the table read by a function, whenever somebody looks."""
        key = _key(name, GAUGE, labels)
        with self._lock:
            self._gauges[key] = read

    def observe(self, name: str, seconds: float) -> None:
        """Add a duration to a histogram of the table."""
        self._histograms[name].add(seconds)

    def snapshot(self) -> dict[str, Any]:
        """Return everything as plain data, in the form of the reference page."""
        state = self._read_state() if self._read_state is not None else None
        with self._lock:
            self._fold()
            counters = dict(self._counters)
            readers = dict(self._gauges)
        gauges = {key: read() for key, read in readers.items()}
        if state is not None:
            for name in STATES:
                gauges[f"state{{state={name}}}"] = int(name == state["name"])
        shapes = self.shapes.facts()
        histograms = {
            name: durations.as_dict(METRICS[name].edges)
            for name, durations in self._histograms.items()
        }
        _derive(counters, histograms, shapes)
        return {
            "format": FORMAT,
            "time": time.time(),
            "version": __version__,
            "backend": self._backend,
            "url": self._url,
            "state": state,
            "counters": counters,
            "gauges": gauges,
            "histograms": histograms,
            "shapes": [one.as_dict() for one in shapes],
        }

    def _fold(self) -> None:
        """Add up what was gathered. Runs in one thread at a time, under the lock."""
        counters = self._counters
        for key, amount in cut(self._pending):
            counters[key] = counters.get(key, 0) + amount


class _Durations:
    """The samples of a histogram; gathered and folded as those of a shape are."""

    __slots__ = ("_lock", "_pending", "_seconds")

    def __init__(self) -> None:
        self._pending: list[float] = []
        self._lock = Lock()
        self._seconds = Distribution()

    def add(self, seconds: float) -> None:
        pending = self._pending
        pending.append(seconds)
        if len(pending) >= FOLD_AT and self._lock.acquire(blocking=False):
            try:
                self._seconds.take(cut(pending))
            finally:
                self._lock.release()

    def as_dict(self, edges: tuple[float, ...]) -> dict[str, Any]:
        with self._lock:
            self._seconds.take(cut(self._pending))
            return _histogram(self._seconds, edges)


def _histogram(seconds: Distribution, edges: tuple[float, ...]) -> dict[str, Any]:
    return {
        "count": seconds.count,
        "sum": seconds.total,
        "buckets": seconds.cumulate(edges),
    }


def _derive(
    counters: dict[str, int],
    histograms: dict[str, dict[str, Any]],
    shapes: list[ShapeFacts],
) -> None:
    """Work out what the shapes tell together."""
    seconds = Distribution()
    counters["queries"] = sum(one.count for one in shapes)
    counters["rows"] = sum(one.rows for one in shapes)
    for one in shapes:
        seconds.add_from(one.seconds)
        for fault, count in one.faults.items():
            key = f"query_errors{{fault={fault}}}"
            counters[key] = counters.get(key, 0) + count
    histograms["query_seconds"] = _histogram(seconds, METRICS["query_seconds"].edges)
    later = sum(n for key, n in counters.items() if key.startswith("attempt_won{"))
    failed = sum(one.errors for one in shapes)
    # A call that is being counted just now may have its attempt told, not its end.
    first = max(counters["queries"] - failed - later, 0)
    counters["attempt_won{attempt=1}"] = first


def _key(name: str, kind: str, labels: dict[str, Any]) -> str:
    """Return the key of a counter or gauge in a snapshot."""
    metric = METRICS[name]
    assert metric.kind == kind, f"{name} is a {metric.kind}"
    assert not metric.is_derived or kind == GAUGE, f"{name} is worked out"
    if not labels:
        assert not metric.label, f"{name} lacks its label {metric.label}"
        return name
    ((label, value),) = labels.items()
    assert label == metric.label, f"{name} has no label {label}"
    return f"{name}{{{label}={value}}}"
