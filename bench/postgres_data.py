"""The PostgreSQL that is measured on: a cluster of its own, filled by the server.

The rows are those of bench/data.py, with a time zone: a million of (int8, float8, text
of 20, bool, timestamptz, nullable int4) and as many of six integers; and fewer of long
texts and of what takes parsing. The seed is fixed, so every run has the same ones.
"""

from __future__ import annotations

import contextlib
import os
import random
from datetime import datetime, timedelta, timezone

from bench.data import ROWS, mixed_row
from tests.postgres.cluster import started_cluster

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres.cluster import Cluster

COLUMNS = "a int8, b float8, c text, d bool, e timestamptz, f int4"
NAMES = "a, b, c, d, e, f"
TEXTS = 300_000
PARSED = 200_000

_FILL = f"""
SET ROLE engine;
SELECT setseed(0.7);
CREATE TABLE mixed (id serial, {COLUMNS});
INSERT INTO mixed SELECT
  i, ((random() - 0.5) * 9e18)::int8, random() * 1e6, left(md5(random()::text), 20),
  random() < 0.5, timestamptz '2020-01-01 UTC' + random() * interval '100000000 s',
  CASE WHEN random() < 0.8 THEN ((random() - 0.5) * 4e9)::int4 END
FROM generate_series(1, {ROWS}) i;
ALTER TABLE mixed ADD PRIMARY KEY (id);
CREATE TABLE integers AS SELECT
  (random() * 1e12)::int8 a, (random() * 1e12)::int8 b, (random() * 1e12)::int8 c,
  (random() * 1e12)::int8 d, (random() * 1e12)::int8 e, (random() * 1e12)::int8 f
FROM generate_series(1, {ROWS});
CREATE TABLE texts AS SELECT
  i a, repeat(md5(random()::text), 5) b, repeat(md5(random()::text), 5) c,
  repeat(md5(random()::text), 5) d
FROM generate_series(1, {TEXTS}) i;
CREATE TABLE parsed AS SELECT
  (random() * 1e8)::numeric(14, 4) a, md5(random()::text)::uuid b,
  jsonb_build_object(
    'id', i, 'name', left(md5(random()::text), 12), 'price', (random() * 1e4)::int,
    'tags', jsonb_build_array('new', 'blue', i % 7), 'stock', NULL
  ) c
FROM generate_series(1, {PARSED}) i;
CREATE TABLE target ({COLUMNS});
RESET ROLE;
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
"""
# What a machine of this size would be given; nothing runs beside what is measured.
_SETTINGS = {
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "8GB",
    "shared_buffers": "1GB",
    "synchronous_commit": "off",
    "timezone": "UTC",
}


def new_rows(count: int) -> list[tuple[object, ...]]:
    """Return rows for the table `target`, as Python has them."""
    chance = random.Random(1)
    start = datetime(2020, 1, 1, tzinfo=timezone.utc)
    rows: list[tuple[object, ...]] = []
    for _ in range(count):
        a, b, c, d, _, f = mixed_row(chance)
        moment = start + timedelta(microseconds=chance.randrange(10**14))
        rows.append((a, b, c, d, moment, f))
    return rows


@contextlib.contextmanager
def measured_cluster() -> Iterator[Cluster]:
    """Give the cluster, filled; it is stopped and removed afterwards."""
    with started_cluster("bench", settings=_SETTINGS, segment_megabytes=16) as cluster:
        cluster.run(_FILL)
        yield cluster


@contextlib.contextmanager
def server_on(cluster: Cluster, cores: set[int]) -> Iterator[None]:
    """Let the processes that the server starts meanwhile run on these cores only."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(cluster.pid)
    os.sched_setaffinity(cluster.pid, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(cluster.pid, before)
