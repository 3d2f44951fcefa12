"""The client for asyncio: what `engineroom.pool.client` promises, awaited."""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

import asyncio
import weakref
from time import monotonic

from engineroom import errors
from engineroom.aio.block import Lease, Transaction
from engineroom.aio.line import running_loop
from engineroom.aio.loop_io import LoopIO, drive
from engineroom.pool.call import fail_first, make_call
from engineroom.pool.deadline import Deadline
from engineroom.pool.face import ClientFace, check_start
from engineroom.pool.result import Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Generator,
        Iterable,
        Mapping,
        Sequence,
    )
    from types import TracebackType
    from typing import Any, TypeVar

    from typing_extensions import Unpack

    from engineroom.aio.loop_io import LoopWaiter
    from engineroom.core.handle import Reader
    from engineroom.dbapi.cursor import Parameters, Row
    from engineroom.health import Health
    from engineroom.pool.face import Start
    from engineroom.pool.lane import Slot
    from engineroom.pool.options import OpenOptions
    from engineroom.pool.pool import Pool

    T = TypeVar("T")
    Answer = tuple[list[Row], Reader]

__all__ = ["Client", "Opening", "open_client"]


def open_client(
    url: str,
    *,
    replicas: Sequence[str] = (),
    start: Start = "wait",
    **options: Unpack[OpenOptions],
) -> Opening:
    """Return a client to be awaited, or to be entered by `async with`.

    Args:
        url: as of `engineroom.connect()`.
        replicas: URLs of servers that follow the primary; `read_only=True` reads there.
        start: `wait` is ready when it was awaited; `background` returns at once, and
            calls wait for the warm-up; `first use` does nothing before a call.
        options: see docs/reference/settings.md. Hooks may be coroutine functions.

    Raises:
        Error: as `engineroom.open()`, when it is awaited.
    """
    check_start(start)
    return Opening(url, replicas, start, options)


class Opening:
    """A client that is opened when this is awaited, or entered by `async with`."""

    __slots__ = ("_client", "_options", "_replicas", "_start", "_url")

    def __init__(
        self,
        url: str,
        replicas: Sequence[str],
        start: Start,
        options: Mapping[str, object],
    ) -> None:
        self._url = url
        self._replicas = replicas
        self._start = start
        self._options = options
        self._client: Client | None = None

    async def _open(self) -> Client:
        client = Client(self._url, self._replicas, self._options)
        if self._start == "wait":
            await client._begin()
        elif self._start == "background":
            client._pool.see_to(client._pool.primary)
        return client

    def __await__(self) -> Generator[Any, None, Client]:
        return self._open().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._open()
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._client is not None
        await self._client.close()


class Client(ClientFace):
    """A database behind a pool of connections, for one event loop.

    Made by `engineroom.aio.open()`. What `engineroom.Client` promises holds here, each
    method that may wait awaited. A task that is cancelled stops its statement, and the
    connection goes to somebody else.

    Attributes:
        options: what it was opened with.
        url: where it leads, without secrets.
    """

    _io: LoopIO

    def __init__(
        self, url: str, replicas: Sequence[str], options: Mapping[str, object]
    ) -> None:
        self._io = LoopIO()
        super().__init__(url, replicas, options, self._io)
        self._limit_seconds = self._limit_ms / 1000
        self._keeper: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[Health] | None = None
        # Whether any loop may have it: a forked child has none of its parent's.
        self._is_free = False

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._keeper = self._asking = None
        self._is_free = True

    async def _begin(self) -> None:
        began = monotonic()
        try:
            await self.execute("SELECT 1")
        except errors.Error as error:
            await drive(self._pool.close(0.0))
            if isinstance(error, errors.LoadError):
                raise
            failed = self._not_started(error, monotonic() - began)
            raise failed from failed.__cause__
        except BaseException:
            self._io.settle(self._pool.close(0.0))
            raise

    def _check_loop(self) -> None:
        if running_loop() is self._io.loop:
            return
        if not self._is_free:
            raise errors.UsedByAnotherLoop(
                "The client was opened in another event loop",
                hint="open a client in each loop",
            )
        self._io.begin_anew()
        self._is_free = False

    # Statements.

    async def execute(
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
        rows, reader = await self._answer(
            operation, parameters, idempotent, read_only, deadline_seconds
        )
        return Result(rows, reader)

    async def fetchall(
        self,
        operation: str,
        parameters: Parameters = None,
        *,
        idempotent: bool = False,
        read_only: bool = False,
        deadline_seconds: float | None = None,
    ) -> list[Row]:
        """Run one statement and return all its rows; as `execute()`."""
        rows, _ = await self._answer(
            operation, parameters, idempotent, read_only, deadline_seconds
        )
        return rows

    async def fetchone(
        self,
        operation: str,
        parameters: Parameters = None,
        *,
        idempotent: bool = False,
        read_only: bool = False,
        deadline_seconds: float | None = None,
    ) -> Row | None:
        """Run one statement and return its first row, None without; as `execute()`."""
        rows, _ = await self._answer(
            operation, parameters, idempotent, read_only, deadline_seconds
        )
        return rows[0] if rows else None

    async def fetchvalue(
        self,
        operation: str,
        parameters: Parameters = None,
        *,
        idempotent: bool = False,
        read_only: bool = False,
        deadline_seconds: float | None = None,
    ) -> Any:
        """Run one statement and return the first value of its first row, or None."""
        rows, _ = await self._answer(
            operation, parameters, idempotent, read_only, deadline_seconds
        )
        return rows[0][0] if rows else None

    async def _answer(
        self,
        operation: str,
        parameters: Parameters,
        idempotent: bool,
        read_only: bool,
        deadline_seconds: float | None,
    ) -> Answer:
        known = self._known[operation]
        if not known.is_plain or read_only or deadline_seconds is not None:
            return await self._answer_slowly(
                operation, parameters, idempotent, read_only, deadline_seconds
            )
        lane = self._read_lane if known.is_read else self._write_lane
        slot = lane.take()
        if slot is None:
            return await self._answer_slowly(operation, parameters, idempotent)
        began = monotonic()
        if began - slot.since > self.options.validate_seconds or slot.is_gone():
            self._pool.give(slot)
            return await self._answer_slowly(operation, parameters, idempotent)
        slot.since = began
        line = slot.connection._line
        line.limit(self._limit_seconds)
        try:
            reader = slot.conversation.make_reader()
            rows = await line.answer(reader, operation, parameters)
        except errors.UsedByAnotherLoop:
            self._pool.give(slot)
            raise
        except errors.Error as error:
            return await self._answer_slowly(
                operation, parameters, idempotent, after=(slot, error, began)
            )
        except BaseException:
            self._io.settle(self._pool.put_back(slot))
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

    async def _answer_slowly(
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

        async def work(slot: Slot) -> Answer:
            reader = slot.conversation.make_reader()
            line = slot.connection._line
            return await line.answer(reader, operation, parameters), reader

        self._check_loop()
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
        rows, reader = await drive(steps)
        if call.is_write:
            self._pin()
        self._notice_call(call, rows, reader)
        return rows, reader

    async def executemany(
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

        async def work(slot: Slot) -> Answer:
            reader = slot.conversation.make_reader()
            line = slot.connection._line
            await line.run_in_thread(reader.executemany, operation, rows)
            return [], reader

        self._check_loop()
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
        none, reader = await drive(make_call(self._pool, call))
        self._pin()
        self._notice_call(call, none, reader)
        return Result(none, reader)

    # Blocks.

    def connection(
        self, *, read_only: bool = False, deadline_seconds: float | None = None
    ) -> Lease:
        """Return a block that has a connection to itself, for `async with`.

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
        """Return a block that is one transaction, for `async with`.

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

    async def run(
        self,
        work: Callable[..., Awaitable[T]],
        *arguments: Any,
        read_only: bool = False,
        isolation_level: str | None = None,
        deadline_seconds: float | None = None,
    ) -> T | None:
        """Run a coroutine function in a transaction, again where that may help.

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
                async with block as connection:
                    return await work(connection, *arguments)
                return None  # undone by a `Rollback`
            except errors.Error as error:
                due = self._pause_before_rerun(error, block, deadline)
                if due is None:
                    self._account(error, deadline)
                    raise
                pause = due
            await self._io.pause(pause)

    # Health.

    async def health(self) -> Health:
        """Ask the database something by the way that every statement goes.

        Answers within `health_seconds`; where several ask at once, one query serves
        them, and an answer is given again for `health_cache_seconds`.
        """
        self._check_loop()
        known = self._health.find()
        if known is not None:
            return known
        if self._asking is None or self._asking.done():
            self._asking = self._io.start(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Health:
        began = monotonic()
        seconds = self.options.health_seconds
        try:
            await self.execute("SELECT 1", deadline_seconds=seconds)
        except errors.Error as error:
            return self._health.note(began, error)
        return self._health.note(began, None)

    async def wait_ready(self, timeout_seconds: float | None = None) -> None:
        """Return when there are connections that have proved to work.

        Args:
            timeout_seconds: how long to wait; `deadline_seconds` where it is None.

        Raises:
            Error: why there are none, as `execute()`.
        """
        await self.execute("SELECT 1", deadline_seconds=timeout_seconds)

    # The end, and other care.

    async def reconnect(self) -> None:
        """Replace all connections: idle ones now, the others as they come back."""
        self._check_loop()
        await drive(self._pool.retire("reconnect"))

    async def close(self, timeout_seconds: float | None = None) -> None:
        """Take nothing new, wait for what is lent, and close every connection.

        Args:
            timeout_seconds: how long to wait for what is lent; `deadline_seconds`
                where it is None. What is given back later is closed then.
        """
        self._check_loop()
        seconds = self.options.deadline_seconds
        seconds = seconds if timeout_seconds is None else timeout_seconds
        until = monotonic() + seconds
        await drive(self._pool.close(seconds))
        await self._io.join(max(0.0, until - monotonic()))

    def _keep(self) -> None:
        """See that somebody looks after the connections."""
        is_kept = self._keeper is not None and not self._keeper.done()
        if not is_kept and not self.closed:
            pool = self._pool
            closing: Any = pool.closing
            self._keeper = self._io.start(_keep(weakref.ref(pool), closing))

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


async def _keep(pool: Callable[[], Pool | None], closing: LoopWaiter) -> None:
    """Tend a pool until it closes or is forgotten."""
    seconds = 0.0
    while not await closing.wait(seconds):
        found = pool()
        if found is None:
            return
        await drive(found.tend())
        seconds = found.tend_every()
        del found
