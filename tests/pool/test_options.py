"""The options of a client: each row of the table, and what is refused."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

import engineroom
import engineroom.aio
from engineroom import errors
from engineroom.pool import options
from engineroom.pool.options import OPTIONS, Option, Options

if TYPE_CHECKING:
    from engineroom.pool.options import OpenOptions

SECRET = "s3cret-token"
# A value of each option that it cannot be; `...` is none that anything could be.
REFUSED: dict[str, list[Any]] = {
    "min_size": [-1, 1.5, "one", None],
    "max_size": [0, 10001, 2.5],
    "deadline_seconds": [0, -1, float("nan"), float("inf"), "soon", None],
    "warm_up_seconds": [0, float("nan")],
    "attempts": [0, 101, 1.5],
    "pauses_seconds": [(-1,), ("a",), 1.0, None],
    "jitter": [-0.1, 1.1],
    "lifetime_seconds": [0, None],
    "idle_seconds": [0, None],
    "validate_seconds": [-1],
    "hot": ["SELECT 1", (1,), None],
    "on_connect": ["SELECT 1", 1],
    "credentials": [{"user": "me", "password": SECRET}],
    "pooler": ["pgbouncer", "", None],
    "pin_seconds": [-1],
    "health_seconds": [0],
    "health_cache_seconds": [-1, 1.1],
    "slow_seconds": [-1, "slow"],
    "leak_seconds": [0, None],
}
EACH = pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)


@EACH
def test_the_default_of_each_option_is_one_that_it_may_be(option: Option) -> None:
    option.check(option.default)
    assert getattr(Options({}), option.name) == option.default


@EACH
def test_each_option_refuses_what_it_cannot_be(option: Option) -> None:
    for value in [*REFUSED[option.name], object()]:
        with pytest.raises(errors.OptionRefused) as refused:
            Options({option.name: value})
        assert refused.value.option == option.name
        assert option.takes in refused.value.message
        assert SECRET not in str(refused.value)


@EACH
def test_each_option_is_a_keyword_for_type_checkers(option: Option) -> None:
    keywords = inspect.getsource(options).split("class OpenOptions")[1]
    assert f"        {option.name}: " in keywords.split("__all__")[0]


def test_fewer_are_kept_than_there_may_be() -> None:
    with pytest.raises(errors.OptionRefused) as refused:
        Options({"min_size": 5, "max_size": 4})
    assert "`max_size`, which is 4" in refused.value.message
    assert Options({"min_size": 4, "max_size": 4}).min_size == 4


def test_an_unknown_option_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(errors.OptionRefused) as refused:
        Options({"max_sise": 4})
    assert "`max_size`" in refused.value.hint


def test_sequences_are_kept_as_they_were_given() -> None:
    hot = ["SELECT 1"]
    kept = Options({"hot": hot, "pauses_seconds": [1]})
    hot.append("SELECT 2")
    assert kept.hot == ("SELECT 1",)
    assert kept.pauses_seconds == (1,)


@pytest.mark.parametrize("face", [engineroom, engineroom.aio], ids=["blocking", "aio"])
def test_both_faces_refuse_before_anything_is_opened(face: Any) -> None:
    with pytest.raises(errors.OptionRefused):
        face.open("sqlite://:memory:", start="later")


def test_open_refuses_an_option_at_once() -> None:
    wrong: OpenOptions = {"max_size": 0}
    with pytest.raises(errors.OptionRefused):
        engineroom.open("postgresql://nobody@127.0.0.1:1/none", **wrong)
