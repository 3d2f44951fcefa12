"""What a connection knows beyond statements: blocks, pipelines, messages, phases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from engineroom import errors
from engineroom.aio import Connection, connect
from engineroom.connection.transaction import Rollback

if TYPE_CHECKING:
    from postgres.cluster import Cluster


async def numbers(connection: Connection) -> list[int]:
    cursor = await connection.execute("SELECT a FROM t ORDER BY a")
    return [a async for (a,) in cursor]


async def test_a_failure_in_a_savepoint_leaves_the_transaction_whole(
    database: str,
) -> None:
    async with connect(database, autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(errors.IntegrityError):
                async with connection.transaction():
                    await connection.execute("INSERT INTO t VALUES (2)")
                    await connection.execute("INSERT INTO t VALUES (1)")
            async with connection.transaction("mine") as block:
                assert block.savepoint_name == "mine"
                await connection.execute("INSERT INTO t VALUES (3)")
        assert await numbers(connection) == [1, 3]


async def test_a_rollback_leaves_the_block_it_names(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")
        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES (1)")
            async with connection.transaction() as outer, connection.transaction():
                await connection.execute("INSERT INTO t VALUES (2)")
                raise Rollback(outer)
            await connection.execute("INSERT INTO t VALUES (3)")
        assert await numbers(connection) == [1, 3]


async def test_a_block_may_not_be_ended_by_hand_or_entered_twice(
    database: str,
) -> None:
    async with connect(database) as connection:
        block = connection.transaction()
        async with block:
            with pytest.raises(errors.Misuse):
                await connection.commit()
        with pytest.raises(errors.Misuse):
            await block.__aenter__()


async def test_a_cancelled_commit_of_a_block_ends_it(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")

        async def work() -> None:
            async with connection.transaction():
                await connection.execute("INSERT INTO t VALUES (1)")

        for turns in range(12):
            task = asyncio.create_task(work())
            for _ in range(turns):
                await asyncio.sleep(0.0002)
            task.cancel()
            await asyncio.wait((task,))
            assert not connection.in_transaction
            assert connection._conversation.transactions == []
        assert set(await numbers(connection)) <= {1}


async def test_a_pipeline_answers_each_statement(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        async with connection.pipeline():
            cursors = [
                await connection.execute("SELECT CAST(? AS INTEGER)", (i,))
                for i in range(3000)
            ]
            assert await cursors[7].fetchone() == (7,)
        found = [await cursor.fetchall() for cursor in cursors]
        assert found == [[(i,)] if i != 7 else [] for i in range(3000)]


async def test_a_pipeline_tells_the_first_failure_at_its_end(
    cluster: Cluster,
) -> None:
    async with connect(cluster.url(), autocommit=True) as connection:
        with pytest.raises(errors.DatabaseError, match="Division"):
            async with connection.pipeline() as pipeline:
                for i in (2, 0, 1, 0):
                    await connection.execute("SELECT 10 / CAST(? AS INTEGER)", (i,))
        assert pipeline.failure_count == 2
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def test_a_pipeline_that_is_cancelled_leaves_the_connection_usable(
    cluster: Cluster,
) -> None:
    async with connect(cluster.url(), autocommit=True) as connection:

        async def work() -> None:
            async with connection.pipeline():
                for _ in range(20):
                    await connection.execute("SELECT pg_sleep(0.05)")

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(work(), 0.3)
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def test_notifications_are_iterated_as_they_come(cluster: Cluster) -> None:
    async with connect(cluster.url(), autocommit=True) as listener:
        await listener.execute("LISTEN news")
        found = []

        async def listen() -> None:
            async for one in listener.notifications(stop_after=3):
                found.append((one.channel, one.payload))

        task = asyncio.create_task(listen())
        async with connect(cluster.url(), autocommit=True) as speaker:
            for word in ("one", "two"):
                await speaker.execute(f"NOTIFY news, '{word}'")
            # What comes while the listener does something else is not lost.
            await listener.execute("NOTIFY news, 'three'")
            await asyncio.wait_for(task, 10)
        assert found == [("news", "one"), ("news", "two"), ("news", "three")]


async def test_notifications_end_after_their_time(cluster: Cluster) -> None:
    async with connect(cluster.url(), autocommit=True) as connection:
        started = asyncio.get_running_loop().time()
        assert [one async for one in connection.notifications(timeout=0)] == []
        assert [one async for one in connection.notifications(timeout=0.2)] == []
        assert 0.19 < asyncio.get_running_loop().time() - started < 5


async def test_listening_ends_when_the_server_does(cluster: Cluster) -> None:
    connection = await connect(cluster.url(), autocommit=True)
    await connection.execute("LISTEN news")

    async def listen() -> None:
        async for _ in connection.notifications():
            pass

    task = asyncio.create_task(listen())
    await asyncio.sleep(0)
    await asyncio.to_thread(cluster.terminate)
    with pytest.raises(errors.ConnectionLost):
        await asyncio.wait_for(task, 10)
    await connection.close()


async def test_handlers_are_called_with_what_comes(cluster: Cluster) -> None:
    async with connect(cluster.url(), autocommit=True) as connection:
        arrived = asyncio.Event()
        said = []
        connection.add_notice_handler(lambda notice: said.append(notice.message))
        connection.add_notification_handler(lambda _: arrived.set())
        await connection.executescript("DO $$ BEGIN RAISE NOTICE 'careful'; END $$")
        assert said == ["careful"]
        await connection.execute("LISTEN news")
        async with connect(cluster.url(), autocommit=True) as speaker:
            await speaker.execute("NOTIFY news")
        await asyncio.wait_for(arrived.wait(), 10)


async def test_two_phases_are_those_of_the_blocking_face(cluster: Cluster) -> None:
    async with connect(cluster.url(), autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")
        await connection.tpc_begin(connection.xid(1, "aio", "one"))
        await connection.execute("INSERT INTO t VALUES (1)")
        await connection.tpc_prepare()
        assert [xid.gtrid for xid in await connection.tpc_recover()] == ["aio"]
        await connection.tpc_commit()
        assert await numbers(connection) == [1]
        await connection.execute("DROP TABLE t")


async def test_adapters_and_converters_are_heeded(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")
        connection.register_adapter(complex, lambda value: int(value.real))
        connection.register_converter("INTEGER", lambda value: value + 100)
        connection.register_converter("int4", lambda value: value + 100)
        await connection.execute("INSERT INTO t VALUES (?)", (7 + 1j,))
        assert await numbers(connection) == [107]


async def test_the_next_transaction_is_as_it_was_asked_for(cluster: Cluster) -> None:
    async with connect(cluster.url()) as connection:
        connection.isolation_level = "SERIALIZABLE"
        connection.read_only = True
        cursor = await connection.execute("SHOW transaction_isolation")
        assert await cursor.fetchone() == ("serializable",)
        assert connection.transaction_status == "open"
        assert connection.info.dbname == "engine"
        with pytest.raises(errors.DatabaseError):
            await connection.execute("CREATE TABLE t (a INTEGER)")
        assert connection.transaction_status == "failed"
        await connection.rollback()


async def test_a_file_says_what_it_has_not() -> None:
    async with connect("sqlite://:memory:") as connection:
        with pytest.raises(errors.NotSupportedError):
            connection.notifications()
        with pytest.raises(errors.NotSupportedError):
            connection.xid(1, "a", "b")
