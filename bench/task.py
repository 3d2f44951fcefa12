"""One measurement, in its own process: `python -m bench.task TASK DRIVER DATABASE`.

Prints a JSON object: seconds (of the work alone), cpu_seconds (of all threads during
it), peak_bytes (of the process), and what else the task tells. Nothing is imported
before a task that measures imports.
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


def connect(driver: str, database: str) -> Any:
    """Return a connection of the driver, as its users would open one."""
    if driver.startswith("engineroom"):
        import engineroom

        separator = "&" if "?" in database else "?"
        types = f"{separator}types=stored" if driver == "engineroom-stored" else ""
        if database == ":memory:":
            return engineroom.connect(f"sqlite://:memory:{types}")
        return engineroom.connect(
            f"sqlite:///{database}?mode=rwc{types.replace('?', '&')}"
        )
    if driver == "apsw":
        import apsw

        return apsw.Connection(database)
    import sqlite3

    return sqlite3.connect(database)


def peak_bytes() -> int:
    """The most memory that this process has had.

    Linux tells it of the program now running; what getrusage() tells there begins with
    the parent's, from before this program was started.
    """
    try:
        with open("/proc/self/status", "rb") as status:
            for line in status:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except FileNotFoundError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def timed(work: Callable[[], object]) -> dict[str, Any]:
    """Run the work once and say what it took."""
    cpu = time.process_time()
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu
    del result
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes()}


def fetch_rows(driver: str, database: str, sql: str) -> dict[str, Any]:
    cursor = connect(driver, database).cursor()
    return timed(lambda: cursor.execute(sql).fetchall())


def mixed(driver: str, database: str) -> dict[str, Any]:
    from bench.data import MIXED

    return fetch_rows(driver, database, MIXED)


def integers(driver: str, database: str) -> dict[str, Any]:
    from bench.data import INTEGERS

    return fetch_rows(driver, database, INTEGERS)


def converted(driver: str, database: str) -> dict[str, Any]:
    """Rows with bool and datetime, which peers have to be taught."""
    import datetime

    from bench.data import MIXED

    parse = datetime.datetime.fromisoformat
    if driver == "sqlite3":
        import sqlite3

        sqlite3.register_converter("BOOLEAN", lambda text: text == b"1")
        sqlite3.register_converter("TIMESTAMP", lambda text: parse(text.decode()))
        opened = sqlite3.connect(database, detect_types=sqlite3.PARSE_DECLTYPES)
        cursor: Any = opened.cursor()
    else:
        cursor = connect(driver, database).cursor()
    if driver == "apsw":
        return timed(
            lambda: [
                (a, b, c, bool(d), parse(e), f)
                for a, b, c, d, e, f in cursor.execute(MIXED)
            ]
        )
    return timed(lambda: cursor.execute(MIXED).fetchall())


def arrow(driver: str, database: str) -> dict[str, Any]:
    import pyarrow  # noqa: F401 - its import is not what is measured

    from bench.data import MIXED

    if driver == "connectorx":
        import connectorx

        url = f"sqlite://{database}"
        return timed(lambda: connectorx.read_sql(url, MIXED, return_type="arrow"))
    if driver == "adbc":
        from adbc_driver_sqlite import dbapi

        cursor = dbapi.connect(database).cursor()
    else:
        cursor = connect(driver, database).cursor()

    def work() -> object:
        cursor.execute(MIXED)
        return cursor.fetch_arrow_table()

    return timed(work)


def point(driver: str, database: str) -> dict[str, Any]:
    """One-row selects by key, the statement prepared before."""
    import random

    from bench.data import POINT, ROWS

    chance = random.Random(3)
    keys = [chance.randrange(1, ROWS + 1) for _ in range(20_000)]
    cursor = connect(driver, database).cursor()
    execute, fetchone = cursor.execute, cursor.fetchone

    def work() -> None:
        for key in keys:
            execute(POINT, (key,))
            fetchone()

    work()
    return timed(work)


def point_in_transaction(driver: str, database: str) -> dict[str, Any]:
    """The same inside one transaction, where no file is locked for each."""
    import random

    from bench.data import POINT, ROWS

    chance = random.Random(3)
    keys = [chance.randrange(1, ROWS + 1) for _ in range(20_000)]
    cursor = connect(driver, database).cursor()
    cursor.execute("BEGIN")
    execute, fetchone = cursor.execute, cursor.fetchone

    def work() -> None:
        for key in keys:
            execute(POINT, (key,))
            fetchone()

    work()
    return timed(work)


def insert(driver: str, database: str) -> dict[str, Any]:
    """executemany() of 200,000 rows into a new file, with its commit."""
    import os
    import random
    import tempfile

    from bench.data import INSERT, MIXED_TABLE, mixed_row

    chance = random.Random(1)
    rows = [mixed_row(chance) for _ in range(200_000)]
    with tempfile.TemporaryDirectory(dir=os.path.dirname(database)) as folder:
        connection = connect(driver, os.path.join(folder, "insert.db"))
        cursor = connection.cursor()
        cursor.execute(MIXED_TABLE)
        if driver != "apsw":
            connection.commit()

        def work() -> None:
            if driver == "apsw":
                cursor.execute("BEGIN")
            cursor.executemany(INSERT, rows)
            if driver == "apsw":
                cursor.execute("COMMIT")
            else:
                connection.commit()

        taken = timed(work)
        connection.close()
    return taken


def first_answer(driver: str, database: str) -> dict[str, Any]:
    """Import, connect, first row; the file is in the system's cache."""
    start = time.perf_counter()
    cpu = time.process_time()
    connection = connect(driver, database)
    row = connection.cursor().execute("SELECT 42").fetchone()
    seconds = time.perf_counter() - start
    assert row == (42,)
    cpu_seconds = time.process_time() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes()}


def import_alone(driver: str, _database: str) -> dict[str, Any]:
    start = time.perf_counter()
    cpu = time.process_time()
    __import__(driver.partition("-")[0])
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes()}


def scan(driver: str, database: str) -> dict[str, Any]:
    """A stream of 10,000,000 rows, none kept; tells the memory above the interpreter.

    That counts everything: the package, the engine and SQLite's own cache.
    """
    before = peak_bytes()
    cursor = connect(driver, database).cursor()
    sql = (
        "WITH ten(n) AS (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) "
        "SELECT a, b, c, d, e, f FROM ten CROSS JOIN mixed"
    )

    def work() -> None:
        count = 0
        for _ in cursor.execute(sql):
            count += 1
        assert count == 10_000_000

    taken = timed(work)
    taken["growth_bytes"] = taken["peak_bytes"] - before
    return taken


def interrupt(driver: str, database: str) -> dict[str, Any]:
    """How long after Ctrl-C a query that runs for ever is over."""
    import signal
    import threading

    sent = [0.0]

    def send() -> None:
        time.sleep(0.3)
        sent[0] = time.perf_counter()
        signal.raise_signal(signal.SIGINT)

    cursor = connect(driver, database).cursor()
    thread = threading.Thread(target=send)
    thread.start()
    try:
        cursor.execute(
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
            "SELECT count(*) FROM c"
        ).fetchall()
    except KeyboardInterrupt:
        seconds = time.perf_counter() - sent[0]
    thread.join()
    return {"seconds": seconds, "cpu_seconds": 0.0, "peak_bytes": peak_bytes()}


def overhead(driver: str, _database: str) -> dict[str, Any]:
    """What a query costs more through a client than on a bare connection."""
    from bench.pool import overhead as compare
    from bench.pool import small_file

    with small_file() as url:
        return compare(driver, url)


def overhead_awaited(driver: str, _database: str) -> dict[str, Any]:
    from bench.pool import overhead_awaited as compare
    from bench.pool import small_file

    with small_file() as url:
        return compare(driver, url)


TASKS = {
    work.__name__: work
    for work in (
        mixed,
        converted,
        integers,
        arrow,
        point,
        point_in_transaction,
        insert,
        first_answer,
        import_alone,
        scan,
        overhead,
        overhead_awaited,
        interrupt,
    )
}


def run_task(
    work: Callable[[str, str], dict[str, Any]],
    driver: str,
    database: str,
    options: Sequence[str],
) -> None:
    """Do the work as the options want it and print what it took."""
    if "nogc" in options:
        import gc

        gc.disable()
    taken = work(driver, database)
    import json

    print(json.dumps(taken))


def main() -> None:
    task, driver, database, *options = sys.argv[1:]
    run_task(TASKS[task], driver, database, options)


if __name__ == "__main__":
    main()
