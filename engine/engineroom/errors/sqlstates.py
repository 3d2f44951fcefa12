"""The single SQLSTATEs that programs wait for, an exception each: ER2451 and up.

Where SQLite can fail in the same way the exception is below SQLite's too, so that one
`except` serves both.
"""

from __future__ import annotations

from engineroom.errors import DataError, InternalError
from engineroom.errors.postgres import (
    ConnectFailed,
    ConnectionLost,
    InsufficientResources,
    InvalidTransactionState,
    ObjectNotReady,
    OperatorIntervened,
    ProcedureError,
    ServerSystemFailed,
    TransactionRolledBack,
)
from engineroom.errors.query import (
    ConstraintViolated,
    DatabaseCorrupt,
    DatabaseLocked,
    Interrupted,
    NotUtf8,
    OutOfRange,
    ReadOnly,
    SqlError,
    StorageFailed,
    ValueTooBig,
)

__all__ = [
    "ActiveTransaction",
    "AdminShutdown",
    "AmbiguousColumn",
    "AssertFailure",
    "CannotConnectNow",
    "CharacterNotInRepertoire",
    "CheckViolation",
    "CrashShutdown",
    "DataCorrupted",
    "DatabaseDropped",
    "DatatypeMismatch",
    "DatetimeOverflow",
    "DeadlockDetected",
    "DiskFull",
    "DivisionByZero",
    "DuplicateDatabase",
    "DuplicateObject",
    "DuplicateStatement",
    "DuplicateTable",
    "ExclusionViolation",
    "ForeignKeyViolation",
    "IdleInTransactionTimeout",
    "IdleSessionTimeout",
    "InFailedTransaction",
    "IndeterminateDatatype",
    "IndexCorrupted",
    "InsufficientPrivilege",
    "InvalidDatetimeFormat",
    "InvalidParameterValue",
    "InvalidTextRepresentation",
    "LockNotAvailable",
    "NoDataFound",
    "NotNullViolation",
    "NumericValueOutOfRange",
    "ObjectInUse",
    "QueryCanceled",
    "RaisedException",
    "ReadOnlyTransaction",
    "SerializationFailure",
    "ServerIoFailed",
    "ServerOutOfMemory",
    "SqlSyntaxError",
    "StringDataRightTruncation",
    "TooManyConnections",
    "TooManyRows",
    "TransactionTimeout",
    "UndefinedColumn",
    "UndefinedFunction",
    "UndefinedObject",
    "UndefinedParameter",
    "UndefinedTable",
    "UniqueViolation",
    "UntranslatableCharacter",
    "WrongObjectType",
]


class NotNullViolation(ConstraintViolated):
    """NULL where a column takes none."""

    code = "ER2451"
    sqlstates = ("23502",)


class ForeignKeyViolation(ConstraintViolated):
    """A row refers to one that is not there, or is referred to."""

    code = "ER2452"
    sqlstates = ("23503",)


class UniqueViolation(ConstraintViolated):
    """There is a row with this key already."""

    code = "ER2453"
    sqlstates = ("23505",)


class CheckViolation(ConstraintViolated):
    """A CHECK constraint says no."""

    code = "ER2454"
    sqlstates = ("23514",)


class ExclusionViolation(ConstraintViolated):
    """The row conflicts with another by an exclusion constraint."""

    code = "ER2455"
    sqlstates = ("23P01",)


class StringDataRightTruncation(ValueTooBig):
    """A text is longer than its column."""

    code = "ER2456"
    sqlstates = ("22001",)


class NumericValueOutOfRange(OutOfRange):
    """A number does not fit its type."""

    code = "ER2457"
    sqlstates = ("22003",)


class InvalidDatetimeFormat(DataError):
    """A text is no date or time."""

    code = "ER2458"
    sqlstates = ("22007",)


class DatetimeOverflow(OutOfRange):
    """A date or time does not fit its type."""

    code = "ER2459"
    sqlstates = ("22008",)


class DivisionByZero(DataError):
    """A division by zero."""

    code = "ER2460"
    sqlstates = ("22012",)


class CharacterNotInRepertoire(NotUtf8):
    """Bytes that are no text in the encoding, or a character that it has not."""

    code = "ER2461"
    sqlstates = ("22021",)


class UntranslatableCharacter(DataError):
    """A character that the other encoding has not, or a zero."""

    code = "ER2462"
    sqlstates = ("22P05",)


class InvalidParameterValue(DataError):
    """An argument or a setting has a value it cannot take."""

    code = "ER2463"
    sqlstates = ("22023",)


class InvalidTextRepresentation(DataError):
    """A text is not a value of the type."""

    code = "ER2464"
    sqlstates = ("22P02",)


class ActiveTransaction(InvalidTransactionState):
    """This cannot be run inside a transaction."""

    code = "ER2465"
    sqlstates = ("25001",)


class ReadOnlyTransaction(InvalidTransactionState, ReadOnly):
    """The transaction, or the whole server, only reads."""

    code = "ER2466"
    sqlstates = ("25006",)


class InFailedTransaction(InvalidTransactionState):
    """An earlier statement failed; the transaction takes nothing but its rollback."""

    code = "ER2467"
    sqlstates = ("25P02",)


class IdleInTransactionTimeout(InvalidTransactionState, ConnectionLost):
    """The transaction was idle for too long, and the server ended the connection."""

    code = "ER2468"
    sqlstates = ("25P03",)


class TransactionTimeout(InvalidTransactionState, ConnectionLost):
    """The transaction took too long, and the server ended the connection."""

    code = "ER2469"
    sqlstates = ("25P04",)


class SerializationFailure(TransactionRolledBack):
    """Transactions at the same time got in each other's way; run this one again."""

    code = "ER2470"
    sqlstates = ("40001",)


class DeadlockDetected(TransactionRolledBack):
    """Transactions waited for each other; this one was undone. Run it again."""

    code = "ER2471"
    sqlstates = ("40P01",)


class InsufficientPrivilege(SqlError):
    """This role may not do that."""

    code = "ER2472"
    sqlstates = ("42501",)


class SqlSyntaxError(SqlError):
    """The statement cannot be parsed."""

    code = "ER2473"
    sqlstates = ("42601",)


class AmbiguousColumn(SqlError):
    """More than one column has this name."""

    code = "ER2474"
    sqlstates = ("42702",)


class UndefinedColumn(SqlError):
    """There is no column of this name."""

    code = "ER2475"
    sqlstates = ("42703",)


class UndefinedObject(SqlError):
    """There is no such type, setting, extension, or the like."""

    code = "ER2476"
    sqlstates = ("42704",)


class DuplicateObject(SqlError):
    """There is such an object already."""

    code = "ER2477"
    sqlstates = ("42710",)


class DatatypeMismatch(SqlError):
    """An expression is of another type than its place takes."""

    code = "ER2478"
    sqlstates = ("42804",)


class WrongObjectType(SqlError):
    """The object is of another kind than this needs."""

    code = "ER2479"
    sqlstates = ("42809",)


class UndefinedFunction(SqlError):
    """There is no function or operator of this name for these types."""

    code = "ER2480"
    sqlstates = ("42883",)


class UndefinedTable(SqlError):
    """There is no table or view of this name."""

    code = "ER2481"
    sqlstates = ("42P01",)


class UndefinedParameter(SqlError):
    """The statement has no such parameter."""

    code = "ER2482"
    sqlstates = ("42P02",)


class DuplicateDatabase(SqlError):
    """There is a database of this name already."""

    code = "ER2483"
    sqlstates = ("42P04",)


class DuplicateStatement(SqlError):
    """The server has a prepared statement of this name already."""

    code = "ER2484"
    sqlstates = ("42P05",)


class DuplicateTable(SqlError):
    """There is a table, view or index of this name already."""

    code = "ER2485"
    sqlstates = ("42P07",)


class IndeterminateDatatype(SqlError):
    """The type of a parameter cannot be told from its place."""

    code = "ER2486"
    sqlstates = ("42P18",)


class DiskFull(InsufficientResources, StorageFailed):
    """The server's disk is full."""

    code = "ER2487"
    sqlstates = ("53100",)


class ServerOutOfMemory(InsufficientResources):
    """The server has run out of memory."""

    code = "ER2488"
    sqlstates = ("53200",)


class TooManyConnections(InsufficientResources, ConnectFailed):
    """The server takes no more connections."""

    code = "ER2489"
    sqlstates = ("53300",)


class ObjectInUse(ObjectNotReady):
    """Somebody is using the object."""

    code = "ER2490"
    sqlstates = ("55006",)


class LockNotAvailable(ObjectNotReady, DatabaseLocked):
    """A lock is held by another transaction, and `lock_timeout` or NOWAIT was set."""

    code = "ER2491"
    sqlstates = ("55P03",)


class QueryCanceled(OperatorIntervened, Interrupted):
    """The query was stopped: by `interrupt()`, `statement_timeout`, or an operator."""

    code = "ER2492"
    sqlstates = ("57014",)


class AdminShutdown(OperatorIntervened, ConnectionLost):
    """The server ended the connection: it shuts down, or an operator wished so."""

    code = "ER2493"
    sqlstates = ("57P01",)


class CrashShutdown(OperatorIntervened, ConnectionLost):
    """Another process of the server crashed, and it ended all connections."""

    code = "ER2494"
    sqlstates = ("57P02",)


class CannotConnectNow(OperatorIntervened, ConnectFailed):
    """The server is starting, recovering or shutting down."""

    code = "ER2495"
    sqlstates = ("57P03",)


class DatabaseDropped(OperatorIntervened, ConnectionLost):
    """The database was dropped."""

    code = "ER2496"
    sqlstates = ("57P04",)


class IdleSessionTimeout(OperatorIntervened, ConnectionLost):
    """The connection was idle for too long, and the server ended it."""

    code = "ER2497"
    sqlstates = ("57P05",)


class ServerIoFailed(ServerSystemFailed, StorageFailed):
    """The server could not read or write one of its files."""

    code = "ER2498"
    sqlstates = ("58030",)


class RaisedException(ProcedureError):
    """A procedure raised this with RAISE EXCEPTION."""

    code = "ER2499"
    sqlstates = ("P0001",)


class NoDataFound(ProcedureError):
    """SELECT INTO STRICT found no row."""

    code = "ER2500"
    sqlstates = ("P0002",)


class TooManyRows(ProcedureError):
    """SELECT INTO STRICT found more than one row."""

    code = "ER2501"
    sqlstates = ("P0003",)


class AssertFailure(ProcedureError):
    """An ASSERT of a procedure failed."""

    code = "ER2502"
    sqlstates = ("P0004",)


class DataCorrupted(InternalError, DatabaseCorrupt):
    """The server found damaged data."""

    code = "ER2503"
    sqlstates = ("XX001",)


class IndexCorrupted(InternalError, DatabaseCorrupt):
    """The server found a damaged index."""

    code = "ER2504"
    sqlstates = ("XX002",)
