"""What users may hand in besides plain statements and plain values."""

from __future__ import annotations

import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import engineroom
from engineroom import errors

from .plain import Plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Open = Callable[..., Any]


class Sql(str):
    """A text that is not quite a `str`."""

    __slots__ = ()


class Stubborn:
    """Can be neither compared nor hashed, nor be a parameter."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparing")


class Broken(Exception):
    """Raised by code of the user."""


def books(client: Any) -> list[tuple[int, int, int]]:
    pool = (client.awaited if isinstance(client, Plain) else client)._pool
    return [(lane.in_use, lane.waiting, lane.opening) for lane in pool.lanes]


def test_what_is_no_statement_is_refused_and_nothing_is_lost(
    open_client: Open, url: str
) -> None:
    client = open_client(url, max_size=1, deadline_seconds=2)
    for odd in (
        b"SELECT 1",
        None,
        1,
        ["SELECT 1"],
        Stubborn(),
        "SELECT '\0'",
        "\ud800",
    ):
        for name in ("execute", "fetchvalue"):
            with pytest.raises((errors.Error, TypeError, ValueError)):
                getattr(client, name)(odd)
        assert client.fetchvalue("SELECT 'well'") == "well"
    assert client.fetchvalue(Sql("SELECT 'sub'")) == "sub"
    for parameters in ((Stubborn(),), Stubborn(), 5, {"a": Stubborn()}):
        for _ in range(3):
            with pytest.raises((errors.Error, TypeError, ValueError)):
                client.execute("SELECT ?", parameters)
    assert client.fetchvalue("SELECT 'well'") == "well"
    assert not any(map(any, books(client)))


def _is_busy(connection: engineroom.Connection) -> bool:
    try:
        connection._handle.about("transaction")
    except errors.UsedByAnotherThread:
        return True
    return False


@pytest.mark.filterwarnings("ignore:A connection :ResourceWarning")
def test_a_block_that_ends_in_the_middle_of_another_threads_statement_gives_its_place(
    server_url: str,
) -> None:
    with engineroom.open(server_url, max_size=1, deadline_seconds=2) as client:

        def work(connection: engineroom.Connection) -> None:
            begun.set()
            connection.execute("SELECT pg_sleep(0.3)")

        begun = threading.Event()
        with ThreadPoolExecutor(1) as threads:
            with (
                pytest.raises(errors.UsedByAnotherThread),
                client.connection() as lent,
            ):
                other = threads.submit(work, lent)
                begun.wait(10)
                until = time.monotonic() + 10
                while not _is_busy(lent) and time.monotonic() < until:
                    time.sleep(0.001)
            assert client.fetchvalue("SELECT 'well'") == "well"
            other.result()
        assert books(client) == [(0, 0, 0)]


def test_rows_that_fail_on_the_way_lose_nothing(open_client: Open, url: str) -> None:
    client = open_client(url, max_size=1, deadline_seconds=2)
    client.execute("CREATE TABLE t (n int)")

    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        raise Broken

    with pytest.raises(Broken):
        client.executemany("INSERT INTO t VALUES (?)", rows())
    with pytest.raises((errors.Error, TypeError)):
        client.executemany("INSERT INTO t VALUES (?)", [(1,), (Stubborn(),)])
    assert client.fetchvalue("SELECT count(*) FROM t") == 0
    assert not any(map(any, books(client)))


def test_hooks_that_fail_are_told_and_forgotten(open_client: Open, url: str) -> None:
    failing = threading.Event()

    def on_connect(_connection: Any) -> None:
        if failing.is_set():
            raise Broken("the hook")

    client = open_client(url, max_size=1, deadline_seconds=2, on_connect=on_connect)
    failing.set()
    client.reconnect()
    with pytest.raises(errors.WarmUpFailed) as failed:
        client.fetchvalue("SELECT 'x'")
    assert isinstance(failed.value.__cause__, Broken)
    assert not any(map(any, books(client)))
    failing.clear()
    assert client.fetchvalue("SELECT 'well'") == "well"


def test_a_statement_of_ten_megabytes_is_answered_and_not_kept(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, deadline_seconds=30)
    size = 10_000_000
    assert client.fetchvalue(f"SELECT length('{'x' * size}')") == size
    known = (client.awaited if isinstance(client, Plain) else client)._known
    assert all(len(sql) < 100_000 for sql in known)


def test_texts_without_end_do_not_fill_the_memory(
    open_client: Open, file_url: str
) -> None:
    client = open_client(file_url)
    known = (client.awaited if isinstance(client, Plain) else client)._known

    def learn(first: int, last: int) -> int:
        for number in range(first, last):
            known[f"SELECT {number} AS c{number}"]
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = learn(0, 4_000)
        after = learn(4_000, 20_000)
    finally:
        tracemalloc.stop()
    assert after < 1.5 * before + 1_000_000
