"""`engineroom check`: which services of a repository lack targets they need."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from engineroom.check import Answer, Report
    from engineroom.check.findings import Service
    from engineroom.cli.render import Render

__all__ = ["HELP", "configure", "run"]

HELP = "find the services of a repository that lack targets they need"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a folder to check, or a file to whose service the check is narrowed;"
        " the working folder if none is given; may be given again",
    )
    parser.add_argument(
        "--format",
        choices=("table", "json", "sarif", "github"),
        default="table",
        help="how to show what was found (default: table)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="write missing targets into the schemas, then check once more",
    )
    parser.add_argument(
        "--staged",
        action="store_true",
        help="check what git has staged, and only what concerns it",
    )
    parser.add_argument(
        "--store",
        dest="stores",
        action="append",
        default=[],
        metavar="SOURCE",
        help="ask this store's folder or index whether it has the wheels that are"
        " locked or needed; may be given again; without it no store is asked",
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="ask the stores that ENGINEROOM_FETCH_FROM names",
    )


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Check, report, and return 1 if a service lacks something, 0 otherwise."""
    if arguments.fix and arguments.staged:
        render.note("engineroom check: --fix changes files, and --staged reads none")
        return 2
    addresses = _addresses(arguments)
    if arguments.online and not addresses:
        render.note("engineroom check: --online, and ENGINEROOM_FETCH_FROM is not set")
        return 2
    from engineroom.check import check

    answers = _ask(addresses, render)
    reports = check(
        arguments.paths,
        staged=arguments.staged,
        fix=arguments.fix,
        answers=answers,
    )
    _print("json" if arguments.json else arguments.format, reports, answers, render)
    return 1 if any(report.has_errors for report in reports) else 0


def _addresses(arguments: argparse.Namespace) -> list[str]:
    """Return the stores to ask: nothing leads to the network that was not named."""
    stores: list[str] = arguments.stores
    if arguments.online:
        from engineroom.fetch.settings import FROM

        stores = [*stores, *os.environ.get(FROM, "").split()]
    return stores


def _ask(addresses: Sequence[str], render: Render) -> list[Answer]:
    """Ask stores which wheels of engineroom they have."""
    if not addresses:
        return []
    from engineroom.check import Answer, StoredWheel
    from engineroom.errors import SourceFailed
    from engineroom.fetch import offers_of, open_source

    answers: list[Answer] = []
    with render.progress("Asking stores") as progress:
        for source in map(open_source, addresses):
            progress.update(f"Asking {source.shown}")
            try:
                offers = offers_of(source)
            except SourceFailed as error:
                problem = f"{error.code}: {error.message}"
                answers.append(Answer(source.shown, (), problem))
                continue
            wheels = [
                StoredWheel(o.name.text, o.name.version, o.name.platforms, o.sha256)
                for o in offers
            ]
            answers.append(Answer(source.shown, tuple(wheels)))
    return answers


def _print(
    form: str, reports: Sequence[Report], answers: Sequence[Answer], render: Render
) -> None:
    """Print what was found in one of the forms."""
    if form == "json":
        render.json(_as_json(reports, answers))
    elif form == "sarif":
        from engineroom.check.formats import sarif
        from engineroom.version import __version__

        render.json(sarif(reports, __version__))
    elif form == "github":
        from engineroom.check.formats import github_lines

        for line in github_lines(reports):
            render.line(line)
    else:
        _show(reports, render)


def _as_json(reports: Sequence[Report], answers: Sequence[Answer]) -> dict[str, object]:
    """Return everything in the documented form."""
    from engineroom.check import FORMAT

    is_bad = any(report.has_errors for report in reports)
    return {
        "format": FORMAT,
        "verdict": "fails" if is_bad else "ok",
        "folders": [report.as_json() for report in reports],
        "stores": [
            {"store": one.store, "wheels": len(one.wheels), "problem": one.problem}
            for one in answers
        ],
    }


def _show(reports: Sequence[Report], render: Render) -> None:
    services = [(report, one) for report in reports for one in report.services]
    if services:
        columns = ["service", "uses it", "targets", "status"]
        rows = [_row(report, service) for report, service in services]
        if any(service.lock for _, service in services):
            columns.insert(3, "locked")
            for row, (_, service) in zip(rows, services):
                row.insert(3, service.locked)
        render.table(columns, rows)
        render.line()
    for report in reports:
        for path in report.fixed:
            render.line(f"fixed {report.shown(path)}")
        for found in report.all_findings:
            place = f"{report.shown(found.file)}:{found.line}"
            render.line(f"{place}: {found.level} {found.rule}: {found.message}")
            if found.hint:
                render.line(f"  hint: {found.hint}")
    render.line(_summary(reports))


def _row(report: Report, service: Service) -> list[str]:
    status = service.status
    if service.missing:
        status += f": {', '.join(service.missing)} missing"
    targets = ", ".join(service.configured) or ("none" if service.schemas else "")
    if service.uses and not targets:
        targets = "those of the wheels"
    uses = ", ".join(service.uses) or "no"
    return [report.shown(service.path), uses, targets, status]


def _summary(reports: Sequence[Report]) -> str:
    services = [service for report in reports for service in report.services]
    if not services:
        return "Nothing here uses Engineroom or Prisma."
    counts = {
        status: sum(1 for service in services if service.status == status)
        for status in ("fails", "cannot tell", "ok", "not affected")
    }
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    noun = "service" if len(services) == 1 else "services"
    return f"{len(services)} {noun}: {told}"
