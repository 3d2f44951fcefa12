"""The N+1 finder names the line that asks again and again."""

from __future__ import annotations

import re
from threading import Thread

import pytest

from engineroom.errors import Error, RepeatedQueries
from engineroom.metrics import Repeats
from tests.unit.metrics.conftest import Text

USERS = Text("select id from users")
ORDERS = Text("select total from orders where user_id = ?")


def fetch_orders(repeats: Repeats, times: int) -> None:
    for _ in range(times):
        repeats.note(ORDERS)


def fetch_users(repeats: Repeats, times: int) -> None:
    for _ in range(times):
        repeats.note(USERS)


def test_what_runs_too_often_from_one_line_is_found() -> None:
    with Repeats(limit=5) as repeats:
        repeats.note(USERS)
        fetch_users(repeats, 7)
        fetch_orders(repeats, 6)
    users, orders = repeats.found
    assert (users.shape, users.count) == (USERS.shape, 7)
    assert (orders.shape, orders.count) == (ORDERS.shape, 6)
    assert orders.file == __file__
    assert orders.line == fetch_orders.__code__.co_firstlineno + 2


def test_the_limit_itself_is_allowed() -> None:
    with Repeats(limit=5, fail=True) as repeats:
        fetch_orders(repeats, 5)
    assert repeats.found == []


def test_the_same_statement_from_two_lines_is_no_loop() -> None:
    with Repeats(limit=1, fail=True) as repeats:
        repeats.note(ORDERS)
        repeats.note(ORDERS)


def test_a_test_that_asks_for_it_fails() -> None:
    with (
        pytest.raises(AssertionError) as caught,
        Repeats(limit=2, fail=True) as repeats,
    ):
        fetch_users(repeats, 3)
        fetch_orders(repeats, 30)
        fetch_orders(repeats, 1)
    error = caught.value
    assert isinstance(error, RepeatedQueries)
    assert isinstance(error, Error)
    assert [one[3] for one in error.repeats] == [3, 31]
    assert error.limit == 2
    assert re.sub(r"`\S*/(\w+\.py):\d+`", r"`\1:LINE`", str(error)) == (
        "ER2620: `select id from users` ran 3 times from"
        " `test_metrics_repeats.py:LINE`, which is over the limit of `2`,"
        " and 1 more repeated so\n\n"
        "hint: fetch what the loop needs with one statement, by a join or a list of"
        " keys; or give a higher `limit` where the loop is meant"
    )


def test_what_the_block_raises_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), Repeats(limit=1, fail=True) as repeats:
        fetch_orders(repeats, 9)
        raise ZeroDivisionError


def test_nothing_is_noted_after_the_end() -> None:
    with Repeats(limit=1) as repeats:
        pass
    fetch_orders(repeats, 9)
    assert repeats.found == []


def test_statements_of_many_threads_are_counted_together() -> None:
    with Repeats() as repeats:
        threads = [Thread(target=fetch_orders, args=(repeats, 1_000)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [one.count for one in repeats.found] == [8_000]
