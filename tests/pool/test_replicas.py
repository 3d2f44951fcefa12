"""Replicas: who only reads is answered by them, and who has written sees his writes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from postgres.cluster import started_cluster

import engineroom
import engineroom.aio
from engineroom import errors

from .plain import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.gate import Gate
    from faults.styles import Style
    from postgres.cluster import Cluster

    from .conftest import Open

WHERE = "SELECT current_setting('port')::int"


@pytest.fixture(scope="module")
def second() -> Iterator[Cluster]:
    """Another server, which stands for a replica that can be told from the primary."""
    with started_cluster("second") as started:
        yield started


@pytest.fixture(scope="module")
def standby() -> Iterator[Cluster]:
    """A server in recovery: it answers reads and refuses writes."""
    with started_cluster("standby", is_standby=True) as started:
        yield started


def after(*replicas: Cluster) -> dict[str, Any]:
    """Return the options of a client that nobody's writes keep from its replicas."""
    return {"replicas": [each.url() for each in replicas], "pin_seconds": 0}


def test_who_only_reads_is_answered_by_each_replica_in_turn(
    open_client: Open, cluster: Cluster, second: Cluster, standby: Cluster
) -> None:
    client = open_client(cluster.url(), **after(second, standby))
    ports = [client.fetchvalue(WHERE, read_only=True) for _ in range(6)]
    assert set(ports[:2]) == {second.port, standby.port}
    assert ports == ports[:2] * 3
    assert client.fetchvalue(WHERE) == cluster.port, "nobody said that it only reads"
    lanes = {name for name in client.snapshot()["gauges"] if "pool_size" in name}
    assert lanes == {
        "pool_size{lane=primary}",
        "pool_size{lane=replica 1}",
        "pool_size{lane=replica 2}",
    }


def test_blocks_that_only_read_are_served_by_replicas(
    open_client: Open, cluster: Cluster, standby: Cluster
) -> None:
    client = open_client(cluster.url(), **after(standby))
    for block in (client.connection, client.transaction):
        with block(read_only=True) as connection:
            assert connection.execute(WHERE).fetchone() == (standby.port,)
        refused = pytest.raises(errors.ReadOnlyTransaction)
        with refused, block(read_only=True) as connection:
            connection.execute("CREATE TABLE t (n int)")
        with block() as connection:
            assert connection.execute(WHERE).fetchone() == (cluster.port,)
    where = client.run(lambda c: c.execute(WHERE).fetchone(), read_only=True)
    assert where == (standby.port,)


def test_what_writes_is_not_done_for_being_called_a_read(
    open_client: Open, cluster: Cluster, standby: Cluster
) -> None:
    client = open_client(cluster.url(), **after(standby))
    with pytest.raises(errors.Misuse):
        client.execute("INSERT INTO t VALUES (1)", read_only=True)
    with pytest.raises(errors.ReadOnlyTransaction) as refused:
        client.execute(
            "DO $$ BEGIN CREATE TABLE no_such_table (n int); END $$", read_only=True
        )
    assert refused.value.attempts == 1
    assert client.fetchvalue("SELECT to_regclass('no_such_table')::text") is None


def test_a_thread_that_has_written_reads_from_the_primary(
    cluster: Cluster, second: Cluster, server_url: str
) -> None:
    options: Any = {"replicas": [second.url()], "pin_seconds": 60}

    def where(client: Any) -> int:
        found: int = client.fetchvalue(WHERE, read_only=True)
        return found

    with ThreadPoolExecutor(1) as here, ThreadPoolExecutor(1) as elsewhere:
        with engineroom.open(server_url, **options) as client:
            assert here.submit(where, client).result() == second.port
            here.submit(client.execute, "CREATE TABLE t (n int)").result()
            assert here.submit(where, client).result() == cluster.port
            assert elsewhere.submit(where, client).result() == second.port
        options["pin_seconds"] = 0
        with engineroom.open(server_url, **options) as client:
            elsewhere.submit(client.execute, "INSERT INTO t VALUES (1)").result()
            assert elsewhere.submit(where, client).result() == second.port


WRITES = {
    "execute": lambda client: client.execute("INSERT INTO t VALUES (1)"),
    "executemany": lambda client: client.executemany(
        "INSERT INTO t VALUES (?)", [(1,)]
    ),
}


@pytest.mark.parametrize("write", ["execute", "executemany", "transaction", "lease"])
def test_a_task_that_has_written_reads_from_the_primary(
    cluster: Cluster, second: Cluster, server_url: str, write: str
) -> None:
    async def do(client: Any) -> None:
        if write in WRITES:
            await WRITES[write](client)
            return
        block = client.transaction() if write == "transaction" else client.connection()
        async with block as connection:
            await connection.execute("INSERT INTO t VALUES (1)")

    async def everything() -> None:
        options: Any = {"replicas": [second.url()], "pin_seconds": 60}

        async def where() -> int:
            found: int = await client.fetchvalue(WHERE, read_only=True)
            return found

        async def writing() -> tuple[int, int]:
            before = await where()
            await do(client)
            return before, await where()

        async with engineroom.aio.open(server_url, **options) as client:
            await asyncio.create_task(_make(client))
            ports = await asyncio.create_task(writing())
            assert ports == (second.port, cluster.port)
            assert await asyncio.create_task(where()) == second.port

    asyncio.run(everything())


async def _make(client: Any) -> None:
    await client.execute("CREATE TABLE t (n int)")


def test_a_replica_that_is_down_is_replaced_by_the_primary(
    open_client: Open, gate: Gate, gate_url: str, cluster: Cluster
) -> None:
    options = {"pauses_seconds": (0.01,), "pin_seconds": 0}
    client = open_client(cluster.url(), replicas=[gate_url], **options)
    assert client.fetchvalue("SELECT 42", read_only=True) == 42
    assert client.snapshot()["gauges"]["pool_size{lane=replica 1}"] == 1
    gate.refuse()
    assert client.fetchvalue("SELECT 42", read_only=True) == 42
    with client.connection(read_only=True) as connection:
        assert connection.execute("SELECT 42").fetchone() == (42,)
    assert client.snapshot()["counters"]["replica_fallbacks"] == 2
    assert client.state.name == "ready"
    assert client.health().is_healthy
    gate.heal()
    client.fetchvalue("SELECT 42", read_only=True)
    assert client.snapshot()["counters"]["replica_fallbacks"] == 2


def test_a_replica_is_not_opened_before_it_is_asked(
    open_client: Open, gate: Gate, gate_url: str, cluster: Cluster
) -> None:
    gate.refuse()
    client = open_client(cluster.url(), replicas=[gate_url])
    assert client.is_ready
    assert client.fetchvalue("SELECT 42") == 42
    gate.heal()


def test_what_is_no_replica_is_refused(
    style: Style, cluster: Cluster, file_url: str
) -> None:
    with pytest.raises(errors.NotSupportedError):
        opened(style, cluster.url(), replicas=[file_url]).__enter__()
