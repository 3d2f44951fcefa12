"""What `engineroom monitor` shows of a window, as lines and tables.

Rates and counts are of the window; what is known of a shape's times is since the start
of the client, because snapshots keep quantiles and not what they were made from.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engineroom.metrics.table import HISTOGRAM, of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from engineroom.cli.render import Part
    from engineroom.metrics.window import Window

__all__ = ["describe", "headline", "summary"]

_RATES = (
    ("calls", "queries"),
    ("rows", "rows"),
    ("errors", "query_errors"),
    ("retries", "retries"),
    ("timeouts", "timeouts"),
    ("leases", "leases"),
    ("waits", "waits"),
    ("connects", "connects"),
    ("disconnects", "disconnects"),
)
_LANES = ("pool_size", "pool_in_use", "pool_idle", "pool_waiting")
_AGES = ("warming_for_seconds", "oldest_lease_seconds")


def headline(window: Window) -> str:
    """Return a line on the client: its state, since when, and where it leads."""
    end = window.end
    state = end["state"]
    line = str(state["name"]) if state else "state unknown"
    if state and state["since"] is not None:
        line += f" for {_age(end['time'] - state['since'])}"
    if end["url"] or end["backend"]:
        line += f", {end['url'] or end['backend']}"
    if state and (cause := state["cause"]):
        line += f"\n{cause['code']} {cause['fault']}: {cause['message']}"
    return line


def summary(window: Window) -> str:
    """Return a line that says the most, for where a screen cannot be drawn on."""
    state = window.end["state"]
    in_use, size = (
        sum(window.gauges(f"pool_{n}").values()) for n in ("in_use", "size")
    )
    return "  ".join(
        [
            time.strftime("%H:%M:%S"),
            state["name"] if state else "state unknown",
            f"{window.rate('queries'):.1f} calls/s",
            f"{window.rate('query_errors'):.1f} errors/s",
            f"{window.rate('retries'):.1f} retries/s",
            f"{in_use:g} of {size:g} in use",
            f"95 % within {_within(window.histogram('query_seconds'), 0.95) or '-'} ms",
        ]
    )


def describe(window: Window, *, top: int = 10) -> Iterator[Part]:
    """Yield what there is to show, with as many shapes as `top` says."""
    yield headline(window)
    ages = [f"{name[:-8]} {_age(sum(window.gauges(name).values()))}" for name in _AGES]
    generation = sum(window.gauges("generation").values())
    yield f"generation {generation:g}, {', '.join(ages).replace('_', ' ')}"
    if window.has_restarted:
        yield "the client was started anew within the window"
    yield ""
    yield _rates(window)
    yield _times(window)
    yield _pool(window)
    yield _labelled(window, "health_checks", "health")
    if window.count("query_errors"):
        yield _labelled(window, "query_errors", "fault")
    if window.count("health_disagreements"):
        yield _labelled(window, "health_disagreements", "disagreement")
    if window.end["shapes"]:
        yield ""
        yield _shapes(window, top)


def _pool(window: Window) -> Part:
    columns = [window.gauges(name) for name in _LANES]
    lanes = sorted({lane for column in columns for lane in column})
    rows = [[lane, *(column.get(lane, 0) for column in columns)] for lane in lanes]
    return ("pool", "open", "in use", "idle", "waiting"), rows


def _rates(window: Window) -> Part:
    rows = [
        [
            title,
            _rate(window, window.count(name)),
            _whole(sum(window.totals(name).values())),
        ]
        for title, name in _RATES
    ]
    over = f"over {_age(window.seconds)}" if window.seconds else "since the start"
    return (over, "a second", "in all"), rows


def _times(window: Window) -> Part:
    rows: list[list[object]] = []
    for metric in of_kind(HISTOGRAM):
        histogram = window.histogram(metric.name)
        count = histogram["count"]
        rows.append(
            [
                metric.name.partition("_seconds")[0].replace("_", " "),
                _whole(count),
                _milliseconds(histogram["sum"] / count) if count else "",
                *(_within(histogram, share) for share in (0.5, 0.95, 0.99)),
            ]
        )
    return ("ms", "count", "mean", "50 %", "95 %", "99 %"), rows


def _labelled(window: Window, name: str, title: str) -> Part:
    counts, totals = window.counts(name), window.totals(name)
    rows = [
        [value, _whole(count), _whole(totals[value])]
        for value, count in sorted(counts.items(), key=lambda pair: -pair[1])
    ]
    return (title, "in the window", "in all"), rows


def _shapes(window: Window, top: int) -> Part:
    """Return the shapes that took the most time within the window."""
    before = {one["fingerprint"]: one for one in window.begin["shapes"]}
    grown: list[tuple[float, float, dict[str, Any]]] = []
    for one in window.end["shapes"]:
        old = before.get(one["fingerprint"], {"total_seconds": 0.0, "count": 0})
        seconds = one["total_seconds"] - old["total_seconds"]
        grown.append((seconds, one["count"] - old["count"], one))
    grown.sort(key=lambda of_one: -of_one[0])
    rows = [
        [
            _rate(window, count),
            _whole(one["count"]),
            _whole(one["errors"]),
            *(_milliseconds(one[name]) for name in ("p50", "p95", "p99")),
            one["shape"],
        ]
        for _, count, one in grown[:top]
    ]
    return ("calls/s", "calls", "errors", "p50 ms", "p95 ms", "p99 ms", "shape"), rows


def _within(histogram: dict[str, Any], share: float) -> str:
    """Return the edge in milliseconds that a share of the samples is not above."""
    count = histogram["count"]
    if not count:
        return ""
    for edge, within in histogram["buckets"]:
        if within >= share * count:
            return _milliseconds(edge)
    return "more"


def _rate(window: Window, count: float) -> str:
    return f"{count / window.seconds:.1f}" if window.seconds else ""


def _whole(number: float) -> str:
    return f"{number:.0f}"


def _milliseconds(seconds: float) -> str:
    """Return milliseconds with the digits that tell something."""
    value = 1_000 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _age(seconds: float) -> str:
    """Return a length of time as people say it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h"
