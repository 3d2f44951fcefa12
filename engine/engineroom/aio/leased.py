"""A connection that is lent, and its cursors, awaited: as `engineroom.pool.leased`."""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

from time import monotonic
from weakref import ref

from engineroom import errors
from engineroom.aio.connection import Connection
from engineroom.aio.cursor import Cursor
from engineroom.dbapi.cursor import CLOSED
from engineroom.pool.loan import ENDED, Loan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from engineroom.aio.line import Line
    from engineroom.dbapi.cursor import Parameters

__all__ = ["LeasedConnection", "LeasedCursor"]


class LeasedConnection(Connection):
    """A connection of the pool, as long as the block that lends it lasts.

    Each statement is its own transaction unless it stands in a block of
    `transaction()`. Afterwards every use raises `LeaseEnded`.
    """

    def __init__(self, loan: Loan) -> None:
        connection = loan.slot.connection
        # The same connection: what this object adds is who has it.
        self.url = connection.url
        self._handle = connection._handle
        self._conversation = connection._conversation
        self._autocommit = True
        self._line = connection._line
        self._loan = loan

    def cursor(self) -> LeasedCursor:
        """Return a new cursor.

        Raises:
            ConnectionClosed: the connection is closed.
            LeaseEnded: the block is over.
        """
        self._loan.check()
        cursor = LeasedCursor(self, self._line)
        self._loan.note_cursor(ref(cursor))
        return cursor

    async def executescript(self, sql: str) -> None:
        """Run every statement of a text; rows they give are dropped.

        Statements see the transaction as it is: none is begun or ended for them.
        """
        known = self._loan.begin(sql)
        began = monotonic()
        try:
            await super().executescript(sql)
        except errors.Error as error:
            raise self._loan.fail(known, began, error) from error.__cause__
        self._loan.end(known, began, 0)

    @property
    def closed(self) -> bool:
        """Whether it can no longer be used."""
        return self._loan.is_over or self._handle.is_closed

    async def close(self) -> None:
        """Have it used no more; the block gives it back at its end."""
        self._end_lease()

    def _end_lease(self) -> None:
        """Refuse everything from now on, and leave what was being read."""
        if self._loan.is_over:
            return
        if not self._autocommit and not self._handle.is_closed:
            self._handle.set_autocommit(True)
        self._loan.close()
        ended: Any = ENDED
        self._handle = self._conversation = self._line = ended

    def __repr__(self) -> str:
        return f"<engineroom.aio.Connection {self.url} {self._loan!r}>"


class LeasedCursor(Cursor):
    """A cursor of a connection that is lent."""

    __slots__ = ("_loan",)
    connection: LeasedConnection

    def __init__(self, connection: LeasedConnection, line: Line) -> None:
        super().__init__(connection, line)
        self._loan = connection._loan

    async def execute(
        self, operation: str, parameters: Parameters = None
    ) -> LeasedCursor:
        """Run one statement, as `Cursor.execute()`."""
        loan = self._loan
        known = loan.begin(operation)
        began = monotonic()
        try:
            await super().execute(operation, parameters)
        except errors.Error as error:
            raise loan.fail(known, began, error) from error.__cause__
        loan.end(known, began, max(0, self._reader.changes))
        return self

    async def executemany(
        self, operation: str, seq_of_parameters: Iterable[Parameters]
    ) -> LeasedCursor:
        """Run one statement for each row, as `Cursor.executemany()`."""
        loan = self._loan
        known = loan.begin(operation)
        began = monotonic()
        try:
            await super().executemany(operation, seq_of_parameters)
        except errors.Error as error:
            raise loan.fail(known, began, error) from error.__cause__
        loan.end(known, began, max(0, self._reader.changes))
        return self

    def _end_lease(self) -> None:
        """Give up what was being read: the connection goes to somebody else."""
        if self._reader is not CLOSED:
            self._reader.close()
            ended: Any = ENDED
            self._reader = self._line = ended
