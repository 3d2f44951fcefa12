"""Preparing on the event loop, step by step, and looking at what is idle."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aio.test_stopping import answer, until
from engineroom import errors
from engineroom.aio import Connection, connect

if TYPE_CHECKING:
    from postgres.cluster import Cluster


async def prepare(connection: Connection, sql: str) -> None:
    reader = connection._line.handle.session.reader()
    await connection._line.run(reader.resume, reader.prepare, sql)
    assert not reader.has_result


async def test_preparing_waits_for_the_server_and_runs_nothing(
    database: str, backend: str
) -> None:
    async with connect(database) as connection:
        await connection.execute("CREATE TABLE t (a int)")
        await connection.commit()
        await prepare(connection, "INSERT INTO t VALUES (1)")
        assert not connection.in_transaction
        cursor = await connection.execute("SELECT count(*) FROM t")
        assert await cursor.fetchone() == (0,)
        if backend == "postgres":
            cursor = await connection.execute(
                "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE ?",
                ("INSERT%",),
            )
            assert await cursor.fetchone() == (1,)
        assert (await connection.execute("INSERT INTO t VALUES (1)")).rowcount == 1


async def test_what_cannot_be_prepared_says_so(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        with pytest.raises(errors.SqlError):
            await prepare(connection, "SELECT * FROM nowhere")
        assert await answer(connection) == (42,)


async def test_a_task_that_is_cancelled_while_it_prepares_loses_nothing(
    cluster: Cluster,
) -> None:
    """The table is locked, so that its columns cannot be looked up."""
    async with connect(cluster.url()) as holder, connect(cluster.url()) as waiter:
        await holder.execute("CREATE TABLE locked (a int4)")
        await holder.commit()
        try:
            await holder.execute("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(asyncio.TimeoutError):
                work = prepare(waiter, "SELECT * FROM locked")
                await asyncio.wait_for(work, 0.2)
            await holder.rollback()
            await waiter.rollback()
            await prepare(waiter, "SELECT * FROM locked")
            cursor = await waiter.execute("SELECT * FROM locked")
            assert await cursor.fetchall() == []
            await waiter.rollback()
        finally:
            await holder.execute("DROP TABLE locked")
            await holder.commit()


async def test_a_connection_that_was_ended_looks_so_before_the_loop_turns(
    database: str, backend: str, request: pytest.FixtureRequest
) -> None:
    connection = await connect(database, autocommit=True)
    assert await answer(connection) == (42,)
    is_gone = connection._line.handle.session.is_gone
    assert not is_gone()
    if backend == "postgres":
        cluster: Cluster = request.getfixturevalue("cluster")
        cluster.terminate()  # the loop does not turn meanwhile
        await until(is_gone, "the end is noticed")
        with pytest.raises(errors.DatabaseError):
            await answer(connection)
    await connection.close()
    assert is_gone()
