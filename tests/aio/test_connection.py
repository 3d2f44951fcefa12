from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors
from engineroom.aio import Connection, connect

if TYPE_CHECKING:
    from pathlib import Path


async def count(connection: Connection, sql: str = "SELECT count(*) FROM t") -> int:
    row = await (await connection.execute(sql)).fetchone()
    assert row is not None
    number: int = row[0]
    return number


async def test_a_block_commits_at_its_end_and_undoes_when_it_fails(
    database: str,
) -> None:
    async with connect(database) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")
        await connection.execute("INSERT INTO t VALUES (1)")
    assert connection.closed
    with pytest.raises(ZeroDivisionError):
        async with connect(database) as connection:
            await connection.execute("INSERT INTO t VALUES (2)")
            raise ZeroDivisionError
    async with await connect(database) as connection:
        assert await count(connection) == 1


async def test_transactions_are_committed_and_rolled_back(database: str) -> None:
    async with connect(database) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")
        assert connection.in_transaction
        await connection.commit()
        assert not connection.in_transaction
        await connection.execute("INSERT INTO t VALUES (1)")
        await connection.rollback()
        assert await count(connection) == 0


async def test_transaction_blocks_nest_as_savepoints(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")
        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(ZeroDivisionError):
                async with connection.transaction():
                    await connection.execute("INSERT INTO t VALUES (2)")
                    raise ZeroDivisionError
        assert await count(connection) == 1
        assert not connection.in_transaction


async def test_scripts_run_every_statement(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        await connection.executescript(
            "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); "
            "INSERT INTO t VALUES (2);"
        )
        assert await count(connection) == 2


async def test_autocommit_is_read_and_set(database: str) -> None:
    async with connect(database, autocommit=True) as connection:
        assert connection.autocommit
        connection.autocommit = False
        await connection.execute("CREATE TABLE t (a INTEGER)")
        assert connection.in_transaction


async def test_a_closed_connection_refuses_everything(database: str) -> None:
    connection = await connect(database)
    cursor = await connection.execute("SELECT 1")
    await connection.close()
    await connection.close()
    with pytest.raises(errors.ConnectionClosed):
        connection.cursor()
    with pytest.raises(errors.ConnectionClosed):
        await cursor.execute("SELECT 1")
    with pytest.raises(errors.ConnectionClosed):
        await connection.commit()
    assert "closed" in repr(connection)


async def test_a_password_is_never_shown(cluster: object) -> None:
    connection = await connect(cluster.url())  # type: ignore[attr-defined]
    assert "s3cret" not in repr(connection) + connection.url
    await connection.close()


def test_a_forgotten_connection_warns(database: str) -> None:
    async def forget() -> None:
        connection = await connect(database)
        await connection.execute("SELECT 1")
        await asyncio.sleep(0)  # whoever woke this task still held the connection
        kept = [connection]
        del connection
        with pytest.warns(ResourceWarning, match="never closed"):
            kept.clear()

    asyncio.run(forget())


def test_another_loop_is_refused(database: str) -> None:
    with asyncio.Runner() if sys.version_info >= (3, 11) else _Loop() as runner:
        connection = runner.run(_opened(database))

        async def use() -> None:
            with pytest.raises(errors.UsedByAnotherLoop) as caught:
                await connection.execute("SELECT 1")
            assert caught.value.code == "ER2305"
            with pytest.raises(errors.UsedByAnotherLoop):
                await connection.close()

        asyncio.run(use())
        thread = threading.Thread(target=lambda: asyncio.run(use()))
        thread.start()
        thread.join()
        runner.run(connection.close())


class _Loop:
    """asyncio.Runner, for Pythons without."""

    def __enter__(self) -> _Loop:
        self.loop = asyncio.new_event_loop()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.close()

    def run(self, work: object) -> object:
        return self.loop.run_until_complete(work)  # type: ignore[arg-type]


async def _opened(database: str) -> Connection:
    return await connect(database)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_forked_child_is_refused_and_the_parent_goes_on(database: str) -> None:
    connection = await connect(database)
    cursor = await connection.execute("SELECT 1")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            events = asyncio.events
            events._set_running_loop(None)

            async def use() -> None:
                with pytest.raises(errors.UsedAfterFork):
                    await connection.execute("SELECT 1")
                await connection.close()

            asyncio.run(use())
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert await cursor.fetchone() == (1,)
    await connection.execute("SELECT 2")
    await connection.close()


async def test_a_missing_file_says_what_the_blocking_face_says(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    with pytest.raises(errors.FileMissing) as awaited:
        await connect(url)
    with pytest.raises(errors.FileMissing) as blocked:
        engineroom.connect(url)
    assert str(awaited.value) == str(blocked.value)


def test_the_package_does_not_import_asyncio() -> None:
    program = (
        "import sys, engineroom; engineroom.connect('sqlite://:memory:').close(); "
        "assert not {'asyncio', 'engineroom.aio', 'threading'} & {*sys.modules}"
    )
    program += "; engineroom.aio.connect; assert 'asyncio' in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
