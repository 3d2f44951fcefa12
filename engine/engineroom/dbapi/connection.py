"""Connections of PEP 249."""

from __future__ import annotations

from engineroom import errors
from engineroom.connection import open_connection
from engineroom.connection.conversation import Conversation
from engineroom.connection.face import Face
from engineroom.dbapi.cursor import Cursor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from engineroom.connection import Location
    from engineroom.connection.messages import Notification
    from engineroom.connection.pipeline import Pipeline
    from engineroom.connection.transaction import Transaction
    from engineroom.connection.xid import Xid
    from engineroom.core import Handle
    from engineroom.dbapi.copy import CopyIn, CopyOut
    from engineroom.dbapi.cursor import Parameters

__all__ = ["Connection", "connect"]


def connect(url: str, *, autocommit: bool | None = None) -> Connection:
    """Open a connection.

    Args:
        url: `sqlite:///file.db`, `sqlite:////absolute/file.db`, `sqlite://:memory:`,
            `postgresql://user@host/database` or a list of libpq's `name=value`, with
            settings (docs/reference/settings.md).
        autocommit: overrides the URL's setting; off where neither says.

    Raises:
        UrlError: the URL cannot be understood.
        LoadError: there is no engine for this process; lists every place tried.
        FileMissing: there is no such file. `?mode=rwc` makes it.
        FileUnreadable: the file cannot be opened.
        NotADatabase: the file holds something else.
        ConnectFailed: no connection to a server came about.
    """
    location, handle = open_connection(url, is_autocommit=autocommit)
    return Connection(location, handle)


class Connection(Face):
    """An open database. Made by `engineroom.connect()`.

    With autocommit off, a transaction begins before the first statement that writes
    and lasts until `commit()` or `rollback()`. As a context manager it commits, or
    rolls back when the block fails, and closes.

    Attributes:
        url: where it goes, without secrets.
    """

    def __init__(self, location: Location, handle: Handle) -> None:
        super().__init__(location, Conversation(handle))
        self._session = handle.session

    def cursor(self) -> Cursor:
        """Return a new cursor.

        Raises:
            ConnectionClosed: the connection is closed.
        """
        if self._handle.is_closed:
            raise errors.ConnectionClosed(
                "The connection is closed",
                hint="open a new connection with `engineroom.connect()`",
            )
        return Cursor(self, self._conversation)

    def execute(self, operation: str, parameters: Parameters = None) -> Cursor:
        """Run one statement with a new cursor, and return the cursor."""
        return self.cursor().execute(operation, parameters)

    def executemany(
        self, operation: str, seq_of_parameters: Iterable[Parameters]
    ) -> Cursor:
        """Run one statement for each row of parameters with a new cursor."""
        return self.cursor().executemany(operation, seq_of_parameters)

    def executescript(self, sql: str) -> None:
        """Run every statement of a text; rows they give are dropped.

        Statements see the transaction as it is: none is begun or ended for them.
        """
        self._conversation.settle()
        try:
            self._session.executescript(sql)
        finally:
            self._conversation.deliver()

    def commit(self) -> None:
        """Commit the transaction; nothing when none is open.

        Raises:
            Misuse: it belongs to a block, or to a two-phase transaction.
        """
        self._conversation.before_end("commit")
        try:
            self._session.commit()
        finally:
            self._conversation.deliver()

    def rollback(self) -> None:
        """Undo the transaction; nothing when none is open.

        Raises:
            Misuse: it belongs to a block, or to a two-phase transaction.
        """
        self._conversation.before_end("rollback")
        try:
            self._session.rollback()
        finally:
            self._conversation.deliver()

    def transaction(self, savepoint_name: str | None = None) -> Transaction:
        """Return a block that commits at its end, or rolls back when it fails.

        Inside another one, or where a transaction is open, it is a savepoint.
        `engineroom.Rollback`, raised inside, undoes the block and ends it.

        Args:
            savepoint_name: of the savepoint; one is made when it is None.
        """
        from engineroom.connection.transaction import Transaction

        return Transaction(self._conversation, savepoint_name)

    def pipeline(self) -> Pipeline:
        """Return a block inside which statements are sent without waiting for answers.

        A failure is raised when its rows are fetched, or else at the end of the block:
        the first of them, after all have ended. On SQLite, which answers at once, the
        block changes nothing.
        """
        from engineroom.connection.pipeline import Pipeline

        return Pipeline(self._conversation)

    def notifications(
        self, timeout: float | None = None, stop_after: int | None = None
    ) -> Iterator[Notification]:
        """Give what comes by NOTIFY, as it comes, for channels that LISTEN named.

        Args:
            timeout: seconds after which it ends; None never, 0 gives what is there.
            stop_after: ends after so many.

        Raises:
            NotSupportedError: the database sends none.
            Misuse: a transaction is open, and holds them up.
        """
        self._require_server("notifications")
        return self._conversation.inbox.notifications(timeout, stop_after)

    def tpc_begin(self, xid: Xid | str) -> None:
        """Begin a two-phase transaction.

        Args:
            xid: what `xid()` made, or PostgreSQL's own name of it.

        Raises:
            NotSupportedError: the database has no two-phase commit.
            Misuse: a transaction is open.
        """
        self._conversation.two_phase.begin(xid)

    def tpc_prepare(self) -> None:
        """Do the first phase.

        Raises:
            NotSupportedError: the server's `max_prepared_transactions` is 0.
            DatabaseError: it cannot be committed, and was rolled back.
        """
        self._conversation.two_phase.prepare()

    def tpc_commit(self, xid: Xid | str | None = None) -> None:
        """Do the second phase; without a first, commit at once.

        Args:
            xid: another transaction than this connection's, such as `tpc_recover()`
                found.
        """
        self._conversation.two_phase.commit(xid)

    def tpc_rollback(self, xid: Xid | str | None = None) -> None:
        """Undo a two-phase transaction, prepared or not; as `tpc_commit()`."""
        self._conversation.two_phase.rollback(xid)

    def tpc_recover(self) -> list[Xid]:
        """Return the transactions that are prepared and wait for their second phase."""
        return self._conversation.two_phase.recover()

    def copy_in(self, statement: str) -> CopyIn:
        """Return a block that copies data into the database; PostgreSQL only.

        Args:
            statement: `COPY table (columns) FROM STDIN (FORMAT binary)` or another
                format. It takes no parameters.

        Raises:
            NotSupportedError: the database has no COPY.
        """
        from engineroom.dbapi.copy import CopyIn

        return CopyIn(self._conversation, statement)

    def copy_out(self, statement: str) -> CopyOut:
        """Return a block that copies data out of the database; PostgreSQL only.

        Args:
            statement: `COPY (SELECT ...) TO STDOUT (FORMAT binary)` or another format.
                It takes no parameters.

        Raises:
            NotSupportedError: the database has no COPY.
        """
        from engineroom.dbapi.copy import CopyOut

        return CopyOut(self._conversation, statement)

    def interrupt(self) -> None:
        """Stop what the connection is doing, from any thread.

        The statement that runs raises `Interrupted`; the connection stays usable.
        """
        self._handle.interrupt()

    cancel = interrupt

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._handle.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if not self.closed:
                if error is None:
                    self.commit()
                else:
                    self.rollback()
        finally:
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<engineroom.Connection {self.url} {state}>"
