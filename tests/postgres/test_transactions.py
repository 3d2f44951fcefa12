"""Transactions on a server: blocks, savepoints, what BEGIN says, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import engineroom
from engineroom import Rollback, errors

if TYPE_CHECKING:
    from engineroom import Connection

    from .cluster import Cluster

MODES = (
    "SELECT current_setting('transaction_isolation'), "
    "current_setting('transaction_read_only'), "
    "current_setting('transaction_deferrable')"
)


@pytest.fixture
def table(connection: Connection) -> str:
    connection.execute("CREATE TEMP TABLE t (a int PRIMARY KEY)")
    connection.commit()
    return "t"


def insert(connection: Connection, number: int) -> None:
    connection.execute("INSERT INTO t VALUES (?)", (number,))


def rows(connection: Connection) -> list[int]:
    found = [a for (a,) in connection.execute("SELECT a FROM t ORDER BY a")]
    connection.rollback()
    return found


def test_the_status_follows_the_server(connection: Connection) -> None:
    assert connection.transaction_status == "idle"
    connection.execute("SELECT 1")
    assert connection.transaction_status == "open"
    assert connection.in_transaction
    with pytest.raises(errors.DivisionByZero):
        connection.execute("SELECT 1 / 0").fetchone()
    assert connection.transaction_status == "failed"
    connection.rollback()
    assert connection.transaction_status == "idle"
    connection.close()
    assert connection.transaction_status == "closed"


@pytest.mark.usefixtures("table")
def test_blocks_nest_as_savepoints(connection: Connection) -> None:
    with connection.transaction() as outer:
        assert outer.savepoint_name is None
        insert(connection, 1)
        with pytest.raises(errors.UniqueViolation), connection.transaction() as inner:
            assert inner.savepoint_name == "engineroom_2"
            insert(connection, 2)
            insert(connection, 1)
        with connection.transaction():
            insert(connection, 3)
            with pytest.raises(LookupError), connection.transaction():
                insert(connection, 4)
                raise LookupError
    assert connection.transaction_status == "idle"
    assert rows(connection) == [1, 3]


@pytest.mark.usefixtures("table")
def test_a_block_in_an_open_transaction_leaves_it_open(connection: Connection) -> None:
    insert(connection, 1)
    with connection.transaction() as block:
        assert block.savepoint_name == "engineroom_1"
        insert(connection, 2)
    assert connection.transaction_status == "open"
    connection.rollback()
    assert rows(connection) == []


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("is_autocommit", [True, False], ids=["autocommit", "without"])
def test_a_block_is_a_transaction_whatever_autocommit_says(
    connection: Connection, is_autocommit: bool
) -> None:
    connection.autocommit = is_autocommit
    with pytest.raises(LookupError), connection.transaction():
        insert(connection, 1)
        assert connection.transaction_status == "open"
        raise LookupError
    assert connection.transaction_status == "idle"
    assert rows(connection) == []


@pytest.mark.usefixtures("table")
def test_rollback_leaves_a_block_without_a_failure(connection: Connection) -> None:
    with connection.transaction():
        insert(connection, 1)
        with connection.transaction():
            insert(connection, 2)
            raise Rollback
        insert(connection, 3)
    with connection.transaction() as outer:
        insert(connection, 4)
        with connection.transaction():
            raise Rollback(outer)
        raise AssertionError("the outer block was to be left")
    assert rows(connection) == [1, 3]


def test_savepoints_may_have_any_name(connection: Connection) -> None:
    odd = 'it"s; DROP TABLE t -- {0}'
    with connection.transaction(odd) as outer, connection.transaction(odd) as inner:
        assert outer.savepoint_name == inner.savepoint_name == odd
        raise Rollback(inner)
    assert connection.transaction_status == "idle"


@pytest.mark.parametrize("name", ["", "a\0b", "é" * 32], ids=["empty", "zero", "long"])
def test_impossible_savepoint_names_are_refused(
    connection: Connection, name: str
) -> None:
    with pytest.raises(errors.Misuse, match="cannot be named"):
        connection.transaction(name)


def test_a_block_that_hid_a_failure_cannot_commit(connection: Connection) -> None:
    def hide() -> None:
        with connection.transaction(), pytest.raises(errors.DivisionByZero):
            connection.execute("SELECT 1 / 0").fetchone()

    with pytest.raises(errors.InFailedTransaction):
        hide()
    assert connection.transaction_status == "idle"
    with connection.transaction():
        with pytest.raises(errors.InFailedTransaction):
            hide()
        assert connection.transaction_status == "open"


def test_a_deferred_constraint_fails_the_block(connection: Connection) -> None:
    connection.execute(
        "CREATE TEMP TABLE d (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
    )
    connection.commit()
    with pytest.raises(errors.UniqueViolation), connection.transaction():
        connection.execute("INSERT INTO d VALUES (1), (1)")
    assert connection.transaction_status == "idle"


def test_a_block_alone_ends_its_transaction(connection: Connection) -> None:
    with connection.transaction():
        for end in (connection.commit, connection.rollback):
            with pytest.raises(errors.Misuse) as caught:
                end()
            assert "engineroom.Rollback" in caught.value.hint
    connection.commit()


@pytest.mark.usefixtures("table")
def test_blocks_that_end_in_the_wrong_order_are_refused(connection: Connection) -> None:
    outer, inner = connection.transaction(), connection.transaction()
    outer.__enter__()
    inner.__enter__()
    insert(connection, 1)
    with pytest.raises(errors.Misuse, match="ended before one inside it"):
        outer.__exit__(None, None, None)
    assert connection.transaction_status == "idle"
    with pytest.raises(errors.Misuse):
        inner.__exit__(None, None, None)
    assert rows(connection) == []


def test_the_reason_for_leaving_is_not_hidden_by_a_lost_connection(
    connection: Connection, cluster: Cluster
) -> None:
    with pytest.raises(LookupError), connection.transaction():
        cluster.terminate()
        raise LookupError
    with pytest.raises(errors.ConnectionLost), connection.transaction():
        pass
    assert connection.transaction_status == "lost"


@pytest.mark.parametrize(
    ("level", "read_only", "deferrable", "seen"),
    [
        (None, None, None, ("read committed", "off", "off")),
        ("repeatable_read", None, None, ("repeatable read", "off", "off")),
        ("Read Uncommitted", False, False, ("read uncommitted", "off", "off")),
        ("SERIALIZABLE", True, True, ("serializable", "on", "on")),
        (None, True, None, ("read committed", "on", "off")),
    ],
)
def test_begin_says_what_was_set(
    connection: Connection,
    level: str | None,
    read_only: bool | None,
    deferrable: bool | None,
    seen: tuple[str, ...],
) -> None:
    connection.isolation_level = level
    connection.read_only = read_only
    connection.deferrable = deferrable
    assert connection.execute(MODES).fetchone() == seen
    connection.rollback()
    connection.autocommit = True
    with connection.transaction():
        assert connection.execute(MODES).fetchone() == seen
    assert connection.execute(MODES).fetchone() == ("read committed", "off", "off")
    assert (connection.read_only, connection.deferrable) == (read_only, deferrable)


def test_a_level_reads_as_sql_writes_it(connection: Connection) -> None:
    connection.isolation_level = "serializable"
    assert connection.isolation_level == "SERIALIZABLE"
    with pytest.raises(errors.Misuse, match="no isolation level `SNAPSHOT`"):
        connection.isolation_level = "SNAPSHOT"
    assert connection.isolation_level == "SERIALIZABLE"


def test_modes_are_set_between_transactions(connection: Connection) -> None:
    connection.execute("SELECT 1")
    settings: list[tuple[str, Any]] = [
        ("isolation_level", "SERIALIZABLE"),
        ("read_only", True),
        ("deferrable", True),
    ]
    for name, value in settings:
        with pytest.raises(errors.Misuse, match="A transaction is open"):
            setattr(connection, name, value)
        assert getattr(connection, name) is None


def test_a_read_only_transaction_writes_nothing(connection: Connection) -> None:
    connection.read_only = True
    with pytest.raises(errors.ReadOnly):
        connection.execute("CREATE TABLE t (a int)")
    connection.rollback()


def test_sqlite_takes_what_makes_sense_there() -> None:
    with engineroom.connect("sqlite://:memory:") as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
        connection.isolation_level = "serializable"
        connection.read_only = True
        with pytest.raises(errors.ReadOnly):
            connection.execute("INSERT INTO t VALUES (1)")
        connection.rollback()
        connection.read_only = None
        connection.execute("INSERT INTO t VALUES (1)")
        assert connection.transaction_status == "open"
        connection.rollback()
        with pytest.raises(engineroom.NotSupportedError):
            connection.isolation_level = "READ COMMITTED"
        with pytest.raises(engineroom.NotSupportedError):
            connection.deferrable = True
