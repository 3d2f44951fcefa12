"""`python -m native.ci`: the commands of continuous integration."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.errors import Error
from native.build.cache import Cache, cache_root
from native.build.report import Report
from native.ci import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

# Commands import what they need when they run: `matrix` has to work with a bare Python.


def main(words: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = _parser().parse_args(words)
    try:
        code: int = arguments.run(arguments, Report())
    except Error as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m native.ci", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    matrix = add("matrix", _matrix, "Print a matrix of CI as JSON.")
    legs = matrix.add_mutually_exclusive_group()
    for kind, text in (
        ("wheels", "one leg for each wheel (the default)"),
        ("targets", "one leg for each row of platforms.toml"),
        ("machines", "one leg for each kind of machine"),
    ):
        legs.add_argument(
            f"--{kind}", action="store_const", dest="legs", const=kind, help=text
        )
    matrix.set_defaults(legs="wheels")

    sdist = add("sdist", _sdist, "Make the sdist and print its path.")
    sdist.add_argument("--folder", type=Path, default=ROOT / "build" / "sdist")

    same = add("same", _same, "Fail unless two folders have the same engines.")
    same.add_argument("first", type=Path, metavar="FOLDER")
    same.add_argument("second", type=Path, metavar="FOLDER")

    release = add("release", _release, "Fail unless a folder is a whole release.")
    release.add_argument("folder", type=Path, metavar="FOLDER")
    release.add_argument("--tag", help="the git tag, which must name this version")

    publish = add("publish", _publish, "Publish the wheels of this version.")
    publish.add_argument("--folder", type=Path, default=ROOT / "build" / "wheels")
    publish.add_argument(
        "words", nargs="*", help="after `--`, words for `engineroom store publish`"
    )

    lint = add("lint", _lint, "Check the workflows with actionlint.")
    lint.add_argument("files", nargs="*", type=Path, metavar="FILE")

    here = add("cibuildwheel-here", _here, "Run cibuildwheel in a container made here.")
    here.add_argument("--folder", type=Path, default=ROOT / "build" / "cibuildwheel")
    return parser


def _matrix(arguments: argparse.Namespace, report: Report) -> int:
    from native.ci import matrix

    legs = {
        "wheels": matrix.wheel_legs,
        "targets": matrix.target_legs,
        "machines": matrix.machine_legs,
    }[arguments.legs]()
    report.line(json.dumps({"include": legs}))
    return 0


def _sdist(arguments: argparse.Namespace, report: Report) -> int:
    from native.ci.sdist import build_sdist

    report.line(str(build_sdist(arguments.folder.absolute())))
    return 0


def _same(arguments: argparse.Namespace, report: Report) -> int:
    from native.ci.compare import refuse_different

    for line in refuse_different(arguments.first, arguments.second):
        report.step("same", line)
    return 0


def _release(arguments: argparse.Namespace, report: Report) -> int:
    from native.ci.release import refuse_incomplete

    for name in refuse_incomplete(arguments.folder, arguments.tag):
        report.step("release", name)
    return 0


def _publish(arguments: argparse.Namespace, report: Report) -> int:
    from native.ci.publish import publish

    del report
    return publish(arguments.folder.absolute(), arguments.words)


def _lint(arguments: argparse.Namespace, report: Report) -> int:
    from native.ci.lint import refuse_faulty, workflow_files

    files = arguments.files or workflow_files()
    refuse_faulty(files, Cache(cache_root()))
    report.step("workflows", f"{len(files)} files are right")
    return 0


def _here(arguments: argparse.Namespace, report: Report) -> int:
    from native.ci.container import cibuildwheel_here

    cibuildwheel_here(Cache(cache_root()), report, arguments.folder.absolute())
    return 0


if __name__ == "__main__":
    sys.exit(main())
