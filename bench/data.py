"""The database that is measured on, made once and kept in the cache.

A million rows of (int8, float8, text of 20, bool, timestamp, nullable int4), and as
many of six integers. Values are random, so that no driver gains by repetition; the
seed is fixed, so that every run has the same file.
"""

from __future__ import annotations

import datetime
import os
import random
import sqlite3
import string

ROWS = 1_000_000
MIXED = "SELECT a, b, c, d, e, f FROM mixed"
INTEGERS = "SELECT a, b, c, d, e, f FROM integers"
POINT = "SELECT a, b, c, d, e, f FROM mixed WHERE id = ?"
MIXED_TABLE = (
    "CREATE TABLE mixed (id INTEGER PRIMARY KEY, a BIGINT, b DOUBLE PRECISION, c TEXT, "
    "d BOOLEAN, e TIMESTAMP, f INT4)"
)
INSERT = "INSERT INTO mixed (a, b, c, d, e, f) VALUES (?, ?, ?, ?, ?, ?)"

_ALPHABET = string.ascii_letters + string.digits
_START = datetime.datetime(2020, 1, 1)


def mixed_row(chance: random.Random) -> tuple[object, ...]:
    moment = _START + datetime.timedelta(microseconds=chance.randrange(10**14))
    return (
        chance.randrange(-(2**62), 2**62),
        chance.random() * 1e6,
        "".join(chance.choices(_ALPHABET, k=20)),
        chance.random() < 0.5,
        moment.isoformat(" "),
        None if chance.random() < 0.2 else chance.randrange(-(2**31), 2**31),
    )


def make_database(path: str) -> None:
    """Write the database to path, unless it is there."""
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    chance = random.Random(7)
    unfinished = f"{path}.{os.getpid()}"
    connection = sqlite3.connect(unfinished)
    connection.execute(MIXED_TABLE)
    connection.execute(
        "CREATE TABLE integers (id INTEGER PRIMARY KEY, a BIGINT, b BIGINT, c BIGINT, "
        "d BIGINT, e BIGINT, f BIGINT)"
    )
    connection.executemany(INSERT, (mixed_row(chance) for _ in range(ROWS)))
    connection.executemany(
        "INSERT INTO integers (a, b, c, d, e, f) VALUES (?, ?, ?, ?, ?, ?)",
        (tuple(chance.randrange(2**40) for _ in range(6)) for _ in range(ROWS)),
    )
    connection.commit()
    connection.close()
    os.replace(unfinished, path)
