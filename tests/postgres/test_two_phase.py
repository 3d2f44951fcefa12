"""Two-phase commit, as PEP 249 has it, and together with other drivers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import Xid, errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom import Connection

    from .cluster import Cluster


@pytest.fixture(autouse=True)
def table(cluster: Cluster) -> Iterator[None]:
    """A table, and afterwards nothing that is still prepared."""
    cluster.run("CREATE TABLE tp (a int PRIMARY KEY); GRANT ALL ON tp TO engine;")
    yield
    for (name,) in cluster.run("SELECT gid FROM pg_prepared_xacts"):
        cluster.run(f"ROLLBACK PREPARED '{name}'")
    cluster.run("DROP TABLE tp")


def rows(cluster: Cluster) -> list[list[str]]:
    return cluster.run("SELECT a FROM tp ORDER BY a")


def begun(connection: Connection, name: str = "g") -> Xid:
    xid = connection.xid(42, name, "b")
    connection.tpc_begin(xid)
    connection.execute("INSERT INTO tp VALUES (1)")
    return xid


def test_two_phases_commit(connection: Connection, cluster: Cluster) -> None:
    begun(connection)
    connection.tpc_prepare()
    assert rows(cluster) == []
    connection.tpc_commit()
    assert rows(cluster) == [["1"]]
    assert connection.transaction_status == "idle"
    connection.commit()


def test_one_phase_commits_too(connection: Connection, cluster: Cluster) -> None:
    begun(connection)
    connection.tpc_commit()
    assert rows(cluster) == [["1"]]


@pytest.mark.parametrize("is_prepared", [True, False], ids=["prepared", "begun"])
def test_a_rollback_undoes(
    connection: Connection, cluster: Cluster, is_prepared: bool
) -> None:
    begun(connection)
    if is_prepared:
        connection.tpc_prepare()
    connection.tpc_rollback()
    assert rows(cluster) == []
    assert connection.tpc_recover() == []


@pytest.mark.parametrize("is_autocommit", [True, False], ids=["autocommit", "without"])
def test_what_is_prepared_is_found_and_ended_by_another_connection(
    connection: Connection, other: Connection, cluster: Cluster, is_autocommit: bool
) -> None:
    xid = begun(connection)
    connection.tpc_prepare()
    connection.close()
    other.autocommit = is_autocommit
    (found,) = other.tpc_recover()
    assert other.transaction_status == "idle"
    assert found == xid
    assert (found.owner, found.database) == ("engine", "engine")
    assert found.prepared is not None
    assert found.prepared.tzinfo is not None
    other.tpc_commit(found)
    assert rows(cluster) == [["1"]]


def test_a_name_that_is_not_of_parts_stands_for_itself(
    connection: Connection, other: Connection
) -> None:
    odd = "it's \\ a_b_c"
    connection.tpc_begin(odd)
    connection.execute("INSERT INTO tp VALUES (1)")
    connection.tpc_prepare()
    (found,) = other.tpc_recover()
    assert tuple(found) == (None, odd, None)
    assert str(found) == odd
    other.tpc_rollback(odd)
    assert other.tpc_recover() == []
    with pytest.raises(errors.UndefinedObject):
        connection.tpc_commit()
    # It stays what it was until its end is known; nobody has it any more.
    with pytest.raises(errors.UndefinedObject):
        connection.tpc_rollback()


def test_psycopg_ends_what_we_prepared_and_we_what_it_did(
    connection: Connection, cluster: Cluster
) -> None:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is a peer of the tests")
    begun(connection, "ours")
    connection.tpc_prepare()
    with contextlib.closing(psycopg.connect(cluster.url())) as theirs:
        (found,) = theirs.tpc_recover()
        assert (found.format_id, found.gtrid, found.bqual) == (42, "ours", "b")
        theirs.tpc_commit(found)
        theirs.tpc_begin(theirs.xid(7, "theirs", "b2"))
        theirs.execute("INSERT INTO tp VALUES (2)")
        theirs.tpc_prepare()
    connection.close()
    with engineroom.connect(cluster.url()) as again:
        (xid,) = again.tpc_recover()
        assert tuple(xid) == (7, "theirs", "b2")
        again.tpc_commit(xid)
    assert rows(cluster) == [["1"], ["2"]]


def test_calls_in_a_wrong_order_are_refused(connection: Connection) -> None:
    with pytest.raises(errors.Misuse):
        connection.tpc_prepare()
    with pytest.raises(errors.Misuse):
        connection.tpc_commit()
    with pytest.raises(errors.Misuse):
        connection.tpc_rollback()
    xid = begun(connection)
    for call in (connection.commit, connection.rollback):
        with pytest.raises(errors.Misuse, match="inside a two-phase transaction"):
            call()
    for finish in (
        connection.tpc_begin,
        connection.tpc_commit,
        connection.tpc_rollback,
    ):
        with pytest.raises(errors.Misuse, match="inside a transaction"):
            finish(xid)
    connection.tpc_prepare()
    with pytest.raises(errors.Misuse):
        connection.tpc_prepare()
    connection.tpc_rollback()
    connection.execute("SELECT 1")
    with pytest.raises(errors.Misuse, match="inside a transaction"):
        connection.tpc_begin(xid)
    connection.rollback()


def test_a_failed_transaction_is_not_prepared(connection: Connection) -> None:
    begun(connection)
    with pytest.raises(errors.UniqueViolation):
        connection.execute("INSERT INTO tp VALUES (1)")
    with pytest.raises(errors.InFailedTransaction):
        connection.tpc_prepare()
    assert connection.transaction_status == "idle"
    assert connection.tpc_recover() == []


def test_what_cannot_be_prepared_is_undone(connection: Connection) -> None:
    begun(connection)
    connection.execute("CREATE TEMP TABLE mine (a int)")
    with pytest.raises(engineroom.NotSupportedError, match="temporary"):
        connection.tpc_prepare()
    assert connection.transaction_status == "idle"
    connection.commit()


def test_a_failure_in_a_pipeline_is_the_one_that_is_raised(
    connection: Connection,
) -> None:
    xid = connection.xid(1, "g", "b")
    connection.execute("INSERT INTO tp VALUES (?)", (0,))
    connection.rollback()
    with pytest.raises(errors.UniqueViolation), connection.pipeline():
        connection.tpc_begin(xid)
        for number in (1, 1, 2):
            connection.execute("INSERT INTO tp VALUES (?)", (number,))
        connection.tpc_prepare()
    assert connection.transaction_status == "idle"


@pytest.mark.parametrize(
    ("format_id", "gtrid", "bqual"),
    [
        (-1, "g", "b"),
        (2**31, "g", "b"),
        (1, "g" * 65, "b"),
        (1, "g", "\n"),
        (1, "ü", ""),
    ],
)
def test_impossible_names_are_refused(
    connection: Connection, format_id: int, gtrid: str, bqual: str
) -> None:
    with pytest.raises(errors.Misuse):
        connection.xid(format_id, gtrid, bqual)
    for name in ("", "a\0b", "x" * 200):
        with pytest.raises(errors.Misuse):
            connection.tpc_begin(name)


def test_parts_can_be_had_by_place(connection: Connection) -> None:
    xid = connection.xid(42, "gtrid", "bqual")
    assert (xid[0], xid[1], xid[2], len(xid)) == (42, "gtrid", "bqual", 3)
    assert xid.name == "42_Z3RyaWQ=_YnF1YWw="
    assert Xid.from_name(xid.name) == xid
    assert len({xid, Xid.from_name(xid.name)}) == 1


@pytest.mark.parametrize(
    "name", ["1_x_y", "1_eA==_!", "x_eA==_eQ==", "01_eA==_eQ==", "1_eB==_eQ=="]
)
def test_a_name_that_is_nearly_of_parts_is_kept_as_it_is(name: str) -> None:
    assert tuple(Xid.from_name(name)) == (None, name, None)


def test_a_server_that_prepares_nothing_says_so(plain_cluster: Cluster) -> None:
    plain_cluster.run("ALTER SYSTEM SET max_prepared_transactions = 0")
    plain_cluster.restart()
    try:
        with engineroom.connect(plain_cluster.url()) as connection:
            connection.tpc_begin(connection.xid(1, "g", "b"))
            with pytest.raises(engineroom.NotSupportedError) as caught:
                connection.tpc_prepare()
            assert caught.value.sqlstate == "55000"
            assert "max_prepared_transactions" in caught.value.hint
            assert connection.transaction_status == "idle"
    finally:
        plain_cluster.run("ALTER SYSTEM SET max_prepared_transactions = 20")
        plain_cluster.restart()


def test_sqlite_has_no_two_phases() -> None:
    with engineroom.connect("sqlite://:memory:") as connection:
        xid = Xid.from_parts(1, "g", "b")
        for call in (
            lambda: connection.xid(1, "g", "b"),
            lambda: connection.tpc_begin(xid),
            connection.tpc_prepare,
            connection.tpc_commit,
            connection.tpc_rollback,
            connection.tpc_recover,
        ):
            with pytest.raises(engineroom.NotSupportedError) as caught:
                call()
            assert "PostgreSQL" in caught.value.hint
