"""What is measured on PostgreSQL, done with each driver as its users would do it.

A driver has those of these methods that it can do: `rows` and `each` (a result kept and
a result passed by), `points` (one-row selects, one after the other), `pipelined`,
`insert`, `load_rows`, `load_arrow`, `arrow`. Importing one is part of what its first
answer costs, so each is imported where it is made.
"""

from __future__ import annotations

import asyncio
import json

from bench.postgres_data import COLUMNS, NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any

    Row = tuple[object, ...]

POINT = f"SELECT {NAMES} FROM mixed WHERE id = "
INSERT = f"INSERT INTO target ({NAMES}) VALUES "
COPY = f"COPY target ({NAMES}) FROM STDIN (FORMAT binary)"
TYPES = [column.split()[1] for column in COLUMNS.split(", ")]
BATCH = 1_000


class Engineroom:
    """Ours."""

    def __init__(self, url: str) -> None:
        import engineroom

        self.connection: Any = engineroom.connect(url, autocommit=True)

    def rows(self, sql: str) -> Any:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()

    def each(self, sql: str) -> int:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return sum(1 for _ in cursor)

    def points(self, keys: Sequence[int]) -> Any:
        cursor = self.connection.cursor()
        execute, fetchone = cursor.execute, cursor.fetchone
        for key in keys:
            execute(POINT + "?", (key,))
            row = fetchone()
        return row

    def pipelined(self, keys: Sequence[int]) -> Any:
        connection = self.connection
        for start in range(0, len(keys), BATCH):
            cursors = []
            with connection.pipeline():
                for key in keys[start : start + BATCH]:
                    cursor = connection.cursor()
                    cursor.execute(POINT + "?", (key,))
                    cursors.append(cursor)
            rows = [cursor.fetchone() for cursor in cursors]
        return rows[-1]

    def insert(self, rows: Sequence[Row]) -> None:
        self.connection.cursor().executemany(INSERT + "(?, ?, ?, ?, ?, ?)", rows)

    def load_rows(self, rows: Sequence[Row]) -> None:
        with self.connection.copy_in(COPY) as copy:
            copy.write_rows(rows)

    def load_arrow(self, table: Any) -> None:
        with self.connection.copy_in(COPY) as copy:
            copy.write_arrow(table)

    def arrow(self, sql: str) -> Any:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return cursor.fetch_arrow_table()


class Psycopg:
    """Psycopg with its C half and binary results."""

    def __init__(self, url: str) -> None:
        import psycopg

        self.connection: Any = psycopg.connect(
            url, autocommit=True, prepare_threshold=0
        )

    def rows(self, sql: str) -> Any:
        return self.connection.cursor(binary=True).execute(sql).fetchall()

    def each(self, sql: str) -> int:
        cursor = self.connection.cursor(binary=True)
        return sum(1 for _ in cursor.stream(sql, size=BATCH))

    def points(self, keys: Sequence[int]) -> Any:
        cursor = self.connection.cursor(binary=True)
        execute, fetchone = cursor.execute, cursor.fetchone
        for key in keys:
            execute(POINT + "%s", (key,))
            row = fetchone()
        return row

    def pipelined(self, keys: Sequence[int]) -> Any:
        connection = self.connection
        for start in range(0, len(keys), BATCH):
            cursors = []
            with connection.pipeline():
                for key in keys[start : start + BATCH]:
                    cursor = connection.cursor(binary=True)
                    cursor.execute(POINT + "%s", (key,))
                    cursors.append(cursor)
            rows = [cursor.fetchone() for cursor in cursors]
        return rows[-1]

    def insert(self, rows: Sequence[Row]) -> None:
        with self.connection.transaction():
            cursor = self.connection.cursor()
            cursor.executemany(INSERT + "(%s, %s, %s, %s, %s, %s)", rows)

    def load_rows(self, rows: Sequence[Row]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.set_types(TYPES)
            write_row = copy.write_row
            for row in rows:
                write_row(row)


class PsycopgStream(Psycopg):
    """Psycopg, its rows taken as they come, and kept where others keep them."""

    def rows(self, sql: str) -> Any:
        return list(self.connection.cursor(binary=True).stream(sql, size=BATCH))


class Psycopg2:
    """Psycopg's elder."""

    def __init__(self, url: str) -> None:
        import psycopg2

        self.connection: Any = psycopg2.connect(url)
        self.connection.autocommit = True

    def rows(self, sql: str) -> Any:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()

    def each(self, sql: str) -> int:
        self.connection.autocommit = False
        cursor = self.connection.cursor("each")
        cursor.itersize = 10 * BATCH
        cursor.execute(sql)
        return sum(1 for _ in cursor)

    def points(self, keys: Sequence[int]) -> Any:
        cursor = self.connection.cursor()
        execute, fetchone = cursor.execute, cursor.fetchone
        for key in keys:
            execute(POINT + "%s", (key,))
            row = fetchone()
        return row

    def insert(self, rows: Sequence[Row]) -> None:
        from psycopg2.extras import execute_values

        execute_values(self.connection.cursor(), INSERT + "%s", rows, page_size=BATCH)


class Asyncpg:
    """asyncpg, in a loop of asyncio's own."""

    def __init__(self, url: str) -> None:
        import asyncpg

        self._loop = self.new_loop()
        self.connection: Any = self.run(asyncpg.connect(url))

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def rows(self, sql: str) -> Any:
        return self.run(self.connection.fetch(sql))

    def parse_json(self) -> None:
        self.run(
            self.connection.set_type_codec(
                "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
            )
        )

    def each(self, sql: str) -> int:
        async def work() -> int:
            count = 0
            async with self.connection.transaction():
                async for _ in self.connection.cursor(sql, prefetch=10 * BATCH):
                    count += 1
            return count

        found: int = self.run(work())
        return found

    def points(self, keys: Sequence[int]) -> Any:
        async def work() -> Any:
            statement = await self.connection.prepare(POINT + "$1")
            fetchrow = statement.fetchrow
            for key in keys:
                row = await fetchrow(key)
            return row

        return self.run(work())

    def insert(self, rows: Sequence[Row]) -> None:
        sql = INSERT + "($1, $2, $3, $4, $5, $6)"
        self.run(self.connection.executemany(sql, rows))

    def load_rows(self, rows: Sequence[Row]) -> None:
        copy = self.connection.copy_records_to_table
        self.run(copy("target", records=rows, columns=NAMES.split(", ")))


class AsyncpgUvloop(Asyncpg):
    """asyncpg, in a loop of uvloop's."""

    def new_loop(self) -> asyncio.AbstractEventLoop:
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop


class Adbc:
    """ADBC's driver for PostgreSQL."""

    def __init__(self, url: str) -> None:
        from adbc_driver_postgresql import dbapi

        self.connection: Any = dbapi.connect(url)

    def arrow(self, sql: str) -> Any:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return cursor.fetch_arrow_table()

    def load_arrow(self, table: Any) -> None:
        self.connection.cursor().adbc_ingest("target", table, mode="append")
        self.connection.commit()


class Connectorx:
    """connectorx, which connects for each query."""

    def __init__(self, url: str) -> None:
        import connectorx

        self._url = url
        self._read_sql: Any = connectorx.read_sql

    def arrow(self, sql: str) -> Any:
        return self._read_sql(self._url, sql, return_type="arrow")


DRIVERS: dict[str, Any] = {
    "engineroom": Engineroom,
    "psycopg": Psycopg,
    "psycopg-stream": PsycopgStream,
    "psycopg2": Psycopg2,
    "asyncpg": Asyncpg,
    "asyncpg-uvloop": AsyncpgUvloop,
    "adbc": Adbc,
    "connectorx": Connectorx,
}
