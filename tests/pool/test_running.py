"""What is done again and what is not: calls, blocks and deadlines."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from postgres.programs import wait_until

import engineroom
import engineroom.aio
from engineroom import errors

from .plain import all_at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.gate import Gate
    from postgres.cluster import Cluster

    from .conftest import Open

QUICK: dict[str, Any] = {"pauses_seconds": (0.01,), "jitter": 0}


def counters(client: Any) -> dict[str, int]:
    found: dict[str, int] = client.snapshot()["counters"]
    return found


# Calls.


def test_a_read_that_was_torn_is_read_again(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    client = open_client(gate_url, **QUICK)
    gate.reset_replies(3, times=1)
    assert client.fetchvalue("SELECT 42") == 42
    assert counters(client)["attempt_won{attempt=2}"] == 1


def test_a_write_that_was_torn_is_not_written_again(
    open_client: Open, gate: Gate, gate_url: str, server_url: str
) -> None:
    client = open_client(gate_url, **QUICK)
    with engineroom.connect(server_url) as other:
        other.execute("CREATE TABLE kept (n int)")
    gate.reset_replies(3, times=1)
    with pytest.raises(errors.ConnectionLost) as lost:
        client.execute("INSERT INTO kept VALUES (1)")
    assert lost.value.sent_to_server
    assert lost.value.attempts == 1
    assert client.fetchvalue("SELECT count(*) FROM kept") <= 1


def test_a_write_that_is_idempotent_is_written_again(
    open_client: Open, gate: Gate, gate_url: str, server_url: str
) -> None:
    client = open_client(gate_url, **QUICK)
    with engineroom.connect(server_url) as other:
        other.execute("CREATE TABLE kept (n int PRIMARY KEY)")
    gate.reset_replies(3, times=1)
    sql = "INSERT INTO kept VALUES (1) ON CONFLICT DO NOTHING"
    client.execute(sql, idempotent=True)
    assert client.fetchall("SELECT n FROM kept") == [(1,)]
    assert counters(client)["attempt_won{attempt=2}"] == 1


def test_nothing_is_tried_again_that_the_database_refused(
    open_client: Open, url: str
) -> None:
    client = open_client(url)
    for sql in ("SELECT * FROM no_such_table", "SELEKT 1", "SELECT 1 FROM"):
        with pytest.raises(errors.ProgrammingError) as refused:
            client.execute(sql, idempotent=True)
        assert refused.value.attempts == 1
    assert "retries" not in {name.split("{")[0] for name in counters(client)}
    assert "attempts_exhausted" not in {n for n, c in counters(client).items() if c}


def loop_around(ask: Callable[[], object], times: int = 3) -> int:
    """Try something again and again, as a retry layer of somebody else."""
    failures = 0
    for _ in range(times):
        try:
            ask()
        except errors.Error:
            failures += 1
    return failures


def test_a_retry_layer_around_ours_does_not_multiply(gate: Gate, gate_url: str) -> None:
    with engineroom.open(gate_url, **QUICK) as client:
        gate.refuse()
        assert loop_around(lambda: client.fetchvalue("SELECT 1")) == 3
        found = counters(client)
        # One fewer where the first attempt came before the connection's end.
        assert found["connect_failures{fault=unreachable}"] in (4, 5)
        assert found["nested_retries"] == 2
        gate.heal()


def test_a_retry_layer_around_tasks_does_not_multiply(
    gate: Gate, gate_url: str
) -> None:
    async def everything() -> None:
        async with engineroom.aio.open(gate_url, **QUICK) as client:
            gate.refuse()
            for _ in range(3):
                with pytest.raises(errors.ConnectFailed):
                    await client.fetchvalue("SELECT 1")
            found = counters(client)
            # One fewer where the first attempt came before the connection's end.
            assert found["connect_failures{fault=unreachable}"] in (4, 5)
            assert found["nested_retries"] == 2
            gate.heal()

    asyncio.run(everything())


# Deadlines.


def test_a_call_ends_by_its_own_deadline(open_client: Open, server_url: str) -> None:
    client = open_client(server_url)
    began = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded) as late:
        client.execute("SELECT pg_sleep(60)", deadline_seconds=0.2)
    assert time.monotonic() - began < 1
    assert late.value.deadline_seconds == 0.2
    assert late.value.doing == "querying"
    assert late.value.spent["querying"] == pytest.approx(0.2, abs=0.1)
    assert "querying 0." in late.value.account
    assert client.fetchvalue("SELECT 42") == 42
    assert counters(client)["timeouts{phase=querying}"] == 1


def test_a_call_ends_by_the_deadline_of_the_client(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, deadline_seconds=0.2)
    began = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded):
        client.execute("SELECT pg_sleep(60)")
    assert time.monotonic() - began < 1
    assert client.fetchvalue("SELECT 42") == 42


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_deadline_that_has_passed_is_refused(
    open_client: Open, url: str, seconds: float
) -> None:
    client = open_client(url)
    with pytest.raises(errors.Misuse):
        client.execute("SELECT 1", deadline_seconds=seconds)
    with pytest.raises(errors.Misuse):
        client.transaction(deadline_seconds=seconds).__enter__()


def test_a_transaction_ends_by_its_deadline_and_is_undone(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url)
    client.execute("CREATE TABLE kept (n int)")
    began = time.monotonic()
    late = pytest.raises(errors.DeadlineExceeded)
    with late as raised, client.transaction(deadline_seconds=0.3) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
        connection.execute("SELECT pg_sleep(60)")
    assert time.monotonic() - began < 1.5
    assert raised.value.deadline_seconds == 0.3
    assert client.fetchvalue("SELECT count(*) FROM kept") == 0


def test_each_statement_of_a_lease_has_the_client_s_deadline(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, deadline_seconds=0.3)
    with client.connection() as connection:
        for _ in range(2):
            connection.execute("SELECT pg_sleep(0.16)")
        with pytest.raises(errors.DeadlineExceeded):
            connection.execute("SELECT pg_sleep(60)")
    assert client.fetchvalue("SELECT 42") == 42


# Blocks that are run again.


def prepare_accounts(client: Any) -> None:
    client.execute("CREATE TABLE accounts (id int PRIMARY KEY, money int NOT NULL)")
    client.execute("INSERT INTO accounts VALUES (1, 100), (2, 100)")


def test_a_block_commits_and_returns_what_its_work_did(
    open_client: Open, url: str
) -> None:
    client = open_client(url)
    client.execute("CREATE TABLE kept (n int)")

    def work(connection: Any, first: int, second: int) -> int:
        connection.execute("INSERT INTO kept VALUES (?)", (first + second,))
        return first * second

    assert client.run(work, 6, 7) == 42
    assert client.fetchall("SELECT n FROM kept") == [(13,)]


def test_two_blocks_that_deadlock_both_succeed(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, max_size=2, deadline_seconds=20, **QUICK)
    prepare_accounts(client)
    meeting = threading.Barrier(2)
    runs = []

    def move(connection: Any, source: int, target: int) -> None:
        runs.append(source)
        sql = "UPDATE accounts SET money = money + ? WHERE id = ?"
        connection.execute(sql, (-10, source))
        if len(runs) <= 2:
            meeting.wait(10)
        connection.execute(sql, (10, target))

    outcomes = all_at_once(
        [lambda: client.run(move, 1, 2), lambda: client.run(move, 2, 1)]
    )
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert len(runs) == 3, "the one that was undone ran once more"
    rows = client.fetchall("SELECT money FROM accounts")
    assert rows == [(100,), (100,)]
    assert counters(client)["retries{fault=serialisation}"] == 1


def test_blocks_that_cannot_be_serialised_are_run_again(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, max_size=2, deadline_seconds=20, **QUICK)
    prepare_accounts(client)
    runs = []

    def raise_money(connection: Any) -> None:
        sql = "SELECT money FROM accounts WHERE id = 1"
        (money,) = connection.execute(sql).fetchone()
        runs.append(money)
        if len(runs) == 1:
            client.execute("UPDATE accounts SET money = 500 WHERE id = 1")
        sql = "UPDATE accounts SET money = ? WHERE id = 1"
        connection.execute(sql, (money + 1,))

    client.run(raise_money, isolation_level="REPEATABLE READ")
    assert runs == [100, 500]
    assert client.fetchvalue("SELECT money FROM accounts WHERE id = 1") == 501


def test_a_block_that_never_succeeds_ends_after_its_attempts(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, **QUICK)
    runs = []

    def work(connection: Any) -> None:
        runs.append(1)
        sql = "DO $$ BEGIN RAISE 'again' USING ERRCODE = '40001'; END $$"
        connection.execute(sql)

    with pytest.raises(errors.SerializationFailure) as failed:
        client.run(work)
    assert len(runs) == 3
    assert failed.value.attempts == 3
    assert failed.value.account.startswith("3 attempts")
    assert counters(client)["attempts_exhausted"] == 1


def test_a_block_that_cannot_begin_is_tried_as_often_as_a_call(
    open_client: Open, gate: Gate, gate_url: str
) -> None:
    client = open_client(gate_url, **QUICK)
    gate.refuse()
    with pytest.raises(errors.ConnectFailed) as failed:
        client.run(lambda _: None)
    assert failed.value.attempts == 3
    found = counters(client)
    assert (found["attempts_exhausted"], found["nested_retries"]) == (1, 0)
    gate.heal()


def test_a_user_s_own_error_is_his_and_undoes_the_block(
    open_client: Open, url: str
) -> None:
    client = open_client(url)
    client.execute("CREATE TABLE kept (n int)")
    runs = []

    def work(connection: Any) -> None:
        runs.append(1)
        connection.execute("INSERT INTO kept VALUES (1)")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        client.run(work)
    assert len(runs) == 1
    assert client.fetchvalue("SELECT count(*) FROM kept") == 0


def test_rollback_ends_a_block_and_nothing_else(open_client: Open, url: str) -> None:
    client = open_client(url)
    client.execute("CREATE TABLE kept (n int)")

    def work(connection: Any) -> str:
        connection.execute("INSERT INTO kept VALUES (1)")
        raise engineroom.Rollback

    assert client.run(work) is None
    with client.transaction() as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
        raise engineroom.Rollback
    with client.transaction() as connection:
        connection.execute("INSERT INTO kept VALUES (3)")
        with connection.transaction():
            connection.execute("INSERT INTO kept VALUES (4)")
            raise engineroom.Rollback
    assert client.fetchall("SELECT n FROM kept") == [(3,)]


def test_what_a_call_inside_a_block_has_tried_is_not_tried_again_by_the_block(
    gate: Gate, gate_url: str, open_client: Open, server_url: str
) -> None:
    inner = open_client(gate_url, **QUICK)
    outer = open_client(server_url, **QUICK)
    runs = []

    def work(_: Any) -> None:
        runs.append(1)
        inner.fetchvalue("SELECT 1")

    gate.refuse()
    with pytest.raises(errors.ConnectFailed):
        outer.run(work)
    assert len(runs) == 1
    assert counters(outer)["nested_retries"] == 1
    gate.heal()


def test_a_transaction_is_never_run_again_by_itself(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, **QUICK)
    failing = pytest.raises(errors.SerializationFailure)
    with failing as failed, client.transaction() as connection:
        connection.execute("DO $$ BEGIN RAISE 'x' USING ERRCODE = '40001'; END $$")
    assert failed.value.attempts == 1
    assert client.fetchvalue("SELECT 42") == 42


def test_what_belongs_into_a_block_is_refused_outside(
    open_client: Open, url: str
) -> None:
    client = open_client(url)
    for sql in ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a"):
        with pytest.raises(errors.Misuse) as refused:
            client.execute(sql)
        assert "client.transaction()" in refused.value.hint
    with pytest.raises(errors.Misuse) as refused:
        client.execute("CREATE TEMP TABLE t (n int)")
    assert "client.connection()" in refused.value.hint
    with pytest.raises(errors.Misuse):
        client.execute(b"SELECT 1")
    assert client.fetchvalue("SELECT 42") == 42


def test_many_rows_are_written_or_none(open_client: Open, url: str) -> None:
    client = open_client(url)
    client.execute("CREATE TABLE kept (n int PRIMARY KEY)")
    result = client.executemany("INSERT INTO kept VALUES (?)", ((n,) for n in range(9)))
    assert result.rowcount == 9
    with pytest.raises(errors.IntegrityError):
        client.executemany("INSERT INTO kept VALUES (?)", [(20,), (21,), (3,)])
    assert client.fetchvalue("SELECT count(*) FROM kept") == 9


def test_each_way_to_fetch(open_client: Open, url: str) -> None:
    client = open_client(url)
    client.execute("CREATE TABLE t (n int, word text)")
    client.executemany("INSERT INTO t VALUES (?, ?)", [(1, "a"), (2, "b")])
    sql = "SELECT n, word FROM t WHERE n >= :least ORDER BY n"
    assert client.fetchall(sql, {"least": 1}) == [(1, "a"), (2, "b")]
    assert client.fetchone(sql, {"least": 2}) == (2, "b")
    assert client.fetchone(sql, {"least": 3}) is None
    assert client.fetchvalue(sql, {"least": 2}) == 2
    assert client.fetchvalue(sql, {"least": 3}) is None
    assert client.fetchvalue("SELECT NULL") is None
    assert client.execute("UPDATE t SET n = n + 1").rowcount == 2
    assert client.fetchall("DELETE FROM t RETURNING word") in (
        [("a",), ("b",)],
        [("b",), ("a",)],
    )


def test_a_lock_that_is_held_is_told_within_the_deadline(
    open_client: Open, server_url: str, cluster: Cluster
) -> None:
    client = open_client(server_url, max_size=2)
    client.execute("CREATE TABLE kept (n int)")
    with client.transaction() as connection:
        connection.execute("LOCK TABLE kept")
        with pytest.raises(errors.DeadlineExceeded):
            client.execute("INSERT INTO kept VALUES (1)", deadline_seconds=0.3)
    sql = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    wait_until(lambda: cluster.run(sql) == [["0"]], "nobody waits any more")
    assert client.fetchvalue("SELECT count(*) FROM kept") == 0
