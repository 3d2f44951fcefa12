"""What the engine reports, as an exception: the only place where that is decided.

The engine gives a status, the database's own code, an SQLSTATE, a position and a
sentence. The status decides first; where it only says "the database refused", the
database's code does, or the SQLSTATE where the database is a server (see
postgres_failure.py). The sentence is kept and a hint is added.
"""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STATUS_CLASSES", "make_error"]

_DATABASE = 13

# Every qe_status that is a failure; a test compares the keys with the loaded module's
# enum.
STATUS_CLASSES: dict[int, type[errors.Error]] = {
    1: errors.OutOfMemory,
    2: errors.Misuse,
    3: errors.UsedByAnotherThread,
    4: errors.ConnectionClosed,
    5: errors.UsedAfterFork,
    6: errors.Misuse,
    7: errors.ParameterError,
    8: errors.SeveralStatements,
    9: errors.OutOfRange,
    10: errors.NotUtf8,
    11: errors.NotOfDeclaredType,
    12: errors.Interrupted,
    _DATABASE: errors.DatabaseError,
    16: errors.ConnectionLost,
    17: errors.TimedOut,
    18: errors.ProtocolViolation,
    19: errors.TlsFailed,
}

# SQLite's primary result codes, https://sqlite.org/rescode.html.
_SQLITE_CLASSES: dict[int, type[errors.DatabaseError]] = {
    1: errors.SqlError,
    2: errors.InternalError,
    3: errors.OperationalError,
    4: errors.OperationalError,
    5: errors.DatabaseLocked,
    6: errors.DatabaseLocked,
    8: errors.ReadOnly,
    10: errors.StorageFailed,
    11: errors.DatabaseCorrupt,
    13: errors.StorageFailed,
    14: errors.OperationalError,
    15: errors.OperationalError,
    17: errors.OperationalError,
    18: errors.ValueTooBig,
    19: errors.ConstraintViolated,
    20: errors.DataError,
    22: errors.NotSupportedError,
    23: errors.OperationalError,
    25: errors.ProgrammingError,
    26: errors.NotADatabase,
}

_HINTS: dict[type[errors.Error], str] = {
    errors.UsedByAnotherThread: "open a connection for each thread",
    errors.ConnectionClosed: "open a new connection with `engineroom.connect()`",
    errors.UsedAfterFork: "open a new connection in this process",
    errors.ParameterError: (
        "give a sequence with one value for each `?`, or a mapping with a value for "
        "each `:name`"
    ),
    errors.SeveralStatements: "run them one by one, or all with `executescript()`",
    errors.OutOfRange: "integers have 64 bits; send larger ones as text",
    errors.NotUtf8: (
        "text has to be UTF-8; `CAST(column AS BLOB)` gives the bytes of other text"
    ),
    errors.NotOfDeclaredType: (
        "correct the value, or add `types=stored` to the URL to get values as they "
        "are stored"
    ),
    errors.DatabaseLocked: (
        "find who holds a transaction open, or wait longer with `timeout_seconds` in "
        "the URL"
    ),
    errors.TimedOut: "see how the statement can be made faster, or allow it more time",
    errors.ReadOnly: "open it with `mode=rw`; see who may write the file and folder",
    errors.StorageFailed: "see whether the disk is full, and what the system log says",
    errors.DatabaseCorrupt: "`PRAGMA integrity_check` tells what is damaged",
    errors.NotADatabase: "see whether the path is right; encryption is not supported",
}

# What a server's types ask for instead: they are never other than declared, and what
# cannot be given has a text.
_SERVER_HINTS: dict[type[errors.Error], str] = {
    errors.OutOfRange: (
        "give values that the type can hold; read others as text, as with "
        "`column::text`"
    ),
    errors.NotOfDeclaredType: (
        "give values of the type; read others as text, as with `column::text`"
    ),
}


def make_error(
    status: int,
    native_code: int,
    sqlstate: str,
    position: int,
    message: str,
    sql: str | None,
    row: int,
    diagnostics: bytes | None = None,
    was_sent: bool = False,
    *,
    is_server: bool = False,
) -> errors.Error:
    """Return the exception for what the engine reported.

    Args:
        status: a `qe_status`.
        native_code: SQLite's extended result code, or 0.
        sqlstate: five characters, or an empty string.
        position: offset of the fault in the statement's UTF-8, or -1.
        message: the engine's sentence.
        sql: the statement, where there is one.
        row: the row of parameters that failed, from 1, or 0.
        diagnostics: the fields of a server's refusal, as it sent them.
        was_sent: whether a server may have received the statement.
        is_server: whether the backend speaks to one.
    """
    kind = STATUS_CLASSES[status]
    if status >= _DATABASE and not native_code:
        return _server_error(
            kind, sqlstate, position, message, sql, row, diagnostics, was_sent
        )
    if status == _DATABASE:
        kind = _SQLITE_CLASSES.get(native_code & 0xFF, errors.DatabaseError)
    if kind is errors.ConstraintViolated:
        from engineroom.core.postgres_failure import class_of

        # SQLite's codes have been given their SQLSTATE, so a class is the same on both.
        exact = class_of(sqlstate)
        kind = exact if issubclass(exact, kind) else kind
    text = message[:1].upper() + message[1:]
    if row:
        text = f"{text} (row {row} of the parameters)"
    hint = _HINTS.get(kind, "")
    if is_server:
        hint = _SERVER_HINTS.get(kind, hint)
    if issubclass(kind, errors.SqlError):
        return _sql_error(kind, text, hint, native_code, sqlstate, position, sql or "")
    if issubclass(kind, errors.DatabaseError):
        return kind(text, hint=hint, native_code=native_code, sqlstate=sqlstate)
    return kind(text, hint=hint)


def _server_error(
    kind: type[errors.Error],
    sqlstate: str,
    position: int,
    message: str,
    sql: str | None,
    row: int,
    diagnostics: bytes | None,
    was_sent: bool,
) -> errors.Error:
    from engineroom.core.postgres_failure import make_server_error

    if sql is not None and position >= 0:
        position = _character_of(position, sql)
    given = kind if issubclass(kind, errors.DatabaseError) else None
    if given is errors.DatabaseError:
        given = None
    return make_server_error(
        given, sqlstate, message, sql, position, row, diagnostics, was_sent
    )


def _sql_error(
    kind: type[errors.SqlError],
    text: str,
    hint: str,
    native_code: int,
    sqlstate: str,
    position: int,
    sql: str,
) -> errors.SqlError:
    """A fault in the statement, with the place it was found."""
    start = _character_of(position, sql) if position >= 0 else _name_in(text, sql)
    if start is None:
        return kind(text, hint=hint, native_code=native_code, sqlstate=sqlstate)
    line = sql.count("\n", 0, start) + 1
    column = start - (sql.rfind("\n", 0, start) + 1) + 1
    rest = sql[start : start + _SHOWN].split("\n", 1)[0]
    place = f"the fault was found at `{rest}`" if rest else "the statement ends there"
    error = kind(
        f"{text}, at line {line}, column {column}",
        hint=f"{place}; {hint}" if hint else place,
        native_code=native_code,
        sqlstate=sqlstate,
    )
    error.query_position = start + 1
    error.line = line
    error.column = column
    return error


_SHOWN = 40


def _character_of(position: int, sql: str) -> int:
    """A byte offset into the UTF-8 of sql as an index of its characters."""
    return len(sql.encode("utf-8")[:position].decode("utf-8", "ignore"))


# SQLite gives no position for these, but names what it missed.
_NAMING = ("No such table: ", "No such view: ", "No such index: ", "No such column: ")


def _name_in(text: str, sql: str) -> int | None:
    """Where the name that the message speaks of stands in sql, if in one place only."""
    import re

    for opening in _NAMING:
        if text.startswith(opening):
            name = text[len(opening) :].rpartition(".")[2]
            # As a word of its own, and not a literal.
            word = rf"(?<![\w'$]){re.escape(name)}(?![\w'$])"
            found = [match.start() for match in re.finditer(word, sql, re.IGNORECASE)]
            return found[0] if len(found) == 1 else None
    return None


if TYPE_CHECKING:
    _hook: Callable[
        [int, int, str, int, str, str | None, int, bytes | None, bool], errors.Error
    ] = make_error
