"""Connections for asyncio."""

from __future__ import annotations

from engineroom import errors
from engineroom.aio.cursor import Cursor
from engineroom.aio.opening import open_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from types import TracebackType
    from typing import Any

    from engineroom.aio.line import Line
    from engineroom.aio.transaction import Transaction
    from engineroom.connection import Location
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


class Connection:
    """An open database, for one event loop. Made by `engineroom.aio.connect()`.

    What `engineroom.Connection` promises holds here, each method that may wait awaited.
    Several tasks may use it; their operations wait for each other, in the order they
    came. A task that is cancelled stops its operation, and the connection stays usable.

    Attributes:
        url: where it goes, without secrets.
    """

    # PEP 249's optional extension: the exceptions, for code that has only this.
    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(self, location: Location, line: Line) -> None:
        self.url = location.display
        self._line = line
        self._handle = line.handle
        self._session = line.handle.session
        self._autocommit = location.settings.get("autocommit") == "on"
        self._depth = 0

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
        return Cursor(self, self._line, self._session.reader())

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
        await self._line.run_in_thread(self._session.executescript, sql)

    async def commit(self) -> None:
        """Commit the transaction; nothing when none is open."""
        await self._line.run(self._session.commit, self._session.commit)

    async def rollback(self) -> None:
        """Undo the transaction; nothing when none is open."""
        await self._line.run(self._session.rollback, self._session.rollback)

    def transaction(self) -> Transaction:
        """Return a block that commits at its end, or rolls back when it fails.

        Inside another one, or where a transaction is open, it is a savepoint. It is of
        the connection, not of the task.
        """
        from engineroom.aio.transaction import Transaction

        self._depth += 1
        return Transaction(self._line, self._depth)

    def interrupt(self) -> None:
        """Stop what the connection is doing, from any thread.

        The statement that runs raises `Interrupted`; the connection stays usable.
        """
        self._line.interrupt()

    async def close(self) -> None:
        """Close the connection; an open transaction is rolled back.

        Operations that came before are waited for.
        """
        await self._line.end()

    @property
    def closed(self) -> bool:
        """Whether `close()` was called, or the connection had to be given up."""
        return self._handle.is_closed

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._handle.in_transaction

    @property
    def autocommit(self) -> bool:
        """Whether each statement is its own transaction.

        Setting it does not end a transaction that is open.
        """
        return self._autocommit

    @autocommit.setter
    def autocommit(self, is_on: bool) -> None:
        self._handle.set_autocommit(is_on)
        self._autocommit = is_on

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
