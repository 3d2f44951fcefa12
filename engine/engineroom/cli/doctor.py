"""`engineroom doctor`: shows what was found out, and says what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from engineroom.cli.render import Render
    from engineroom.doctor import Report

__all__ = ["HELP", "configure", "run"]

HELP = "explain which engine is used or why none is, and try a query"

EXIT_CODES = {"ok": 0, "problem": 1, "unknown": 2}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "url",
        nargs="?",
        metavar="URL",
        help="the database to query; one in memory if none is given",
    )
    parser.add_argument(
        "--backend",
        default="sqlite",
        metavar="NAME",
        help="the backend to examine; sqlite if none is given",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Examine, report, and return 0 for ok, 1 for a problem, 2 for cannot tell."""
    from engineroom.doctor import examine

    report = examine(arguments.backend, arguments.url)
    if arguments.json:
        render.json(report.as_json())
    else:
        _show(report, render)
    return EXIT_CODES[report.verdict]


def _show(report: Report, render: Render) -> None:
    value = report.as_json()
    render.line(f"{report.verdict}: {value['summary']}")
    if value["remedy"]:
        render.line(f"hint: {value['remedy']}")
    render.line()
    render.table(
        ("check", "state", "finding"),
        [(c["name"], c["state"], c["text"]) for c in value["checks"]],
    )
    render.line()
    render.table(
        ("fact", "value", "source"),
        [
            (
                name,
                "unknown" if fact["value"] is None else fact["value"],
                fact["source"],
            )
            for name, fact in value["process"].items()
        ],
    )
    render.line()
    for setting in value["settings"]:
        render.line(f"setting in force: {setting['name']}={setting['value']}")
    if not value["settings"]:
        render.line("No setting overrides the choice of the engine.")
    render.line()
    render.table(
        ("candidate", "verdict", "reason"),
        [(c["target"], c["verdict"], c["reason"]) for c in value["candidates"]],
    )
    # Below the table: a path is longer than any column should be.
    for path in dict.fromkeys(c["path"] for c in value["candidates"] if c["path"]):
        render.line(f"looked at {path}")
