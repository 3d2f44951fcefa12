"""SQLite through a client: one writer, many readers, and nobody meets a lock."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from faults.files import Locker

from engineroom import errors

from .plain import all_at_once, opened

if TYPE_CHECKING:
    from faults.styles import Style

    from .conftest import Open

WORKERS = 16
EACH = 25
# What a program that knows nothing of us does to the same file, until it is told.
OTHER_PROCESS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
print("begun", flush=True)
count = 0
while True:
    connection.execute("INSERT INTO t VALUES ('other', ?)", (count,))
    count += 1
    if count == 50:
        print("busy", flush=True)
        break
sys.stdin.readline()
"""


def path_of(url: str) -> Path:
    return Path(url[len("sqlite:///") :].split("?", maxsplit=1)[0])


def gauges(client: Any) -> dict[str, float]:
    found: dict[str, float] = client.snapshot()["gauges"]
    return found


def write_and_read(client: Any, who: int) -> None:
    for n in range(EACH):
        client.execute("INSERT INTO t VALUES (?, ?)", (str(who), n))
        sql = "SELECT count(*) FROM t WHERE who = ?"
        assert client.fetchvalue(sql, (str(who),)) == n + 1
        if n % 5 == 0:
            with client.transaction() as connection:
                count = connection.execute("SELECT count(*) FROM t").fetchone()
                connection.execute("UPDATE t SET n = n WHERE who = ?", (str(who),))
                assert connection.execute("SELECT count(*) FROM t").fetchone() == count


def check_all_was_kept(client: Any) -> None:
    rows = client.fetchall("SELECT who, count(*), max(n) FROM t GROUP BY 1")
    assert {row for row in rows if row[0] != "other"} == {
        (str(who), EACH, EACH - 1) for who in range(WORKERS)
    }
    counters = client.snapshot()["counters"]
    assert not any(name.startswith("retries{") for name in counters)


def test_sixteen_write_and_read_and_none_meets_a_lock(
    open_client: Open, file_url: str
) -> None:
    client = open_client(file_url, max_size=4, deadline_seconds=30)
    client.execute("CREATE TABLE t (who text, n int)")
    work = [lambda who=who: write_and_read(client, who) for who in range(WORKERS)]
    outcomes = all_at_once(work)
    assert [outcome.error for outcome in outcomes] == [None] * WORKERS
    check_all_was_kept(client)
    assert gauges(client)["pool_size{lane=primary}"] == 1
    assert 1 <= gauges(client)["pool_size{lane=reader}"] <= 4


def test_another_process_that_writes_too_disturbs_nobody(
    open_client: Open, file_url: str
) -> None:
    client = open_client(file_url, max_size=4, deadline_seconds=30)
    client.execute("CREATE TABLE t (who text, n int)")
    command = [sys.executable, "-c", OTHER_PROCESS, str(path_of(file_url))]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as other:
        assert other.stdout.readline() == "begun\n"
        work = [lambda who=who: write_and_read(client, who) for who in range(WORKERS)]
        outcomes = all_at_once(work)
        assert other.stdout.readline() == "busy\n"
        other.communicate("\n")
    assert other.returncode == 0
    assert [outcome.error for outcome in outcomes] == [None] * WORKERS
    check_all_was_kept(client)
    assert client.fetchvalue("SELECT count(*) FROM t WHERE who = 'other'") == 50


def test_a_lock_that_is_held_is_waited_for_as_long_as_the_deadline(
    open_client: Open, file_url: str
) -> None:
    client = open_client(file_url, attempts=1)
    client.execute("CREATE TABLE t (n int)")
    with Locker(path_of(file_url)) as other:
        other.hold()
        began = time.monotonic()
        with pytest.raises(errors.Error) as locked:
            client.execute("INSERT INTO t VALUES (1)", deadline_seconds=0.3)
        assert 0.2 < time.monotonic() - began < 1
        assert locked.value.fault in ("timeout", "lock-timeout")
        assert client.fetchvalue("SELECT count(*) FROM t") == 0, "readers go on"
        other.let_go()
    client.execute("INSERT INTO t VALUES (1)")
    assert client.fetchvalue("SELECT count(*) FROM t") == 1


def test_readers_go_on_beside_a_transaction_that_writes(
    open_client: Open, file_url: str
) -> None:
    client = open_client(file_url)
    client.execute("CREATE TABLE t (n int)")
    with client.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        assert client.fetchvalue("SELECT count(*) FROM t") == 0
    assert client.fetchvalue("SELECT count(*) FROM t") == 1


READS_THAT_WRITE = (
    "WITH a AS (SELECT 42 AS n) INSERT INTO t SELECT n FROM a RETURNING n",
    "INSERT INTO t VALUES (42) RETURNING n",
    "REPLACE INTO t VALUES (42)",
    "PRAGMA user_version = 42",
    "/* SELECT */ DELETE FROM t",
    "EXPLAIN INSERT INTO t VALUES (1)",
    "CREATE TABLE other AS SELECT 1",
    "VACUUM",
)


@pytest.mark.parametrize("sql", READS_THAT_WRITE)
def test_what_looks_like_a_read_and_writes_is_done_by_the_writer(
    open_client: Open, file_url: str, sql: str
) -> None:
    client = open_client(file_url)
    client.execute("CREATE TABLE t (n int)")
    if sql.startswith("PRAGMA"):
        with client.connection() as connection:
            connection.execute(sql)
        assert client.fetchvalue("SELECT user_version FROM pragma_user_version") == 42
        return
    client.execute(sql)
    counters = client.snapshot()["counters"]
    assert not any(name.startswith("retries{") for name in counters)


def test_who_says_that_he_only_reads_is_held_to_it(
    open_client: Open, file_url: str
) -> None:
    client = open_client(file_url)
    client.execute("CREATE TABLE t (n int)")
    with pytest.raises(errors.Misuse):
        client.execute("INSERT INTO t VALUES (1)", read_only=True)
    for block in (
        client.connection(read_only=True),
        client.transaction(read_only=True),
    ):
        with block as connection, pytest.raises(errors.ReadOnly):
            connection.execute("INSERT INTO t VALUES (1)")
    client.execute("INSERT INTO t VALUES (1)")
    with client.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (2)")
    assert client.fetchvalue("SELECT count(*) FROM t", read_only=True) == 2


def test_a_database_in_memory_is_one_connection_for_all(open_client: Open) -> None:
    client = open_client("sqlite://:memory:", max_size=8, deadline_seconds=30)
    client.execute("CREATE TABLE t (who text, n int)")
    work = [lambda who=who: write_and_read(client, who) for who in range(WORKERS)]
    outcomes = all_at_once(work)
    assert [outcome.error for outcome in outcomes] == [None] * WORKERS
    check_all_was_kept(client)
    assert gauges(client)["pool_size{lane=primary}"] == 1


def test_a_file_that_may_only_be_read(open_client: Open, file_url: str) -> None:
    writer = open_client(file_url)
    writer.execute("CREATE TABLE t (n int)")
    writer.execute("INSERT INTO t VALUES (42)")
    client = open_client(f"sqlite:///{path_of(file_url)}?mode=ro", max_size=4)
    outcomes = all_at_once([lambda: client.fetchvalue("SELECT n FROM t")] * 16)
    assert [outcome.value for outcome in outcomes] == [42] * 16
    with pytest.raises(errors.ReadOnly) as refused:
        client.execute("INSERT INTO t VALUES (1)")
    assert refused.value.attempts == 1
    assert client.health().is_healthy
    writer.execute("INSERT INTO t VALUES (43)")
    assert client.fetchvalue("SELECT max(n) FROM t") == 43


def test_a_file_is_made_by_its_writer_when_a_reader_comes_first(
    open_client: Open, file_url: str
) -> None:
    client = open_client(file_url, start="first use")
    with pytest.raises(errors.SqlError):
        client.fetchvalue("SELECT n FROM t")
    client.execute("CREATE TABLE t (n int)")
    assert client.fetchvalue("SELECT count(*) FROM t") == 0


def test_a_statement_that_takes_long_ends_with_its_deadline(
    open_client: Open, file_url: str
) -> None:
    client = open_client(file_url, attempts=1)
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
    began = time.monotonic()
    with pytest.raises(errors.TimedOut):
        client.fetchvalue(f"{endless} SELECT count(*) FROM c", deadline_seconds=0.2)
    assert time.monotonic() - began < 1
    assert client.fetchvalue("SELECT 42") == 42


def test_replicas_of_a_file_are_refused(style: Style, file_url: str) -> None:
    with pytest.raises(errors.NotSupportedError):
        opened(style, file_url, replicas=[file_url]).__enter__()


def test_isolation_levels_of_files(open_client: Open, file_url: str) -> None:
    client = open_client(file_url)
    with client.transaction(isolation_level="SERIALIZABLE"):
        pass
    with pytest.raises(errors.NotSupportedError):
        client.transaction(isolation_level="READ COMMITTED").__enter__()
