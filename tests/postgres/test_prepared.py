"""Prepared statements that the server has lost, changed or never had: poolers too."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

from .cluster import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom import Connection

    from .bouncer import Bouncer
    from .cluster import Cluster

pytestmark = pytest.mark.usefixtures("no_socket_left", "no_libpq_environment")

DOUBLE = "SELECT ?::int4 * 2"


@pytest.fixture
def connection(cluster: Cluster) -> Iterator[Connection]:
    with engineroom.connect(cluster.url(), autocommit=True) as opened:
        yield opened


def double(connection: Connection, number: int) -> object:
    row = connection.execute(DOUBLE, (number,)).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("sql", ["DEALLOCATE ALL", "DISCARD ALL", "deallocate all"])
def test_statements_that_were_forgotten_are_prepared_anew(
    connection: Connection, sql: str
) -> None:
    assert double(connection, 1) == 2
    connection.execute(sql)
    assert double(connection, 2) == 4
    assert double(connection, 3) == 6


def test_statements_forgotten_by_a_function_are_prepared_anew(
    connection: Connection,
) -> None:
    """Nothing of the answer tells that statements are gone."""
    assert double(connection, 1) == 2
    connection.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
    assert double(connection, 2) == 4


@pytest.fixture
def table(cluster: Cluster) -> Iterator[str]:
    cluster.run("CREATE TABLE altered AS SELECT 1 AS x", user=OWNER)
    yield "altered"
    cluster.run("DROP TABLE altered", user=OWNER)


def test_a_table_that_changed_shape_is_read_as_it_is(
    cluster: Cluster, connection: Connection, table: str
) -> None:
    sql = f"SELECT * FROM {table}"
    assert connection.execute(sql).fetchall() == [(1,)]
    cluster.run(f"ALTER TABLE {table} ADD COLUMN y text DEFAULT 'new'", user=OWNER)
    assert connection.execute(sql).fetchall() == [(1, "new")]
    cluster.run(f"ALTER TABLE {table} ALTER COLUMN x TYPE text", user=OWNER)
    assert connection.execute(sql).fetchall() == [("1", "new")]


def test_a_table_that_changed_within_a_transaction_is_told(
    cluster: Cluster, table: str
) -> None:
    """What was done before cannot be done again by us, so the user is asked to."""
    sql = f"SELECT * FROM {table}"
    with engineroom.connect(cluster.url()) as connection:
        assert connection.execute(sql).fetchall() == [(1,)]
        connection.rollback()
        cluster.run(f"ALTER TABLE {table} ADD COLUMN y text", user=OWNER)
        connection.execute("CREATE TEMPORARY TABLE first (x int4)")
        with pytest.raises(errors.StalePlan, match="ached plan"):
            connection.execute(sql).fetchall()
        connection.rollback()
        assert connection.execute(sql).fetchall() == [(1, None)]


def play(connection: Connection, rounds: int) -> None:
    """Ask in transactions and outside of them, with and without parameters."""
    for number in range(rounds):
        assert double(connection, number) == number * 2
        connection.commit()
        rows = connection.execute("SELECT x FROM generate_series(1, 300) x").fetchall()
        assert len(rows) == 300
        assert double(connection, number) == number * 2
        connection.execute("CREATE TEMPORARY TABLE pooled (x int4) ON COMMIT DROP")
        values = [(value,) for value in range(50)]
        connection.executemany("INSERT INTO pooled VALUES (?)", values)
        cursor = connection.execute("SELECT sum(x) FROM pooled")
        assert cursor.fetchone() == (1225,)
        connection.commit()


def test_a_write_whose_rows_do_not_fit_did_write_and_says_so(
    cluster: Cluster, connection: Connection, table: str
) -> None:
    """Nobody may take it for one that can be sent again."""
    sql = f"UPDATE {table} SET x = x + 1 RETURNING *"
    with engineroom.connect(cluster.url(prepared="off"), autocommit=True) as other:
        other.execute(sql)
        connection.execute(f"ALTER TABLE {table} ADD COLUMN z int4")
        with pytest.raises(errors.StalePlan) as caught:
            other.execute(sql)
    assert caught.value.sent_to_server
    assert caught.value.severity == ""  # the server has refused nothing
    assert caught.value.hint.startswith("only its rows were refused")
    row = connection.execute(f"SELECT x FROM {table}").fetchone()
    assert row == (3,)


def test_a_client_reads_a_table_that_changed_and_counts_why_it_asked_again(
    cluster: Cluster, connection: Connection, table: str
) -> None:
    sql = f"SELECT * FROM {table}"
    with engineroom.open(cluster.url(prepared="off")) as client:
        for _ in range(3):
            assert client.fetchall(sql) == [(1,)]
        connection.execute(f"ALTER TABLE {table} ADD COLUMN z int4")
        assert client.fetchall(sql) == [(1, None)]
        counters = client.snapshot()["counters"]
    assert counters["retries{fault=stale-plan}"] == 1
    assert counters["connects"] == 1


def test_a_pooler_is_no_trouble_when_it_is_told_of(bouncer: Bouncer) -> None:
    """Six clients share two servers, so each transaction may be on the other one."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with engineroom.connect(bouncer.url(prepared="off")) as connection:
                play(connection, 20)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_pooler_that_is_not_told_of_is_found_out(bouncer: Bouncer) -> None:
    """One client holds the server that another prepared its statement on."""
    first = engineroom.connect(bouncer.url())
    second = engineroom.connect(bouncer.url())
    third = engineroom.connect(bouncer.url())
    try:
        assert double(first, 1) == 2
        first.commit()
        # Both servers are taken, in turn, by those who come between.
        with pytest.raises(errors.DatabaseError) as caught:
            for number in range(10):
                double(second, number)
                double(first, number)
                second.commit()
                double(third, number)
                first.commit()
                double(second, number)
                third.commit()
                second.commit()
                second.execute("SELECT 1")
                double(first, number)
                first.execute("SAVEPOINT one")
                double(first, number)
                first.commit()
                second.commit()
        assert "prepared=off" in (caught.value.hint or "")
        assert caught.value.sqlstate == "26000"
    finally:
        for connection in (first, second, third):
            connection.close()
