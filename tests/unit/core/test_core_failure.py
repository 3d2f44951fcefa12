"""What a server and libpq report, as exceptions."""

from __future__ import annotations

import pickle

import pytest

from engineroom import errors
from engineroom.core.failure import make_error
from engineroom.core.postgres_failure import class_of, connect_class, read_fields

# The classes of Appendix A of PostgreSQL 17's manual, and 72 of those before it.
CLASSES = [
    "01",
    "02",
    "03",
    "08",
    "09",
    "0A",
    "0B",
    "0F",
    "0L",
    "0P",
    "0Z",
    "20",
    "21",
    "22",
    "23",
    "24",
    "25",
    "26",
    "27",
    "28",
    "2B",
    "2D",
    "2F",
    "34",
    "38",
    "39",
    "3B",
    "3D",
    "3F",
    "40",
    "42",
    "44",
    "53",
    "54",
    "55",
    "57",
    "58",
    "72",
    "F0",
    "HV",
    "P0",
    "XX",
]


def refusal(**fields: str) -> bytes:
    return b"".join(
        letter.encode() + text.encode() + b"\0" for letter, text in fields.items()
    )


def server_error(
    sql: str | None = None, position: int = -1, **fields: str
) -> errors.DatabaseError:
    error = make_error(13, 0, "", position, "x", sql, 0, refusal(**fields), True)
    assert isinstance(error, errors.DatabaseError)
    return error


def test_every_class_of_states_has_an_exception_of_its_own():
    found = [class_of(f"{two}ZZZ") for two in CLASSES]
    assert errors.DatabaseError not in found
    assert len(set(found)) == len(CLASSES)


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("23505", errors.UniqueViolation),
        ("23503", errors.ForeignKeyViolation),
        ("23502", errors.NotNullViolation),
        ("23514", errors.CheckViolation),
        ("23P01", errors.ExclusionViolation),
        ("23001", errors.ConstraintViolated),
        ("40001", errors.SerializationFailure),
        ("40P01", errors.DeadlockDetected),
        ("42P01", errors.UndefinedTable),
        ("42703", errors.UndefinedColumn),
        ("42601", errors.SqlSyntaxError),
        ("42501", errors.InsufficientPrivilege),
        ("42P05", errors.DuplicateStatement),
        ("28P01", errors.InvalidPassword),
        ("28000", errors.AuthenticationFailed),
        ("57014", errors.QueryCanceled),
        ("57P01", errors.AdminShutdown),
        ("57P03", errors.CannotConnectNow),
        ("55P03", errors.LockNotAvailable),
        ("25006", errors.ReadOnlyTransaction),
        ("25P02", errors.InFailedTransaction),
        ("25P03", errors.IdleInTransactionTimeout),
        ("22001", errors.StringDataRightTruncation),
        ("22003", errors.NumericValueOutOfRange),
        ("22012", errors.DivisionByZero),
        ("22P02", errors.InvalidTextRepresentation),
        ("53300", errors.TooManyConnections),
        ("53100", errors.DiskFull),
        ("08P01", errors.ProtocolViolation),
        ("22ZZZ", errors.DataError),
        ("ZZZZZ", errors.DatabaseError),
        ("", errors.DatabaseError),
    ],
)
def test_a_state_has_its_class(sqlstate, kind):
    error = server_error(C=sqlstate, M="went wrong")
    assert type(error) is kind
    assert error.sqlstate == sqlstate
    assert error.was_sent


@pytest.mark.parametrize(
    ("sqlstate", "shared"),
    [
        ("23505", errors.ConstraintViolated),
        ("42P01", errors.SqlError),
        ("57014", errors.Interrupted),
        ("55P03", errors.DatabaseLocked),
        ("25006", errors.ReadOnly),
        ("53100", errors.StorageFailed),
        ("58030", errors.StorageFailed),
        ("XX001", errors.DatabaseCorrupt),
        ("22001", errors.ValueTooBig),
        ("22003", errors.OutOfRange),
        ("22021", errors.NotUtf8),
        ("57P01", errors.ConnectionLost),
        ("53300", errors.ConnectFailed),
    ],
)
def test_what_sqlite_has_too_is_caught_by_the_same_class(sqlstate, shared):
    assert issubclass(class_of(sqlstate), shared)


def test_sqlite_tells_its_constraints_apart_by_the_same_classes():
    error = make_error(13, 2067, "23505", -1, "UNIQUE constraint failed", None, 0)
    assert type(error) is errors.UniqueViolation
    error = make_error(13, 19, "23000", -1, "constraint failed", None, 0)
    assert type(error) is errors.ConstraintViolated


def test_everything_the_server_says_is_kept():
    error = server_error(
        S="FEHLER",
        V="ERROR",
        C="23505",
        M="duplicate key",
        D="Key (id)=(1) already exists.",
        H="Try another.",
        p="7",
        q="INSERT INTO t",
        W="PL/pgSQL function f()",
        s="public",
        t="t",
        c="id",
        d="int4",
        n="t_pkey",
    )
    assert error.severity == "ERROR"
    assert error.detail == "Key (id)=(1) already exists."
    assert error.server_hint == "Try another."
    assert error.hint == "Try another."
    assert error.internal_position == 7
    assert error.internal_query == "INSERT INTO t"
    assert error.context == "PL/pgSQL function f()"
    assert error.schema_name == "public"
    assert error.table_name == "t"
    assert error.column_name == "id"
    assert error.data_type_name == "int4"
    assert error.constraint_name == "t_pkey"
    assert str(error) == (
        f"{error.code}: Duplicate key\n\n"
        "detail: Key (id)=(1) already exists.\n\n"
        "context: PL/pgSQL function f()\n\n"
        "hint: Try another."
    )
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_the_servers_hint_goes_before_ours():
    error = server_error(C="40001", M="could not serialize", H="The transaction might.")
    assert error.hint == (
        "The transaction might; run the transaction again from its start"
    )


def test_fields_that_are_no_text_are_read_all_the_same():
    assert read_fields(b"C42601\0Mna\xefve\0\0D") == {
        "C": "42601",
        "M": "na\ufffdve",
        "D": "",
    }


SQL = "SELECT a,\n\tähm,  nope\nFROM t"


def test_the_place_of_a_fault_is_drawn():
    error = server_error(SQL, C="42703", M='column "nope" does not exist', P="18")
    assert error.query_position == 18
    assert (error.line, error.column) == (2, 8)
    assert str(error) == (
        f'{error.code}: Column "nope" does not exist, at line 2, column 8\n\n'
        "     ähm,  nope\n"
        "           ^"
    )


def test_the_engines_offset_counts_before_the_servers_position():
    sql = "SELECT ?, 'ä', nope"
    offset = sql.encode().index(b"nope")
    error = server_error(sql, offset, C="42703", M="x", P="17")
    assert error.query_position == 16
    assert error.excerpt == f"{sql}\n{' ' * 15}^"


def test_a_position_behind_a_parameter_is_not_guessed():
    error = server_error("SELECT ?, nope", C="42703", M="x", P="12")
    assert error.query_position is None
    assert error.excerpt == ""


@pytest.mark.parametrize("position", ["0", "-3", "999", "x", ""])
def test_a_position_outside_of_the_statement_is_left_out(position):
    error = server_error("SELECT 1", C="42601", M="x", P=position)
    assert error.query_position is None


def test_a_long_line_is_shown_around_the_place():
    sql = "SELECT " + "a, " * 100 + "nope" + ", b" * 100
    error = server_error(sql, C="42703", M="x", P=str(sql.index("nope") + 1))
    shown, caret = error.excerpt.split("\n")
    assert len(shown) <= 72
    assert shown[len(caret) - 1 :].startswith("nope")


def test_an_end_that_came_too_early_is_shown_at_the_end():
    error = server_error("SELECT (", C="42601", M="syntax error", P="9")
    assert error.excerpt == "SELECT (\n        ^"


def test_a_changed_table_is_told_in_any_language():
    error = server_error(C="0A000", M="zwischengespeicherter Plan", R="Other")
    assert error.hint == ""
    assert type(error) is errors.NotSupportedError
    for sqlstate, routine, says_off in [
        ("0A000", "RevalidateCachedQuery", True),
        ("08P01", "PortalSetResultFormat", False),
    ]:
        error = server_error(C=sqlstate, M="Plan", R=routine, V="ERROR")
        assert type(error) is errors.StalePlan
        assert "run it again" in error.hint
        assert ("prepared=off" in error.hint) is says_off
        assert not error.poisons_connection
    assert type(server_error(C="08P01", M="x", R="x")) is errors.ProtocolViolation


def test_columns_that_changed_while_a_statement_ran_are_told_by_the_engine_itself():
    message = "The columns of the result changed since the statement was prepared"
    error = make_error(13, 0, "0A000", -1, message, None, 0, None, True)
    assert type(error) is errors.StalePlan
    assert error.sent_to_server
    assert error.message == message


@pytest.mark.parametrize("sqlstate", ["26000", "42P05"])
def test_a_pooler_that_mixes_statements_up_is_named(sqlstate):
    assert "prepared=off" in server_error(C=sqlstate, M="x").hint


AT = 'connection to server at "db" (10.0.0.1), port 5432 failed: '


@pytest.mark.parametrize(
    ("message", "kind", "hint"),
    [
        (
            f'{AT}FATAL:  password authentication failed for user "u"',
            errors.InvalidPassword,
            "password file",
        ),
        (f"{AT}fe_sendauth: no password supplied", errors.InvalidPassword, "PGPASS"),
        (
            (
                f'{AT}FATAL:  no pg_hba.conf entry for host "::1", user "u", '
                'database "d", no encryption'
            ),
            errors.AuthenticationFailed,
            "pg_hba.conf",
        ),
        (
            f"{AT}server does not support SSL, but SSL was required",
            errors.TlsFailed,
            "`ssl`",
        ),
        (
            f"{AT}SSL error: certificate verify failed",
            errors.TlsFailed,
            "sslrootcert",
        ),
        (
            f'{AT}server certificate for "a" does not match host name "b"',
            errors.TlsFailed,
            "certificate",
        ),
        (
            (
                f'{AT}root certificate file "/r/root.crt" does not exist\nEither '
                "provide the file, use the system's trusted roots, or"
            ),
            errors.TlsFailed,
            "sslrootcert",
        ),
        (f"{AT}SSL SYSCALL error: EOF detected", errors.ConnectFailed, "log"),
        (
            f"{AT}SSL connection has been closed unexpectedly",
            errors.ConnectFailed,
            "log",
        ),
        (
            f"{AT}SSL error: unexpected eof while reading",
            errors.ConnectFailed,
            "log",
        ),
        (f"{AT}timeout expired", errors.ConnectTimedOut, "connect_timeout"),
        (
            (
                f"{AT}Connection refused\n\tIs the server running on that host and "
                "accepting TCP/IP connections?"
            ),
            errors.ConnectFailed,
            "listens",
        ),
        (
            (
                'could not translate host name "SSL.test" to address: Name or '
                "service not known"
            ),
            errors.ConnectFailed,
            "looked up",
        ),
        (
            f"{AT}FATAL:  sorry, too many clients already",
            errors.TooManyConnections,
            "max_connections",
        ),
        (
            f"{AT}FATAL:  the database system is starting up",
            errors.CannotConnectNow,
            "again",
        ),
        (f"{AT}session is read-only", errors.ConnectFailed, "target_session_attrs"),
        (
            f'{AT}FATAL:  database "SSL" does not exist',
            errors.InvalidCatalogName,
            "name",
        ),
    ],
)
def test_what_libpq_says_of_connecting_has_a_class_and_a_hint(message, kind, hint):
    error = make_error(16, 0, "", -1, message, None, 0)
    assert type(error) is kind
    assert hint in error.hint
    assert isinstance(error, errors.OperationalError)


def test_several_hosts_that_fail_alike_share_a_class():
    refused = f"{AT}Connection refused\n\tIs the server running?"
    assert connect_class(f"{refused}\n{refused}")[0] is errors.ConnectFailed
    wrong = f"{AT}FATAL:  password authentication failed"
    assert connect_class(f"{wrong}; {wrong}")[0] is errors.InvalidPassword
    kind, hint = connect_class(f"{refused}; Is it running?; {wrong}")
    assert kind is errors.ConnectFailed
    assert "listens" in hint
    assert "password file" in hint


def test_the_last_hosts_state_does_not_speak_for_the_others():
    refused = f"{AT}Connection refused; Is the server running?"
    wrong = f"{AT}FATAL:  password authentication failed"
    error = make_error(16, 0, "28P01", -1, f"{refused}; {wrong}", None, 0)
    assert type(error) is errors.ConnectFailed


def test_a_missing_tls_library_is_a_failure_of_tls():
    error = make_error(19, 0, "08001", -1, "there is no libssl.so.3", None, 0)
    assert type(error) is errors.TlsFailed
    assert error.sqlstate == "08001"


def test_a_state_of_connecting_goes_before_the_words():
    message = f'{AT}FATAL:  Passwort-Authentifizierung fehlgeschlagen "u"'
    error = make_error(16, 0, "28P01", -1, message, None, 0)
    assert type(error) is errors.InvalidPassword


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (16, errors.ConnectionLost, "open a new connection"),
        (17, errors.TimedOut, "timeout_seconds"),
        (18, errors.ProtocolViolation, "lead to PostgreSQL"),
        (19, errors.TlsFailed, ""),
    ],
)
@pytest.mark.parametrize("was_sent", [True, False], ids=["sent", "not-sent"])
def test_a_broken_connection_has_a_class_and_tells_whether_it_was_sent(
    status, kind, hint, was_sent
):
    error = make_error(status, 0, "", -1, "it ended", "SELECT 1", 0, None, was_sent)
    assert type(error) is kind
    assert error.was_sent is was_sent
    assert hint in error.hint
    assert error.message == "It ended"
