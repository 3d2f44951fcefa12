"""Connections of asyncio's that break: as in test_broken.py, and nobody waits for long.

Its steps are taken by the event loop and not by the engine, so each cut is met anew.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from engineroom import aio, errors

from .proxy import CLIENT, SERVER, Cut

if TYPE_CHECKING:
    from .cluster import Cluster
    from .proxy import Proxy

pytestmark = pytest.mark.usefixtures("no_socket_left", "no_libpq_environment")

SOON_SECONDS = 5.0
BROKEN = (errors.ConnectFailed, errors.ConnectionLost)


async def play(url: str) -> None:
    """Do a little of everything on a connection of its own."""
    async with aio.connect(url) as connection:
        cursor = await connection.execute("SELECT ?::int4, 'text', NULL", (42,))
        assert await cursor.fetchall() == [(42, "text", None)]
        await connection.execute("CREATE TEMPORARY TABLE played (x int4, y text)")
        rows = [(number, "y" * number) for number in range(8)]
        await connection.executemany("INSERT INTO played VALUES (?, ?)", rows)
        cursor = await connection.execute("SELECT x, y FROM played")
        assert len(await cursor.fetchall()) == 8
        with pytest.raises(errors.DivisionByZero):
            await (await connection.execute("SELECT 1 / 0")).fetchall()
        await connection.rollback()


def counted(cluster: Cluster, proxy: Proxy) -> dict[str, int]:
    """Return how many messages each side sends when it is left in peace."""
    asyncio.run(play(cluster.url(port=proxy.port, sslmode="disable")))
    counts = {sender: len(proxy.names(sender)) for sender in (CLIENT, SERVER)}
    assert counts[CLIENT] > 10
    assert counts[SERVER] > 20
    return counts


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("plus_bytes", [0, 3, 5], ids=["before", "in it", "after head"])
@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_a_cut_at_any_message_is_a_clear_error(
    cluster: Cluster, proxy: Proxy, sender: str, plus_bytes: int, how: str
) -> None:
    messages = counted(cluster, proxy)[sender]
    url = cluster.url(port=proxy.port, sslmode="disable")
    for count in range(messages - (1 if sender == CLIENT else 0)):
        proxy.cut = Cut(sender, count, plus_bytes, how)
        start = time.monotonic()
        with pytest.raises(BROKEN) as caught:
            asyncio.run(play(url))
        assert time.monotonic() - start < SOON_SECONDS, f"after {count} messages"
        assert str(caught.value), f"after {count} messages"


@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_a_stall_ends_at_the_deadline(
    cluster: Cluster, proxy: Proxy, sender: str
) -> None:
    """All at once, since each run takes as long as the deadline."""
    messages = counted(cluster, proxy)[sender]
    url = cluster.url(
        port=proxy.port, sslmode="disable", connect_timeout=1, timeout_seconds=1
    )

    async def stalled(count: int) -> str:
        try:
            await play(url)
        except errors.TimedOut:
            return ""
        except BaseException as error:
            return f"after {count} messages: {error!r}"
        return f"after {count} messages: nothing happened"

    async def main() -> list[str]:
        tasks = []
        for count in range(0, messages - 3, 2):
            proxy.cut = Cut(sender, count, 0, "stall")
            tasks.append(asyncio.create_task(stalled(count)))
            # The proxy gives its next client this cut, before the next is made.
            before = len(proxy.conversations)
            while len(proxy.conversations) == before:
                await asyncio.sleep(0.001)
        return await asyncio.gather(*tasks)

    start = time.monotonic()
    surprises = [surprise for surprise in asyncio.run(main()) if surprise]
    assert surprises == []
    assert time.monotonic() - start < 3 * SOON_SECONDS
    proxy.close_all()


def test_a_stall_does_not_keep_other_tasks_waiting(
    cluster: Cluster, proxy: Proxy
) -> None:
    counted(cluster, proxy)
    proxy.cut = Cut(SERVER, 8, 0, "stall")
    stalled_url = cluster.url(port=proxy.port, sslmode="disable", connect_timeout=2)

    async def main() -> int:
        with_trouble = asyncio.create_task(play(stalled_url))
        answers = 0
        async with aio.connect(cluster.url(), autocommit=True) as connection:
            while not with_trouble.done():
                cursor = await connection.execute("SELECT 42")
                assert await cursor.fetchone() == (42,)
                answers += 1
        with pytest.raises(errors.ConnectTimedOut):
            await with_trouble
        return answers

    assert asyncio.run(main()) > 100
