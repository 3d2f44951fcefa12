"""Ends an interpreter in the middle of things; run by the Python of a root.

    python exits.py WAY FOLDER [URL]

Each way prints `done` and lets the interpreter go down with something still open. What
is tested happens after that: exit code 0, and nothing on standard error. With a URL it
is PostgreSQL that is left open, else SQLite.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from importlib import import_module
from typing import Any

COUNT = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
)
ENDLESS = f"{COUNT} WHERE x < 0"
# For a server: rows without end that come at once, and a wait that costs it nothing,
# since it finds out late that its client has gone.
ROWS = "SELECT a.x FROM generate_series(1, 100000) a (x), generate_series(1, 100000) b"
ASLEEP = "SELECT pg_sleep(60)"
# What a way leaves open lives until the interpreter clears its modules.
KEPT: list[Any] = []


def connect(url: str) -> Any:
    """Connect as a program does."""
    return import_module("engineroom").connect(url)


def opened() -> Any:
    """Return a connection that nobody will close."""
    path = os.path.join(sys.argv[2], f"{sys.argv[1]}.db")
    KEPT.append(connect(server() or f"sqlite:///{path}?mode=rwc"))
    return KEPT[-1]


def server() -> str:
    """Return the URL of the server, empty where there is none."""
    return sys.argv[3] if len(sys.argv) > 3 else ""


def closed() -> None:
    """Everything is closed."""
    with connect("sqlite://:memory:") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def reading() -> None:
    """A result is half-read."""
    cursor = opened().execute(ROWS if server() else COUNT)
    KEPT.append(cursor)
    assert cursor.fetchone() == (1,)


def writing() -> None:
    """A transaction is open, and a savepoint in it."""
    connection = opened()
    connection.execute("CREATE TABLE IF NOT EXISTS t (x INTEGER)")
    KEPT.append(connection.transaction())
    KEPT[-1].__enter__()
    connection.execute("INSERT INTO t VALUES (1)")


def arrow() -> None:
    """An Arrow stream has been handed out and never read."""
    cursor = opened().execute("SELECT 1 AS x")
    KEPT.append(cursor.__arrow_c_stream__())


def cycle() -> None:
    """Only a cycle that is never collected holds the connection."""
    gc.disable()
    loop: list[Any] = [connect("sqlite://:memory:")]
    loop.append(loop)


def late() -> None:
    """A function asks a query while the interpreter ends."""
    connection = opened()
    atexit.register(lambda: connection.execute("SELECT 1").fetchall())


def daemon() -> None:
    """A daemon thread is in the engine when the interpreter ends."""
    connection = opened()
    endless = ASLEEP if server() else ENDLESS

    def work() -> None:
        # The question of the other thread may be inside just now, and is short.
        while is_refused(connection, endless):
            pass

    threading.Thread(target=work, daemon=True).start()
    # Until the thread is in C it could not be told from one that never began.
    while not is_refused(connection, "SELECT 1"):
        pass


def is_refused(connection: Any, sql: str) -> bool:
    """Run a statement; say whether another thread was using the connection."""
    try:
        connection.execute(sql)
    except import_module("engineroom.errors").UsedByAnotherThread:
        return True
    return False


def leaving() -> None:
    """The program leaves from within a block."""
    with opened() as connection:
        connection.execute("SELECT 1")
        sys.stdout.write("done\n")
        sys.exit(0)


WAYS = {
    way.__name__: way
    for way in (closed, reading, writing, arrow, cycle, late, daemon, leaving)
}
# Those that leave OpenSSL at work while the interpreter, and then the C library, end.
WAYS_OF_SERVER = ("reading", "late", "daemon")

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
    sys.stdout.write("done\n")
