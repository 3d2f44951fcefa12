"""Ctrl-C at each line of the blocking client's own code: nothing is lost by it.

An exception is raised in the thread at the n-th event (a line that begins, a function
that is entered or left) inside `engineroom.pool`, for each n until the call ends before
it; where a round takes its time, for every third or eleventh n. Python itself lets no
signal in between the end of a `with` block and the call that leaves it, so nothing is
raised there.
"""

from __future__ import annotations

import gc
import itertools
import linecache
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import engineroom
import engineroom.pool
from engineroom import errors

from .steps import books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from postgres.cluster import Cluster

MOST = 2
QUIET = (0, 0, 0, False)
OURS = str(Path(engineroom.pool.__file__).parent)


class Stop(KeyboardInterrupt):
    """What is raised."""


class Interrupter:
    """Raises at the event of this number.

    Attributes:
        events: how many there have been.
        place: where it was raised.
    """

    def __init__(self, at: int) -> None:
        self.events = 0
        self.place = ""
        self._at = at
        self._inside: set[tuple[FrameType, int]] = set()

    def __call__(self, frame: FrameType, event: str, _what: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(OURS) or _is_finalising(frame):
            return None
        if event == "exception" or self._leaves_a_with(frame, event):
            return self
        if self.events == self._at:
            self.place = f"{event} {code.co_name}:{frame.f_lineno}"
            self._inside.clear()  # or it would keep what its frames have
            sys.settrace(None)
            raise Stop
        self.events += 1
        return self

    def _leaves_a_with(self, frame: FrameType, event: str) -> bool:
        """Whether what comes next is the call that ends a `with` block."""
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        if event != "line" or not line.strip().startswith("with "):
            return False
        block = (frame, frame.f_lineno)
        if block in self._inside:
            self._inside.remove(block)
            return True
        self._inside.add(block)
        return False


def _is_finalising(frame: FrameType | None) -> bool:
    """Whether Python swallows whatever is raised there."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


@contextmanager
def interrupted_at(at: int) -> Iterator[Interrupter]:
    """Have this thread interrupted at an event; swallow what was raised for it."""
    interrupter = Interrupter(at)
    before = sys.gettrace()
    sys.settrace(interrupter)
    try:
        yield interrupter
        sys.settrace(before)
        assert not interrupter.place, f"swallowed: {interrupter.place}"
    except Stop:
        assert interrupter.place
    finally:
        sys.settrace(before)


def _read(client: Any) -> None:
    assert client.fetchvalue("SELECT 41 + 1") == 42


def _write(client: Any) -> None:
    client.execute("INSERT INTO t VALUES (1)")


def _with_deadline(client: Any) -> None:
    assert client.fetchvalue("SELECT 1", deadline_seconds=3) == 1


def _many(client: Any) -> None:
    client.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])


def _lease(client: Any) -> None:
    with client.connection() as connection:
        assert connection.execute("SELECT 7").fetchone() == (7,)


def _transact(client: Any) -> None:
    with client.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (2)")


def _roll_back(client: Any) -> None:
    with suppress(ZeroDivisionError), client.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (4)")
        raise ZeroDivisionError


def _run(client: Any) -> None:
    def work(connection: Any) -> None:
        connection.execute("INSERT INTO t VALUES (5)")

    client.run(work)


def _health(client: Any) -> None:
    assert client.health().is_healthy


def _reconnect(client: Any) -> None:
    client.reconnect()


def _fail(client: Any) -> None:
    with pytest.raises(errors.SqlError):
        client.execute("SELECT nothing FROM nowhere")


def _dirty(client: Any) -> None:
    with client.connection() as connection:
        connection.execute("CREATE TEMP TABLE mine (n int)")


OPERATIONS = (
    _read,
    _write,
    _with_deadline,
    _many,
    _lease,
    _transact,
    _roll_back,
    _run,
    _health,
    _reconnect,
    _fail,
    _dirty,
)


def _settled(is_so: Callable[[], object], note: object) -> None:
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until, note
        time.sleep(0.001)


def _is_whole(client: Any, note: object) -> None:
    """All is as if nothing had been begun, and every connection answers for itself."""

    def is_quiet() -> bool:
        client._pool.take_back()  # as whoever comes next does
        for lane in client._pool.lanes:
            if lane.is_starting:
                client._pool.see_to(lane)
        return all(each == QUIET for each in books(client).values())

    _settled(is_quiet, note)
    for lane in client._pool.lanes:
        assert not lane.lock.locked(), note
        assert len(lane.slots) <= lane.most, note
        for slot in lane.idle:
            assert not slot.conversation.handle.in_transaction, note
    assert client.leases() == [], note
    assert client.fetchvalue("SELECT 'mine'") == "mine", note
    client.execute("DELETE FROM t WHERE n < 0")
    assert client.health().is_healthy, note


@pytest.mark.filterwarnings("ignore:A connection :ResourceWarning")
@pytest.mark.parametrize("work", OPERATIONS, ids=lambda work: work.__name__[1:])
def test_an_operation_that_is_interrupted_at_any_line_leaves_nothing_behind(
    backend: str, url: str, work: Any
) -> None:
    options: Any = {"max_size": MOST, "health_cache_seconds": 0}
    with engineroom.open(url, **options) as client:
        client.execute("CREATE TABLE t (n int)")
        for at in itertools.count(step=1 if backend == "sqlite" else 3):
            with interrupted_at(at) as interrupter:
                work(client)
            _is_whole(client, (at, interrupter.place))
            if not interrupter.place:
                break


@pytest.mark.filterwarnings("ignore:A connection :ResourceWarning")
def test_a_first_call_that_is_interrupted_at_any_line_leaves_nothing_behind(
    url: str,
) -> None:
    for at in itertools.count(step=5):
        options: Any = {"min_size": MOST, "max_size": MOST, "start": "first use"}
        with engineroom.open(url, **options) as client:
            with interrupted_at(at) as interrupter:
                _read(client)
            client.execute("CREATE TABLE IF NOT EXISTS t (n int)")
            _is_whole(client, (at, interrupter.place))
        if not interrupter.place:
            break


@pytest.mark.filterwarnings("ignore:A connection :ResourceWarning")
def test_a_close_that_is_interrupted_at_any_line_is_ended_by_the_next(
    cluster: Cluster,
) -> None:
    url = cluster.url(application_name="interrupted")
    with engineroom.connect(cluster.url(), autocommit=True) as watcher:
        for at in itertools.count(step=3):
            client = engineroom.open(url, min_size=2)
            with interrupted_at(at) as interrupter:
                client.close()
            client.close()
            note = (at, interrupter.place)
            assert client.state.name == "closed", note
            assert books(client) == {"primary": QUIET}, note
            _settled(lambda: _count(watcher, "interrupted") == 0, note)
            if not interrupter.place:
                break


@pytest.mark.filterwarnings("ignore:A connection :ResourceWarning")
def test_an_opening_that_is_interrupted_at_any_line_leaves_no_connection(
    cluster: Cluster,
) -> None:
    url = cluster.url(application_name="interrupted")
    with engineroom.connect(cluster.url(), autocommit=True) as watcher:
        for at in itertools.count(step=11):
            with interrupted_at(at) as interrupter:
                engineroom.open(url).close()
            note = (at, interrupter.place)
            gc.collect()  # a client that was ready, and that nobody was given
            _settled(lambda: _count(watcher, "interrupted") == 0, note)
            if not interrupter.place:
                break


def _count(watcher: Any, name: str) -> int:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = ?"
    count: int = watcher.execute(sql, (name,)).fetchone()[0]
    return count
