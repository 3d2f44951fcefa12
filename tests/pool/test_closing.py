"""The end of a client: leases are waited for, waiters told, and nothing is left."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from postgres.programs import wait_until

import engineroom
import engineroom.aio
from engineroom import errors

from .plain import all_at_once

if TYPE_CHECKING:
    from pathlib import Path

    from faults.styles import Style
    from postgres.cluster import Cluster

    from .conftest import Open

PID = "SELECT pg_backend_pid()"


def waiting(client: Any) -> float:
    found: float = client.snapshot()["gauges"]["pool_waiting{lane=primary}"]
    return found


def test_a_closed_client_refuses_everything(open_client: Open, url: str) -> None:
    client = open_client(url)
    client.close()
    client.close()
    assert (client.state.name, client.is_ready, client.closed) == (
        "closed",
        False,
        True,
    )
    uses = (
        lambda: client.execute("SELECT 1"),
        lambda: client.executemany("SELECT ?", [(1,)]),
        lambda: client.connection().__enter__(),
        lambda: client.transaction().__enter__(),
        lambda: client.run(lambda _: None),
        client.wait_ready,
    )
    for use in uses:
        with pytest.raises(errors.ClientClosed) as refused:
            use()
        assert refused.value.state == "closed"
        assert not refused.value.retryable
    assert not client.health().is_healthy
    assert client.is_alive
    assert client.snapshot()["state"]["name"] == "closed"


def test_nothing_is_left_at_the_server(
    open_client: Open, cluster: Cluster, style: Style
) -> None:
    before = threading.active_count()
    client = open_client(cluster.url(), min_size=3, max_size=5)
    client.close()
    wait_until(lambda: cluster.backends() == [], "all connections have ended")
    if style.name == "blocking":
        wait_until(lambda: threading.active_count() <= before, "no thread is left")


def test_a_client_that_closes_waits_for_what_is_lent(
    open_client: Open, server_url: str
) -> None:
    client = open_client(server_url, max_size=2)
    client.execute("CREATE TABLE kept (n int)")
    with ThreadPoolExecutor(1) as elsewhere:
        with client.transaction() as connection:
            connection.execute("INSERT INTO kept VALUES (1)")
            closing = elsewhere.submit(client.close)
            wait_until(lambda: client.closed, "it is closing")
            assert client.state.name == "draining"
            with pytest.raises(errors.ClientClosed) as refused:
                client.execute("SELECT 1")
            assert refused.value.state == "draining"
            connection.execute("INSERT INTO kept VALUES (2)")
            assert not closing.done()
        closing.result(10)
    assert client.state.name == "closed"
    with engineroom.connect(server_url) as other:
        assert other.execute("SELECT count(*) FROM kept").fetchone() == (2,)


def test_a_lease_that_outlasts_the_wait_is_closed_when_it_ends(
    open_client: Open, cluster: Cluster
) -> None:
    client = open_client(cluster.url(), max_size=1)
    with client.connection() as connection:
        (pid,) = connection.execute(PID).fetchone()
        began = time.monotonic()
        client.close(timeout_seconds=0.05)
        assert time.monotonic() - began < 2
        assert client.state.name == "closed"
        assert connection.execute("SELECT 42").fetchone() == (42,)
    wait_until(lambda: pid not in cluster.backends(), "it has ended")


def test_who_waits_is_told_at_once(open_client: Open, server_url: str) -> None:
    client = open_client(server_url, max_size=1, deadline_seconds=30)
    with ThreadPoolExecutor(3) as elsewhere, client.connection():
        asking = [elsewhere.submit(client.execute, "SELECT 1") for _ in range(3)]
        wait_until(lambda: waiting(client) == 3, "three wait")
        began = time.monotonic()
        client.close(timeout_seconds=0.01)
        for each in asking:
            assert isinstance(each.exception(5), errors.ClientClosed)
        assert time.monotonic() - began < 3


def test_many_close_it_at_once(open_client: Open, url: str) -> None:
    client = open_client(url)
    outcomes = all_at_once([client.close] * 8)
    assert {outcome.error for outcome in outcomes} == {None}
    assert client.state.name == "closed"


def test_a_client_that_was_never_used_closes(open_client: Open, url: str) -> None:
    client = open_client(url, start="first use")
    client.close()
    assert [state.name for state in client.states] == ["new", "draining", "closed"]


def test_a_client_closes_while_it_warms_up(open_client: Open, cluster: Cluster) -> None:
    client = open_client(cluster.url(), start="background", min_size=3)
    client.close()
    assert client.state.name == "closed"
    wait_until(lambda: cluster.backends() == [], "all connections have ended")


def test_a_client_that_is_forgotten_leaves_nothing(cluster: Cluster) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        engineroom.open(cluster.url(), min_size=2).fetchvalue("SELECT 1")
        wait_until(lambda: not (gc.collect() and cluster.backends()), "they have ended")
    assert {each.category for each in caught} <= {ResourceWarning}


# Stopping.


def test_ctrl_c_gives_the_connection_back(cluster: Cluster) -> None:
    with engineroom.open(cluster.url(), max_size=1, deadline_seconds=30) as client:
        sql = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"

        def interrupt() -> None:
            wait_until(lambda: cluster.run(sql) != [], "it sleeps")
            os.kill(os.getpid(), signal.SIGINT)

        for use in ("client", "lease", "transaction"):
            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                sleep_in(client, use)
            thread.join()
            assert client.leases() == []
            assert client.fetchvalue("SELECT 42") == 42
            wait_until(lambda: cluster.run(sql) == [], "it was stopped at the server")
        gauges = client.snapshot()["gauges"]
        assert gauges["pool_in_use{lane=primary}"] == 0


def sleep_in(client: Any, use: str) -> None:
    if use == "client":
        client.execute("SELECT pg_sleep(60)")
        return
    block = client.connection() if use == "lease" else client.transaction()
    with block as connection:
        connection.execute("SELECT pg_sleep(60)")


def test_ctrl_c_ends_a_wait_for_a_connection(cluster: Cluster) -> None:
    with engineroom.open(cluster.url(), max_size=1, deadline_seconds=30) as client:

        def interrupt() -> None:
            wait_until(lambda: waiting(client) == 1, "it waits")
            os.kill(os.getpid(), signal.SIGINT)

        with client.connection():
            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                client.execute("SELECT 1")
            thread.join()
            assert waiting(client) == 0
        assert client.fetchvalue("SELECT 42") == 42


@pytest.mark.parametrize("use", ["client", "lease", "transaction", "waiting"])
def test_a_task_that_is_cancelled_gives_the_connection_back(
    cluster: Cluster, use: str
) -> None:
    async def work(client: Any) -> None:
        if use in ("client", "waiting"):
            await client.execute("SELECT pg_sleep(60)")
            return
        block = client.connection() if use == "lease" else client.transaction()
        async with block as connection:
            await connection.execute("SELECT pg_sleep(60)")

    async def everything() -> None:
        options: Any = {"max_size": 1, "deadline_seconds": 30}
        async with engineroom.aio.open(cluster.url(), **options) as client:
            gauges = lambda: client.snapshot()["gauges"]  # noqa: E731
            blocker = client.connection()
            if use == "waiting":
                await blocker.__aenter__()
            task = asyncio.create_task(work(client))
            name = "pool_waiting" if use == "waiting" else "pool_in_use"
            while gauges()[f"{name}{{lane=primary}}"] == 0:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            if use == "waiting":
                await blocker.__aexit__(None, None, None)
            assert await client.fetchvalue("SELECT 42") == 42
            assert gauges()["pool_in_use{lane=primary}"] == 0
            assert client.leases() == []

    asyncio.run(everything())
    sql = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    wait_until(lambda: cluster.run(sql) == [], "nothing runs at the server")


def test_a_timeout_of_asyncio_is_a_cancellation(cluster: Cluster) -> None:
    async def everything() -> None:
        async with engineroom.aio.open(cluster.url(), max_size=1) as client:
            for _ in range(5):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.execute("SELECT pg_sleep(60)"), 0.05)
            assert await client.fetchvalue("SELECT 42") == 42

    asyncio.run(everything())


# One loop, one process.


def test_another_event_loop_is_refused(url: str) -> None:
    async def opened() -> Any:
        client = await engineroom.aio.open(url, max_size=1)
        await client.fetchvalue("SELECT 42")
        return client

    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(opened())

    async def misuse() -> None:
        uses = (
            lambda: client.execute("SELECT 1"),
            lambda: client.executemany("SELECT ?", [(1,)]),
            lambda: client.connection().__aenter__(),
            lambda: client.transaction().__aenter__(),
            client.health,
            client.close,
            client.reconnect,
        )
        for use in uses:
            with pytest.raises(errors.UsedByAnotherLoop):
                await use()

    asyncio.run(misuse())
    assert loop.run_until_complete(client.fetchvalue("SELECT 42")) == 42
    loop.run_until_complete(client.close())
    loop.close()


FORKS = '''
import asyncio, os, sys, threading, warnings
import engineroom, engineroom.aio

PID = "SELECT pg_backend_pid()"


def in_child(work):
    """Do something in a forked child; return what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, repr(work()).encode())
            status = 0
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
            status = 1
        os._exit(status)
    os.close(writing)
    said = b"".join(iter(lambda: os.read(reading, 4096), b"")).decode()
    _, status = os.waitpid(child, 0)
    assert status == 0, said
    return said


def blocking(url):
    with engineroom.open(url, min_size=2, max_size=4) as client:
        before = {client.fetchvalue(PID) for _ in range(9)}
        locks = [client._write_lane.lock, client._keeper_lock, client._health_lock]
        for lock in locks:  # as if another thread had them at the moment of the fork
            lock.acquire()
        said = in_child(lambda: (
            client.state.name, client.fetchvalue(PID), client.health().is_healthy,
            client.is_ready, client.snapshot()["counters"]["connects"], client.close(),
        ))
        for lock in locks:
            lock.release()
        name, pid, is_healthy, is_ready, connects, _ = eval(said)
        assert (name, is_healthy, is_ready) == ("new", True, True), said
        assert pid not in before
        assert 1 <= connects <= 4
        assert client.fetchvalue(PID) in before, "the parent's were touched"
        with client.connection() as connection:
            mine = connection.execute(PID).fetchone()
            assert in_child(lambda: refusal(connection)) == "'UsedAfterFork'"
            assert connection.execute(PID).fetchone() == mine
        assert client.state.name == "ready"
        assert client.snapshot()["gauges"]["pool_size{lane=primary}"] <= 4


def refusal(connection):
    try:
        return connection.execute("SELECT 1").fetchone()
    except engineroom.Error as error:
        return type(error).__name__


def awaited(url):
    async def parent():
        async with engineroom.aio.open(url, min_size=2) as client:
            before = {await client.fetchvalue(PID) for _ in range(9)}
            said = in_child(lambda: run_in_thread(client))
            assert eval(said) not in before, said
            assert await client.fetchvalue(PID) in before, "the parent's were touched"

    asyncio.run(parent())


def run_in_thread(client):
    """Use the client in a child, in a loop of its own: this thread's one runs."""
    found = []

    async def child():
        found.append(await client.fetchvalue(PID))
        await client.close()

    thread = threading.Thread(target=lambda: asyncio.run(child()))
    thread.start()
    thread.join()
    return found[0]


globals()[sys.argv[1]](sys.argv[2])
print("done")
'''


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", ["blocking", "awaited"])
def test_a_forked_child_has_connections_of_its_own(
    cluster: Cluster, tmp_path: Path, name: str
) -> None:
    program = tmp_path / "forks.py"
    program.write_text(FORKS, "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), name, cluster.url()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout, done.stderr) == ("done\n", "")
