"""Connections: opening, transactions, closing, and who may use them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import engineroom
from engineroom import errors

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom import Connection

ENDLESS = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    "SELECT count(*) FROM c"
)

# Files, locks and words of errors are SQLite's own; the rest says so.
pytestmark = pytest.mark.only("sqlite")
EVERY = pytest.mark.only("sqlite", "postgres")


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("file.db", "ER2101", "has no scheme"),
        ("mysql://host/db", "ER2101", "has the scheme `mysql`"),
        ("sqlite://host/file.db", "ER2101", "names a host"),
        ("sqlite:///", "ER2101", "names no file"),
        ("sqlite:///x.db?colour=red", "ER2101", "has a setting `colour`"),
        ("sqlite:///x.db?mode=red", "ER2101", "sets `mode` to `red`"),
        ("sqlite:///x.db?timeout_seconds=-1", "ER2101", "sets `timeout_seconds`"),
        ("sqlite:///x.db?timeout_seconds=soon", "ER2101", "sets `timeout_seconds`"),
        ("sqlite:///x.db?statement_cache=1.5", "ER2101", "sets `statement_cache`"),
        ("sqlite:///%zz", "ER2101", "two hexadecimal digits"),
        ("sqlite:///a%00b", "ER2101", "holds a zero byte"),
    ],
)
def test_a_url_that_cannot_be_followed_is_refused(
    url: str, code: str, words: str
) -> None:
    with pytest.raises(errors.UrlError) as caught:
        engineroom.connect(url)
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.hint
    assert isinstance(caught.value, engineroom.ProgrammingError)


def test_a_password_never_reaches_a_message() -> None:
    with pytest.raises(errors.UrlError) as caught:
        engineroom.connect("mysql://me:hunter2@host/db?password=hunter2")
    assert "hunter2" not in str(caught.value)
    assert "mysql://***" in str(caught.value)


def test_a_missing_file_is_not_made_by_mistake(tmp_path: Path) -> None:
    path = tmp_path / "typo.db"
    with pytest.raises(errors.FileMissing) as caught:
        engineroom.connect(f"sqlite:///{path}")
    assert caught.value.path == str(path)
    assert "mode=rwc" in caught.value.hint
    assert not path.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.FileMissing) as caught:
        engineroom.connect(f"sqlite:///{tmp_path}/no/file.db?mode=rwc")
    assert f"no folder `{tmp_path}/no`" in caught.value.hint


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.FileUnreadable, match="it is a folder"):
        engineroom.connect(f"sqlite:///{tmp_path}")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no users here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_file_that_may_not_be_read_is_named() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "secret.db")
        engineroom.connect(f"sqlite:///{path}?mode=rwc").close()
        os.chmod(path, 0)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if os.geteuid() == 0:  # root may read everything; be nobody
                    os.setresuid(65534, 65534, 65534)
                try:
                    engineroom.connect(f"sqlite:///{path}")
                except errors.FileUnreadable as error:
                    code = 0 if "may not read it" in error.message else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_file_that_is_no_database_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, this is not a database. " * 50)
    with pytest.raises(errors.NotADatabase) as caught:
        engineroom.connect(f"sqlite:///{path}")
    assert str(path) in caught.value.message
    assert isinstance(caught.value, engineroom.DatabaseError)


def test_a_damaged_database_is_named(database: str, tmp_path: Path) -> None:
    with engineroom.connect(database) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 100)
    path = tmp_path / "test.db"
    content = bytearray(path.read_bytes())
    content[4096:20480] = b"\xa5" * (20480 - 4096)
    path.write_bytes(content)
    with (
        engineroom.connect(database) as connection,
        pytest.raises(errors.DatabaseCorrupt) as caught,
    ):
        connection.execute("SELECT * FROM t").fetchall()
    assert caught.value.sqlstate == "XX001"


def test_relative_encoded_and_odd_paths_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    engineroom.connect("sqlite:///plain.db?mode=rwc").close()
    engineroom.connect("sqlite:///with%20blank%3F.db?mode=rwc").close()
    engineroom.connect("sqlite:///grün.db?mode=rwc").close()
    assert sorted(os.listdir(tmp_path)) == ["grün.db", "plain.db", "with blank?.db"]


@pytest.mark.parametrize("url", ["sqlite://:memory:", "sqlite:///:memory:"])
def test_a_database_in_memory_is_its_connection_s_own(url: str) -> None:
    with engineroom.connect(url) as first, engineroom.connect(url) as second:
        first.execute("CREATE TABLE t (a INTEGER)")
        with pytest.raises(errors.SqlError):
            second.execute("SELECT * FROM t")


def test_what_the_standard_library_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE t (a INTEGER, b TEXT, c REAL, d BLOB)")
        theirs.execute("INSERT INTO t VALUES (1, 'x', 2.5, x'00')")
    theirs.close()
    with engineroom.connect(f"sqlite:///{path}?mode=ro") as ours:
        assert ours.execute("SELECT * FROM t").fetchall() == [(1, "x", 2.5, b"\0")]
        with pytest.raises(errors.ReadOnly):
            ours.execute("DELETE FROM t")


@pytest.mark.parametrize(
    ("sql", "line", "column"),
    [
        ("SELEC 1", 1, 1),
        ("SELECT 1,\n       nothing\nFROM t", 2, 8),
        ("SELECT * FROM missing", 1, 15),
        ("SELECT 'ü', FRM", 1, 13),
        ("SELECT 1; SELECT 2", 1, 11),
        # SQLite only names what it missed: a letter of `SELECT` is not it, nor is text.
        ("SELECT 's' FROM s", 1, 17),
        ("SELECT s.a FROM s", None, None),
    ],
)
def test_an_sql_error_says_where(
    connection: Connection, sql: str, line: int | None, column: int | None
) -> None:
    connection.execute("CREATE TABLE t (a INTEGER)")
    with pytest.raises(errors.SqlError) as caught:
        connection.execute(sql)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert isinstance(caught.value, engineroom.ProgrammingError)


@pytest.mark.parametrize(
    ("table", "sql", "sqlstate"),
    [
        ("a UNIQUE", "INSERT INTO t VALUES (1), (1)", "23505"),
        ("a INTEGER PRIMARY KEY", "INSERT INTO t VALUES (1), (1)", "23505"),
        ("a NOT NULL", "INSERT INTO t VALUES (NULL)", "23502"),
        ("a CHECK (a > 1)", "INSERT INTO t VALUES (1)", "23514"),
        ("a REFERENCES t (a)", "INSERT INTO t VALUES (1)", "23503"),
    ],
)
def test_a_broken_constraint_says_which(
    connection: Connection, table: str, sql: str, sqlstate: str
) -> None:
    if "REFERENCES" in table:
        connection.execute("CREATE TABLE t (a REFERENCES u (b))")
        connection.execute("CREATE TABLE u (b UNIQUE)")
    else:
        connection.execute(f"CREATE TABLE t ({table})")
    with pytest.raises(errors.ConstraintViolated) as caught:
        connection.execute(sql)
    assert caught.value.sqlstate == sqlstate
    assert isinstance(caught.value, engineroom.IntegrityError)


def test_a_write_begins_a_transaction_that_others_see_after_commit(
    database: str,
) -> None:
    with engineroom.connect(database) as first, engineroom.connect(database) as second:
        first.execute("CREATE TABLE t (a INTEGER)")
        first.commit()
        first.execute("SELECT * FROM t").fetchall()
        assert not first.in_transaction
        first.execute("INSERT INTO t VALUES (1)")
        assert first.in_transaction
        assert second.execute("SELECT * FROM t").fetchall() == []
        first.commit()
        assert not first.in_transaction
        assert second.execute("SELECT * FROM t").fetchall() == [(1,)]


@EVERY
def test_rollback_undoes_also_what_defines_tables(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a INTEGER)")
    connection.rollback()
    with pytest.raises(errors.SqlError):
        connection.execute("SELECT * FROM t")


@EVERY
def test_with_autocommit_each_statement_is_its_own(database: str) -> None:
    with (
        engineroom.connect(database, autocommit=True) as first,
        engineroom.connect(f"{database}&autocommit=on") as second,
    ):
        assert first.autocommit
        assert second.autocommit
        first.execute("CREATE TABLE t (a INTEGER)")
        assert not first.in_transaction
        assert second.execute("SELECT * FROM t").fetchall() == []
        first.autocommit = False
        first.execute("INSERT INTO t VALUES (1)")
        assert first.in_transaction
        first.rollback()


@EVERY
def test_a_block_commits_or_rolls_back_and_closes(database: str) -> None:
    with engineroom.connect(database) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    assert connection.closed

    def fail() -> None:
        with engineroom.connect(database) as failing:
            failing.execute("INSERT INTO t VALUES (1)")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with engineroom.connect(database) as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == []


@EVERY
def test_transaction_blocks_nest_as_savepoints(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a INTEGER)")
    connection.commit()
    with connection.transaction():
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(LookupError), connection.transaction():
            connection.execute("INSERT INTO t VALUES (2)")
            raise LookupError
        with connection.transaction():
            connection.execute("INSERT INTO t VALUES (3)")
    assert not connection.in_transaction
    assert connection.execute("SELECT a FROM t").fetchall() == [(1,), (3,)]
    with pytest.raises(LookupError), connection.transaction():
        connection.execute("DELETE FROM t")
        raise LookupError
    assert connection.execute("SELECT a FROM t").fetchall() == [(1,), (3,)]


@EVERY
def test_a_transaction_block_is_entered_once(connection: Connection) -> None:
    block = connection.transaction()
    with block:
        pass
    with pytest.raises(errors.Misuse), block:
        pass


def test_a_script_runs_every_statement_and_names_its_fault(
    connection: Connection,
) -> None:
    connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1);\n-- end\n")
    assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]
    with pytest.raises(errors.SqlError) as caught:
        connection.executescript("SELECT 1;\nSELEC 2;")
    assert (caught.value.line, caught.value.column) == (2, 1)


def test_a_lock_is_waited_for_and_then_named(database: str) -> None:
    with (
        engineroom.connect(database) as holder,
        engineroom.connect(f"{database}&timeout_seconds=0.2") as waiter,
    ):
        holder.execute("CREATE TABLE t (a INTEGER)")
        started = time.monotonic()
        with pytest.raises(errors.DatabaseLocked) as caught:
            waiter.execute("CREATE TABLE u (a)")
        assert time.monotonic() - started >= 0.15
        assert caught.value.sqlstate == "55P03"
        holder.rollback()
        waiter.execute("CREATE TABLE u (a)")


@EVERY
def test_a_closed_connection_refuses_everything(database: str) -> None:
    connection = engineroom.connect(database)
    cursor = connection.execute("SELECT 1")
    connection.close()
    connection.close()
    uses: list[Any] = [
        connection.cursor,
        connection.commit,
        connection.rollback,
        lambda: connection.execute("SELECT 1"),
        lambda: connection.executescript("SELECT 1"),
        lambda: setattr(connection, "autocommit", True),
        lambda: cursor.execute("SELECT 1"),
        cursor.fetchone,
        cursor.fetchall,
        cursor.fetch_arrow,
    ]
    for use in uses:
        with pytest.raises(errors.ConnectionClosed) as caught:
            use()
        assert isinstance(caught.value, engineroom.InterfaceError)
    connection.interrupt()
    assert not connection.in_transaction


@EVERY
def test_a_forgotten_connection_warns_and_is_closed(database: str) -> None:
    connection = engineroom.connect(database)
    connection.execute("CREATE TABLE t (a INTEGER)")
    with pytest.warns(ResourceWarning, match="was never closed"):
        del connection
    with engineroom.connect(f"{database}&timeout_seconds=0") as other:
        other.execute("CREATE TABLE t (a INTEGER)")


def test_a_connection_left_open_at_exit_is_closed_in_silence(database: str) -> None:
    code = (
        "import engineroom\n"
        f"connection = engineroom.connect({database!r}, autocommit=True)\n"
        "cursor = connection.execute('CREATE TABLE t (a)')\n"
        "result = connection.execute('SELECT * FROM t').fetch_arrow()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_thread_at_the_same_time_is_told_so(connection: Connection) -> None:
    started = threading.Event()

    def run() -> None:
        started.set()
        with pytest.raises(errors.Interrupted):
            connection.execute(ENDLESS)

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    caught: errors.UsedByAnotherThread | None = None
    deadline = time.monotonic() + 10
    while caught is None and time.monotonic() < deadline:
        try:
            connection.execute("SELECT 1")
        except errors.UsedByAnotherThread as error:
            caught = error
    assert caught is not None
    assert caught.code == "ER2303"
    while thread.is_alive():
        connection.interrupt()
        thread.join(0.01)
    assert connection.execute("SELECT 1").fetchone() == (1,)


@EVERY
def test_threads_may_take_turns(connection: Connection) -> None:
    found: list[object] = []

    def run() -> None:
        found.append(connection.execute("SELECT 1").fetchone())

    for _ in range(3):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert found == [(1,)] * 3


@EVERY
def test_interrupt_stops_the_query_and_leaves_the_connection_usable(
    connection: Connection,
) -> None:
    timer = threading.Timer(0.1, connection.interrupt)
    timer.start()
    with pytest.raises(errors.Interrupted) as caught:
        connection.execute(ENDLESS)
    timer.join()
    assert caught.value.sqlstate == "57014"
    connection.rollback()  # where it has spoiled the transaction
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_interrupt_between_statements_stops_none_also_with_rows_unread(
    connection: Connection,
) -> None:
    connection.execute("CREATE TABLE t (a INTEGER)")
    connection.executemany("INSERT INTO t VALUES (?)", zip(range(1000)))
    half_read = connection.execute("SELECT a FROM t")
    assert half_read.fetchone() == (0,)
    connection.interrupt()
    assert connection.execute("SELECT 1").fetchone() == (1,)
    assert len(half_read.fetchall()) == 999


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_may_not_use_the_connection(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a INTEGER)")
    cursor = connection.execute("SELECT 1")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            uses: list[Any] = [
                lambda: connection.execute("SELECT 1"),
                cursor.fetchone,
                connection.commit,
            ]
            refused = 0
            for use in uses:
                try:
                    use()
                except errors.UsedAfterFork:
                    refused += 1
            connection.close()
            code = 0 if refused == len(uses) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    connection.execute("INSERT INTO t VALUES (1)")
    connection.commit()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_may_open_its_own(connection: Connection, database: str) -> None:
    connection.execute("CREATE TABLE t (a INTEGER)")
    connection.commit()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with engineroom.connect(database) as own:
                own.execute("INSERT INTO t VALUES (42)")
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert connection.execute("SELECT a FROM t").fetchall() == [(42,)]
