"""Snapshots read back: from our JSON, or from Prometheus' text.

Whoever watches a client from outside reads what its endpoint gives. Prometheus' text
has neither shapes nor the reason of a state, so a snapshot made from it lacks them.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from engineroom.errors import MetricsNotUnderstood
from engineroom.metrics.registry import FORMAT
from engineroom.metrics.table import COUNTER, GAUGE, HISTOGRAM, METRICS, of_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from engineroom.metrics.table import Metric

__all__ = ["read_snapshot"]

_SAMPLE = re.compile(
    r"(?P<name>engineroom_\w+)(?:\{(?P<labels>.*)\})?[ \t]+(?P<value>\S+)"
    r"(?:[ \t]+-?\d+)?[ \t]*"
)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def read_snapshot(text: str, *, url: str, now: float) -> dict[str, Any]:
    """Return the snapshot that a text holds, of either form.

    Args:
        text: what an endpoint answered.
        url: where, as it may be shown.
        now: when, for texts that do not tell.

    Raises:
        MetricsNotUnderstood: it is neither our JSON nor Prometheus' text with metrics
            of ours.
    """
    if text.lstrip().startswith("{"):
        return _read_json(text, url)
    return _read_prometheus(text, url, now)


def _read_json(text: str, url: str) -> dict[str, Any]:
    """Read our own JSON, part by part: whoever serves it may be anybody.

    What a newer version counts besides is kept where it has the form of the others.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MetricsNotUnderstood(url, f"it is no JSON: {error}") from None
    if given.get("format") != FORMAT:
        told = f"{given.get('format')}"[:20]
        raise MetricsNotUnderstood(url, f"its format is `{told}`, not `{FORMAT}`")
    parts = {name: _part(name, given, url) for name in _PARTS}
    return {"format": FORMAT, **parts}


def _part(name: str, given: dict[str, Any], url: str) -> Any:
    try:
        return _PARTS[name](given[name])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        reason = f"`{name}` is not as it should be"
        raise MetricsNotUnderstood(url, reason) from None


def _number(value: Any) -> float:
    # An infinity is none either: it comes from no counter, and is no JSON.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    if not math.isfinite(value):
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _numbers(value: Any) -> dict[str, float]:
    return {name: _number(number) for name, number in value.items()}


def _state_given(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    since, cause = value["since"], value["cause"]
    if cause is not None:
        cause = {name: _text(cause[name]) for name in ("code", "fault", "message")}
    return {
        "name": _text(value["name"]),
        "since": None if since is None else _number(since),
        "cause": cause,
    }


def _histograms(value: Any) -> dict[str, dict[str, Any]]:
    return {
        metric.name: _histogram(metric, value[metric.name])
        if metric.name in value
        else _empty(metric)
        for metric in of_kind(HISTOGRAM)
    }


def _histogram(metric: Metric, value: Any) -> dict[str, Any]:
    counts = {_number(edge): _number(count) for edge, count in value["buckets"]}
    return {
        "count": _number(value["count"]),
        "sum": _number(value["sum"]),
        "buckets": [[edge, counts[edge]] for edge in metric.edges],
    }


def _shapes(value: Any) -> list[dict[str, Any]]:
    return [
        {
            "fingerprint": _text(one["fingerprint"]),
            "shape": _text(one["shape"]),
            "count": _number(one["count"]),
            "rows": _number(one["rows"]),
            "errors": _number(one["errors"]),
            "faults": _numbers(one["faults"]),
            "total_seconds": _number(one["total_seconds"]),
            "p50": _number(one["p50"]),
            "p95": _number(one["p95"]),
            "p99": _number(one["p99"]),
        }
        for one in value
    ]


_PARTS: dict[str, Callable[[Any], Any]] = {
    "time": _number,
    "version": _text,
    "backend": _text,
    "url": _text,
    "state": _state_given,
    "counters": _numbers,
    "gauges": _numbers,
    "histograms": _histograms,
    "shapes": _shapes,
}


def _read_prometheus(text: str, url: str, now: float) -> dict[str, Any]:
    numbers: dict[str, dict[str, float]] = {COUNTER: {}, GAUGE: {}}
    histograms = {metric.name: _empty(metric) for metric in of_kind(HISTOGRAM)}
    by_name = {metric.exported: metric for metric in METRICS.values()}
    is_ours = False
    for name, labels, value in _samples(text, url):
        stem, _, part = name.rpartition("_")
        if name in by_name and by_name[name].kind != HISTOGRAM:
            metric = by_name[name]
            key = metric.name
            if metric.label:
                key += f"{{{metric.label}={labels.get(metric.label, '')}}}"
            known = numbers[metric.kind]
            # Several processes behind one endpoint are seen as one client.
            known[key] = known.get(key, 0) + value
        elif stem in by_name:
            _put(histograms[by_name[stem].name], part, labels.get("le", ""), value)
        else:
            continue
        is_ours = True
    if not is_ours:
        raise MetricsNotUnderstood(url, "it holds no metric of Engineroom")
    return {
        "format": FORMAT,
        "time": now,
        "version": "",
        "backend": "",
        "url": "",
        "state": _state(numbers[GAUGE]),
        "counters": numbers[COUNTER],
        "gauges": numbers[GAUGE],
        "histograms": histograms,
        "shapes": [],
    }


def _samples(text: str, url: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for line in text.split("\n"):
        if not line.startswith("engineroom_"):
            continue
        found = _SAMPLE.fullmatch(line)
        try:
            value = float(found["value"]) if found else math.nan
        except ValueError:
            value = math.nan
        if found is None or not math.isfinite(value):
            raise MetricsNotUnderstood(url, f"it has a line `{line[:100]}`")
        labels = {
            name: _ESCAPED.sub(_unescaped, value)
            for name, value in _LABEL.findall(found["labels"] or "")
        }
        yield found["name"], labels, int(value) if value.is_integer() else value


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


def _put(histogram: dict[str, Any], part: str, edge: str, value: float) -> None:
    if part in ("count", "sum"):
        histogram[part] += value
    elif part == "bucket" and edge != "+Inf":
        for bucket in histogram["buckets"]:
            # Others may have written the number anew, as 1 for our 1.0.
            if edge in (str(bucket[0]), f"{bucket[0]:g}"):
                bucket[1] += value


def _empty(metric: Metric) -> dict[str, Any]:
    return {"count": 0, "sum": 0.0, "buckets": [[edge, 0] for edge in metric.edges]}


def _state(gauges: dict[str, float]) -> dict[str, Any] | None:
    for key, value in gauges.items():
        if key.startswith("state{") and value:
            name = key.partition("=")[2][:-1]
            return {"name": name, "since": None, "cause": None}
    return None
