"""What a PostgreSQL server or libpq reports, as an exception.

A server's refusal has fields, each a letter: its SQLSTATE picks the class, the rest
is kept as it was said. libpq tells only in a sentence why no connection came about;
`_REASONS` reads those sentences. libpq is built without translations, so they are
always these words; what the server adds behind `FATAL:` may be in any language, and is
told by its SQLSTATE.
"""

from __future__ import annotations

from engineroom import errors
from engineroom.errors import postgres, sqlstates

__all__ = ["class_of", "connect_class", "make_server_error", "read_fields"]

# The attribute for each field of an ErrorResponse whose text is kept as it is:
# https://www.postgresql.org/docs/17/protocol-error-fields.html
_ATTRIBUTES = {
    "V": "severity",
    "D": "detail",
    "H": "server_hint",
    "W": "context",
    "s": "schema_name",
    "t": "table_name",
    "c": "column_name",
    "d": "data_type_name",
    "n": "constraint_name",
    "q": "internal_query",
}

_POOLED = "behind a pooler that shares servers, add `prepared=off` to the URL"
_AGAIN = "run the transaction again from its start"
_REFUSED = (
    "see in the server's pg_hba.conf what is asked of this user, database and address"
)
_LOGIN = (
    "see whether user and password are right: they come from the URL, PGPASSWORD or "
    "the password file"
)
_WENT_AWAY = "see the server's log, and what is between it and here"

_HINTS: dict[type[errors.DatabaseError], str] = {
    errors.InvalidPassword: _LOGIN,
    errors.AuthenticationFailed: _REFUSED,
    errors.TooManyConnections: (
        "close connections that are not used, share them in a pool, or raise the "
        "server's `max_connections`"
    ),
    errors.CannotConnectNow: "try again in a moment",
    errors.InvalidStatementName: _POOLED,
    errors.DuplicateStatement: _POOLED,
    errors.IndeterminateDatatype: "write the type behind it, such as `?::text`",
    errors.InFailedTransaction: (
        "roll back; what may fail inside a transaction belongs in a block of "
        "`connection.transaction()`"
    ),
    errors.SerializationFailure: _AGAIN,
    errors.DeadlockDetected: _AGAIN,
    errors.ReadOnlyTransaction: (
        "`target_session_attrs=read-write` in the URL looks for a server that can be "
        "written"
    ),
    errors.InvalidCatalogName: "see whether the database's name is right",
    errors.LockNotAvailable: "find who holds a transaction open, or wait longer",
    errors.ConnectionLost: "open a new connection with `engineroom.connect()`",
    errors.TimedOut: (
        "see what takes so long, or allow it more time, which `timeout_seconds` in the "
        "URL does for every call to a server"
    ),
    errors.ConnectTimedOut: (
        "see whether host and port are right and no firewall is between, or wait "
        "longer with `connect_timeout` in the URL"
    ),
    errors.ProtocolViolation: (
        "see whether host and port lead to PostgreSQL, and what is between"
    ),
}

# Words of libpq's sentences, in the order they are looked for: a class, and what to do.
_REASONS: tuple[tuple[str, type[errors.DatabaseError], str], ...] = (
    ("timeout expired", errors.ConnectTimedOut, ""),
    ("Connection timed out", errors.ConnectTimedOut, ""),
    ("no password supplied", errors.InvalidPassword, _LOGIN),
    ("password authentication failed", errors.InvalidPassword, _LOGIN),
    ("no pg_hba.conf entry", errors.AuthenticationFailed, _REFUSED),
    ("pg_hba.conf rejects", errors.AuthenticationFailed, _REFUSED),
    (
        "does not support SSL",
        errors.TlsFailed,
        (
            "turn `ssl` on in the server's configuration; `sslmode=prefer` does "
            "without, and then anybody between can read along"
        ),
    ),
    (
        "does not match host name",
        errors.TlsFailed,
        "connect to a name that is in the server's certificate",
    ),
    (
        "certificate verify failed",
        errors.TlsFailed,
        (
            "name the file of the authority that signed the server's certificate with "
            "`sslrootcert`, and see whether the certificate has expired"
        ),
    ),
    (
        "root certificate file",
        errors.TlsFailed,
        (
            "name the file of the server's certificate authority with `sslrootcert`; "
            "`sslrootcert=system` takes the system's"
        ),
    ),
    (
        "private key file",
        errors.TlsFailed,
        (
            "see whether `sslkey` names the key of `sslcert`, which only this user may "
            "read, and whether `sslpassword` is right"
        ),
    ),
    (
        "certificate file",
        errors.TlsFailed,
        "see whether `sslcert` names a certificate that this user may read",
    ),
    (
        "SSL protocol version",
        errors.TlsFailed,
        "see `ssl_min_protocol_version` here and on the server",
    ),
    ("channel binding", errors.AuthenticationFailed, "see `channel_binding`"),
    ("authentication method", errors.AuthenticationFailed, "see `require_auth`"),
    ("SASL", errors.AuthenticationFailed, ""),
    ("SCRAM", errors.AuthenticationFailed, ""),
    ("server signature", errors.AuthenticationFailed, ""),
    ("client proof", errors.AuthenticationFailed, ""),
    ("requirepeer", errors.AuthenticationFailed, ""),
    ("authentication not supported", errors.AuthenticationFailed, _REFUSED),
    ("without a valid SSL certificate", errors.AuthenticationFailed, ""),
    ("did not request an SSL certificate", errors.AuthenticationFailed, ""),
    # A server that goes away in the middle of it says nothing about certificates.
    ("SSL SYSCALL error", errors.ConnectFailed, _WENT_AWAY),
    ("SSL connection has been closed", errors.ConnectFailed, _WENT_AWAY),
    ("unexpected eof while reading", errors.ConnectFailed, _WENT_AWAY),
    ("SSL", errors.TlsFailed, ""),
    ("too many clients", errors.TooManyConnections, ""),
    ("the database system is", errors.CannotConnectNow, ""),
    (
        "could not translate host name",
        errors.ConnectFailed,
        "see whether the host's name is right, and whether it can be looked up here",
    ),
    (
        "Connection refused",
        errors.ConnectFailed,
        "see whether the server runs and listens at that address and port",
    ),
    (
        "No such file or directory",
        errors.ConnectFailed,
        (
            "see whether the server runs; `host` names the folder of its socket, or a "
            "machine"
        ),
    ),
    (
        "session is read-only",
        errors.ConnectFailed,
        "no server fits `target_session_attrs`",
    ),
    (
        "session is not read-only",
        errors.ConnectFailed,
        "no server fits `target_session_attrs`",
    ),
    ("hot standby mode", errors.ConnectFailed, "no server fits `target_session_attrs`"),
    ("does not exist", errors.InvalidCatalogName, ""),
)

# What refuses a run whose result has other columns than it was prepared for: by name,
# and by the columns' formats, where each run is parsed anew.
_STALE_ROUTINES = ("RevalidateCachedQuery", "PortalSetResultFormat")

# libpq opens each attempt to connect with one of these.
_ATTEMPTS = ("connection to server ", "could not translate host name ")

_classes: dict[str, type[errors.DatabaseError]] = {}


def class_of(sqlstate: str) -> type[errors.DatabaseError]:
    """Return the class for an SQLSTATE: its own, else that of its first two."""
    if not _classes:
        shared = (
            errors.NotSupportedError,
            errors.DataError,
            errors.InternalError,
            errors.ConstraintViolated,
            errors.SqlError,
        )
        named = [getattr(postgres, name) for name in postgres.__all__]
        named += [getattr(sqlstates, name) for name in sqlstates.__all__]
        for kind in (*shared, *named):
            _classes.update(dict.fromkeys(vars(kind).get("sqlstates", ()), kind))
    kind = _classes.get(sqlstate) or _classes.get(sqlstate[:2])
    return kind or errors.DatabaseError


def read_fields(diagnostics: bytes) -> dict[str, str]:
    """Return an ErrorResponse's fields by letter.

    Before the login their text may be in an encoding that nobody names.
    """
    parts = diagnostics.split(b"\0")
    return {chr(part[0]): part[1:].decode("utf-8", "replace") for part in parts if part}


def connect_class(message: str) -> tuple[type[errors.DatabaseError], str]:
    """Return the class and the hint for libpq's account of why it did not connect.

    With several hosts there are several reasons; where they differ it is only said
    that no connection came about.
    """
    found = [_reason(attempt) for attempt in _attempts(message)]
    kinds = {kind for kind, _ in found}
    kind = kinds.pop() if len(kinds) == 1 else errors.ConnectFailed
    hints = [hint or _HINTS.get(kind, "") for kind, hint in found]
    return kind, "; ".join(dict.fromkeys(filter(None, hints)))


def _attempts(message: str) -> list[str]:
    # The engine has made one line of libpq's many.
    for opening in _ATTEMPTS:
        for before in ("; ", "\n"):
            message = message.replace(before + opening, "\0" + opening)
    return message.split("\0")


def _reason(attempt: str) -> tuple[type[errors.DatabaseError], str]:
    # Names of hosts, users and files are quoted and may hold any of the words.
    words = "".join(attempt.split('"')[::2])
    for reason, kind, hint in _REASONS:
        if reason in words:
            return kind, hint
    return errors.ConnectFailed, ""


def is_of_connecting(message: str) -> bool:
    """Whether libpq says this of an attempt to connect."""
    return message.startswith(_ATTEMPTS)


def make_server_error(
    kind: type[errors.DatabaseError] | None,
    sqlstate: str,
    message: str,
    sql: str | None,
    position: int,
    row: int,
    diagnostics: bytes | None,
    was_sent: bool,
) -> errors.DatabaseError:
    """Return the exception for a server's refusal, or for what came in its place.

    Args:
        kind: the class where the engine's status has decided it already.
        sqlstate: five characters, or an empty string.
        message: the engine's sentence; the server's own goes before it.
        sql: the statement, where there is one.
        position: the character of sql at which the fault was found, from 0, or -1.
        row: the row of parameters that failed, from 1, or 0.
        diagnostics: the fields of the server's refusal.
        was_sent: whether the server may have received the statement.
    """
    fields = read_fields(diagnostics or b"")
    sqlstate = fields.get("C", sqlstate)
    hint = ""
    attempts = len(_attempts(message)) if is_of_connecting(message) else 0
    if attempts > 1 or (attempts == 1 and not sqlstate):
        kind, hint = connect_class(message)
    elif _is_stale(sqlstate, fields):
        kind = errors.StalePlan
    elif sqlstate:
        exact = class_of(sqlstate)
        kind = kind if kind and issubclass(kind, exact) else exact
    kind = kind or errors.DatabaseError
    text = fields.get("M", message).strip()
    text = text[:1].upper() + text[1:]
    if row:
        text = f"{text} (row {row} of the parameters)"
    if kind is errors.StalePlan:
        hint = _stale_hint(fields, was_sent)
    ours = hint or _own_hint(kind, text)
    server_hint = fields.get("H", "").strip()
    hints = [server_hint.rstrip("."), ours] if ours else [server_hint]
    error = kind(text, hint="; ".join(filter(None, hints)), sqlstate=sqlstate)
    error.was_sent = was_sent
    _keep(error, fields)
    if sql is not None:
        _place(error, sql, position, fields)
    return error


def _is_stale(sqlstate: str, fields: dict[str, str]) -> bool:
    """Whether what was prepared no longer fits its tables.

    The server says so by a routine, whose name is the same in every language: its
    states are also those of what is not supported, and of a broken protocol. The
    engine, which compares the columns that come with those described, says so by a
    state for which there are no fields.
    """
    return fields.get("R") in _STALE_ROUTINES if fields else sqlstate == "0A000"


def _stale_hint(fields: dict[str, str], was_sent: bool) -> str:
    if fields:
        hint = "its tables have changed since it was prepared; run it again"
        # The other routine refuses where `prepared` is off already.
        is_named = fields["R"] == "RevalidateCachedQuery"
        return f"{hint}; {_POOLED}" if is_named else hint
    # The engine sees it by the rows that come, when a write has written.
    return "only its rows were refused: what it changed is changed" if was_sent else ""


def _own_hint(kind: type[errors.DatabaseError], text: str) -> str:
    if issubclass(kind, errors.AuthenticationFailed):
        reason, hint = connect_class(text)
        if issubclass(reason, kind) and hint:
            return hint
    for base in kind.__mro__:
        if base in _HINTS:
            return _HINTS[base]
    return ""


def _keep(error: errors.DatabaseError, fields: dict[str, str]) -> None:
    for letter, name in _ATTRIBUTES.items():
        if letter in fields:
            setattr(error, name, fields[letter])
    if "V" not in fields and "S" in fields:  # servers before 9.6
        error.severity = fields["S"]
    if fields.get("p", "").isdecimal():
        error.internal_position = int(fields["p"])


_SHOWN = 72


def _place(
    error: errors.DatabaseError, sql: str, position: int, fields: dict[str, str]
) -> None:
    """Set where in the statement the fault is, and draw it."""
    if position < 0:
        given = fields.get("P", "")
        position = int(given) - 1 if given.isdecimal() else -1
        # The server counts in the text that it was sent, where parameters are written
        # otherwise: up to the first one both are the same.
        if any(mark in sql[: position + 1] for mark in "?:"):
            return
    if not 0 <= position <= len(sql):
        return
    start = sql.rfind("\n", 0, position) + 1
    error.query_position = position + 1
    error.line = sql.count("\n", 0, position) + 1
    error.column = position - start + 1
    end = sql.find("\n", position)
    line = sql[start : end if end >= 0 else len(sql)].rstrip()
    first = max(0, min(error.column - 1 - _SHOWN // 2, len(line) - _SHOWN))
    shown = "".join(c if c.isprintable() else " " for c in line[first:][:_SHOWN])
    error.excerpt = f"{shown}\n{' ' * (error.column - 1 - first)}^"
    error.message += f", at line {error.line}, column {error.column}"
    error.args = (error.message,)
