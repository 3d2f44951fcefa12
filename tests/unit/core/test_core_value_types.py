"""Ranges, multiranges, arrays and intervals as values of Python."""

from __future__ import annotations

import copy
import datetime
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom import Array, Interval, Multirange, Range

DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("made", "inside", "outside"),
    [
        (Range(1, 5), [1, 4.5], [0, 5]),
        (Range(1, 5, "[]"), [1, 5], [0, 6]),
        (Range(1, 5, "()"), [2], [1, 5]),
        (Range(1, 5, "(]"), [5], [1]),
        (Range(None, 5), [-(10**30)], [5]),
        (Range(1), [10**30], [0]),
        (Range(), [0, "x"], []),
        (Range(empty=True), [], [0]),
        (Range(3, 3), [], [3]),
        (Range(3, 3, "[]"), [3], [2, 4]),
    ],
    ids=repr,
)
def test_a_range_knows_what_is_within_it(made, inside, outside):
    assert all(value in made for value in inside)
    assert not any(value in made for value in outside)
    assert bool(made) is not made.is_empty


def test_a_range_is_brought_into_one_form():
    assert Range(3, 3) == Range(empty=True)
    assert Range(3, 3).lower is None
    assert Range(None, None, "[]") == Range()
    assert Range(None, 1, "[]").bounds == "(]"
    assert not Range(None, 1).is_lower_inclusive
    assert Range(0, 1, "[]").is_upper_inclusive
    assert Range(0, 1) != Range(0, 1, "[]")
    assert Range(0, 1) != (0, 1)
    assert Range("infinity", 5).lower == "infinity"


@pytest.mark.parametrize("arguments", [(5, 1), (1, 2, "[["), (1, 2, "")])
def test_a_range_that_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match="range"):
        Range(*arguments)


def test_a_multirange_is_a_row_of_ranges():
    ranges = [Range(1, 3), Range(5, 9)]
    made = Multirange(ranges)
    assert list(made) == ranges
    assert len(made) == 2
    assert made[1] == Range(5, 9)
    assert 6 in made
    assert 4 not in made
    assert Range(1, 3) in made
    assert made == Multirange(iter(ranges))
    assert made != ranges


def test_an_array_is_a_list_that_remembers_its_bounds():
    made = Array([1, 2], (0,))
    assert made == [1, 2]
    assert made != Array([1, 2], (1,))
    assert made == Array([1, 2], [0])
    made.append(3)
    assert made == [1, 2, 3]
    with pytest.raises(TypeError):
        hash(made)


@pytest.mark.parametrize(
    "value",
    [
        Range(1, 2),
        Range(empty=True),
        Multirange([Range(1, 2)]),
        Interval(1, 2, 3),
        Array([[1]], (0, 2)),
    ],
    ids=repr,
)
def test_values_survive_pickling_and_copying_and_show_themselves(value):
    for other in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert other == value
        assert type(other) is type(value)
    names = {kind.__name__: kind for kind in (Range, Multirange, Interval, Array)}
    assert eval(repr(value), names) == value


@pytest.mark.parametrize(
    ("value", "name"),
    [(Range(1, 2), "lower"), (Multirange(), "_ranges"), (Interval(1), "days")],
)
def test_values_that_are_keys_cannot_be_changed(value, name):
    assert {value: 1}[copy.copy(value)] == 1
    with pytest.raises(AttributeError):
        setattr(value, name, 3)
    with pytest.raises(AttributeError):
        delattr(value, name)


@given(st.timedeltas())
def test_a_timedelta_survives_as_an_interval(delta):
    made = Interval.from_timedelta(delta)
    assert made.to_timedelta() == delta
    assert made.months == 0


def test_an_interval_keeps_months_days_and_time_apart():
    made = Interval(1, 2, 3)
    assert (made.months, made.days, made.microseconds) == (1, 2, 3)
    assert Interval(days=1) != Interval(microseconds=86_400_000_000)
    assert made + Interval(1) == Interval(2, 2, 3)
    assert made - made == Interval()
    assert not Interval()
    assert -made == Interval(-1, -2, -3)
    with pytest.raises(ValueError, match="months"):
        made.to_timedelta()
    with pytest.raises(TypeError):
        made + DAY  # type: ignore[operator]


@pytest.mark.parametrize(
    "numbers", [(2**31,), (0, -(2**31) - 1), (0, 0, 2**63)], ids=str
)
def test_an_interval_past_what_postgresql_keeps_is_refused(numbers):
    with pytest.raises(ValueError, match="cannot have"):
        Interval(*numbers)
