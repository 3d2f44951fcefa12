from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref

import pytest

import engineroom
from engineroom import errors
from engineroom.aio import connect


async def test_rows_come_one_by_one_some_or_all(database: str) -> None:
    async with connect(database) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        rows = [(i, f"row {i}") for i in range(2000)]
        await connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        cursor = await connection.execute("SELECT a, b FROM t ORDER BY a")
        assert await cursor.fetchone() == rows[0]
        assert await cursor.fetchmany() == rows[1:2]
        assert await cursor.fetchmany(998) == rows[2:1000]
        assert await cursor.fetchall() == rows[1000:]
        assert await cursor.fetchone() is None
        assert await cursor.fetchmany(3) == []
        assert await cursor.fetchall() == []


async def test_a_cursor_is_iterated_and_goes_on_where_it_was_left(
    database: str,
) -> None:
    async with connect(database) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")
        await connection.executemany("INSERT INTO t VALUES (?)", zip(range(1500)))
        cursor = await connection.execute("SELECT a FROM t ORDER BY a")
        seen = []
        async for (a,) in cursor:
            seen.append(a)
            if a == 700:
                break
        assert await cursor.fetchone() == (701,)
        seen += [701] + [a async for (a,) in cursor]
        assert seen == list(range(1500))


async def test_parameters_go_in_by_place_and_by_name(database: str) -> None:
    async with connect(database) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        cursor = connection.cursor()
        await cursor.execute("INSERT INTO t VALUES (?, ?)", (1, "one"))
        assert cursor.rowcount == 1
        await cursor.execute("INSERT INTO t VALUES (:a, :b)", {"b": "two", "a": 2})
        await cursor.execute("SELECT b FROM t WHERE a = :a", {"a": 2})
        assert await cursor.fetchall() == [("two",)]


async def test_a_result_is_described(database: str) -> None:
    async with connect(database) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        cursor = await connection.execute("SELECT a, b FROM t")
        assert cursor.description is not None
        assert [(column[0], column[1]) for column in cursor.description] == [
            ("a", "integer"),
            ("b", "text"),
        ]
        await cursor.execute("INSERT INTO t VALUES (1, 'x')")
        assert cursor.description is None


async def test_a_wrong_statement_fails_and_the_connection_goes_on(
    database: str,
) -> None:
    async with connect(database, autocommit=True) as connection:
        with pytest.raises(errors.SqlError):
            await connection.execute("SELEC 1")
        cursor = await connection.execute("SELECT 1")
        assert await cursor.fetchone() == (1,)


async def test_a_failure_is_not_the_context_of_the_next(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        with contextlib.suppress(errors.SqlError):
            await connection.execute("SELEC 1")
        with pytest.raises(ZeroDivisionError) as caught:
            raise ZeroDivisionError
        assert caught.value.__context__ is None


async def test_a_failure_leaves_nothing_for_the_collector(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        with contextlib.suppress(errors.SqlError):
            await connection.execute("SELEC 1")
        gc.disable()
        try:
            cursor = connection.cursor()
            kept = weakref.ref(cursor)
            with contextlib.suppress(errors.SqlError):
                await cursor.execute("SELEC 2")
            del cursor
            for _ in range(500):  # the thread lets go of its work when it likes
                if kept() is None:
                    break
                await asyncio.sleep(0.01)
            assert kept() is None
        finally:
            gc.enable()


async def test_executemany_says_which_row_failed(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        with pytest.raises(engineroom.IntegrityError, match="row 3"):
            await connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (1,)])
        cursor = await connection.execute("SELECT count(*) FROM t")
        assert await cursor.fetchone() == (0,)


async def test_fetching_without_a_result_is_refused(database: str) -> None:
    async with connect(database) as connection:
        cursor = connection.cursor()
        with pytest.raises(errors.Misuse):
            await cursor.fetchone()
        with pytest.raises(errors.Misuse):
            await cursor.fetchmany(-1)


async def test_a_closed_cursor_refuses_everything(database: str) -> None:
    async with connect(database) as connection:
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT 1")
        await cursor.close()
        with pytest.raises(errors.CursorClosed):
            await cursor.fetchone()
        with pytest.raises(errors.CursorClosed):
            await cursor.execute("SELECT 1")
        assert cursor.description is None


async def test_tasks_of_one_connection_wait_for_each_other(database: str) -> None:
    async with connect(database, autocommit=True) as connection:

        async def one(number: int) -> object:
            cursor = await connection.execute("SELECT CAST(? AS INTEGER)", (number,))
            return await cursor.fetchone()

        found = await asyncio.gather(*map(one, range(100)))
        assert found == [(number,) for number in range(100)]


async def test_a_result_half_read_does_not_hold_up_others(database: str) -> None:
    async with connect(database) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        rows = [(i, "x" * 100) for i in range(20000)]
        await connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        slow = await connection.execute("SELECT a, b FROM t ORDER BY a")
        assert await slow.fetchone() == rows[0]
        await asyncio.sleep(0.05)
        other = await connection.execute("SELECT count(*) FROM t")
        assert await other.fetchone() == (20000,)
        assert await slow.fetchall() == rows[1:]


async def test_arrow_tables_come_whole(database: str) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")
    async with connect(database) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        rows = [(i, f"row {i}") for i in range(3000)]
        await connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        cursor = await connection.execute("SELECT a, b FROM t ORDER BY a")
        table = await cursor.fetch_arrow_table()
        assert table.to_pydict() == {
            "a": [a for a, _ in rows],
            "b": [b for _, b in rows],
        }
        await cursor.execute("SELECT 7")
        assert await cursor.fetchone() == (7,)
