"""What is known of a lease: who has a connection, and where it was taken."""

from __future__ import annotations

import asyncio
import linecache

import engineroom
from engineroom import aio

MEMORY = "sqlite://:memory:"


def line_at(place: str) -> str:
    """Return the line of this file that a lease names."""
    file, _, rest = place.rpartition(":")
    assert file == __file__
    return linecache.getline(file, int(rest.split()[0])).strip()


def test_a_lease_tells_the_line_that_took_it_and_who_called_that() -> None:
    def take() -> list[str]:
        with client.connection():
            (lease,) = client.leases()
            assert lease.taken_at == lease.stack[0]
            return lease.stack

    with engineroom.open(MEMORY) as client:
        stack = take()
        with client.transaction():
            (block,) = client.leases()
    assert line_at(stack[0]) == "with client.connection():"
    assert stack[0].endswith(" in take")
    assert line_at(stack[1]) == "stack = take()"
    assert line_at(block.taken_at) == "with client.transaction():"
    assert client.leases() == []


def test_a_lease_on_the_loop_tells_the_same() -> None:
    async def take() -> str:
        async with aio.open(MEMORY) as client, client.connection():
            (lease,) = client.leases()
            return lease.taken_at

    assert (
        line_at(asyncio.run(take()))
        == "async with aio.open(MEMORY) as client, client.connection():"
    )
