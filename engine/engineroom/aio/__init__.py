"""The same promises, awaited: connections and cursors for asyncio.

    import engineroom.aio

    async with engineroom.aio.connect("postgresql://shop@db/shop") as connection:
        async for row in await connection.execute("SELECT name, price FROM product"):
            print(row)

    async with engineroom.aio.open("postgresql://shop@db/shop") as client:
        for row in await client.execute("SELECT name, price FROM product"):
            print(row)

Exceptions, type objects and settings are those of `engineroom`.
"""

from __future__ import annotations

from engineroom.aio.client import Client
from engineroom.aio.client import open_client as open  # noqa: A004 - as `connect`
from engineroom.aio.connection import Connection, connect
from engineroom.aio.cursor import Cursor

__all__ = ["Client", "Connection", "Cursor", "connect", "open"]
