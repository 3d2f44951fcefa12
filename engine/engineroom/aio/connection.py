"""Connections for asyncio."""

from __future__ import annotations

from engineroom import errors
from engineroom.aio.cursor import Cursor
from engineroom.aio.opening import open_line
from engineroom.connection.face import Face

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterable
    from types import TracebackType
    from typing import Any

    from engineroom.aio.copy import CopyIn, CopyOut
    from engineroom.aio.line import Line
    from engineroom.aio.pipeline import Pipeline
    from engineroom.aio.transaction import Transaction
    from engineroom.connection import Location
    from engineroom.connection.messages import Notification
    from engineroom.connection.xid import Xid
    from engineroom.dbapi.cursor import Parameters

__all__ = ["Connecting", "Connection", "connect"]


def connect(url: str, *, autocommit: bool | None = None) -> Connecting:
    """Return a connection to be awaited, or to be entered by `async with`.

    Args:
        url: as of `engineroom.connect()`.
        autocommit: overrides the URL's setting; off where neither says.

    Raises:
        Error: as `engineroom.connect()`, when it is awaited.
    """
    return Connecting(url, autocommit)


class Connecting:
    """A connection that is opened when this is awaited, or entered by `async with`."""

    __slots__ = ("_autocommit", "_connection", "_url")

    def __init__(self, url: str, autocommit: bool | None) -> None:
        self._url = url
        self._autocommit = autocommit
        self._connection: Connection | None = None

    async def _open(self) -> Connection:
        location, line = await open_line(self._url, is_autocommit=self._autocommit)
        return Connection(location, line)

    def __await__(self) -> Generator[Any, None, Connection]:
        return self._open().__await__()

    async def __aenter__(self) -> Connection:
        self._connection = await self._open()
        return await self._connection.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._connection is not None
        await self._connection.__aexit__(kind, error, traceback)


class Connection(Face):
    """An open database, for one event loop. Made by `engineroom.aio.connect()`.

    What `engineroom.Connection` promises holds here, each method that may wait awaited.
    Several tasks may use it; their operations wait for each other, in the order they
    came. A task that is cancelled stops its operation, and the connection stays usable.

    Attributes:
        url: where it goes, without secrets.
    """

    def __init__(self, location: Location, line: Line) -> None:
        super().__init__(location, line.conversation)
        self._line = line

    def cursor(self) -> Cursor:
        """Return a new cursor.

        Raises:
            ConnectionClosed: the connection is closed.
        """
        if self._handle.is_closed:
            raise errors.ConnectionClosed(
                "The connection is closed",
                hint="open a new connection with `engineroom.aio.connect()`",
            )
        return Cursor(self, self._line)

    async def execute(self, operation: str, parameters: Parameters = None) -> Cursor:
        """Run one statement with a new cursor, and return the cursor."""
        return await self.cursor().execute(operation, parameters)

    async def executemany(
        self, operation: str, seq_of_parameters: Iterable[Parameters]
    ) -> Cursor:
        """Run one statement for each row of parameters with a new cursor."""
        return await self.cursor().executemany(operation, seq_of_parameters)

    async def executescript(self, sql: str) -> None:
        """Run every statement of a text; rows they give are dropped.

        Statements see the transaction as it is: none is begun or ended for them.
        """
        await self._line.settle()
        try:
            await self._line.run_script(sql)
        finally:
            self._conversation.deliver()

    async def commit(self) -> None:
        """Commit the transaction; nothing when none is open.

        Raises:
            Misuse: it belongs to a block, or to a two-phase transaction.
        """
        await self._line.settle()
        self._conversation.before_end("commit")
        await self._end(self._handle.session.commit)

    async def rollback(self) -> None:
        """Undo the transaction; nothing when none is open.

        Raises:
            Misuse: it belongs to a block, or to a two-phase transaction.
        """
        self._conversation.before_end("rollback")
        await self._end(self._handle.session.rollback)

    async def _end(self, step: Callable[[], int | None]) -> None:
        try:
            await self._line.run(step, step)
        finally:
            self._conversation.deliver()

    def transaction(self, savepoint_name: str | None = None) -> Transaction:
        """Return a block that commits at its end, or rolls back when it fails.

        Inside another one, or where a transaction is open, it is a savepoint.
        `engineroom.Rollback`, raised inside, undoes the block and ends it. A block is
        of the connection, not of the task.

        Args:
            savepoint_name: of the savepoint; one is made when it is None.
        """
        from engineroom.aio.transaction import Transaction

        return Transaction(self._line, savepoint_name)

    def pipeline(self) -> Pipeline:
        """Return a block inside which statements are sent without waiting for answers.

        A failure is raised when its rows are fetched, or else at the end of the block:
        the first of them, after all have ended. On SQLite, which answers at once, the
        block changes nothing.
        """
        from engineroom.aio.pipeline import Pipeline

        return Pipeline(self._line)

    def notifications(
        self, timeout: float | None = None, stop_after: int | None = None
    ) -> AsyncIterator[Notification]:
        """Give what comes by NOTIFY, as it comes, for channels that LISTEN named.

        The connection can be used meanwhile.

        Args:
            timeout: seconds after which it ends; None never, 0 gives what is there.
            stop_after: ends after so many.

        Raises:
            NotSupportedError: the database sends none.
            Misuse: a transaction is open, and holds them up.
        """
        self._require_server("notifications")
        from engineroom.aio.notifications import notifications

        return notifications(self._line, timeout, stop_after)

    async def tpc_begin(self, xid: Xid | str) -> None:
        """Begin a two-phase transaction; as `engineroom.Connection.tpc_begin()`."""
        work = self._conversation.two_phase.begin
        await self._line.run_in_thread(work, xid)

    async def tpc_prepare(self) -> None:
        """Do the first phase; as `engineroom.Connection.tpc_prepare()`."""
        await self._line.settle()
        work = self._conversation.two_phase.prepare
        await self._line.run_in_thread(work)

    async def tpc_commit(self, xid: Xid | str | None = None) -> None:
        """Do the second phase; as `engineroom.Connection.tpc_commit()`."""
        await self._line.settle()
        work = self._conversation.two_phase.commit
        await self._line.run_in_thread(work, xid)

    async def tpc_rollback(self, xid: Xid | str | None = None) -> None:
        """Undo a two-phase transaction, prepared or not."""
        work = self._conversation.two_phase.rollback
        await self._line.run_in_thread(work, xid)

    async def tpc_recover(self) -> list[Xid]:
        """Return the transactions that are prepared and wait for their second phase."""
        work = self._conversation.two_phase.recover
        return await self._line.run_in_thread(work)

    def copy_in(self, statement: str) -> CopyIn:
        """Return a block that copies data into the database; PostgreSQL only.

        Args:
            statement: as of `engineroom.Connection.copy_in()`.

        Raises:
            NotSupportedError: the database has no COPY.
        """
        from engineroom.aio.copy import CopyIn

        return CopyIn(self._line, statement)

    def copy_out(self, statement: str) -> CopyOut:
        """Return a block that copies data out of the database; PostgreSQL only.

        Args:
            statement: as of `engineroom.Connection.copy_out()`.

        Raises:
            NotSupportedError: the database has no COPY.
        """
        from engineroom.aio.copy import CopyOut

        return CopyOut(self._line, statement)

    def interrupt(self) -> None:
        """Stop what the connection is doing, from any thread.

        The statement that runs raises `Interrupted`; the connection stays usable.
        """
        self._line.interrupt()

    cancel = interrupt

    async def close(self) -> None:
        """Close the connection; an open transaction is rolled back.

        Operations that came before are waited for.
        """
        await self._line.end()

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if not self.closed:
                if error is None:
                    await self.commit()
                else:
                    await self.rollback()
        finally:
            await self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<engineroom.aio.Connection {self.url} {state}>"
