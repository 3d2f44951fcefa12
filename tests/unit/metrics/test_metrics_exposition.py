"""Prometheus reads our text with its own parser, and so do we."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from engineroom.errors import MetricsNotUnderstood
from engineroom.metrics import Metrics, prometheus
from engineroom.metrics.gate import judge
from engineroom.metrics.reading import read_snapshot
from engineroom.metrics.table import METRICS
from tests.unit.metrics.conftest import Text

URL = "http://shop.example/metrics"
ODD = 'a "b"\\c\nd}=é'


def busy() -> Metrics:
    """Return metrics of which every one has been counted."""
    metrics = Metrics(
        backend="postgres",
        url="postgresql://ann@db/shop",
        read_state=lambda: {"name": "warming", "since": 12.5, "cause": None},
    )
    stats = metrics.shapes.stats(Text("select ?"))
    for turn in range(300):
        stats.add(turn / 1_000, 2)
    stats.add_error("unreachable", 1.5)
    for metric in METRICS.values():
        if metric.kind == "histogram" and not metric.is_derived:
            metrics.observe(metric.name, 0.03)
            metrics.observe(metric.name, 400.0)
        elif not metric.is_derived:
            labels = {metric.label: "3"} if metric.label else {}
            if metric.kind == "counter":
                metrics.count(metric.name, 7, **labels)
            else:
                metrics.gauge(metric.name, lambda: 0.5, **labels)
    return metrics


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_reads_every_metric_of_the_table() -> None:
    text = prometheus(busy())
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for metric in METRICS.values():
        # Its parser takes the suffix of counters off.
        family = families[metric.exported.removesuffix("_total")]
        assert family.type == metric.kind
        assert family.documentation == f"{metric.help}."
    assert len(families) == len(METRICS)


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("engineroom_queries_total", {}, 301),
        ("engineroom_rows_total", {}, 600),
        ("engineroom_query_errors_total", {"fault": "unreachable"}, 1),
        ("engineroom_retries_total", {"fault": "3"}, 7),
        ("engineroom_query_seconds_count", {}, 301),
        ("engineroom_query_seconds_bucket", {"le": "0.25"}, 251),
        ("engineroom_query_seconds_bucket", {"le": "10.0"}, 301),
        ("engineroom_query_seconds_bucket", {"le": "+Inf"}, 301),
        ("engineroom_wait_seconds_bucket", {"le": "0.05"}, 1),
        ("engineroom_wait_seconds_bucket", {"le": "10.0"}, 1),
        ("engineroom_wait_seconds_bucket", {"le": "+Inf"}, 2),
        ("engineroom_pool_idle", {"lane": "3"}, 0.5),
        ("engineroom_state", {"state": "warming"}, 1),
        ("engineroom_state", {"state": "ready"}, 0),
    ],
)
def test_prometheus_reads_the_numbers(
    name: str, labels: dict[str, str], value: float
) -> None:
    assert samples(prometheus(busy()))[name, frozenset(labels.items())] == value


def test_a_label_may_hold_anything(metrics: Metrics) -> None:
    metrics.count("disconnects", reason=ODD)
    text = prometheus(metrics)
    key = ("engineroom_disconnects_total", frozenset({("reason", ODD)}))
    assert samples(text)[key] == 1
    read = read_snapshot(text, url=URL, now=1.0)
    assert read["counters"][f"disconnects{{reason={ODD}}}"] == 1


def test_a_snapshot_comes_back_from_json() -> None:
    snapshot = busy().snapshot()
    assert read_snapshot(json.dumps(snapshot), url=URL, now=1.0) == snapshot


def test_a_snapshot_comes_back_from_prometheus_without_shapes() -> None:
    metrics = busy()
    snapshot, text = metrics.snapshot(), prometheus(metrics)
    read = read_snapshot(text, url=URL, now=77.0)
    assert read["counters"] == snapshot["counters"]
    assert read["gauges"] == snapshot["gauges"]
    assert read["histograms"] == snapshot["histograms"]
    assert read["state"] == {"name": "warming", "since": None, "cause": None}
    assert (read["time"], read["shapes"]) == (77.0, [])


def test_metrics_of_others_and_their_labels_are_passed_over() -> None:
    text = (
        '# TYPE go_gc gauge\ngo_gc{a="}"} 3\n'
        'engineroom_leases_total{instance="a:1"} 3 1700000000\n'
        'engineroom_leases_total{instance="b:1"} 4\n'
        'engineroom_retries_total{job="x",fault="timeout"} 2\n'
        "engineroom_of_next_year_total 9\n"
    )
    read = read_snapshot(text, url=URL, now=1.0)
    assert read["counters"] == {"leases": 7, "retries{fault=timeout}": 2}


GOOD = Metrics().snapshot()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it holds no metric of Engineroom"),
        ("<html>", "it holds no metric of Engineroom"),
        ("go_gc 3\n", "it holds no metric of Engineroom"),
        ("engineroom_leases_total many\n", "it has a line `engineroom_leases_total"),
        ("engineroom_leases_total\n", "it has a line `engineroom_leases_total`"),
        ("{", "it is no JSON"),
        ("{}", "its format is `None`, not `1`"),
        (json.dumps({**GOOD, "format": 2}), "its format is `2`, not `1`"),
        (json.dumps({**GOOD, "counters": [1]}), "`counters` is not as it should be"),
        (json.dumps({**GOOD, "time": "now"}), "`time` is not as it should be"),
    ],
    ids=[
        "empty", "html", "others", "no number", "no value", "no json", "empty json",
        "next format", "counters", "time",
    ],
)  # fmt: skip
def test_what_is_no_metrics_is_said_to_be_none(text: str, reason: str) -> None:
    with pytest.raises(MetricsNotUnderstood) as caught:
        read_snapshot(text, url=URL, now=1.0)
    assert caught.value.url == URL
    assert caught.value.reason.startswith(reason)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(sorted(GOOD)), json_values)
def test_a_part_of_another_form_is_refused_or_read(part: str, value: Any) -> None:
    """What an endpoint gives is not ours to trust; who judges it must not fall over."""
    text = json.dumps({**GOOD, part: value})
    try:
        read = read_snapshot(text, url=URL, now=1.0)
    except MetricsNotUnderstood:
        return
    judge(read, read)


@given(st.text())
def test_any_text_is_refused_or_read(text: str) -> None:
    for begin in ("", "{", "engineroom_leases_total", "engineroom_rows_total 1\n"):
        try:
            read_snapshot(begin + text, url=URL, now=1.0)
        except MetricsNotUnderstood:
            continue
