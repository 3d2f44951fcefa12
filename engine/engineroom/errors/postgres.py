"""What a PostgreSQL server can answer, by class of SQLSTATE: ER2105 to ER2113, ER24xx.

The states are those of Appendix A of PostgreSQL's manual. `sqlstates` names what an
exception stands for: two characters are a whole class, five one state; a state
without an exception of its own (those are in sqlstates.py) gets that of its class.
Five whole classes are exceptions that SQLite has too: `NotSupportedError` 0A,
`DataError` 22, `ConstraintViolated` 23, `SqlError` 42, `InternalError` XX.
"""

from __future__ import annotations

from engineroom.errors import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

__all__ = [
    "AuthenticationFailed",
    "CardinalityViolation",
    "CaseNotFound",
    "CheckOptionViolation",
    "ConfigurationError",
    "ConnectFailed",
    "ConnectTimedOut",
    "ConnectionLost",
    "ConnectionTrouble",
    "DependentPrivileges",
    "DiagnosticsError",
    "ExternalInvocationFailed",
    "ExternalRoutineFailed",
    "ForeignDataError",
    "InsufficientResources",
    "InvalidCatalogName",
    "InvalidCursorName",
    "InvalidCursorState",
    "InvalidGrantor",
    "InvalidPassword",
    "InvalidRole",
    "InvalidSchemaName",
    "InvalidStatementName",
    "InvalidTransactionInitiation",
    "InvalidTransactionState",
    "InvalidTransactionTermination",
    "LocatorError",
    "NoData",
    "ObjectNotReady",
    "OperatorIntervened",
    "ProcedureError",
    "ProgramLimitExceeded",
    "ProtocolViolation",
    "RoutineFailed",
    "SavepointError",
    "ServerSystemFailed",
    "ServerWarning",
    "SnapshotFailed",
    "StatementNotComplete",
    "TimedOut",
    "TlsFailed",
    "TransactionRolledBack",
    "TriggeredActionFailed",
    "TriggeredDataChange",
]


class ConnectionTrouble(OperationalError):
    """The connection to the server is the problem: none came about, or it broke."""

    code = "ER2105"
    sqlstates: ClassVar[tuple[str, ...]] = ("08",)


class ConnectFailed(ConnectionTrouble):
    """No connection came about. Nothing was sent to the database."""

    code = "ER2106"
    sqlstates: ClassVar[tuple[str, ...]] = ("08001", "08004")


class ConnectionLost(ConnectionTrouble):
    """The connection broke after it had been made; it can only be closed.

    `was_sent` tells whether the server may have received the statement: where it is
    false the statement was not run and may be sent again.
    """

    code = "ER2107"
    sqlstates: ClassVar[tuple[str, ...]] = ("08000", "08003", "08006", "08007")


class ProtocolViolation(ConnectionTrouble):
    """What came over the connection is not PostgreSQL's protocol."""

    code = "ER2108"
    sqlstates = ("08P01",)


class AuthenticationFailed(ConnectFailed):
    """The server refuses this user, this password, this machine or this certificate."""

    code = "ER2109"
    sqlstates = ("28",)


class InvalidPassword(AuthenticationFailed):
    """The password is wrong, or the user is not known; the server tells no more."""

    code = "ER2110"
    sqlstates = ("28P01",)


class TlsFailed(ConnectFailed):
    """No encrypted connection came about: a certificate, a setting, or a library."""

    code = "ER2111"


class TimedOut(OperationalError):
    """A call took longer than `timeout_seconds`, or than a limit of time allows."""

    code = "ER2112"
    sqlstates: ClassVar[tuple[str, ...]] = ("HYT00",)

    @property
    def poisons_connection(self) -> bool:
        """Whether a server was asked, whose answer may still come."""
        return self.sent_to_server and super().poisons_connection


class ConnectTimedOut(ConnectFailed, TimedOut):
    """No connection came about within `connect_timeout`, or within a limit of time."""

    code = "ER2113"
    sqlstates: ClassVar[tuple[str, ...]] = ("HYT01",)


class ServerWarning(DatabaseError):
    """A warning that a procedure has raised as an error."""

    code = "ER2401"
    sqlstates = ("01",)


class NoData(DatabaseError):
    """There is no data where some was asked for."""

    code = "ER2402"
    sqlstates = ("02",)


class StatementNotComplete(ProgrammingError):
    """The SQL statement is not complete yet."""

    code = "ER2403"
    sqlstates = ("03",)


class TriggeredActionFailed(OperationalError):
    """What a trigger was to do failed."""

    code = "ER2404"
    sqlstates = ("09",)


class InvalidTransactionInitiation(ProgrammingError):
    """A transaction cannot be started here."""

    code = "ER2405"
    sqlstates = ("0B",)


class LocatorError(ProgrammingError):
    """A locator is not valid."""

    code = "ER2406"
    sqlstates = ("0F",)


class InvalidGrantor(ProgrammingError):
    """This role cannot grant what it was to grant."""

    code = "ER2407"
    sqlstates = ("0L",)


class InvalidRole(ProgrammingError):
    """There is no such role, or it may not be taken."""

    code = "ER2408"
    sqlstates = ("0P",)


class DiagnosticsError(ProgrammingError):
    """Diagnostics were asked for outside an exception handler."""

    code = "ER2409"
    sqlstates = ("0Z",)


class CaseNotFound(ProgrammingError):
    """No branch of a CASE statement fits, and there is no ELSE."""

    code = "ER2410"
    sqlstates = ("20",)


class CardinalityViolation(ProgrammingError):
    """A subquery gave more rows or columns than its place takes."""

    code = "ER2411"
    sqlstates = ("21",)


class InvalidCursorState(ProgrammingError):
    """The server's cursor is not in a state for this."""

    code = "ER2412"
    sqlstates = ("24",)


class InvalidTransactionState(OperationalError):
    """The transaction is not in a state for this."""

    code = "ER2413"
    sqlstates = ("25",)


class InvalidStatementName(OperationalError):
    """The server has no prepared statement of this name.

    It was deallocated, or a pooler gave the connection to another server process.
    """

    code = "ER2414"
    sqlstates = ("26",)


class TriggeredDataChange(OperationalError):
    """A trigger changed data that the statement was to change."""

    code = "ER2415"
    sqlstates = ("27",)


class DependentPrivileges(OperationalError):
    """Other privileges depend on the one to be taken away."""

    code = "ER2416"
    sqlstates = ("2B",)


class InvalidTransactionTermination(ProgrammingError):
    """A transaction cannot be ended here."""

    code = "ER2417"
    sqlstates = ("2D",)


class RoutineFailed(OperationalError):
    """An SQL routine did what it may not do, or ended without a result."""

    code = "ER2418"
    sqlstates = ("2F",)


class InvalidCursorName(ProgrammingError):
    """The server has no cursor of this name."""

    code = "ER2419"
    sqlstates = ("34",)


class ExternalRoutineFailed(OperationalError):
    """A routine in another language did what it may not do."""

    code = "ER2420"
    sqlstates = ("38",)


class ExternalInvocationFailed(OperationalError):
    """A routine in another language could not be called, or gave a wrong result."""

    code = "ER2421"
    sqlstates = ("39",)


class SavepointError(ProgrammingError):
    """There is no such savepoint."""

    code = "ER2422"
    sqlstates = ("3B",)


class InvalidCatalogName(OperationalError):
    """There is no database of this name."""

    code = "ER2423"
    sqlstates = ("3D",)


class InvalidSchemaName(ProgrammingError):
    """There is no schema of this name."""

    code = "ER2424"
    sqlstates = ("3F",)


class TransactionRolledBack(OperationalError):
    """The server undid the transaction; it may succeed when it is run again."""

    code = "ER2425"
    sqlstates = ("40",)


class CheckOptionViolation(IntegrityError):
    """The row would not be visible through the view it goes through."""

    code = "ER2426"
    sqlstates = ("44",)


class InsufficientResources(OperationalError):
    """The server has run out of something."""

    code = "ER2427"
    sqlstates = ("53",)


class ProgramLimitExceeded(OperationalError):
    """The statement goes past a limit of the server."""

    code = "ER2428"
    sqlstates = ("54",)


class ObjectNotReady(OperationalError):
    """An object is not in the state that this needs."""

    code = "ER2429"
    sqlstates = ("55",)


class OperatorIntervened(OperationalError):
    """The server's operator, or a rule of theirs, stopped this."""

    code = "ER2430"
    sqlstates = ("57",)


class ServerSystemFailed(OperationalError):
    """The server's own system failed it: files, disks."""

    code = "ER2431"
    sqlstates = ("58",)


class SnapshotFailed(OperationalError):
    """The snapshot is too old; servers before version 17 say so."""

    code = "ER2432"
    sqlstates = ("72",)


class ConfigurationError(OperationalError):
    """The server's configuration is wrong, or locked."""

    code = "ER2433"
    sqlstates = ("F0",)


class ForeignDataError(OperationalError):
    """A foreign data wrapper failed."""

    code = "ER2434"
    sqlstates = ("HV",)


class ProcedureError(DatabaseError):
    """A PL/pgSQL procedure failed, or raised an error of its own."""

    code = "ER2435"
    sqlstates = ("P0",)
