"""Samples from many threads are all counted, and quantiles are told to within 5 %."""

from __future__ import annotations

import gc
import math
import sys
from threading import Barrier, Thread

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engineroom.metrics.distribution import BOUNDS, Distribution
from engineroom.metrics.shapes import FOLD_AT, OTHERS, Shapes, ShapeStats, cut
from engineroom.metrics.table import HISTOGRAM, of_kind
from tests.unit.metrics.conftest import Text

SELECT = Text("select name from users where id = ?")
durations = st.floats(1e-6, 100.0)


def test_no_sample_is_lost_between_threads_that_add_and_one_that_reads() -> None:
    stats = ShapeStats(SELECT.fingerprint, SELECT.shape)
    start = Barrier(9)
    seen: list[int] = []

    def add() -> None:
        start.wait()
        for turn in range(20_000):
            if turn % 100:
                stats.add(0.001, 2)
            else:
                stats.add_error("timeout", 0.5)

    def read() -> None:
        start.wait()
        while not seen or seen[-1] < 160_000:
            seen.append(stats.facts().count)

    threads = [Thread(target=add) for _ in range(8)]
    reader = Thread(target=read)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in (*threads, reader):
            thread.start()
        for thread in threads:
            thread.join()
        reader.join(timeout=30)
    finally:
        sys.setswitchinterval(before)
    facts = stats.facts()
    assert facts.count == 160_000
    assert facts.rows == 158_400 * 2
    assert facts.errors == 1_600
    assert facts.faults == {"timeout": 1_600}
    assert facts.seconds.total == pytest.approx(158_400 * 0.001 + 1_600 * 0.5)
    assert seen == sorted(seen)


def test_samples_that_wait_to_be_counted_are_bounded() -> None:
    stats = ShapeStats("", "")
    for _ in range(10 * FOLD_AT + 7):
        stats.add(0.001, 1)
    assert len(stats._new_seconds) == 7
    assert len(stats._new_rows) == 7


def test_a_finaliser_may_add_while_its_own_thread_folds() -> None:
    """A pool's finaliser counts a leak wherever the collector happens to run."""
    stats = ShapeStats("", "")

    class Leak:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            for _ in range(FOLD_AT):
                stats.add(0.001, 1)

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(20 * FOLD_AT):
            Leak()
            stats.add(0.001, 1)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert stats.facts().count == 20 * FOLD_AT * (1 + FOLD_AT)


def test_cutting_leaves_what_comes_later() -> None:
    gathered = [1, 2, 3]
    taken = cut(gathered)
    gathered.append(4)
    assert (taken, gathered) == ([1, 2, 3], [4])


@given(st.lists(durations, min_size=1, max_size=400), st.floats(0.01, 1.0))
@example([1e-6], 0.5)
@example([100.0] * 3, 0.99)
def test_a_quantile_is_within_5_percent(samples: list[float], share: float) -> None:
    exact = sorted(samples)[math.ceil(share * len(samples)) - 1]
    distribution = Distribution()
    for start in range(0, len(samples), 50):
        distribution.take(samples[start : start + 50])
    (told,) = distribution.quantiles(share)
    assert abs(told - exact) <= 0.05 * exact
    assert min(samples) <= told <= max(samples)


@given(st.lists(durations, max_size=200))
def test_coarse_buckets_are_counted_exactly(samples: list[float]) -> None:
    distribution = Distribution()
    distribution.take(list(samples))
    edges = next(metric.edges for metric in of_kind(HISTOGRAM))
    assert distribution.cumulate(edges) == [
        [edge, sum(sample <= edge for sample in samples)] for edge in edges
    ]


def test_every_edge_of_a_bucket_is_a_bound() -> None:
    edges = {edge for metric in of_kind(HISTOGRAM) for edge in metric.edges}
    assert len(edges) == 19
    assert edges <= set(BOUNDS)
    assert list(BOUNDS) == sorted(set(BOUNDS))


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        ([], [0.0, 0.0]),
        ([0.0], [0.0, 0.0]),
        ([3e-8], [3e-8, 3e-8]),
        ([300], [300, 300]),
    ],
    ids=["none", "zero", "below the first bound", "above the last bound"],
)
def test_quantiles_at_the_ends(samples: list[float], told: list[float]) -> None:
    distribution = Distribution()
    distribution.take(samples)
    assert distribution.quantiles(0.5, 0.99) == told


def test_shapes_over_the_bound_are_counted_as_others() -> None:
    shapes = Shapes(max_shapes=3)
    for number in range(10):
        shapes.stats(Text(f"select {number}")).add(0.001, 1)
    shapes.stats(Text("select 0")).add(0.001, 1)
    counts = {one.shape: one.count for one in shapes.facts()}
    assert counts == {"select 0": 2, "select 1": 1, "select 2": 1, OTHERS: 7}


def test_a_shape_has_the_same_statistics_whoever_asks() -> None:
    shapes = Shapes()
    start = Barrier(8)
    found: list[ShapeStats] = []

    def ask() -> None:
        start.wait()
        found.append(shapes.stats(SELECT))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(stats) for stats in found}) == 1


def test_a_very_long_shape_is_cut() -> None:
    shapes = Shapes()
    shapes.stats(Text("x" * 100_000)).add(0.001, 1)
    assert [len(one.shape) for one in shapes.facts()] == [2_001]


def test_shapes_that_take_the_most_time_come_first() -> None:
    shapes = Shapes()
    for shape, seconds in (("select 1", 0.1), ("select 2", 0.3), ("select 3", 0.2)):
        shapes.stats(Text(shape)).add(seconds, 1)
    assert [one.shape for one in shapes.facts()] == ["select 2", "select 3", "select 1"]
