"""The instruments hurt what they say, and only that: asked with others' drivers."""

from __future__ import annotations

import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from postgres.programs import wait_until

from .files import SLOW_STATEMENT, Locker
from .gate import started_gate
from .ledger import Ledger
from .servers import (
    SMALL_CONNECTIONS,
    fill,
    make_room,
    read_only,
    small_disk,
    started_pair,
    started_small,
    tablespace_on,
)

if TYPE_CHECKING:
    from pathlib import Path

    from postgres.cluster import Cluster

    from .gate import Gate


@pytest.fixture
def url(server: Cluster, gate: Gate) -> str:
    return server.url(port=gate.port, sslmode="disable")


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url, connect_timeout=10, autocommit=True)


def ask(connection: psycopg.Connection[tuple[object, ...]], sql: str) -> object:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


def socket_to(gate: Gate, seconds: float) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gate.port), timeout=seconds)


def test_a_gate_counts_what_passes(url: str, gate: Gate) -> None:
    with connect(url) as connection:
        assert ask(connection, "SELECT 42") == 42
        assert (gate.made, gate.startups, gate.open) == (1, 1, 1)
        assert gate.statements == 1
    wait_until(lambda: gate.open == 0, "the connection has ended")
    assert gate.torn == 0


def test_a_gate_that_refuses_keeps_its_port(url: str, gate: Gate) -> None:
    connection = connect(url)
    gate.refuse()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket_to(gate, 5)
    gate.heal()
    with connect(url) as after:
        assert ask(after, "SELECT 1") == 1
    assert gate.torn == 1


def test_a_gate_that_swallows_takes_connections_and_says_nothing(
    url: str, gate: Gate
) -> None:
    gate.swallow()
    with socket_to(gate, 0.2) as client, pytest.raises(TimeoutError):
        client.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
        client.recv(1)
    gate.heal()
    with connect(url) as after:
        assert ask(after, "SELECT 1") == 1


def test_a_gate_that_leaves_unanswered_does_not_even_take_connections(
    url: str, gate: Gate
) -> None:
    gate.leave_unanswered()
    with pytest.raises(TimeoutError):
        socket_to(gate, 0.3).close()
    gate.heal()
    with connect(url) as after:
        assert ask(after, "SELECT 1") == 1


def test_a_gate_that_holds_delivers_when_it_is_healed(url: str, gate: Gate) -> None:
    with connect(url) as held, ThreadPoolExecutor(1) as elsewhere:
        gate.hold()
        answer = elsewhere.submit(ask, held, "SELECT 4711")
        with connect(url) as other:
            seen = ask(other, "SELECT string_agg(query, ' ') FROM pg_stat_activity")
        assert "4711" not in str(seen)
        with pytest.raises(NotYet):
            answer.result(0.1)
        gate.heal()
        assert answer.result(10) == 4711


def test_a_gate_tears_one_reply_and_no_more(url: str, gate: Gate) -> None:
    first, second = connect(url), connect(url)
    gate.reset_replies(3, times=1)
    with pytest.raises(psycopg.OperationalError):
        first.execute("SELECT 1")
    assert ask(second, "SELECT 1") == 1
    first.close()
    second.close()


def test_a_gate_lets_replies_trickle(url: str, gate: Gate) -> None:
    with connect(url) as connection, ThreadPoolExecutor(1) as elsewhere:
        gate.slow(1000)
        start = time.monotonic()
        assert len(str(ask(connection, "SELECT repeat('x', 500)"))) == 500
        assert 0.4 < time.monotonic() - start < 1.5
        gate.slow(10)
        answer = elsewhere.submit(ask, connection, "SELECT 42")
        with pytest.raises(NotYet):
            answer.result(0.5)
        gate.heal()
        assert answer.result(1) == 42


def test_a_gate_turns_replies_into_noise(url: str, gate: Gate) -> None:
    connection = connect(url)
    gate.garble()
    with pytest.raises(psycopg.Error):
        connection.execute("SELECT 1")
    connection.close()
    with pytest.raises(psycopg.Error):
        connect(url)


def test_a_gate_loses_statements_as_often_as_it_is_told(server: Cluster) -> None:
    """The same seed loses the same ones; what arrived and what did not both occur."""
    server.run("CREATE TABLE lost (number int)")
    results = []
    for _ in range(2):
        server.run("TRUNCATE lost; GRANT ALL ON lost TO engine")
        with started_gate(server.port, seed=7) as gate:
            url = server.url(port=gate.port, sslmode="disable")
            failed = []
            for number in range(100):
                with closing(connect(url)) as connection:
                    gate.lose(0.3)
                    try:
                        connection.execute(f"INSERT INTO lost VALUES ({number})")
                    except psycopg.OperationalError:
                        failed.append(number)
                    gate.heal()
            assert gate.lost == len(failed)
        results.append(failed)
    assert results[0] == results[1]
    assert 15 < len(results[0]) < 45
    written = {int(row[0]) for row in server.run("SELECT number FROM lost")}
    arrived = written & set(results[0])
    assert 0 < len(arrived) < len(results[0])
    server.run("DROP TABLE lost")


def test_a_small_server_says_that_it_is_full(
    postgres_programs: None,  # noqa: ARG001 - skips
) -> None:
    with started_small() as small:
        taken = [connect(small.url()) for _ in range(SMALL_CONNECTIONS)]
        with pytest.raises(psycopg.OperationalError, match="connection slots"):
            connect(small.url())
        for connection in taken:
            connection.close()


WIDE = "INSERT INTO wide VALUES (repeat('x', 7000))"


def test_a_small_disk_is_full_under_a_table_until_there_is_room(
    server: Cluster,
) -> None:
    with small_disk(1 << 20) as folder, tablespace_on(server, folder) as space:
        with connect(server.url()) as connection:
            connection.execute(f"CREATE TABLE wide (x text) TABLESPACE {space}")
            connection.execute("ALTER TABLE wide ALTER x SET STORAGE PLAIN")
            fill(folder)
            with pytest.raises(psycopg.errors.DiskFull):
                connection.execute(WIDE)
            make_room(folder)
            connection.execute(WIDE)
        server.run("DROP TABLE wide")


def test_a_small_disk_is_full_under_a_file_until_there_is_room() -> None:
    with small_disk(1 << 20) as folder:
        path = folder / "test.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE wide (x blob)")
            fill(folder)
            with pytest.raises(sqlite3.OperationalError, match="full"):
                connection.execute("INSERT INTO wide VALUES (zeroblob(7000))")
            make_room(folder)
            connection.execute("INSERT INTO wide VALUES (zeroblob(7000))")


def test_a_pair_loses_nothing_that_was_committed(
    postgres_programs: None,  # noqa: ARG001 - skips
) -> None:
    with started_pair() as pair:
        with connect(pair.url()) as connection:
            connection.execute("CREATE TABLE kept (number int)")
            connection.execute("INSERT INTO kept VALUES (42)")
        pair.primary.stop(at_once=True)
        pair.promote()
        with connect(pair.url()) as connection:
            assert ask(connection, "SELECT number FROM kept") == 42
            connection.execute("INSERT INTO kept VALUES (43)")


def test_a_locker_keeps_others_from_writing(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        with Locker(path) as locker:
            locker.hold()
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                connection.execute("INSERT INTO t VALUES (1)")
            locker.let_go()
            connection.execute("INSERT INTO t VALUES (1)")


def test_a_read_only_disk_refuses_even_root() -> None:
    with small_disk(1 << 20) as folder:
        path = folder / "test.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE t (x)")
        refused = pytest.raises(sqlite3.OperationalError, match="readonly")
        with read_only(folder), closing(sqlite3.connect(path)) as connection, refused:
            connection.execute("INSERT INTO t VALUES (1)")


def test_the_slow_statement_runs_until_it_is_stopped() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        start = time.monotonic()
        connection.set_progress_handler(lambda: time.monotonic() > start + 0.2, 1000)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(SLOW_STATEMENT)


LEDGERS = {
    "as told": ([1, 2], []),
    "with an open pair": ([1, 2, 4, 5], []),
    "twice": ([1, 1, 2], ["written twice: [1]"]),
    "lost": ([1], ["confirmed but lost: [2]"]),
    "denied": ([1, 2, 3], ["written but said not to be sent: [3]"]),
    "half a pair": ([1, 2, 5], ["written in part: [4, 5]"]),
    "of nobody": ([1, 2, 9], ["of nobody: [9]"]),
}


@pytest.mark.parametrize(("rows", "faults"), LEDGERS.values(), ids=LEDGERS)
def test_a_ledger_sees_what_does_not_agree(rows: list[int], faults: list[str]) -> None:
    ledger = Ledger()
    assert [ledger.take() for _ in range(3)] == [[1], [2], [3]]
    assert ledger.take(2) == [4, 5]
    ledger.confirm([1, 2])
    ledger.deny([3])
    assert ledger.faults_in(rows) == faults
