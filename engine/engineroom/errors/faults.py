"""What a caller can do about each error: a word for its kind, and two answers.

`FAULTS` says what the words mean. `ROWS` decides for each class, and a class without a
row is decided by the first of its bases that has one, so that a new refusal of a server
is never without a word. Errors ask here when somebody asks them; what raises them pays
nothing. Classes are named, not imported: most programs never see one of them.

Whether a call may be made again is two questions. Here is answered whether it could
succeed. Whether it could do its work twice is told by `sent_to_server`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.errors import Error

__all__ = ["FAULTS", "ROWS", "Fault", "fault_of"]

FAULTS = {
    "not-connected": "there is no open connection or client to ask: it was closed",
    "unreachable": "no connection came about: no server, no way to it, no encryption",
    "capacity": "something is used up: connections, memory, disk",
    "connect-timeout": "no connection came about in the time there was",
    "broken-reply": "the connection broke, or what came over it makes no sense",
    "timeout": "the answer did not come in the time there was",
    "lock-timeout": "somebody else holds a lock, or uses the object",
    "serialisation": "transactions got in each other's way, and this one was undone",
    "read-only": "what was asked to write may only read",
    "stale-plan": "the server no longer takes what was prepared before",
    "data-refused": "a value or a row is not acceptable",
    "transaction": "the transaction is not in a state for this",
    "engine-fault": "the engine or the database has a fault within itself",
    "access": "user, password, file or permission do not open what was asked for",
    "statement": "what was asked is wrong, and will be wrong the next time",
    "interrupted": "somebody stopped it",
    "": "not of a connection or a query, as an error of the artifact store",
}


class Fault:
    """What is decided for some classes of errors.

    Attributes:
        word: one of `FAULTS`.
        names: the classes.
        is_retryable: whether the call, or the transaction around it, may succeed when
            it is made again, on a new connection where this one is spent.
        is_poison: whether the connection can only be closed. An error may know better:
            by the server's severity, or where time was up before anything was sent.
        why: the reason, where it is not plain.
    """

    __slots__ = ("is_poison", "is_retryable", "names", "why", "word")

    def __init__(
        self,
        word: str,
        names: str,
        *,
        is_retryable: bool = False,
        is_poison: bool = False,
        why: str = "",
    ) -> None:
        self.word = word
        self.names = names.split()
        self.is_retryable = is_retryable
        self.is_poison = is_poison
        self.why = why


_NOTHING = Fault("", "")

ROWS = (
    Fault(
        "not-connected",
        "NotConnected",
        is_retryable=True,
        why="The client may have connected by the next time.",
    ),
    Fault(
        "not-connected",
        "ConnectionClosed",
        is_poison=True,
        why="Somebody on this side closed it, and would again.",
    ),
    Fault("not-connected", "ClientClosed LeaseEnded"),
    Fault(
        "unreachable",
        "ConnectFailed CannotConnectNow MetricsUnreachable",
        is_retryable=True,
        why="Servers start, and networks mend. Nothing was sent.",
    ),
    Fault(
        "unreachable",
        "ConnectionTrouble",
        is_retryable=True,
        is_poison=True,
        why="A state of class 08 that names no reason: the connection is not trusted.",
    ),
    Fault(
        "unreachable",
        "WarmUpFailed",
        is_retryable=True,
        why="Where the reason is an error too, its word and its answer hold.",
    ),
    Fault(
        "unreachable",
        "TlsFailed",
        why="Certificates, settings and libraries stay wrong until they are changed.",
    ),
    Fault("unreachable", "FileMissing", why="Somebody has to make the file."),
    Fault(
        "capacity",
        "TooManyConnections PoolExhausted",
        is_retryable=True,
        why="Others give their connections back.",
    ),
    Fault(
        "capacity",
        "InsufficientResources StorageFailed DiskFull",
        why="Disks and limits stay full until somebody makes room.",
    ),
    Fault(
        "capacity",
        "ServerOutOfMemory OutOfMemory",
        why="Asking again takes the same memory from a server that has none left.",
    ),
    Fault(
        "connect-timeout",
        "ConnectTimedOut WarmUpTimedOut",
        is_retryable=True,
        why="A server that is slow to start is there later. Nothing was sent.",
    ),
    Fault(
        "broken-reply",
        "ConnectionLost AdminShutdown CrashShutdown IdleSessionTimeout",
        is_retryable=True,
        is_poison=True,
        why="A new connection may hold; `sent_to_server` tells whether it ran.",
    ),
    Fault(
        "broken-reply",
        "ProtocolViolation",
        is_retryable=True,
        is_poison=True,
        why=(
            "What is between garbles one connection, seldom all; PgBouncer says so "
            "when it is overloaded."
        ),
    ),
    Fault(
        "broken-reply",
        "DatabaseDropped",
        is_poison=True,
        why="There is nothing left to connect to.",
    ),
    Fault(
        "broken-reply",
        "MetricsNotUnderstood",
        why="What is at the address is something else.",
    ),
    Fault(
        "timeout",
        "TimedOut",
        is_retryable=True,
        is_poison=True,
        why=(
            "A dead connection looks like this, and another answers. It is given up "
            "where something was sent, because the answer may still come."
        ),
    ),
    Fault(
        "timeout",
        "DeadlineExceeded",
        is_poison=True,
        why="The time of the whole call, with all its attempts, is over.",
    ),
    Fault(
        "timeout",
        "TransactionTimeout IdleInTransactionTimeout",
        is_poison=True,
        why="The same work would take the same time.",
    ),
    Fault(
        "lock-timeout",
        "DatabaseLocked LockNotAvailable ObjectInUse",
        is_retryable=True,
        why="Whoever holds it lets go.",
    ),
    Fault(
        "serialisation",
        "SerializationFailure DeadlockDetected SnapshotFailed",
        is_retryable=True,
        why="The whole transaction, from its start.",
    ),
    Fault("read-only", "ReadOnly", why="The file, or the URL, was made so."),
    Fault(
        "read-only",
        "ReadOnlyTransaction",
        is_retryable=True,
        why=(
            "After a fail-over, on a new connection to the server that may be written; "
            "on this one it comes again, and always where reading was asked for."
        ),
    ),
    Fault(
        "stale-plan",
        "StalePlan InvalidStatementName DuplicateStatement",
        is_retryable=True,
        why=(
            "It is prepared anew. In a transaction, which has failed by this, the "
            "whole of it from its start."
        ),
    ),
    Fault("data-refused", "DataError IntegrityError ConstraintViolated"),
    Fault(
        "transaction",
        "InvalidTransactionState ActiveTransaction InFailedTransaction"
        " InvalidTransactionInitiation InvalidTransactionTermination SavepointError",
    ),
    Fault(
        "transaction",
        "TransactionRolledBack",
        why="State 40003 leaves open whether it was committed.",
    ),
    Fault(
        "engine-fault",
        "InternalError DatabaseCorrupt DataCorrupted IndexCorrupted NotADatabase"
        " ServerSystemFailed ServerIoFailed ConfigurationError ForeignDataError"
        " StateMoveRefused",
    ),
    Fault(
        "engine-fault",
        "LoadError MissingExtra",
        why="Something has to be installed.",
    ),
    Fault(
        "engine-fault",
        "OperationalError",
        why="SQLite's codes without a class: a shared library, a lock file, a limit.",
    ),
    Fault(
        "access",
        "AuthenticationFailed InvalidCatalogName InsufficientPrivilege InvalidRole"
        " InvalidGrantor FileUnreadable",
    ),
    Fault(
        "access",
        "CredentialsFailed",
        is_retryable=True,
        why="What gives out tokens has bad moments too.",
    ),
    Fault(
        "statement",
        "SqlError UrlError OptionRefused ParameterError ParameterTypeUnsupported Misuse"
        " NotSupportedError StatementNotComplete ProgramLimitExceeded ObjectNotReady"
        " CardinalityViolation CaseNotFound DependentPrivileges DiagnosticsError"
        " InvalidCursorName InvalidCursorState InvalidSchemaName LocatorError NoData"
        " CursorClosed UsedByAnotherThread UsedByAnotherLoop ServerWarning"
        " RepeatedQueries",
    ),
    Fault(
        "statement",
        "UsedAfterFork",
        is_poison=True,
        why="In this process; the one that opened it can use it.",
    ),
    Fault(
        "statement",
        "ProcedureError RoutineFailed ExternalRoutineFailed ExternalInvocationFailed"
        " TriggeredActionFailed TriggeredDataChange",
        why="Whoever wrote the procedure or the trigger decided so.",
    ),
    Fault(
        "statement",
        "ProgrammingError InterfaceError DatabaseError",
        why="What has no class of its own was refused, and would be again.",
    ),
    Fault("interrupted", "Interrupted OperatorIntervened QueryCanceled"),
)

_by_name = {name: row for row in ROWS for name in row.names}
_by_class: dict[type[Error], Fault] = {}


def fault_of(kind: type[Error]) -> Fault:
    """Return what is decided for a class of errors."""
    row = _by_class.get(kind)
    if row is None:
        row = _by_class[kind] = next(_rows_of(kind), _NOTHING)
    return row


def _rows_of(kind: type[Error]) -> Iterator[Fault]:
    for base in kind.__mro__:
        if base.__name__ in _by_name:
            yield _by_name[base.__name__]
