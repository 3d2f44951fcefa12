"""What the tests of COPY share: a database of their own, tables and rows."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import engineroom

from .cluster import OWNER

if TYPE_CHECKING:
    from .cluster import Cluster

UTC = datetime.timezone.utc
FORMATS = ("binary", "text", "csv")
MIXED = "a int8, b float8, c text, d bool, e timestamptz, f int4"


def make_database(cluster: Cluster) -> str:
    """Make the database, unless it is there, and return its URL."""
    url = cluster.url(database="copies")
    if ["copies"] in cluster.run("SELECT datname FROM pg_database"):
        return url
    cluster.run(f"CREATE DATABASE copies OWNER {OWNER}")
    with engineroom.connect(url, autocommit=True) as connection:
        connection.executescript(
            "CREATE EXTENSION IF NOT EXISTS hstore;"
            "CREATE TYPE mood AS ENUM ('sad', 'all right');"
            "CREATE DOMAIN positive AS int CHECK (value > 0)"
        )
    return url


def mixed(count: int) -> list[tuple[object, ...]]:
    start = datetime.datetime(2020, 1, 1, tzinfo=UTC)
    return [
        (
            i * 2**40,
            i / 3,
            f"text {i}",
            i % 2 == 0,
            start + datetime.timedelta(seconds=i, microseconds=i),
            None if i % 5 == 0 else -i,
        )
        for i in range(count)
    ]


def stored(connection: engineroom.Connection, table: str = "t") -> list[object]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()


def values(connection: engineroom.Connection) -> list[object]:
    return [row[0] for row in connection.execute("SELECT a FROM t").fetchall()]


def make(connection: engineroom.Connection, columns: str) -> None:
    connection.executescript(f"DROP TABLE IF EXISTS t; CREATE TEMP TABLE t ({columns})")
