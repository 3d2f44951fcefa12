"""What a client counts of itself: counters, gauges, durations, shapes of statements.

Nothing here touches a database or needs a package beside the standard library, but for
`otel`, which hands the figures to OpenTelemetry. `table` has every metric there is,
`gate` judges two snapshots.
"""

from __future__ import annotations

from engineroom.metrics.exposition import CONTENT_TYPE, prometheus
from engineroom.metrics.registry import FORMAT, Metrics
from engineroom.metrics.repeats import Repeat, Repeats
from engineroom.metrics.shapes import ShapeFacts, Shapes, ShapeStats
from engineroom.metrics.slow import SlowLog

__all__ = [
    "CONTENT_TYPE",
    "FORMAT",
    "Metrics",
    "Repeat",
    "Repeats",
    "ShapeFacts",
    "ShapeStats",
    "Shapes",
    "SlowLog",
    "prometheus",
]
