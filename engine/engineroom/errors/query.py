"""What a connection, a statement or a value can fail with: ER2101 to ER2305."""

from __future__ import annotations

from engineroom.errors import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)


class UrlError(ProgrammingError):
    """A connection URL cannot be understood, or asks for what does not exist.

    Attributes:
        url: the URL, with any password hidden.
    """

    code = "ER2101"

    def __init__(self, url: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"The URL `{url}` {reason}", hint=hint)
        self.url = url


class FileMissing(OperationalError):
    """There is no database file at the path.

    Attributes:
        path: where it was looked for, made absolute.
    """

    code = "ER2102"

    def __init__(self, path: str, *, hint: str) -> None:
        super().__init__(
            f"There is no database file at `{path}`",
            hint=hint,
            native_code=14,
            sqlstate="58P01",
        )
        self.path = path


class FileUnreadable(OperationalError):
    """The database file is there and cannot be opened.

    Attributes:
        path: the file, made absolute.
        reason: what stands in the way.
    """

    code = "ER2103"

    def __init__(self, path: str, reason: str, *, hint: str) -> None:
        super().__init__(
            f"The database file `{path}` cannot be opened: {reason}",
            hint=hint,
            native_code=14,
            sqlstate="58P01",
        )
        self.path = path
        self.reason = reason


class NotADatabase(DatabaseError):
    """The file holds something other than a database, or an encrypted one."""

    code = "ER2104"


class SqlError(ProgrammingError):
    """The statement is wrong: its syntax, or a name that does not exist.

    `query_position`, `line` and `column` tell where the fault was found.
    """

    code = "ER2201"
    sqlstates = ("42",)


class ParameterError(ProgrammingError):
    """Parameters do not fit the statement: too few, too many, or a name missing."""

    code = "ER2202"


class ParameterTypeUnsupported(ProgrammingError):
    """A parameter is of a type that no column can hold.

    Attributes:
        type_name: the Python type, such as `set`.
    """

    code = "ER2203"

    def __init__(self, type_name: str, *, hint: str) -> None:
        super().__init__(f"A parameter of type `{type_name}` cannot be sent", hint=hint)
        self.type_name = type_name


class SeveralStatements(SqlError):
    """The text holds more than one statement."""

    code = "ER2204"


class OutOfRange(DataError):
    """A number does not fit where it has to go, as an integer past 64 bits."""

    code = "ER2205"


class NotUtf8(DataError):
    """Text in the database, or given to it, is not UTF-8."""

    code = "ER2206"


class NotOfDeclaredType(DataError):
    """A value is not what the declared type of its column says."""

    code = "ER2207"


class ValueTooBig(DataError):
    """A text, blob or row is larger than the database takes."""

    code = "ER2208"


class ConstraintViolated(IntegrityError):
    """A constraint would have been broken.

    The classes below it tell which, on every backend: `UniqueViolation`,
    `NotNullViolation`, `CheckViolation`, `ForeignKeyViolation`.
    """

    code = "ER2209"
    sqlstates = ("23",)


class Interrupted(OperationalError):
    """The query was stopped by `Connection.interrupt()`."""

    code = "ER2210"


class DatabaseLocked(OperationalError):
    """Another connection holds a lock, and went on holding it while we waited."""

    code = "ER2211"


class ReadOnly(OperationalError):
    """The database may not be written: by its mode, its file or its folder."""

    code = "ER2212"


class StorageFailed(OperationalError):
    """The disk is full, or reading or writing it failed."""

    code = "ER2213"


class DatabaseCorrupt(DatabaseError):
    """The database file is damaged."""

    code = "ER2214"


class OutOfMemory(OperationalError, MemoryError):
    """Memory ran out. The connection can be used further."""

    code = "ER2215"


class Misuse(ProgrammingError):
    """Calls in an order that makes no sense, such as fetching without a result."""

    code = "ER2216"


class ConnectionClosed(InterfaceError):
    """The connection is closed."""

    code = "ER2301"


class CursorClosed(InterfaceError):
    """The cursor is closed."""

    code = "ER2302"


class UsedByAnotherThread(ProgrammingError):
    """Two threads used one connection at the same time; this call did nothing."""

    code = "ER2303"


class UsedAfterFork(ProgrammingError):
    """The connection was opened by the process this one was forked from."""

    code = "ER2304"


class UsedByAnotherLoop(ProgrammingError):
    """The connection was opened in another event loop; this call did nothing."""

    code = "ER2305"
