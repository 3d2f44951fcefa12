"""What a place holds beside what it should hold, for stores of any size.

To hold a listing against the journals both must be at hand, and a store may have
millions of objects. They are kept in a temporary file of SQLite's, which goes away by
itself, so that memory does not grow with the store.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engineroom.store import keys
from engineroom.store.transport import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Executor
    from types import TracebackType

    from engineroom.store.transport import Transport

__all__ = ["Blob", "Ledger", "scratch_database"]

_BATCH_ROWS = 10_000

# The folders that the blobs' folder is in; it has 256 folders of its own.
_ABOVE_BLOBS = ("blobs/",)

_SCHEMA = """
    CREATE TABLE listed(
        key TEXT PRIMARY KEY, size_bytes INTEGER, modified REAL, version TEXT
    ) WITHOUT ROWID;
    CREATE TABLE blobs(
        key TEXT PRIMARY KEY, sha256 TEXT, size_bytes INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE explained(key TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Blob:
    """Bytes that must be there.

    Attributes:
        key: where.
        sha256: their hash.
        size_bytes: their size, where the journal tells it.
    """

    key: str
    sha256: str
    size_bytes: int | None


def scratch_database(schema: str) -> sqlite3.Connection:
    """Make a database in a file that nobody else sees and that ends with it."""
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -32768")
    database.executescript(schema)
    # Never committed: nobody else reads it, and nothing of it is to be kept.
    database.execute("BEGIN")
    return database


class Ledger:
    """A listing of a place, and what the journals say should be there."""

    def __init__(self) -> None:
        self._database = scratch_database(_SCHEMA)
        # Listings come from several threads.
        self._lock = threading.Lock()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.close()

    def list_all(self, transport: Transport, pool: Executor) -> None:
        """Note what a listing of everything tells, asked for in parts at once."""
        blobs = [f"{keys.BLOBS}{name}/" for name in transport.folders(keys.BLOBS)]
        above = ("", *_ABOVE_BLOBS)
        inner = [f"{one}{name}/" for one in above for name in transport.folders(one)]
        deep = [one for one in inner if one not in (*_ABOVE_BLOBS, keys.BLOBS)]
        parts = [(one, False) for one in (*above, keys.BLOBS)]
        parts += [(one, True) for one in (*deep, *blobs)]

        def take(part: tuple[str, bool]) -> None:
            prefix, is_deep = part
            self.take_listing(transport.entries(prefix, is_deep=is_deep))

        for _ in pool.map(take, parts):
            pass

    def take_listing(self, entries: Iterable[Entry]) -> None:
        """Note what a listing tells."""
        rows = (
            (one.key, one.size_bytes, one.modified_seconds, one.version)
            for one in entries
        )
        while batch := list(itertools.islice(rows, _BATCH_ROWS)):
            self._write("INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?)", batch)

    def want(self, blobs: Iterable[Blob]) -> None:
        """Note bytes that must be there."""
        rows = [(one.key, one.sha256, one.size_bytes) for one in blobs]
        self._write("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?)", rows)
        self.explain(key for key, _, _ in rows)

    def spare(self, names: Iterable[str]) -> None:
        """Note bytes that may be there and may be gone."""
        rows = [(name,) for name in names]
        self._write("DELETE FROM blobs WHERE key = ?", rows)

    def explain(self, names: Iterable[str]) -> None:
        """Note objects that may be there."""
        rows = [(name,) for name in names]
        self._write("INSERT OR IGNORE INTO explained VALUES (?)", rows)

    def entry(self, key: str) -> Entry | None:
        """Give what the listing tells of an object."""
        row = self._database.execute(
            "SELECT * FROM listed WHERE key = ?", (key,)
        ).fetchone()
        return Entry(*row) if row else None

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """Give the listed keys under a prefix, sorted, from after one of them on."""
        rows = self._database.execute(
            "SELECT key FROM listed WHERE key > ? AND key < ? ORDER BY key",
            (after or prefix, f"{prefix}\x7f"),
        )
        return (row[0] for row in rows)

    def blobs(self) -> Iterator[tuple[Blob, int | None]]:
        """Give the bytes that must be there, each with the size that is listed."""
        for key, sha256, size_bytes, listed in self._database.execute(
            "SELECT blobs.key, sha256, blobs.size_bytes, listed.size_bytes"
            " FROM blobs LEFT JOIN listed USING (key) ORDER BY blobs.key"
        ):
            yield Blob(key, sha256, size_bytes), listed

    def unexplained(self) -> Iterator[Entry]:
        """Give what is listed and has not been explained, sorted by key."""
        for row in self._database.execute(
            "SELECT * FROM listed"
            " WHERE NOT EXISTS (SELECT 1 FROM explained WHERE key = listed.key)"
            " ORDER BY key"
        ):
            yield Entry(*row)

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._lock:
            self._database.executemany(statement, rows)
