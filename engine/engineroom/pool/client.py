"""The client: one object for a database, with a pool behind it. The blocking face.

A statement that finds a free connection takes the short way, which is written out here
because it is what nearly every call does. Whatever is rare, a wait, a failure, another
attempt, goes through the steps of pool.py and call.py, which both faces share.
"""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from time import monotonic

from engineroom import errors
from engineroom.pool.block import Lease, Transaction
from engineroom.pool.call import fail_first, make_call
from engineroom.pool.deadline import Deadline
from engineroom.pool.face import ClientFace, check_start
from engineroom.pool.result import Result
from engineroom.pool.thread_io import ThreadIO, ThreadWaiter, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Any, TypeVar

    from typing_extensions import Unpack

    from engineroom.core.handle import Reader
    from engineroom.dbapi.cursor import Parameters, Row
    from engineroom.health import Health
    from engineroom.pool.face import Start
    from engineroom.pool.lane import Slot
    from engineroom.pool.options import OpenOptions
    from engineroom.pool.pool import Pool

    T = TypeVar("T")
    Answer = tuple[list[Row], Reader]

__all__ = ["Client", "open_client"]


def open_client(
    url: str,
    *,
    replicas: Sequence[str] = (),
    start: Start = "wait",
    **options: Unpack[OpenOptions],
) -> Client:
    """Open a client: a pool of connections, warmed up, that mends itself.

    Args:
        url: as of `engineroom.connect()`.
        replicas: URLs of servers that follow the primary; `read_only=True` reads there.
        start: `wait` returns when the client is ready; `background` returns at once,
            and calls wait for the warm-up; `first use` does nothing before a call.
        options: see docs/reference/settings.md.

    Raises:
        UrlError: a URL cannot be understood.
        OptionRefused: there is no such option, or it cannot be this.
        WarmUpFailed: the client did not become ready; `__cause__` tells why.
        LoadError: there is no engine for this process.
    """
    check_start(start)
    client = Client(url, replicas, options)
    if start == "wait":
        client._start()
    elif start == "background":
        client._pool.see_to(client._pool.primary)
    return client


class Client(ClientFace):
    """A database behind a pool of connections. Made by `engineroom.open()`.

    Any number of threads may use it at once. As a context manager it closes.

    Attributes:
        options: what it was opened with.
        url: where it leads, without secrets.
    """

    _io: ThreadIO

    def __init__(
        self, url: str, replicas: Sequence[str], options: Mapping[str, object]
    ) -> None:
        self._io = ThreadIO()
        super().__init__(url, replicas, options, self._io)
        self._keeper_lock = threading.Lock()
        self._keeper: threading.Thread | None = None
        self._health_lock = threading.RLock()

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._keeper_lock = threading.Lock()
        self._keeper = None
        self._health_lock = threading.RLock()

    def _start(self) -> None:
        began = monotonic()
        try:
            self.execute("SELECT 1")
        except errors.LoadError:
            run(self._pool.close(0.0))
            raise
        except errors.Error as error:
            run(self._pool.close(0.0))
            failed = self._not_started(error, monotonic() - began)
            raise failed from failed.__cause__
        except BaseException:
            run(self._pool.close(0.0))
            raise

    # Statements.

    def execute(
        self,
        operation: str,
        parameters: Parameters = None,
        *,
        idempotent: bool = False,
        read_only: bool = False,
        deadline_seconds: float | None = None,
    ) -> Result:
        """Run one statement on a connection of its own choice, each its transaction.

        It is tried again where that is safe: it only reads, it never reached the
        server, or the server undid it.

        Args:
            operation: SQL, with `?` for parameters by place or `:name` by name.
            parameters: a sequence or a mapping to match.
            idempotent: it does no harm when it is applied twice.
            read_only: it only reads, and may be answered by a replica.
            deadline_seconds: how long all of it may take; `deadline_seconds` of the
                client where it is None.

        Raises:
            PoolExhausted: no connection came free in time.
            DeadlineExceeded: it did not end in time; `account` says what used it.
            ConnectFailed: no connection came about.
            ConnectionLost: the connection broke, and it was not safe to try again.
            DatabaseError: the database refused, each kind with its own class.
        """
        rows, reader = self._answer(
            operation, parameters, idempotent, read_only, deadline_seconds
        )
        return Result(rows, reader)

    def fetchall(
        self,
        operation: str,
        parameters: Parameters = None,
        *,
        idempotent: bool = False,
        read_only: bool = False,
        deadline_seconds: float | None = None,
    ) -> list[Row]:
        """Run one statement and return all its rows; as `execute()`."""
        return self._answer(
            operation, parameters, idempotent, read_only, deadline_seconds
        )[0]

    def fetchone(
        self,
        operation: str,
        parameters: Parameters = None,
        *,
        idempotent: bool = False,
        read_only: bool = False,
        deadline_seconds: float | None = None,
    ) -> Row | None:
        """Run one statement and return its first row, None without; as `execute()`."""
        rows = self._answer(
            operation, parameters, idempotent, read_only, deadline_seconds
        )[0]
        return rows[0] if rows else None

    def fetchvalue(
        self,
        operation: str,
        parameters: Parameters = None,
        *,
        idempotent: bool = False,
        read_only: bool = False,
        deadline_seconds: float | None = None,
    ) -> Any:
        """Run one statement and return the first value of its first row, or None."""
        rows = self._answer(
            operation, parameters, idempotent, read_only, deadline_seconds
        )[0]
        return rows[0][0] if rows else None

    def _answer(
        self,
        operation: str,
        parameters: Parameters,
        idempotent: bool,
        read_only: bool,
        deadline_seconds: float | None,
    ) -> Answer:
        known = self._known[operation]
        if not known.is_plain or read_only or deadline_seconds is not None:
            return self._answer_slowly(
                operation, parameters, idempotent, read_only, deadline_seconds
            )
        lane = self._read_lane if known.is_read else self._write_lane
        slot = lane.take()
        if slot is None:
            return self._answer_slowly(operation, parameters, idempotent)
        began = monotonic()
        if began - slot.since > self.options.validate_seconds or slot.is_gone():
            self._pool.give(slot)
            return self._answer_slowly(operation, parameters, idempotent)
        slot.since = began
        slot.limit(self._limit_ms)
        try:
            reader = slot.conversation.make_reader()
            reader.execute(operation, parameters)
            rows = reader.fetchall() if reader.has_result else []
        except errors.Error as error:
            return self._answer_slowly(
                operation, parameters, idempotent, after=(slot, error, began)
            )
        except BaseException:
            run(self._pool.put_back(slot))
            raise
        ended = slot.since = lane.last_success = monotonic()
        seconds = ended - began
        count = len(rows) or max(0, reader.changes)
        known.stats.add(seconds, count)
        if not lane.give(slot):
            self._pool.give(slot)
        if not known.is_read and self._replicas:
            self._pin()
        if self._watching or seconds >= self._notice_seconds:
            self._notice(known, seconds, count)
        return rows, reader

    def _answer_slowly(
        self,
        operation: str,
        parameters: Parameters,
        idempotent: bool,
        read_only: bool = False,
        deadline_seconds: float | None = None,
        after: tuple[Slot, errors.Error, float] | None = None,
    ) -> Answer:
        """Run a statement by all the rules.

        `after` is the connection, failure and beginning of a first attempt.
        """

        def work(slot: Slot) -> Answer:
            reader = slot.conversation.make_reader()
            reader.execute(operation, parameters)
            return (reader.fetchall() if reader.has_result else []), reader

        deadline = self._deadline(deadline_seconds)
        call = self._call_of(
            operation,
            parameters,
            work,
            deadline,
            idempotent=idempotent,
            read_only=read_only,
        )
        self._keep()
        if after is None:
            steps = make_call(self._pool, call)
        else:
            slot, error, began = after
            call.deadline = Deadline(deadline.seconds, already=monotonic() - began)
            steps = fail_first(self._pool, call, slot, error)
        rows, reader = run(steps)
        if call.is_write:
            self._pin()
        self._notice_call(call, rows, reader)
        return rows, reader

    def executemany(
        self,
        operation: str,
        seq_of_parameters: Iterable[Parameters],
        *,
        idempotent: bool = False,
        deadline_seconds: float | None = None,
    ) -> Result:
        """Run one statement for each row of parameters: all of them or none.

        Args:
            operation: as of `execute()`.
            seq_of_parameters: the rows; kept as a list, as they may be sent again.
            idempotent: as of `execute()`.
            deadline_seconds: as of `execute()`.

        Raises:
            Error: as `execute()`; a failure says which row it was.
        """
        rows = list(seq_of_parameters)

        def work(slot: Slot) -> Answer:
            reader = slot.conversation.make_reader()
            reader.executemany(operation, rows)
            return [], reader

        call = self._call_of(
            operation,
            rows,
            work,
            self._deadline(deadline_seconds),
            idempotent=idempotent,
            read_only=False,
            is_many=True,
        )
        self._keep()
        none, reader = run(make_call(self._pool, call))
        self._pin()
        self._notice_call(call, none, reader)
        return Result(none, reader)

    # Blocks.

    def connection(
        self, *, read_only: bool = False, deadline_seconds: float | None = None
    ) -> Lease:
        """Return a block that has a connection to itself.

        Each statement in it is its own transaction, has `deadline_seconds` of its own
        and is not tried again. What it leaves open is undone when it ends.

        Args:
            read_only: it only reads, and may be served by a replica.
            deadline_seconds: how long to wait for a connection.
        """
        return Lease(self, read_only, deadline_seconds)

    def transaction(
        self,
        *,
        read_only: bool = False,
        isolation_level: str | None = None,
        deadline_seconds: float | None = None,
    ) -> Transaction:
        """Return a block that is one transaction, on a connection of its own.

        It commits at its end and is undone when it fails. Nothing in it is tried
        again; see `run()`.

        Args:
            read_only: it only reads, and may be served by a replica.
            isolation_level: as `Connection.isolation_level`.
            deadline_seconds: how long all of it may take, from waiting for a
                connection to the commit.
        """
        deadline = self._deadline(deadline_seconds)
        return Transaction(self, read_only, isolation_level, deadline)

    def run(
        self,
        work: Callable[..., T],
        *arguments: Any,
        read_only: bool = False,
        isolation_level: str | None = None,
        deadline_seconds: float | None = None,
    ) -> T | None:
        """Run a function in a transaction, all of it again where that may help.

        That is where the server undid the transaction for the sake of another one, or
        the connection broke before the commit was sent.

        Args:
            work: gets the connection and the arguments. It may run several times.
            arguments: for `work`.
            read_only: as of `transaction()`.
            isolation_level: as of `transaction()`.
            deadline_seconds: how long all attempts may take together.

        Returns:
            What `work` returned the last time; None where it raised `Rollback`.
        """
        deadline = self._deadline(deadline_seconds)
        pause = 0.0
        while True:
            block = Transaction(self, read_only, isolation_level, deadline)
            try:
                with block as connection:
                    return work(connection, *arguments)
                return None  # undone by a `Rollback`
            except errors.Error as error:
                due = self._pause_before_rerun(error, block, deadline)
                if due is None:
                    self._account(error, deadline)
                    raise
                pause = due
            self._io.pause(pause)

    # Health.

    def health(self) -> Health:
        """Ask the database something by the way that every statement goes.

        Answers within `health_seconds`; where several ask at once, one query serves
        them, and an answer is given again for `health_cache_seconds`.
        """
        seconds = self.options.health_seconds
        began = monotonic()
        try:
            if not self._health_lock.acquire(timeout=seconds):
                return self._health.late()
            known = self._health.find(began)
            if known is not None:
                return known
            try:
                left = max(0.001, began + seconds - monotonic())
                self.execute("SELECT 1", deadline_seconds=left)
            except errors.Error as error:
                return self._health.note(began, error)
            return self._health.note(began, None)
        finally:
            with suppress(RuntimeError):  # whose it is, the lock itself knows best
                self._health_lock.release()

    def wait_ready(self, timeout_seconds: float | None = None) -> None:
        """Return when there are connections that have proved to work.

        Args:
            timeout_seconds: how long to wait; `deadline_seconds` where it is None.

        Raises:
            Error: why there are none, as `execute()`.
        """
        self.execute("SELECT 1", deadline_seconds=timeout_seconds)

    # The end, and other care.

    def reconnect(self) -> None:
        """Replace all connections: idle ones now, the others as they come back."""
        run(self._pool.retire("reconnect"))

    def close(self, timeout_seconds: float | None = None) -> None:
        """Take nothing new, wait for what is lent, and close every connection.

        Args:
            timeout_seconds: how long to wait for what is lent; `deadline_seconds`
                where it is None. What is given back later is closed then.
        """
        seconds = self.options.deadline_seconds
        seconds = seconds if timeout_seconds is None else timeout_seconds
        until = monotonic() + seconds
        run(self._pool.close(seconds))
        self._io.join(max(0.0, until - monotonic()))
        keeper = self._keeper
        if keeper is not None and keeper is not threading.current_thread():
            keeper.join()

    def _keep(self) -> None:
        """See that somebody looks after the connections."""
        if self._keeper is not None or self.closed:
            return
        with self._keeper_lock:
            if self._keeper is None:
                keeper = threading.Thread(
                    target=_keep,
                    args=(weakref.ref(self._pool), self._pool.closing),
                    name="engineroom keeper",
                    daemon=True,
                )
                keeper.start()
                self._keeper = keeper

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _keep(pool: Callable[[], Pool | None], closing: ThreadWaiter) -> None:
    """Tend a pool until it closes or is forgotten."""
    seconds = 0.0
    while not closing.wait(seconds):
        found = pool()
        if found is None:
            return
        run(found.tend())
        seconds = found.tend_every()
        del found
    closing.wake()  # Ctrl-C may have left another keeper without anybody who knows it
