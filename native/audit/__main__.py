"""`python -m native.audit`: check wheels, and fail if one is not what it must be.

Exit codes: 0 all is right, 1 something was found, 2 the call is wrong or a tool is
missing, so that nothing was judged.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.errors import Error
from native.audit.compare import compare_wheel
from native.audit.report import block, document, summary, table
from native.audit.wheels import examine_wheel
from native.build.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from native.audit.wheels import Audit

__all__ = ["main"]

_FOUND, _USAGE = 1, 2
# Programs of others take most of the time, each in a process of its own.
_AT_ONCE = 2


def main(words: Sequence[str] | None = None) -> int:
    """Check wheels and return the exit code."""
    parser = _parser()
    arguments = parser.parse_args(words)
    started = time.monotonic()
    try:
        wheels = _find(arguments.wheels)
        if arguments.against is not None and not arguments.against.is_dir():
            raise FileNotFoundError(f"`{arguments.against}` is no folder")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            audits = list(pool.map(lambda p: _examine(p, arguments.against), wheels))
        if arguments.json is not None:
            text = json.dumps(document(audits), indent=1) + "\n"
            arguments.json.parent.mkdir(parents=True, exist_ok=True)
            arguments.json.write_text(text, encoding="utf-8")
    except (Error, OSError) as error:
        parser.exit(_USAGE, f"error: {error}\n")
    _tell(audits, Report(), is_long=arguments.all, seconds=time.monotonic() - started)
    return 0 if all(audit.is_ok for audit in audits) else _FOUND


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m native.audit",
        description="Check wheels and the engines in them by reading them.",
        epilog="exit code: 0 all is right, 1 something was found, 2 wrong call",
    )
    parser.add_argument(
        "wheels",
        nargs="*",
        type=Path,
        metavar="WHEEL_OR_FOLDER",
        default=[Path("build/wheels")],
        help="wheels, or folders with wheels; build/wheels by default",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the findings there, too"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FOLDER",
        help="wheels of another build, which must be the same bytes",
    )
    parser.add_argument(
        "--all", action="store_true", help="show what is right, too, not just count it"
    )
    return parser


def _find(places: Sequence[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for place in places:
        wheels = sorted(place.glob("*.whl")) if place.is_dir() else [place]
        if not wheels or not all(wheel.is_file() for wheel in wheels):
            raise FileNotFoundError(f"no wheel at `{place}`")
        found.update(dict.fromkeys(wheels))
    return list(found)


def _examine(path: Path, against: Path | None) -> Audit:
    audit = examine_wheel(path)
    if against is None:
        return audit
    return replace(audit, checks=(compare_wheel(path, against), *audit.checks))


def _tell(
    audits: Sequence[Audit], report: Report, *, is_long: bool, seconds: float
) -> None:
    for audit in audits:
        report.line(table(audit.checks) if is_long else block(audit))
        report.line()
    told = summary(audits)
    if told:
        report.line(f"{told}\n")
    bad = sum(not audit.is_ok for audit in audits)
    count = sum(len(audit.checks) for audit in audits)
    verdict = f"{bad} of them refused" if bad else "all right"
    report.line(f"{len(audits)} wheels, {count} checks, {seconds:.1f} s: {verdict}")


if __name__ == "__main__":
    sys.exit(main())
