"""PostgreSQL servers for the faults that only a server or its machine can have."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import pytest
from postgres.cluster import OWNER, PASSWORDS, SUPERUSER, started_cluster
from postgres.programs import give_to_server, server_folder, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres.cluster import Cluster

__all__ = [
    "SMALL_CONNECTIONS", "Pair", "fill", "make_room", "read_only", "small_disk",
    "started_pair", "started_small", "tablespace_on",
]  # fmt: skip

# What is left for users of the small server: one place is the superuser's.
SMALL_CONNECTIONS = 4

_FILLER = "filler"


@contextlib.contextmanager
def started_small() -> Iterator[Cluster]:
    """Give a server that takes few connections."""
    places = str(SMALL_CONNECTIONS + 1)
    settings = {"max_connections": places, "superuser_reserved_connections": "1"}
    with started_cluster("small", settings=settings) as cluster:
        yield cluster


@contextlib.contextmanager
def small_disk(size_bytes: int) -> Iterator[Path]:
    """Give a folder on a disk of its own, in memory, that is soon full.

    A file system with a limit is the one way to the true error; for a user who may
    not mount one, the test is skipped.
    """
    with server_folder("disk") as folder:
        words = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs"]
        done = subprocess.run([*words, str(folder)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("A small disk needs a user who may mount a tmpfs")
        try:
            give_to_server(folder)
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no room on the disk of a folder; `make_room()` takes it back."""
    filler = (folder / _FILLER).open("wb", buffering=0)
    with filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write to a small disk for a while, not even root; nor have it open."""
    _remount(folder, "ro")
    try:
        yield
    finally:
        _remount(folder, "rw")


def _remount(folder: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True)


def make_room(folder: Path) -> None:
    """Let there be room again on a disk that `fill()` has filled."""
    (folder / _FILLER).unlink()


@contextlib.contextmanager
def tablespace_on(cluster: Cluster, folder: Path) -> Iterator[str]:
    """Give the name of a tablespace in a folder, in which users may make tables."""
    cluster.run(f"CREATE TABLESPACE small LOCATION '{folder}'")
    cluster.run(f"GRANT CREATE ON TABLESPACE small TO {OWNER}")
    try:
        yield "small"
    finally:
        cluster.run("DROP TABLESPACE small")


class Pair:
    """A primary, and a standby that has every commit before the client hears of it."""

    def __init__(self, primary: Cluster, standby: Cluster) -> None:
        self.primary = primary
        self.standby = standby

    def url(self, first_port: int | None = None, **options: object) -> str:
        """Return a URL that leads to whichever of the two takes writes.

        Args:
            first_port: where the first one is reached, when not at its own.
            options: more settings.
        """
        first = first_port or self.primary.port
        url = self.primary.url(port=first, target_session_attrs="read-write", **options)
        here = f"127.0.0.1:{first}"
        return url.replace(here, f"{here},127.0.0.1:{self.standby.port}")

    def promote(self) -> None:
        """Let the standby take the place of the primary, which has been killed."""
        assert self.standby.run("SELECT pg_promote(true, 30)") == [["t"]]


@contextlib.contextmanager
def started_pair() -> Iterator[Pair]:
    """Give a primary with a standby that follows it, both running.

    Both come from one template, so the standby needs no copy of the primary: it reads
    all that was written since.
    """
    kept = {"wal_keep_size": "64MB", "synchronous_standby_names": "*"}
    with started_cluster("primary", settings=kept) as primary:
        source = (
            f"host=127.0.0.1 port={primary.port} user={SUPERUSER} "
            f"password={PASSWORDS[SUPERUSER]}"
        )
        follow = {"primary_conninfo": source}
        with started_cluster("standby", settings=follow, is_standby=True) as standby:
            states = "SELECT sync_state FROM pg_stat_replication"
            wait_until(lambda: primary.run(states) == [["sync"]], "the standby follows")
            yield Pair(primary, standby)
