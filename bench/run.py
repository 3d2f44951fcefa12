"""Runs every measurement against peers and prints ratios: `python -m bench.run`.

One interleaved run: in each round every driver does every task once, in a process of
its own, so that what the machine does meanwhile falls on all alike. Medians over the
rounds are compared; a ratio below 1 means that Engineroom took less. Row tasks are run
twice, as users have it and with cyclic collection off for all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib import metadata

from bench.data import make_database

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any


class Comparison:
    """One line of the table.

    Attributes:
        title: what is compared.
        task: the task, as in bench/task.py.
        ours: our driver.
        peers: theirs, with the ratio that is aimed at for each; None where none is.
        measure: the key of what is compared.
        options: further words for the task.
        limit: an absolute limit instead of a ratio, in the measure's unit.
        rounds: how many rounds at the most.
    """

    def __init__(
        self,
        title: str,
        task: str,
        ours: str,
        peers: dict[str, float | None],
        *,
        measure: str = "seconds",
        options: tuple[str, ...] = (),
        limit: float | None = None,
        rounds: int = 99,
    ) -> None:
        self.title = title
        self.task = task
        self.ours = ours
        self.peers = peers
        self.measure = measure
        self.options = options
        self.limit = limit
        self.rounds = rounds

    def runs(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for driver in (self.ours, *self.peers):
            yield self.task, driver, self.options


ROWS: dict[str, float | None] = {"apsw": 0.75, "sqlite3": 0.48}
OFF = ("nogc",)
COMPARISONS = (
    Comparison("mixed rows, values as declared", "mixed", "engineroom", ROWS),
    Comparison(
        "mixed rows, values as declared", "mixed", "engineroom", ROWS, options=OFF
    ),
    Comparison("mixed rows, values as stored", "mixed", "engineroom-stored", ROWS),
    Comparison(
        "mixed rows, values as stored", "mixed", "engineroom-stored", ROWS, options=OFF
    ),
    Comparison(
        "mixed rows, all convert bool and datetime", "converted", "engineroom", ROWS
    ),
    Comparison("rows of integers", "integers", "engineroom", ROWS),
    Comparison("rows of integers", "integers", "engineroom", ROWS, options=OFF),
    Comparison(
        "Arrow table", "arrow", "engineroom", {"adbc": 0.55, "connectorx": 0.55}
    ),
    Comparison("one-row select", "point", "engineroom", {"apsw": 1.0, "sqlite3": None}),
    Comparison(
        "one-row select in a transaction",
        "point_in_transaction",
        "engineroom",
        {"apsw": None, "sqlite3": None},
    ),
    Comparison(
        "executemany of 200,000", "insert", "engineroom", {"apsw": 0.7, "sqlite3": None}
    ),
    Comparison(
        "import and first answer",
        "first_answer",
        "engineroom",
        {"sqlite3": 3.0, "apsw": None},
    ),
    Comparison(
        "peak memory of fetchall, mixed",
        "mixed",
        "engineroom",
        {"apsw": 1.0},
        measure="peak_bytes",
    ),
    Comparison(
        "peak memory of fetchall, integers",
        "integers",
        "engineroom",
        {"apsw": 1.0},
        measure="peak_bytes",
    ),
    Comparison("import alone", "import_alone", "engineroom", {}, limit=0.010),
    Comparison(
        "memory for a scan of 10,000,000 rows",
        "scan",
        "engineroom",
        {},
        measure="growth_bytes",
        limit=64 * 1024 * 1024,
        rounds=1,
    ),
    Comparison("Ctrl-C to KeyboardInterrupt", "interrupt", "engineroom", {}, limit=0.1),
)


def measure(
    task: str, driver: str, options: Sequence[str], database: str
) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.task", task, driver, database, *options],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    taken: dict[str, Any] = json.loads(done.stdout)
    return taken


def measure_all(
    comparisons: Sequence[Comparison], rounds: int, database: str
) -> dict[str, list[dict[str, Any]]]:
    """Return what every run took, by its words."""
    taken: dict[str, list[dict[str, Any]]] = {}
    for turn in range(rounds):
        done: set[str] = set()
        for comparison in comparisons:
            for task, driver, options in comparison.runs():
                name = " ".join((task, driver, *options))
                if name in done or turn >= comparison.rounds:
                    continue
                done.add(name)
                note(f"round {turn + 1} of {rounds}: {name}")
                result = measure(task, driver, options, database)
                taken.setdefault(name, []).append(result)
    note("")
    return taken


def note(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def in_words(value: float, unit: str) -> str:
    if unit.endswith("bytes"):
        return f"{value / 1024 / 1024:.1f} MiB"
    return f"{value * 1e3:.2f} ms"


def lines_of(
    comparison: Comparison, taken: dict[str, list[dict[str, Any]]]
) -> Iterator[tuple[str, ...]]:
    """Yield a line of the table for each peer."""

    def median(driver: str, key: str) -> float:
        name = " ".join((comparison.task, driver, *comparison.options))
        return float(statistics.median(run[key] for run in taken[name]))

    title = comparison.title + (" (no gc)" if comparison.options else "")
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


def versions() -> str:
    import sqlite3

    import engineroom

    names = ("apsw", "pyarrow", "connectorx", "adbc-driver-sqlite")
    found = [f"engineroom {engineroom.__version__}"]
    found += [f"{name} {metadata.version(name)}" for name in names]
    return (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{', '.join(found)}, sqlite3 module with SQLite {sqlite3.sqlite_version}; "
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure against peers.")
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 to quote")
    parser.add_argument("--only", default="", help="only titles that hold this word")
    parser.add_argument("--database", help="where the data is kept")
    parser.add_argument("--json", help="also write every single figure to this file")
    arguments = parser.parse_args()
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    database = arguments.database or os.path.join(cache, "engineroom", "bench", "1.db")
    make_database(database)
    chosen = [c for c in COMPARISONS if arguments.only in c.title]
    taken = measure_all(chosen, arguments.rounds, database)
    head = ("what", "engineroom", "peer", "ratio", "of CPU", "aim", "")
    table = [head, *(line for c in chosen for line in lines_of(c, taken))]
    widths = [max(len(line[index]) for line in table) for index in range(len(head))]
    print(versions())
    print(f"medians over {arguments.rounds} rounds; a ratio below 1 means less\n")
    for line in table:
        print(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths)).rstrip()
        )
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"versions": versions(), "runs": taken}, file, indent=1)


if __name__ == "__main__":
    main()
