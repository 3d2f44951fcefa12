"""One measurement on PostgreSQL: `python -m bench.postgres TASK DRIVER URL OPTION...`.

Prints what bench/task.py prints. The options are `nogc` and the cores that the client
may run on, as `cores=0`.
"""

from __future__ import annotations

import sys
import time

from bench.task import peak_bytes, run_task, timed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

POINTS = 20_000
PIPELINED = 100_000
CONCURRENT = 64
INSERTED = 100_000
LOADED = 500_000


def connect(driver: str, url: str) -> Any:
    from bench.postgres_drivers import DRIVERS

    return DRIVERS[driver](url)


def fetch_rows(driver: str, url: str, table: str, count: int) -> dict[str, Any]:
    """Rows as Python values, all of them kept."""
    from bench.postgres_data import NAMES

    connection = connect(driver, url)
    names = NAMES if table in ("mixed", "integers") else "*"
    sql = f"SELECT {names} FROM {table}"
    connection.rows(f"{sql} LIMIT 10")
    if table == "parsed" and driver.startswith("asyncpg"):
        connection.parse_json()
    assert len(connection.rows(f"{sql} LIMIT 7")) == 7
    found: list[Any] = []
    taken = timed(lambda: found.append(connection.rows(sql)))
    assert len(found[0]) == count
    return taken


def mixed(driver: str, url: str) -> dict[str, Any]:
    from bench.data import ROWS

    return fetch_rows(driver, url, "mixed", ROWS)


def integers(driver: str, url: str) -> dict[str, Any]:
    from bench.data import ROWS

    return fetch_rows(driver, url, "integers", ROWS)


def texts(driver: str, url: str) -> dict[str, Any]:
    from bench.postgres_data import TEXTS

    return fetch_rows(driver, url, "texts", TEXTS)


def parsed(driver: str, url: str) -> dict[str, Any]:
    """Rows of numeric, uuid and jsonb, each as what Python has for it."""
    from bench.postgres_data import PARSED

    return fetch_rows(driver, url, "parsed", PARSED)


def passed_by(driver: str, url: str) -> dict[str, Any]:
    """Rows as Python values, none of them kept."""
    from bench.data import MIXED, ROWS

    connection = connect(driver, url)
    found: list[int] = []
    taken = timed(lambda: found.append(connection.each(MIXED)))
    assert found == [ROWS]
    return taken


def arrow(driver: str, url: str) -> dict[str, Any]:
    import pyarrow  # noqa: F401 - its import is not what is measured

    from bench.data import MIXED, ROWS

    connection = connect(driver, url)
    found: list[Any] = []
    taken = timed(lambda: found.append(connection.arrow(MIXED)))
    assert found[0].num_rows == ROWS
    return taken


def random_keys(count: int) -> list[int]:
    import random

    from bench.data import ROWS

    chance = random.Random(3)
    return [chance.randrange(1, ROWS + 1) for _ in range(count)]


def point(driver: str, url: str) -> dict[str, Any]:
    """One-row selects by key, the statement prepared before."""
    keys = random_keys(POINTS)
    connection = connect(driver, url)
    assert len(connection.points(keys[:1_000])) == 6
    return timed(lambda: connection.points(keys))


def pipelined(driver: str, url: str) -> dict[str, Any]:
    """The same, with a thousand on their way at a time."""
    keys = random_keys(PIPELINED)
    connection = connect(driver, url)
    assert len(connection.pipelined(keys[:2_000])) == 6
    return timed(lambda: connection.pipelined(keys))


def concurrent(driver: str, url: str) -> dict[str, Any]:
    """The same, from 64 tasks of asyncio's with a connection each."""
    from bench.postgres_async import selects_of_tasks

    keys = random_keys(CONCURRENT * 500)
    return selects_of_tasks(driver, url, keys, CONCURRENT)


def loop_block(driver: str, url: str) -> dict[str, Any]:
    """A thousand tasks on ten connections; tells the longest step of the loop."""
    from bench.postgres_async import longest_step

    return longest_step(driver, url, tasks=1_000, connections=10)


def pooled(driver: str, url: str) -> dict[str, Any]:
    from bench.pool import CLIENTS
    from bench.pool import pooled as selects

    return selects(driver, url, random_keys(CLIENTS * 500))


def lease(driver: str, url: str) -> dict[str, Any]:
    from bench.pool import lease as take

    return take(driver, url)


def lease_awaited(driver: str, url: str) -> dict[str, Any]:
    from bench.pool import lease_awaited as take

    return take(driver, url)


def overhead(driver: str, url: str) -> dict[str, Any]:
    from bench.pool import overhead as compare

    return compare(driver, url)


def overhead_awaited(driver: str, url: str) -> dict[str, Any]:
    from bench.pool import overhead_awaited as compare

    return compare(driver, url)


def waiters(driver: str, url: str) -> dict[str, Any]:
    from bench.pool import waiters as wait

    return wait(driver, url)


def insert(driver: str, url: str) -> dict[str, Any]:
    from bench.postgres_data import new_rows

    rows = new_rows(INSERTED)
    connection = connect(driver, url)
    empty(url)
    connection.insert(rows[:100])
    taken = timed(lambda: connection.insert(rows))
    assert count_target(url) == INSERTED + 100
    return taken


def load_rows(driver: str, url: str) -> dict[str, Any]:
    from bench.postgres_data import new_rows

    rows = new_rows(LOADED)
    connection = connect(driver, url)
    empty(url)
    taken = timed(lambda: connection.load_rows(rows))
    assert count_target(url) == LOADED
    return taken


def load_arrow(driver: str, url: str) -> dict[str, Any]:
    import pyarrow

    from bench.postgres_data import NAMES, new_rows

    kinds = ("int64", "float64", "string", "bool", "", "int32")
    types = [pyarrow.type_for_alias(kind) if kind else None for kind in kinds]
    types[4] = pyarrow.timestamp("us", "UTC")
    columns = [
        pyarrow.array(values, kind)
        for values, kind in zip(zip(*new_rows(LOADED)), types)
    ]
    table = pyarrow.table(columns, NAMES.split(", "))
    del columns
    connection = connect(driver, url)
    empty(url)
    taken = timed(lambda: connection.load_arrow(table))
    assert count_target(url) == LOADED
    return taken


def empty(url: str) -> None:
    """Empty the table that is written to, whatever its last writer left there."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE target")


def count_target(url: str) -> int:
    import psycopg

    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM target").fetchone()
    assert row is not None
    found: int = row[0]
    return found


def first_answer(driver: str, url: str) -> dict[str, Any]:
    """Import, connect with a password over TCP, first row."""
    start = time.perf_counter()
    cpu = time.process_time()
    row = ask_once(driver, url)
    seconds = time.perf_counter() - start
    assert tuple(row) == (42,)
    cpu_seconds = time.process_time() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes()}


def ask_once(driver: str, url: str) -> Any:
    if driver == "asyncpg":
        import asyncio

        import asyncpg

        async def ask() -> Any:
            connection = await asyncpg.connect(url)
            return await connection.fetchrow("SELECT 42")

        return asyncio.run(ask())
    module = __import__(driver)
    cursor = module.connect(url).cursor()
    cursor.execute("SELECT 42")
    return cursor.fetchone()


def scan(driver: str, url: str) -> dict[str, Any]:
    """Stream 10,000,000 rows, keep none; tell the memory above the interpreter."""
    before = peak_bytes()
    cursor = __import__(driver).connect(url, autocommit=True).cursor()

    def work() -> None:
        sql = "SELECT a, b, c, d, e, f FROM mixed CROSS JOIN generate_series(1, 10)"
        cursor.execute(sql)
        assert sum(1 for _ in cursor) == 10_000_000

    taken = timed(work)
    taken["growth_bytes"] = taken["peak_bytes"] - before
    return taken


def interrupt(driver: str, url: str) -> dict[str, Any]:
    """How long after Ctrl-C a query that waits for a minute is over."""
    import signal
    import threading

    sent = [0.0]

    def send() -> None:
        time.sleep(0.3)
        sent[0] = time.perf_counter()
        signal.raise_signal(signal.SIGINT)

    cursor = connect(driver, url).connection.cursor()
    thread = threading.Thread(target=send)
    thread.start()
    try:
        cursor.execute("SELECT pg_sleep(60)")
        cursor.fetchall()
    except KeyboardInterrupt:
        seconds = time.perf_counter() - sent[0]
    thread.join()
    return {"seconds": seconds, "cpu_seconds": 0.0, "peak_bytes": peak_bytes()}


TASKS = {
    work.__name__: work
    for work in (
        mixed,
        integers,
        texts,
        parsed,
        passed_by,
        arrow,
        point,
        pipelined,
        concurrent,
        pooled,
        lease,
        lease_awaited,
        overhead,
        overhead_awaited,
        waiters,
        loop_block,
        insert,
        load_rows,
        load_arrow,
        first_answer,
        scan,
        interrupt,
    )
}


def stay_on(options: Sequence[str]) -> None:
    """Run on the cores that the options name, if they do."""
    import os

    for option in options:
        name, _, cores = option.partition("=")
        if name == "cores" and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {int(core) for core in cores.split(",")})


def main() -> None:
    task, driver, url, *options = sys.argv[1:]
    stay_on(options)
    run_task(TASKS[task], driver, url, options)


if __name__ == "__main__":
    main()
