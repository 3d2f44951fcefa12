from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest

from engineroom import errors
from engineroom.aio import Connection, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres.cluster import Cluster

COPY_IN = "COPY t FROM STDIN (FORMAT binary)"
COPY_OUT = "COPY (SELECT a, b FROM t ORDER BY a) TO STDOUT "
TABLE = "CREATE TEMPORARY TABLE t (a INTEGER, b TEXT)"


async def count(connection: Connection) -> object:
    return await (await connection.execute("SELECT count(*) FROM t")).fetchone()


async def test_rows_go_in_and_come_out(cluster: Cluster) -> None:
    rows = [(i, f"row {i}") for i in range(3000)]
    async with connect(cluster.url(), autocommit=True) as connection:
        await connection.execute(TABLE)
        async with connection.copy_in(COPY_IN) as copy:
            assert await copy.write_rows(rows) == 3000
        assert copy.rowcount == 3000
        async with connection.copy_out(COPY_OUT + "(FORMAT binary)") as copied:
            assert [row async for row in copied.rows()] == rows
        async with connection.copy_out(COPY_OUT) as copied:
            text = b"".join([block async for block in copied])
        file = io.BytesIO()
        async with connection.copy_out(COPY_OUT) as copied:
            assert await copied.write_to(file) == len(text)
        assert file.getvalue() == text
        assert text.startswith(b"0\trow 0\n1\trow 1\n")
        async with connection.copy_in("COPY t FROM STDIN") as copy:
            await copy.write(text)
        assert await count(connection) == (6000,)


async def test_a_block_that_fails_is_undone(cluster: Cluster) -> None:
    async with connect(cluster.url(), autocommit=True) as connection:
        await connection.execute(TABLE)
        with pytest.raises(ZeroDivisionError):
            async with connection.copy_in(COPY_IN) as copy:
                await copy.write_rows([(1, "one")])
                raise ZeroDivisionError
        with pytest.raises(errors.DatabaseError):
            async with connection.copy_in("COPY t FROM STDIN") as copy:
                await copy.write(b"not a number\tx\n")
        with pytest.raises(errors.DatabaseError):
            async with connection.copy_in("COPY missing FROM STDIN"):
                pass
        assert await count(connection) == (0,)


async def test_a_block_that_is_cancelled_is_undone(cluster: Cluster) -> None:
    async with connect(cluster.url(), autocommit=True) as connection:
        await connection.execute(TABLE)

        def endless() -> Iterator[tuple[int, str]]:
            while True:
                yield 1, "again"

        async def work() -> None:
            async with connection.copy_in(COPY_IN) as copy:
                await copy.write_rows(endless())

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(work(), 0.3)
        assert await count(connection) == (0,)


async def test_the_block_keeps_the_connection_to_itself(cluster: Cluster) -> None:
    async with connect(cluster.url(), autocommit=True) as connection:
        await connection.execute(TABLE)
        async with connection.copy_in(COPY_IN) as copy:
            other = asyncio.create_task(count(connection))
            with pytest.raises(errors.Misuse, match="COPY"):
                await connection.execute("SELECT 1")
            await copy.write_rows([(1, "one")])
            assert not other.done()
        assert await other == (1,)
        with pytest.raises(errors.Misuse):
            await copy.write(b"")


async def test_a_file_has_no_copy() -> None:
    async with connect("sqlite://:memory:") as connection:
        with pytest.raises(errors.NotSupportedError):
            connection.copy_in(COPY_IN)
