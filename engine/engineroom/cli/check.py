"""`engineroom check`: which services of a repository lack targets they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from engineroom.check import Report
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


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Check, report, and return 1 if a service lacks something, 0 otherwise."""
    if arguments.fix and arguments.staged:
        render.note("engineroom check: --fix changes files, and --staged reads none")
        return 2
    from engineroom.check import check

    reports = check(arguments.paths, staged=arguments.staged, fix=arguments.fix)
    form = "json" if arguments.json else arguments.format
    if form == "json":
        from engineroom.check import FORMAT

        is_bad = any(report.has_errors for report in reports)
        folders = [report.as_json() for report in reports]
        verdict = "fails" if is_bad else "ok"
        render.json({"format": FORMAT, "verdict": verdict, "folders": folders})
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
    return 1 if any(report.has_errors for report in reports) else 0


def _show(reports: Sequence[Report], render: Render) -> None:
    rows = [_row(report, service) for report in reports for service in report.services]
    if rows:
        render.table(("service", "uses it", "targets", "status"), rows)
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


def _row(report: Report, service: Service) -> tuple[str, str, str, str]:
    status = service.status
    if service.missing:
        status += f": {', '.join(service.missing)} missing"
    targets = ", ".join(service.configured) or ("none" if service.schemas else "")
    if service.uses and not targets:
        targets = "those of the wheels"
    uses = ", ".join(service.uses) or "no"
    return report.shown(service.path), uses, targets, status


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
