"""What both faces of a connection have, blocking and awaited: all that never waits.

The faces themselves (engineroom.dbapi, engineroom.aio) add what does.
"""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from engineroom.connection.conversation import Conversation, TransactionStatus
    from engineroom.connection.info import ConnectionInfo
    from engineroom.connection.messages import Notice, Notification
    from engineroom.connection.url import Location
    from engineroom.connection.xid import Xid
    from engineroom.core.adapters import Adapter, Converter

__all__ = ["Face"]


class Face:
    """The common part of connections.

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

    def __init__(self, location: Location, conversation: Conversation) -> None:
        self.url = location.display
        self._handle = conversation.handle
        self._conversation = conversation
        self._autocommit = location.settings.get("autocommit") == "on"

    def register_adapter(self, python_type: type, adapter: Adapter | None) -> None:
        """Tell how objects of a class are sent, on this connection's next cursors.

        As `engineroom.register_adapter()`, and before what that was told.
        """
        self._conversation.own_adapters().add_adapter(python_type, adapter)

    def register_converter(self, type_name: str, converter: Converter | None) -> None:
        """Tell what a column's values become, on this connection's next cursors.

        As `engineroom.register_converter()`, and before what that was told.
        """
        self._conversation.own_adapters().add_converter(type_name, converter)

    @property
    def notices(self) -> deque[Notice]:
        """The last hundred notices of the server, the oldest first."""
        inbox = self._conversation.inbox
        inbox.drain()
        return inbox.notices

    def add_notice_handler(self, handler: Callable[[Notice], object]) -> None:
        """Have a function called with each notice, after the call during which it came.

        What it raises comes out of that call.
        """
        self._conversation.inbox.notice_handlers.append(handler)
        self._conversation.look_again()

    def add_notification_handler(
        self, handler: Callable[[Notification], object]
    ) -> None:
        """Have a function called with each notification, as for notices.

        An event loop also calls it as they come. Without handlers they are kept until
        `notifications()` gives them.

        Raises:
            NotSupportedError: the database sends none.
        """
        self._require_server("notifications")
        self._conversation.inbox.notification_handlers.append(handler)
        self._conversation.look_again()

    def _require_server(self, what: str) -> None:
        if not self._conversation.is_server:
            raise errors.NotSupportedError(
                f"SQLite has no {what}", hint="PostgreSQL has them"
            )

    def xid(self, format_id: int, gtrid: str, bqual: str) -> Xid:
        """Return the name of a two-phase transaction, as PEP 249 has it.

        Raises:
            NotSupportedError: the database has no two-phase commit.
            Misuse: the parts cannot be a name.
        """
        from engineroom.connection.xid import Xid

        self._require_server("two-phase transactions")
        return Xid.from_parts(format_id, gtrid, bqual)

    @property
    def closed(self) -> bool:
        """Whether `close()` was called, or an event loop had to give it up."""
        return self._handle.is_closed

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._handle.in_transaction

    @property
    def transaction_status(self) -> TransactionStatus:
        """One of `idle`, `open`, `failed`, `lost` and `closed`.

        A transaction that failed does nothing more; it is rolled back, or to a
        savepoint. `lost` is a connection that can only be closed.
        """
        return self._conversation.transaction_status

    @property
    def info(self) -> ConnectionInfo:
        """Facts about the connection."""
        from engineroom.connection.info import ConnectionInfo

        return ConnectionInfo(self._conversation)

    @property
    def isolation_level(self) -> str | None:
        """How transactions that begin from now on are kept apart.

        `READ UNCOMMITTED`, `READ COMMITTED`, `REPEATABLE READ`, `SERIALIZABLE`, or
        None for what the server has been told. Set between transactions.
        """
        return self._conversation.isolation_level

    @isolation_level.setter
    def isolation_level(self, level: str | None) -> None:
        self._conversation.isolation_level = level

    @property
    def read_only(self) -> bool | None:
        """Whether transactions that begin from now on may only read; None as above."""
        return self._conversation.read_only

    @read_only.setter
    def read_only(self, is_on: bool | None) -> None:
        self._conversation.read_only = is_on

    @property
    def deferrable(self) -> bool | None:
        """Whether serializable transactions that only read wait until they cannot fail.

        None as above.
        """
        return self._conversation.deferrable

    @deferrable.setter
    def deferrable(self, is_on: bool | None) -> None:
        self._conversation.deferrable = is_on

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
