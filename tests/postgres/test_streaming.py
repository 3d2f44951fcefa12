"""Results stream: the first rows do not wait for the last, nor does memory hold all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import engineroom
    from tests.postgres.cluster import Cluster

ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
)
# Three hundred rows of a million bytes each, one after the other.
HEAVY = """
import resource, sys
import engineroom

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

with engineroom.connect(sys.argv[1]) as connection:
    connection.execute("SELECT 1").fetchone()
    before, count = peak(), 0
    for (text,) in connection.execute(
        "SELECT repeat('x', 1000000) FROM generate_series(1, 300)"
    ):
        count += len(text)
    print(count, peak() - before)
"""


def test_an_endless_result_gives_its_first_rows(
    connection: engineroom.Connection,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(ENDLESS)
        assert [cursor.fetchone() for _ in range(3)] == [(1,), (2,), (3,)]
    connection.rollback()


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        pytest.param(
            "WITH a AS (INSERT INTO streamed VALUES (1), (2) RETURNING i)"
            " SELECT sum(i) FROM a",
            1,
            id="before",
        ),
        pytest.param(
            "WITH a AS (SELECT 5 AS i) INSERT INTO streamed SELECT i FROM a",
            1,
            id="behind",
        ),
    ],
)
def test_a_with_that_changes_rows_is_run_to_its_end(
    connection: engineroom.Connection, statement: str, count: int
) -> None:
    connection.execute("CREATE TEMP TABLE streamed (i int)")
    cursor = connection.execute(statement)
    total = connection.execute("SELECT count(*) FROM streamed").fetchone()
    assert total is not None
    assert total[0] >= count
    cursor.close()


def test_heavy_rows_come_few_at_a_time(cluster: Cluster) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEAVY, cluster.url()],
        capture_output=True,
        text=True,
        check=True,
    )
    count, grown_mebibytes = (int(word) for word in done.stdout.split())
    assert count == 300_000_000
    assert grown_mebibytes < 64
