"""Connections of PEP 249."""

from __future__ import annotations

import sys

from engineroom import errors
from engineroom.connection import open_connection
from engineroom.dbapi.cursor import Cursor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from engineroom.connection import Location
    from engineroom.connection.transaction import Transaction
    from engineroom.core import Handle
    from engineroom.core.adapters import Adapter, Adapters, Converter
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


class Connection:
    """An open database. Made by `engineroom.connect()`.

    With autocommit off, a transaction begins before the first statement that writes
    and lasts until `commit()` or `rollback()`. As a context manager it commits, or
    rolls back when the block fails, and closes.

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

    def __init__(self, location: Location, handle: Handle) -> None:
        self.url = location.display
        self._handle = handle
        self._session = handle.session
        self._autocommit = location.settings.get("autocommit") == "on"
        self._depth = 0
        self._adapters: Adapters | None = None

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
        reader = self._session.reader()
        adapters = self._adapters or self._global_adapters()
        return Cursor(self, reader if adapters is None else adapters.around(reader))

    @staticmethod
    def _global_adapters() -> Adapters | None:
        # Nobody has registered any while the module is not even loaded.
        module = sys.modules.get("engineroom.core.adapters")
        return None if module is None else module.ADAPTERS

    def register_adapter(self, python_type: type, adapter: Adapter | None) -> None:
        """Tell how objects of a class are sent, on this connection's next cursors.

        As `engineroom.register_adapter()`, and before what that was told.
        """
        self._own_adapters().add_adapter(python_type, adapter)

    def register_converter(self, type_name: str, converter: Converter | None) -> None:
        """Tell what a column's values become, on this connection's next cursors.

        As `engineroom.register_converter()`, and before what that was told.
        """
        self._own_adapters().add_converter(type_name, converter)

    def _own_adapters(self) -> Adapters:
        from engineroom.core.adapters import ADAPTERS, Adapters

        if self._adapters is None:
            self._adapters = Adapters(ADAPTERS)
        return self._adapters

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
        self._session.executescript(sql)

    def commit(self) -> None:
        """Commit the transaction; nothing when none is open."""
        self._session.commit()

    def rollback(self) -> None:
        """Undo the transaction; nothing when none is open."""
        self._session.rollback()

    def transaction(self) -> Transaction:
        """Return a block that commits at its end, or rolls back when it fails.

        Inside another one, or where a transaction is open, it is a savepoint.
        """
        from engineroom.connection.transaction import Transaction

        self._depth += 1
        return Transaction(self._handle, self._depth)

    def interrupt(self) -> None:
        """Stop what the connection is doing, from any thread.

        The statement that runs raises `Interrupted`; the connection stays usable.
        """
        self._handle.interrupt()

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._handle.close()

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
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
