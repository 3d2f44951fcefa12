"""Where the fault matrix is played: a database with two ledgers, and what is before it.

A stage knows its database from behind, not through the client that is tested: it makes
the tables, reads them at the end, and tells when nobody works there any more.
"""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
from postgres.cluster import OWNER
from postgres.programs import wait_until

from .files import Locker
from .ledger import Ledger
from .servers import small_disk, started_pair, started_small, tablespace_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres.cluster import Cluster

    from .gate import Gate
    from .servers import Pair

__all__ = [
    "TABLES", "FileStage", "ServerStage", "Stage", "file_stage", "gated_stage",
    "pair_stage", "small_disk_file_stage", "small_disk_stage", "small_stage",
]  # fmt: skip

# One table lets a number in twice and is compared; the other would refuse the second.
TABLES = ("kept_plainly", "kept_once")
_DISK_BYTES = 4 << 20
_MAKE = """
CREATE TABLE kept_plainly (number bigint, padding text);
CREATE TABLE kept_once (number bigint UNIQUE, padding text);
"""
_NUMBERS = " UNION ALL ".join(f"SELECT number FROM {table}" for table in TABLES)
_DROP = "DROP TABLE IF EXISTS kept_plainly, kept_once"


class ServerStage:
    """A PostgreSQL, with the gate before it if there is one.

    Attributes:
        cluster: the server that has the tables now.
        folder: of its small disk.
        gate: before it.
        ledger: of what is written into the tables.
        padding: what is written beside each number, as SQL.
        taken: connections that somebody else has.
        url: for the client.
    """

    def __init__(
        self,
        cluster: Cluster,
        url: str,
        *,
        gate: Gate | None = None,
        pair: Pair | None = None,
        folder: Path | None = None,
    ) -> None:
        self.cluster = cluster
        self.url = url
        self.ledger = Ledger()
        self.padding = "NULL"
        self.taken: list[psycopg.Connection[tuple[object, ...]]] = []
        self._gate, self._pair, self._folder = gate, pair, folder

    @property
    def gate(self) -> Gate:
        assert self._gate is not None, "this stage has no gate"
        return self._gate

    @property
    def pair(self) -> Pair:
        assert self._pair is not None, "this stage has no second server"
        return self._pair

    @property
    def folder(self) -> Path:
        assert self._folder is not None, "this stage has no disk of its own"
        return self._folder

    def take_all_places(self) -> None:
        """Take the place of every connection that the server has, as another user."""
        self.cluster.terminate(OWNER)
        while True:
            try:
                self.taken.append(psycopg.connect(self.cluster.url(user="other")))
            except psycopg.OperationalError:
                return

    def free_places(self) -> None:
        """Give them back."""
        while self.taken:
            self.taken.pop().close()

    def numbers(self) -> list[int]:
        """Return what both tables have, when nothing more can arrive."""
        wait_until(lambda: self.cluster.backends() == [], "all work has ended")
        return [int(row[0]) for row in self.cluster.run(_NUMBERS)]


class FileStage:
    """A SQLite file; see `ServerStage`.

    Attributes:
        locker: another process, which has it open too.
    """

    def __init__(self, path: Path, locker: Locker) -> None:
        self.path = path
        self.folder = path.parent
        self.locker = locker
        self.url = f"sqlite:///{path}"
        self.ledger = Ledger()
        self.padding = "NULL"

    def numbers(self) -> list[int]:
        """Return what both tables have."""
        with closing(sqlite3.connect(self.path)) as connection:
            return [number for (number,) in connection.execute(_NUMBERS)]


if TYPE_CHECKING:
    Stage = ServerStage | FileStage


@contextlib.contextmanager
def _with_tables(cluster: Cluster, make: str = _MAKE) -> Iterator[None]:
    cluster.run(f"SET ROLE {OWNER}; {_DROP}; {make}")
    try:
        yield
    finally:
        cluster.run(_DROP)


@contextlib.contextmanager
def gated_stage(server: Cluster, gate: Gate) -> Iterator[ServerStage]:
    """Give the server that most tests use, behind its gate."""
    url = server.url(port=gate.port, sslmode="disable")
    with _with_tables(server):
        yield ServerStage(server, url, gate=gate)


@contextlib.contextmanager
def small_stage(*_: object) -> Iterator[ServerStage]:
    """Give a server with few places."""
    with started_small() as cluster, _with_tables(cluster):
        stage = ServerStage(cluster, cluster.url())
        try:
            yield stage
        finally:
            stage.free_places()


@contextlib.contextmanager
def small_disk_stage(server: Cluster, *_: object) -> Iterator[ServerStage]:
    """Give the server, with the tables on a disk that can be filled."""
    with small_disk(_DISK_BYTES) as folder, tablespace_on(server, folder) as space:
        plain = "".join(
            f"ALTER TABLE {table} SET TABLESPACE {space};"
            f"ALTER TABLE {table} ALTER padding SET STORAGE PLAIN;"
            for table in TABLES
        )
        with _with_tables(server, _MAKE + plain):
            stage = ServerStage(server, server.url(), folder=folder)
            stage.padding = "repeat('x', 7000)"  # A row to a page: none finds room.
            yield stage


@contextlib.contextmanager
def pair_stage(*_: object) -> Iterator[ServerStage]:
    """Give a primary with its standby."""
    with started_pair() as pair:
        pair.primary.run(f"SET ROLE {OWNER}; {_MAKE}")
        yield ServerStage(pair.primary, pair.url(), pair=pair)


@contextlib.contextmanager
def file_stage(folder: Path) -> Iterator[FileStage]:
    """Give a file, and another process that may lock it."""
    path = folder / "test.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # As a client has left it.
        connection.executescript(_MAKE)
    with Locker(path) as locker:
        yield FileStage(path, locker)


@contextlib.contextmanager
def small_disk_file_stage(*_: object) -> Iterator[FileStage]:
    """Give a file on a disk that can be filled."""
    with small_disk(_DISK_BYTES) as folder, file_stage(folder) as stage:
        stage.padding = "zeroblob(7000)"
        yield stage
