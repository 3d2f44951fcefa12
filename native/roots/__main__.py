"""`python -m native.roots`: try the built wheels in real systems."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.errors import Error
from native.build.cache import Cache, cache_root
from native.build.report import Report
from native.roots.enter import find_emulator
from native.roots.rows import ROOTS, TREES, select_rows
from native.roots.table import Result, as_json, log_text, table
from native.roots.trees import Trees
from native.roots.trial import Outcome, try_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from native.roots.rows import Row
    from native.roots.server import Server

__all__ = ["main"]

_LOGS = Path("build/roots")


def main(words: Sequence[str] | None = None) -> int:
    """Try the wheels; return 0 if every root passed, else 1."""
    arguments = _parser().parse_args(words)
    report = Report()
    if arguments.list:
        for row in ROOTS:
            report.step(f"{row.name:<14}", f"{row.libc}, {row.target or 'no engine'}")
        return 0
    try:
        rows = select_rows(arguments.only)
        results = _try_all(rows, arguments, report)
    except Error as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; roots that were finished are kept\n")
        return 130
    report.line(f"\n{table(results)}\n")
    if arguments.json:
        text = json.dumps(as_json(results), indent=1)
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(f"{text}\n", encoding="utf-8")
    bad = sum(not result.is_passed for result in results)
    report.line(f"roots: {len(results) - bad} passed, {bad} failed")
    return 1 if bad else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m native.roots", description=__doc__)
    add = parser.add_argument
    add("--only", nargs="+", default=[], metavar="NAME", help="these roots alone")
    add("--list", action="store_true", help="name the roots and end")
    add("--json", type=Path, metavar="FILE", help="write what was found there, too")
    add(
        "--wheels",
        type=Path,
        default=Path("build/wheels"),
        metavar="FOLDER",
        help="where the wheels are; build/wheels by default",
    )
    add("--fresh", action="store_true", help="make the roots anew, as for a newer sid")
    add(
        "--mirror",
        default="",
        metavar="URL",
        help="take Debian from there; from apt's own mirror by default",
    )
    return parser


def _try_all(
    rows: Sequence[Row], arguments: argparse.Namespace, report: Report
) -> list[Result]:
    cache = Cache(cache_root())
    cache.sweep()
    fresh = {row.tree for row in rows} if arguments.fresh else set()
    trees = Trees(cache, report, mirror=arguments.mirror, fresh=fresh)
    # One more than there are cores: some of them wait for the network.
    pool = ThreadPoolExecutor((os.cpu_count() or 1) + 1)
    # Imported here: what it makes certificates with is not needed to list the roots.
    from native.roots.server import started_server

    with started_server() as server:
        try:
            jobs = {
                row: pool.submit(
                    _try_one, row, trees, arguments.wheels, cache, report, server
                )
                for row in sorted(rows, key=_is_quick)
            }
            return [jobs[row].result() for row in rows]
        finally:
            pool.shutdown(cancel_futures=True)


def _is_quick(row: Row) -> bool:
    """Say whether a row can wait: it is neither compiled nor emulated."""
    tree = TREES[row.tree]
    return tree.kind != "musl" and find_emulator(tree.cpu) is None


def _try_one(
    row: Row, trees: Trees, wheels: Path, cache: Cache, report: Report, server: Server
) -> Result:
    started = time.monotonic()
    outcome: Outcome | None = None
    problem = ""
    try:
        with trees.hold(row.tree) as tree, cache.scratch() as work:
            outcome = try_row(
                row, tree, wheels=wheels, cache=cache, work=work, server=server
            )
    except Error as error:
        problem = str(error)
    log_path = _LOGS.absolute() / f"{row.name}.log"
    seconds = time.monotonic() - started
    result = Result(row, outcome, problem, seconds, log_path)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    log_path.write_text(log_text(result), encoding="utf-8")
    verdict = "passed" if result.is_passed else "FAILED"
    report.step(row.name, f"{verdict} in {seconds:.1f} s")
    return result


if __name__ == "__main__":
    sys.exit(main())
