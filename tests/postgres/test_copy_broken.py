"""COPY where something goes wrong: refusals, cuts, interruptions, misuse."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

from .copies import make, make_database, stored
from .programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster
    from .proxy import Proxy


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> str:
    return make_database(cluster)


@pytest.fixture
def connection(url: str) -> Iterator[engineroom.Connection]:
    with engineroom.connect(url, autocommit=True) as opened:
        yield opened


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "DROP TABLE t",
        "COPY t TO STDOUT",
        "COPY (SELECT 1) TO STDOUT",
        "COPY t FROM '/nowhere'",
        "COPY t FROM STDIN; DROP TABLE t",
        "COPY nowhere FROM STDIN",
        "COPY t (nothing) FROM STDIN",
        "COPY t FROM STDIN (FORMAT strange)",
        "COPY t FROM STDIN WHERE a = ?",
        "",
    ],
)
def test_statements_that_are_no_copy_in_do_nothing(
    connection: engineroom.Connection, statement: str
) -> None:
    make(connection, "a int")
    with pytest.raises(errors.Error), connection.copy_in(statement):
        pytest.fail("the COPY began")
    assert stored(connection) == []


def test_a_copy_in_for_copy_out_is_told(connection: engineroom.Connection) -> None:
    make(connection, "a int")
    with (
        pytest.raises(errors.Misuse, match="TO STDOUT"),
        connection.copy_out("COPY t FROM STDIN"),
    ):
        pytest.fail("the COPY began")
    assert connection.execute("SELECT 42").fetchone() == (42,)


def test_a_row_that_the_server_refuses_is_noticed_at_once(
    connection: engineroom.Connection,
) -> None:
    make(connection, "a int PRIMARY KEY")
    sent = 0

    def rows() -> Iterator[tuple[int]]:
        nonlocal sent
        yield (0,)
        for sent in range(100_000_000):
            yield (sent,)

    with (
        pytest.raises(errors.UniqueViolation) as caught,
        connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write_rows(rows())
    assert sent < 5_000_000
    assert "line 2" in str(caught.value)
    assert stored(connection) == []


def test_the_refusal_of_the_last_row_comes_at_the_end(
    connection: engineroom.Connection,
) -> None:
    make(connection, "a int CHECK (a < 10)")
    with (
        pytest.raises(errors.CheckViolation),
        connection.copy_in("COPY t FROM STDIN") as copy,
    ):
        copy.write_rows([(1,), (10,)])
    assert copy.rowcount == -1
    assert stored(connection) == []


def test_a_trigger_that_fails_before_any_row_leaves_the_protocol_in_step(
    connection: engineroom.Connection,
) -> None:
    connection.executescript("""
        CREATE TABLE IF NOT EXISTS guarded (a int);
        CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
          AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
        CREATE OR REPLACE TRIGGER guard BEFORE INSERT ON guarded
          FOR EACH STATEMENT EXECUTE FUNCTION refuse();
    """)
    for _ in range(20):
        with (
            pytest.raises(errors.DatabaseError, match="ot today"),
            connection.copy_in("COPY guarded FROM STDIN (FORMAT binary)") as copy,
        ):
            copy.write_rows([(i,) for i in range(2000)])
        assert connection.execute("SELECT 42").fetchone() == (42,)


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_block_that_fails_is_undone(url: str, autocommit: bool) -> None:
    with engineroom.connect(url, autocommit=autocommit) as connection:
        make(connection, "a int")
        connection.commit()
        with (
            pytest.raises(ZeroDivisionError),
            connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy,
        ):
            copy.write_rows([(i,) for i in range(100000)])
            raise ZeroDivisionError
        connection.rollback()
        assert stored(connection) == []


def test_a_copy_is_part_of_the_transaction(url: str) -> None:
    with engineroom.connect(url) as connection:
        make(connection, "a int")
        connection.commit()
        with connection.copy_in("COPY t FROM STDIN") as copy:
            copy.write_rows([(1,)])
        assert connection.in_transaction
        connection.rollback()
        assert stored(connection) == []
        with connection.copy_in("COPY t FROM STDIN") as copy:
            copy.write_rows([(2,)])
        connection.commit()
        connection.rollback()
        assert stored(connection) == [(2,)]


def test_nothing_else_can_be_done_meanwhile(connection: engineroom.Connection) -> None:
    make(connection, "a int")
    others = [connection.cursor() for _ in range(3)]
    for index, cursor in enumerate(others):
        cursor.execute(f"SELECT {index}")
    with connection.copy_in("COPY t FROM STDIN") as copy:
        copy.write_rows([(1,)])
        for act in (
            lambda: connection.execute("SELECT 1"),
            lambda: connection.executescript("SELECT 1"),
            lambda: connection.cursor().executemany("INSERT INTO t VALUES (?)", [(1,)]),
            lambda: connection.copy_in("COPY t FROM STDIN").__enter__(),
        ):
            with pytest.raises(errors.Misuse, match="under way"):
                act()
        for index, cursor in enumerate(others):
            assert cursor.fetchall() == [(index,)]
            cursor.close()
        copy.write_rows([(2,)])
    assert stored(connection) == [(1,), (2,)]


def test_statements_that_leave_the_cache_meanwhile_do_no_harm(url: str) -> None:
    with engineroom.connect(f"{url}?statement_cache=0", autocommit=True) as connection:
        make(connection, "a int")
        cursor = connection.execute("SELECT 1")
        with connection.copy_in("COPY t FROM STDIN") as copy:
            copy.write_rows([(1,)])
            cursor.close()
            copy.write_rows([(2,)])
        assert stored(connection) == [(1,), (2,)]


def test_a_copy_that_is_forgotten_is_given_up(
    connection: engineroom.Connection,
) -> None:
    make(connection, "a int")
    copy = connection.copy_in("COPY t FROM STDIN")
    copy.__enter__().write_rows([(1,)])
    del copy
    assert stored(connection) == []


def test_a_connection_closed_in_the_block_ends_it(url: str) -> None:
    connection = engineroom.connect(url, autocommit=True)
    make(connection, "a int")
    with (
        pytest.raises(errors.ConnectionClosed),
        connection.copy_in("COPY t FROM STDIN") as copy,
    ):
        connection.close()
        copy.write_rows([(1,)])


def test_the_block_is_needed_and_used_once(connection: engineroom.Connection) -> None:
    make(connection, "a int")
    copy = connection.copy_in("COPY t FROM STDIN")
    with pytest.raises(errors.Misuse):
        copy.write(b"1\n")
    with copy:
        pass
    with pytest.raises(errors.Misuse):
        copy.write(b"1\n")
    with pytest.raises(errors.Misuse), copy:
        pytest.fail("it began again")


def test_rows_and_bytes_do_not_mix_in_binary(connection: engineroom.Connection) -> None:
    make(connection, "a int")
    with (
        pytest.raises(errors.Misuse, match="both"),
        connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write_rows([(1,)])
        copy.write(b"x")
    assert stored(connection) == []


def endless() -> Iterator[tuple[int, str]]:
    while True:
        yield 1, "x" * 100


def test_a_backend_that_is_ended_is_noticed(cluster: Cluster, url: str) -> None:
    connection = engineroom.connect(url, autocommit=True)
    make(connection, "a int, b text")
    pid = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert pid is not None
    timer = threading.Timer(
        0.2, lambda: cluster.run(f"SELECT pg_terminate_backend({pid[0]})")
    )
    timer.start()
    with (
        pytest.raises(errors.OperationalError),
        connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write_rows(endless())
    timer.join()
    connection.close()


@pytest.mark.parametrize("is_in", [True, False], ids=["in", "out"])
def test_a_connection_that_is_cut_is_noticed(
    proxy: Proxy, cluster: Cluster, url: str, is_in: bool
) -> None:
    del url  # made the database
    through = cluster.url(port=proxy.port, database="copies", sslmode="disable")
    connection = engineroom.connect(through, autocommit=True)
    make(connection, "a int, b text")
    timer = threading.Timer(0.2, proxy.close_all)
    timer.start()
    with pytest.raises(errors.OperationalError):
        if is_in:
            with connection.copy_in("COPY t FROM STDIN") as copy:
                copy.write_rows(endless())
        else:
            query = "SELECT i, repeat('x', 99) FROM generate_series(1, 100000000) i"
            with connection.copy_out(f"COPY ({query}) TO STDOUT") as out:
                for _ in out:
                    pass
    timer.join()
    connection.close()


def test_a_lock_is_waited_for_no_longer_than_the_timeout(url: str) -> None:
    with engineroom.connect(url, autocommit=True) as other:
        other.executescript("CREATE TABLE IF NOT EXISTS locked (a int)")
    with engineroom.connect(url) as holder:
        holder.execute("LOCK TABLE locked")
        waiting = engineroom.connect(f"{url}?timeout_seconds=0.5", autocommit=True)
        with (
            pytest.raises(errors.OperationalError, match="did not answer"),
            waiting.copy_in("COPY locked FROM STDIN"),
        ):
            pytest.fail("the COPY began")
        waiting.close()


@pytest.mark.parametrize("is_in", [True, False], ids=["in", "out"])
def test_interrupting_from_another_thread_stops_it(
    connection: engineroom.Connection, is_in: bool
) -> None:
    make(connection, "a int, b text")
    timer = threading.Timer(0.3, connection.interrupt)
    timer.start()
    # Waits for the server, which waits for a lock or sleeps.
    with pytest.raises(errors.Interrupted):
        if is_in:
            connection.executescript("""
                CREATE OR REPLACE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql
                  AS $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$;
                CREATE TRIGGER doze BEFORE INSERT ON t
                  FOR EACH ROW EXECUTE FUNCTION doze();
            """)
            with connection.copy_in("COPY t FROM STDIN") as copy:
                copy.write_rows(endless())
        else:
            with connection.copy_out("COPY (SELECT pg_sleep(20)) TO STDOUT") as out:
                out.read()
    timer.join()
    assert connection.execute("SELECT 42").fetchone() == (42,)


@pytest.mark.parametrize("is_in", [True, False], ids=["in", "out"])
def test_control_c_stops_it_and_keeps_the_connection(
    connection: engineroom.Connection, is_in: bool
) -> None:
    make(connection, "a int, b text")
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        if is_in:
            with connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy:
                copy.write_rows(endless())
        else:
            with connection.copy_out("COPY (SELECT pg_sleep(20)) TO STDOUT") as out:
                out.read()
    timer.join()
    assert stored(connection) == []


MEMORY = """
import resource, sys, engineroom
connection = engineroom.connect(sys.argv[1], autocommit=True)
connection.execute("CREATE TEMP TABLE t (a int8, b text)")
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def rows(count):
    return ((i, "x" * 100) for i in range(count))
COPY = "COPY t FROM STDIN (FORMAT binary)"
with connection.copy_in(COPY) as copy:
    copy.write_rows(rows(20_000))
with connection.copy_out("COPY t TO STDOUT (FORMAT binary)") as out:
    sum(1 for _ in out.rows())
with connection.copy_out("COPY t TO STDOUT (FORMAT binary)") as out:
    sum(map(len, out))
before = peak()
with connection.copy_in(COPY) as copy:
    copy.write_rows(rows(1_000_000))
assert copy.rowcount == 1_000_000
with connection.copy_out("COPY t TO STDOUT (FORMAT binary)") as out:
    assert sum(1 for _ in out.rows()) == 1_020_000
with connection.copy_out("COPY t TO STDOUT") as out:
    assert sum(map(len, out)) > 100_000_000
connection.close()
print(peak() - before)
"""


def test_a_million_rows_pass_in_little_memory(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, url],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert resource.RUSAGE_SELF == 0  # ru_maxrss is in KiB on this system
    assert int(done.stdout) < 8 * 1024


def test_no_socket_and_no_backend_is_left(
    cluster: Cluster, url: str, no_socket_left: None
) -> None:
    del no_socket_left
    before = set(cluster.backends())
    connection = engineroom.connect(url, autocommit=True)
    make(connection, "a int")
    copy = connection.copy_in("COPY t FROM STDIN")
    copy.__enter__()
    connection.close()
    del copy
    wait_until(lambda: set(cluster.backends()) <= before, "backends have ended")


def test_sqlite_has_no_copy() -> None:
    with engineroom.connect("sqlite://:memory:") as connection:
        for make_block in (connection.copy_in, connection.copy_out):
            with pytest.raises(errors.NotSupportedError) as caught:
                make_block("COPY t FROM STDIN")
            assert "executemany()" in caught.value.hint
