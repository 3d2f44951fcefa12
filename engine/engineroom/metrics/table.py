"""Every metric there is: its name, what it counts, its label and its buckets.

Snapshots, Prometheus' text, OpenTelemetry and the reference page all read this table;
a metric that is not in it cannot be counted.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "COUNTER",
    "GAUGE",
    "HISTOGRAM",
    "METRICS",
    "SNAPSHOT_KEYS",
    "STATES",
    "Metric",
    "of_kind",
]

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

STATES = (
    "new", "connecting", "warming", "ready", "draining", "closed", "failed",
    "timed_out",
)  # fmt: skip

# Upper edges in seconds. Each is a bound of `distribution.BOUNDS`, so that counts in
# them are exact although only the finer buckets are kept.
_QUICK = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_LONG = (*_QUICK, 25.0, 50.0, 100.0)

_FAULTS = "a word of faults, as `error.fault` has it"
_LANES = "`primary`; beside it `reader` on SQLite, `replica 1` and on elsewhere"


class Metric:
    """A row of the table.

    Attributes:
        name: as snapshots have it; `exported` is the name elsewhere.
        kind: `counter`, `gauge` or `histogram`.
        help: a sentence on what it tells.
        label: the name of its label, or an empty string.
        values: what the label holds.
        edges: the upper edges of a histogram's buckets, in seconds.
        is_derived: whether it is worked out from others, and never counted itself.
    """

    __slots__ = ("edges", "help", "is_derived", "kind", "label", "name", "values")

    def __init__(
        self,
        name: str,
        kind: str,
        help: str,  # noqa: A002 - what Prometheus calls it
        *,
        label: str = "",
        values: str = "",
        edges: tuple[float, ...] = (),
        is_derived: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.help = help
        self.label = label
        self.values = values
        self.edges = edges
        self.is_derived = is_derived

    @property
    def exported(self) -> str:
        """The name in Prometheus and OpenTelemetry."""
        return f"engineroom_{self.name}{'_total' if self.kind == COUNTER else ''}"


_ROWS = (
    Metric("queries", COUNTER, "Calls that ended, well or not", is_derived=True),
    Metric(
        "query_errors",
        COUNTER,
        "Calls that raised, after all attempts",
        label="fault",
        values=_FAULTS,
        is_derived=True,
    ),
    Metric("rows", COUNTER, "Rows that calls gave or changed", is_derived=True),
    Metric(
        "query_seconds",
        HISTOGRAM,
        "How long statements took, without waits; failed calls as a whole",
        edges=_QUICK,
        is_derived=True,
    ),
    Metric(
        "retries",
        COUNTER,
        "Further attempts that were made",
        label="fault",
        values=f"{_FAULTS}: what ended the attempt before",
    ),
    Metric(
        "attempt_won",
        COUNTER,
        "Calls that succeeded, by the attempt that did",
        label="attempt",
        values="1, 2, 3; 1 is worked out from `queries`",
    ),
    Metric("attempts_exhausted", COUNTER, "Calls whose last attempt failed too"),
    Metric(
        "timeouts",
        COUNTER,
        "Calls that the deadline ended",
        label="phase",
        values="`waiting`, `warming`, `querying`, `pausing`, `caller`",
    ),
    Metric("connects", COUNTER, "Connections that were opened"),
    Metric(
        "connect_failures",
        COUNTER,
        "Connections that could not be opened",
        label="fault",
        values=_FAULTS,
    ),
    Metric(
        "disconnects",
        COUNTER,
        "Connections that were closed",
        label="reason",
        values="why, in a word or two",
    ),
    Metric("waits", COUNTER, "Leases for which a free connection was waited for"),
    Metric("leases", COUNTER, "Connections that callers borrowed"),
    Metric("leaks", COUNTER, "Leases that were never given back"),
    Metric(
        "warm_ups",
        COUNTER,
        "Warm-ups that ended",
        label="result",
        values="`ready`, `failed`, `timed_out`",
    ),
    Metric(
        "health_checks",
        COUNTER,
        "Health checks that asked the database",
        label="result",
        values="`pass`, `fail`",
    ),
    Metric("health_cached", COUNTER, "Health checks answered from the one before"),
    Metric(
        "health_disagreements",
        COUNTER,
        "Health checks that a query nearby contradicts",
        label="kind",
        values="`health passed, query failed`, `health failed, query passed`",
    ),
    Metric("nested_retries", COUNTER, "Calls made by a second retry layer around ours"),
    Metric("rollbacks_on_return", COUNTER, "Transactions left open by a lease"),
    Metric("resets", COUNTER, "Sessions that were reset on return"),
    Metric("replica_fallbacks", COUNTER, "Reads that the primary did for a replica"),
    Metric("slow_queries", COUNTER, "Calls slower than the threshold of the log"),
    Metric("wait_seconds", HISTOGRAM, "Waiting for a free connection", edges=_QUICK),
    Metric("warm_up_seconds", HISTOGRAM, "How long warm-ups took", edges=_LONG),
    Metric("connect_seconds", HISTOGRAM, "Opening a connection", edges=_QUICK),
    Metric("lease_seconds", HISTOGRAM, "How long leases lasted", edges=_LONG),
    Metric(
        "pool_size", GAUGE, "Connections that are open", label="lane", values=_LANES
    ),
    Metric(
        "pool_in_use", GAUGE, "Connections that are lent", label="lane", values=_LANES
    ),
    Metric(
        "pool_idle", GAUGE, "Connections that are free", label="lane", values=_LANES
    ),
    Metric(
        "pool_waiting", GAUGE, "Calls that wait for one", label="lane", values=_LANES
    ),
    Metric("generation", GAUGE, "The generation of connections that is lent"),
    Metric(
        "state",
        GAUGE,
        "1 for the state the client is in, 0 for the others",
        label="state",
        values=", ".join(f"`{state}`" for state in STATES),
        is_derived=True,
    ),
    Metric(
        "warming_for_seconds", GAUGE, "Age of a warm-up that goes on; 0 if none does"
    ),
    Metric(
        "oldest_lease_seconds", GAUGE, "Age of the oldest lease; 0 if there is none"
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}


# What a snapshot holds, in its order.
SNAPSHOT_KEYS = {
    "format": "1; a form that readers of this one cannot follow gets the next number",
    "time": "when it was taken, in seconds since 1970",
    "version": "of this package",
    "backend": "which engine it is, such as `sqlite`",
    "url": "where the database is, without secrets",
    "state": (
        "`name` and `since` of the client's state, and `cause`: null, or the `code`,"
        " `fault` and `message` of an error"
    ),
    "counters": "numbers by `name`, or `name{label=value}`",
    "gauges": "likewise",
    "histograms": (
        "by name, `count`, `sum`, and `buckets`: pairs of an upper edge and how many"
        " samples are not above it"
    ),
    "shapes": (
        "for each shape of statement, the one that took the most time first,"
        " `fingerprint`, `shape`, `count`, `rows`, `errors`, `faults`, `total_seconds`,"
        " and within how many seconds half, 95 % and 99 % of the calls ended, to within"
        " 5 %: `p50`, `p95`, `p99`; what comes after 500 shapes is counted as"
        " `(others)`"
    ),
}


def of_kind(kind: str) -> Iterator[Metric]:
    """Yield the metrics of a kind, in the order of the table."""
    return (metric for metric in _ROWS if metric.kind == kind)
