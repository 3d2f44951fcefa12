"""`python -m native.emulate`: executes darwin engines under a CPU emulator."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.errors import Error

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(words: Sequence[str] | None = None) -> int:
    """Run the gate and return its exit code: 1 if an engine does not pass."""
    parser = argparse.ArgumentParser(
        prog="python -m native.emulate", description=__doc__
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="WHEEL_OR_ENGINE",
        help="by default those for macOS in build/wheels",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a report too")
    parser.add_argument("--jobs", type=int, default=2, help="engines at once")
    parser.add_argument(
        "--server",
        default="",
        metavar="CONNINFO",
        help="a PostgreSQL that the engines of that backend connect to",
    )
    parser.add_argument(
        "--trace", action="store_true", help="write each call out of an image"
    )
    # What the processes are started with that this one starts.
    parser.add_argument("--expected", help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    if arguments.expected is not None:
        return _one(arguments.files[0], arguments.expected, is_traced=arguments.trace)
    try:
        return _all(arguments)
    except Error as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _all(arguments: argparse.Namespace) -> int:
    from native.emulate.run import as_json, run_files, table

    files = arguments.files or sorted(Path("build/wheels").glob("*macosx*.whl"))
    outcomes = run_files(
        files, jobs=arguments.jobs, trace=arguments.trace, server=arguments.server
    )
    sys.stdout.write(f"{table(outcomes)}\n")
    if arguments.json is not None:
        arguments.json.write_text(as_json(outcomes) + "\n", encoding="utf-8")
    return 0 if all(outcome.is_passed for outcome in outcomes) else 1


def _one(path: Path, expected: str, *, is_traced: bool) -> int:
    """Run one engine here, writing each check as a line of JSON."""
    from native.emulate.gate import BAD, Expected, run_gate

    def trace(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    verdicts = []
    wanted = Expected(**json.loads(expected))
    for check in run_gate(path, wanted, trace if is_traced else None):
        sys.stdout.write(f"{json.dumps(asdict(check))}\n")
        sys.stdout.flush()
        verdicts.append(check.verdict)
    return 1 if BAD in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
