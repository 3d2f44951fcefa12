"""`python -m native.build`: the commands of the build, for people and for nox."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.errors import Error
from engineroom.platforms.select import select_targets
from native.build.cache import Cache, cache_root
from native.build.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

# Commands import what they need when they run: `fetch` needs no compiler.


def main(words: Sequence[str] | None = None) -> int:
    """Run a command of the build and return its exit code."""
    arguments = _parser().parse_args(words)
    report = Report()
    try:
        code: int = arguments.run(arguments, Cache(cache_root()), report)
    except Error as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was finished is kept\n")
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m native.build", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    add("fetch", _fetch, "Fetch the pinned sources into the cache.")

    engine = add("engine", _engine, "Compile engines.")
    _add_targets(engine)
    engine.add_argument(
        "--backend", action="append", default=[], help="a backend; all by default"
    )

    wheel = add("wheel", _wheel, "Build a wheel and print its path.")
    _add_targets(wheel)
    wheel.add_argument("--folder", type=Path, default=Path("build/wheels"))

    build = add("build", _build, "Build, audit and publish wheels; try this machine's.")
    build.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="a target, family or alias; `all`; `none` for the wheel without engines;"
        " by default those of this machine",
    )
    build.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="compilers at once"
    )

    native = add("native-tests", _native_tests, "Run the C tests under sanitisers.")
    native.add_argument("tests", nargs="*", metavar="TEST", help="such as test_arrow")

    return parser


def _add_targets(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="NAME",
        help="a target, family or alias; those of this machine by default",
    )


def _fetch(arguments: argparse.Namespace, cache: Cache, report: Report) -> int:
    from native.build.pins import load_sources
    from native.build.sources import ensure_source

    del arguments
    for source in load_sources().values():
        report.step(
            "source", f"{source.title} in {ensure_source(source, cache, report)}"
        )
    return 0


def _engine(arguments: argparse.Namespace, cache: Cache, report: Report) -> int:
    from native.build.backends import BACKENDS
    from native.build.engine import build_engines

    targets = select_targets(arguments.target or ["native"])
    backends = arguments.backend or tuple(BACKENDS)
    for engine in build_engines(targets, cache, report, backends=backends):
        report.step("engine", f"{engine.target} {engine.backend} {engine.path}")
    return 0


def _wheel(arguments: argparse.Namespace, cache: Cache, report: Report) -> int:
    from native.build.wheel import build_wheel

    del cache
    report.line(str(build_wheel(arguments.folder.absolute(), arguments.target)))
    return 0


def _build(arguments: argparse.Namespace, cache: Cache, report: Report) -> int:
    from native.build.first_light import first_light, is_native, told_next
    from native.build.settings import BUILD_TARGETS
    from native.build.shelf import wheel_groups
    from native.build.ship import Places, near, ship, told_wheels

    started = time.monotonic()
    set_names = os.environ.get(BUILD_TARGETS, "").replace(",", " ").split()
    names = arguments.targets or set_names or ["native"]
    places = Places()
    wheels = ship(wheel_groups(names), cache, report, places, jobs=arguments.jobs)
    following = [
        "",
        "Next:",
        "  nox -s verify        proves every wheel from its bytes",
        "  nox -s roots         installs and runs them in real systems",
    ]
    if len(wheels) == 1 and is_native(wheels[0].targets):
        first_light(wheels[0], report, places)
        following = told_next(places)
    report.line(f"\nDone in {time.monotonic() - started:.1f} s.\n")
    for line in told_wheels(wheels):
        report.line(f"  {line}")
    report.line()
    report.line(f"  wheels       {near(places.wheels)}")
    report.line(f"  store        {near(places.store)}")
    report.line("\n".join(following))
    return 0


def _native_tests(arguments: argparse.Namespace, cache: Cache, report: Report) -> int:
    from native.build.native_tests import run_native_tests

    outcomes = run_native_tests(cache, report, only=arguments.tests)
    failed = sum(not outcome.is_passed for outcome in outcomes)
    report.line(f"native: {len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
