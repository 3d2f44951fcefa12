"""Runs every measurement against peers and prints ratios: `python -m bench`.

One interleaved run: in each round every driver does every task once, in a process of
its own, so that what the machine does meanwhile falls on all alike. Medians over the
rounds are compared; a ratio below 1 means that Engineroom took less. Row tasks are run
twice, as users have it and with cyclic collection off for all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib import metadata

from bench.plan import COMPARISONS, ONE_CORE, TWO_CORES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, Protocol

    from bench.plan import Comparison
    from tests.postgres.cluster import Cluster

    class Ground(Protocol):
        """A database to measure on.

        Attributes:
            packages: whose versions are told.
        """

        packages: tuple[str, ...]

        def command(self, task: str, driver: str, options: Sequence[str]) -> list[str]:
            """Return what does one measurement."""

        def arranged(self, options: Sequence[str]) -> AbstractContextManager[None]:
            """Keep the database as the options want it, for one measurement."""

        def version(self) -> str: ...


class SqliteGround:
    """A file, made once and kept in the cache."""

    packages: tuple[str, ...] = ("apsw", "pyarrow", "connectorx", "adbc-driver-sqlite")

    def __init__(self, path: str) -> None:
        from bench.data import make_database

        make_database(path)
        self._path = path

    def command(self, task: str, driver: str, options: Sequence[str]) -> list[str]:
        return ["bench.task", task, driver, self._path, *options]

    def arranged(self, options: Sequence[str]) -> AbstractContextManager[None]:
        del options  # None of them is the database's business.
        return contextlib.nullcontext()

    def version(self) -> str:
        import sqlite3

        return f"sqlite3 module with SQLite {sqlite3.sqlite_version}"


class PostgresGround:
    """A cluster of its own, which runs as long as the bench."""

    packages: tuple[str, ...] = (
        "psycopg", "psycopg-pool", "asyncpg", "psycopg2-binary", "uvloop", "pyarrow",
        "connectorx", "adbc-driver-postgresql",
    )  # fmt: skip

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._url = cluster.url(sslmode="disable")

    def command(self, task: str, driver: str, options: Sequence[str]) -> list[str]:
        words = ["bench.postgres", task, driver, self._url]
        for option in options:
            is_pinned = option in (ONE_CORE, TWO_CORES)
            words.append(f"cores={_cores()[0]}" if is_pinned else option)
        return words

    @contextlib.contextmanager
    def arranged(self, options: Sequence[str]) -> Iterator[None]:
        from bench.postgres_data import server_on

        cores = _cores()
        if ONE_CORE in options:
            cores = cores[:1]
        elif TWO_CORES in options:
            cores = cores[1:2] or cores
        with server_on(self._cluster, set(cores)):
            yield

    def version(self) -> str:
        return f"PostgreSQL {self._cluster.run('SHOW server_version')[0][0]}"


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return [0]


def measure(
    ground: Ground, task: str, driver: str, options: Sequence[str]
) -> dict[str, Any]:
    with ground.arranged(options):
        done = subprocess.run(
            [sys.executable, "-m", *ground.command(task, driver, options)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    taken: dict[str, Any] = json.loads(done.stdout)
    return taken


def measure_all(
    comparisons: Sequence[Comparison],
    rounds: int,
    grounds: dict[str, Ground],
    *,
    peers_only: bool,
) -> dict[str, list[dict[str, Any]]]:
    """Return what every run took, by its words."""
    taken: dict[str, list[dict[str, Any]]] = {}
    for turn in range(rounds):
        done: set[str] = set()
        for comparison in comparisons:
            for name, task, driver, options in comparison.runs():
                is_ours = driver == comparison.ours
                if (
                    name in done
                    or turn >= comparison.rounds
                    or (is_ours and peers_only)
                ):
                    continue
                done.add(name)
                note(f"round {turn + 1} of {rounds}: {name}")
                ground = grounds[comparison.backend]
                result = measure(ground, task, driver, options)
                taken.setdefault(name, []).append(result)
    note("")
    return taken


def note(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def in_words(value: float, unit: str) -> str:
    if unit.endswith("bytes"):
        return f"{value / 1024 / 1024:.1f} MiB"
    if unit.endswith("share"):
        return f"{value:.2%}"
    if unit.startswith("longest_to"):
        return f"{value:.2f}"
    if value < 1e-4:
        return f"{value * 1e6:.2f} us"
    return f"{value * 1e3:.2f} ms"


def lines_of(
    comparison: Comparison, taken: dict[str, list[dict[str, Any]]]
) -> Iterator[tuple[str, ...]]:
    """Yield a line of the table for each peer."""

    def median(driver: str, key: str) -> float:
        runs = taken[comparison.name_of(driver)]
        return float(statistics.median(run[key] for run in runs))

    title = comparison.full_title()
    if comparison.name_of(comparison.ours) not in taken:
        for peer in comparison.peers:
            value = in_words(median(peer, comparison.measure), comparison.measure)
            yield title, "", f"{peer} {value}", "", "", "", ""
        return
    ours = median(comparison.ours, comparison.measure)
    shown = in_words(ours, comparison.measure)
    if comparison.limit is not None:
        limit = in_words(comparison.limit, comparison.measure)
        verdict = "met" if ours <= comparison.limit else "FALLS SHORT"
        yield title, shown, "", "", "", f"at most {limit}", verdict
    for peer, aim in comparison.peers.items():
        theirs = median(peer, comparison.measure)
        ratio = ours / theirs
        cpu = ""
        if comparison.measure == "seconds":
            spent = median(comparison.ours, "cpu_seconds")
            cpu = f"{spent / median(peer, 'cpu_seconds'):.2f}"
        verdict = "" if aim is None else "met" if ratio <= aim else "FALLS SHORT"
        wanted = "" if aim is None else f"at most {aim:.2f}"
        theirs_shown = f"{peer} {in_words(theirs, comparison.measure)}"
        yield title, shown, theirs_shown, f"{ratio:.2f}", cpu, wanted, verdict


def versions(grounds: dict[str, Ground], *, peers_only: bool) -> str:
    names = sorted({name for ground in grounds.values() for name in ground.packages})
    found = [f"{name} {metadata.version(name)}" for name in names]
    if not peers_only:
        import engineroom

        found.insert(0, f"engineroom {engineroom.__version__}")
    found += [ground.version() for ground in grounds.values()]
    return (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{', '.join(found)}; "
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    )


def print_table(
    comparisons: Sequence[Comparison], taken: dict[str, list[dict[str, Any]]]
) -> None:
    head = ("what", "engineroom", "peer", "ratio", "of CPU", "aim", "")
    table = [head, *(line for c in comparisons for line in lines_of(c, taken))]
    widths = [max(len(line[index]) for line in table) for index in range(len(head))]
    for line in table:
        print(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths)).rstrip()
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure against peers.")
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 to quote")
    parser.add_argument("--only", default="", help="only titles that hold this word")
    parser.add_argument("--backend", choices=("sqlite", "postgres"), help="only on it")
    parser.add_argument("--peers", action="store_true", help="measure them alone")
    parser.add_argument("--database", help="where SQLite's data is kept")
    parser.add_argument("--json", help="also write every single figure to this file")
    return parser.parse_args()


def prepare(
    backends: set[str], database: str | None, stack: contextlib.ExitStack
) -> dict[str, Ground]:
    """Return the databases that are needed, ready to be asked."""
    grounds: dict[str, Ground] = {}
    if "sqlite" in backends:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        kept = os.path.join(cache, "engineroom", "bench", "1.db")
        grounds["sqlite"] = SqliteGround(database or kept)
    if "postgres" in backends:
        from bench.postgres_data import measured_cluster

        grounds["postgres"] = PostgresGround(stack.enter_context(measured_cluster()))
    return grounds


def main() -> None:
    arguments = parse()
    chosen = [
        comparison
        for comparison in COMPARISONS
        if arguments.only in comparison.full_title()
        and arguments.backend in (None, comparison.backend)
    ]
    peers_only = arguments.peers
    with contextlib.ExitStack() as stack:
        backends = {comparison.backend for comparison in chosen}
        grounds = prepare(backends, arguments.database, stack)
        told = versions(grounds, peers_only=peers_only)
        taken = measure_all(chosen, arguments.rounds, grounds, peers_only=peers_only)
    print(told)
    print(f"medians over {arguments.rounds} rounds; a ratio below 1 means less\n")
    print_table(chosen, taken)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"versions": told, "runs": taken}, file, indent=1)


if __name__ == "__main__":
    main()
