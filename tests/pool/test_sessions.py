"""What a lease leaves behind on its connection is not there for the next one."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from faults.styles import Awaited, Blocking

import engineroom
from engineroom import errors

from .plain import Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from postgres.cluster import Cluster

    from .conftest import Open


def leave_setting(connection: Any) -> None:
    connection.execute("SET search_path TO nowhere")


def leave_read_only(connection: Any) -> None:
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")


def leave_temporary_table(connection: Any) -> None:
    connection.execute("CREATE TEMP TABLE mine (n int)")


def leave_listening(connection: Any) -> None:
    connection.execute("LISTEN news")


def leave_lock(connection: Any) -> None:
    connection.execute("SELECT pg_advisory_lock(42)")


def leave_cursor(connection: Any) -> None:
    connection.execute("DECLARE far CURSOR WITH HOLD FOR SELECT 1")


def leave_prepared(connection: Any) -> None:
    connection.execute("PREPARE mine AS SELECT 1")


def leave_script(connection: Any) -> None:
    connection.executescript("SET work_mem = '1MB'; CREATE TEMP TABLE mine (n int)")


def leave_transaction(connection: Any) -> None:
    connection.executescript("BEGIN; SET LOCAL work_mem = '1MB'")


def leave_autocommit(connection: Any) -> None:
    connection.autocommit = False
    connection.execute("CREATE TABLE half_done (n int)")


def leave_failed_transaction(connection: Any) -> None:
    connection.execute("BEGIN")
    with pytest.raises(errors.DataError):
        connection.execute("SELECT 1 / 0")


def leave_isolation(connection: Any) -> None:
    connection.isolation_level = "SERIALIZABLE"
    connection.read_only = True


def leave_half_read(connection: Any) -> None:
    cursor = connection.execute("SELECT generate_series(1, 100000)")
    assert cursor.fetchone() == (1,)


def leave_pipeline(connection: Any) -> None:
    connection.pipeline().__enter__()
    connection.execute("SELECT 1")


def leave_block(connection: Any) -> None:
    connection.transaction().__enter__()
    connection.execute("CREATE TABLE half_done (n int)")


def leave_converter(connection: Any) -> None:
    connection.register_converter("text", lambda _: "changed")


def leave_handler(connection: Any) -> None:
    def handler(_: object) -> None:
        raise AssertionError("it belongs to a lease that has ended")

    connection.add_notice_handler(handler)


_LEFT = (
    leave_setting, leave_read_only, leave_temporary_table, leave_listening, leave_lock,
    leave_cursor, leave_prepared, leave_script, leave_transaction, leave_autocommit,
    leave_failed_transaction, leave_isolation, leave_half_read, leave_pipeline,
    leave_block, leave_converter, leave_handler,
)  # fmt: skip

_SEEN = """
SELECT current_setting('search_path'), current_setting('work_mem'),
       current_setting('default_transaction_read_only'),
       current_setting('transaction_isolation'),
       (SELECT count(*) FROM pg_listening_channels()),
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
       (SELECT count(*) FROM pg_cursors WHERE name = 'far'),
       (SELECT count(*) FROM pg_prepared_statements WHERE from_sql),
       to_regclass('mine')::text, to_regclass('half_done')::text, 'text'::text
"""


def see(client: Any) -> list[object]:
    """Return what the next lease finds, in a transaction of its own too."""
    with client.connection() as connection:
        assert connection.autocommit is True
        assert connection.in_transaction is False
        connection.execute("DO $$ BEGIN RAISE NOTICE 'heard'; END $$")
        found = list(connection.execute(_SEEN).fetchone())
        found += [connection.isolation_level, connection.read_only]
        with connection.transaction():
            found += connection.execute(
                "SELECT current_setting('transaction_isolation'),"
                " current_setting('transaction_read_only')"
            ).fetchone()
    return found


@pytest.mark.parametrize("leave", _LEFT, ids=lambda leave: leave.__name__)
def test_the_next_lease_finds_nothing_of_the_last(
    open_client: Open, server_url: str, leave: Callable[[Any], None]
) -> None:
    client = open_client(server_url, max_size=1)
    before = see(client)
    with client.connection() as connection:
        leave(connection)
    assert see(client) == before
    client.execute("CREATE TABLE kept (n int)")
    with engineroom.connect(server_url) as other:
        found = other.execute("SELECT to_regclass('kept')::text").fetchone()
    assert found == ("kept",), "it was not committed at once"
    assert client.snapshot()["gauges"]["pool_size{lane=primary}"] == 1


def test_a_transaction_is_shaped_for_itself_alone(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, max_size=1)
    before = see(client)
    shape = (
        "SELECT current_setting('transaction_isolation'),"
        " current_setting('transaction_read_only')"
    )
    strict = {"isolation_level": "SERIALIZABLE", "read_only": True}
    with client.transaction(**strict) as connection:
        assert connection.execute(shape).fetchone() == ("serializable", "on")
    with client.transaction() as connection:
        assert connection.execute(shape).fetchone() == ("read committed", "off")
    with client.transaction(**strict) as connection:
        connection.execute("SELECT 1")
    assert see(client) == before
    client.execute("CREATE TABLE after_all (n int)")


def test_a_reset_keeps_what_is_prepared(open_client: Open, cluster: Cluster) -> None:
    client = open_client(cluster.url(), max_size=1, hot=["SELECT 1 + ?::int"])
    pid = client.fetchvalue("SELECT pg_backend_pid()")
    with client.connection() as connection:
        connection.execute("SET work_mem = '1MB'")
    with client.connection() as connection:
        names = connection.execute("SELECT statement FROM pg_prepared_statements")
        assert "SELECT 1 + $1::int" in str(names.fetchall())
    assert client.fetchvalue("SELECT pg_backend_pid()") == pid
    assert client.snapshot()["counters"]["resets"] == 1


def test_a_file_s_session_is_reset_too(open_client: Open, file_url: str) -> None:
    client = open_client(file_url)
    client.execute("CREATE TABLE t (n)")
    with client.connection() as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("CREATE TEMP TABLE mine (n)")
        connection.executescript("BEGIN; INSERT INTO t VALUES (1)")
    with client.connection() as connection:
        assert connection.in_transaction is False
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        tables = connection.execute("SELECT name FROM temp.sqlite_master").fetchall()
        assert tables == []
    assert client.fetchvalue("SELECT count(*) FROM t") == 0


@pytest.mark.parametrize("way", ["copy_in", "copy_out"])
def test_a_copy_that_was_left_open_is_in_nobody_s_way(
    server_url: str, way: str
) -> None:
    sql = {
        "copy_in": "COPY t FROM STDIN",
        "copy_out": "COPY (SELECT generate_series(1, 100000)) TO STDOUT",
    }
    with engineroom.open(server_url, max_size=1) as client:
        client.execute("CREATE TABLE t (n int)")
        with client.connection() as connection:
            copy = getattr(connection, way)(sql[way])
            copy.__enter__()
        assert client.fetchvalue("SELECT count(*) FROM t") == 0
        client.execute("INSERT INTO t VALUES (1)")
        copying = client.connection()
        with copying as connection, connection.copy_in(sql["copy_in"]) as copy:
            copy.write(b"2\n")
        assert client.fetchvalue("SELECT sum(n) FROM t") == 3


def test_an_arrow_stream_of_a_file_ends_with_the_lease(file_url: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    with engineroom.open(file_url) as client:
        with client.connection() as connection:
            stream = connection.execute(NUMBERS).fetch_arrow()
            reader = pyarrow.RecordBatchReader.from_stream(stream)
            assert reader.read_next_batch().num_rows < 100_000
        with pytest.raises(pyarrow.ArrowInvalid, match="connection is closed"):
            reader.read_all()
        with client.connection() as connection:
            assert connection.execute(NUMBERS).fetch_arrow_table().num_rows == 100_000
        assert client.snapshot()["counters"]["disconnects{reason=generation}"] == 1


def test_what_a_pool_of_memory_holds_stays(open_client: Open) -> None:
    client = open_client("sqlite://:memory:", lifetime_seconds=0.01, idle_seconds=0.01)
    with client.connection() as connection:
        connection.executescript("CREATE TABLE t (n); INSERT INTO t VALUES (42)")
        connection.execute("CREATE TEMP TABLE mine (n)")
    client.reconnect()
    with pytest.raises(errors.IntegrityError), client.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (43)")
        connection.execute("CREATE UNIQUE INDEX one ON t (1)")
    assert client.fetchvalue("SELECT n FROM t") == 42


# After the end of a lease.

NUMBERS = """
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000)
SELECT x FROM c
"""

USES: dict[str, Callable[[Any, Any], object]] = {
    "execute": lambda connection, _: connection.execute("SELECT 1"),
    "executescript": lambda connection, _: connection.executescript("SELECT 1"),
    "cursor": lambda connection, _: connection.cursor(),
    "commit": lambda connection, _: connection.commit(),
    "rollback": lambda connection, _: connection.rollback(),
    "transaction": lambda connection, _: connection.transaction().__enter__(),
    "pipeline": lambda connection, _: connection.pipeline().__enter__(),
    "in_transaction": lambda connection, _: connection.in_transaction,
    "interrupt": lambda connection, _: connection.interrupt(),
    "cursor.execute": lambda _, cursor: cursor.execute("SELECT 1"),
    "cursor.executemany": lambda _, cursor: cursor.executemany("SELECT ?", [(1,)]),
    "cursor.fetchone": lambda _, cursor: cursor.fetchone(),
    "cursor.fetchmany": lambda _, cursor: cursor.fetchmany(3),
    "cursor.fetchall": lambda _, cursor: cursor.fetchall(),
    "cursor.iterate": lambda _, cursor: list(cursor),
    "cursor.arrow": lambda _, cursor: cursor.fetch_arrow_table(),
}


@pytest.mark.parametrize("use", USES)
def test_what_was_lent_refuses_everything_afterwards(
    open_client: Open, url: str, use: str
) -> None:
    client = open_client(url, max_size=1)
    with client.connection() as connection:
        cursor = connection.execute(NUMBERS)
        assert cursor.fetchone() == (1,)
    with pytest.raises(errors.LeaseEnded) as ended:
        USES[use](connection, cursor)
    assert not ended.value.retryable
    assert connection.closed
    connection.close()
    cursor.close()
    assert client.fetchvalue("SELECT 42") == 42


def test_an_iterator_that_was_begun_ends_with_the_lease(
    open_client: Open, url: str
) -> None:
    client = open_client(url, max_size=1)
    with client.connection() as connection:
        rows = iter(connection.execute(NUMBERS))
        assert next(rows) == (1,)
    with pytest.raises(errors.LeaseEnded):
        next(rows)


def test_closing_a_lent_connection_ends_the_lease_and_not_the_connection(
    open_client: Open, url: str
) -> None:
    client = open_client(url, max_size=1)
    with client.connection() as connection:
        connection.close()
        with pytest.raises(errors.LeaseEnded):
            connection.execute("SELECT 1")
    assert client.fetchvalue("SELECT 42") == 42
    assert "disconnects" not in str(client.snapshot()["counters"])


def test_a_result_needs_no_connection_any_more(open_client: Open, url: str) -> None:
    client = open_client(url, max_size=1)
    client.execute("CREATE TABLE t (n int)")
    inserted = client.execute("INSERT INTO t VALUES (1), (2)")
    result = client.execute("SELECT n, 'x' AS word FROM t ORDER BY n")
    client.execute("SELECT 'another'")
    client.reconnect()
    assert (inserted.rowcount, len(inserted), list(inserted)) == (2, 0, [])
    assert (result.rowcount, len(result), result[1]) == (2, 2, (2, "x"))
    assert list(result) == result.rows == [(1, "x"), (2, "x")]
    assert [column[0] for column in result.description] == ["n", "word"]
    assert inserted.description is None


@pytest.mark.parametrize("name", ["connection", "transaction"])
def test_a_block_that_is_forgotten_warns_and_gives_back(
    open_client: Open, url: str, name: str, style: Blocking | Awaited
) -> None:
    client = open_client(url, max_size=1, deadline_seconds=2)

    def forget() -> None:
        block = getattr(client, name)()
        block.__enter__()

    def in_the_loop() -> None:
        assert isinstance(client, Plain)

        async def forgetting() -> None:
            await getattr(client.awaited, name)().__aenter__()
            gc.collect()

        assert isinstance(style, Awaited)
        style.run(forgetting())

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        forget() if isinstance(style, Blocking) else in_the_loop()
        gc.collect()
    (warning,) = [str(each.message) for each in caught]
    assert __file__ in warning
    assert "was never given back" in warning
    assert client.leases() == []
    assert client.fetchvalue("SELECT 42") == 42


def test_leases_are_told_the_oldest_first(open_client: Open, server_url: str) -> None:
    client = open_client(server_url, max_size=2)
    with client.connection() as connection, client.transaction():
        first, second = client.leases()
        assert (first.lane, first.is_over) == ("primary", False)
        assert first.seconds >= second.seconds
        if isinstance(connection, engineroom.Connection):  # else the loop has no frame
            assert f"{__file__}:" in first.taken_at
            assert "test_leases_are_told" in first.stack[0]
        assert client.snapshot()["gauges"]["oldest_lease_seconds"] > 0
    assert client.leases() == []
    assert first.is_over
