"""`engineroom doctor`: shows what was found out, and says what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from engineroom.cli.render import Render
    from engineroom.doctor import Report, RootsReport

__all__ = ["HELP", "configure", "run"]

HELP = "explain which engine is used or why none is, and try a query"

EXIT_CODES = {"ok": 0, "problem": 1, "unknown": 2}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    subject = parser.add_mutually_exclusive_group()
    subject.add_argument(
        "url",
        nargs="?",
        metavar="URL",
        help="the database to query; one in memory if none is given",
    )
    parser.add_argument(
        "--backend",
        metavar="NAME",
        help="the backend to examine; that of the URL if none is given, or sqlite",
    )
    subject.add_argument(
        "--root",
        action="append",
        metavar="DIR",
        help="say which engine a Python in this other root folder would get, from its"
        " files alone; several make a table",
    )
    parser.add_argument(
        "--store",
        nargs="*",
        metavar="SOURCE",
        help="look also at these stores, or those of ENGINEROOM_FETCH_FROM: whether"
        " they answer, and with ENGINEROOM_STORE_KEY whether their signatures are good",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Examine, report, and return 0 for ok, 1 for a problem, 2 for cannot tell."""
    from engineroom.doctor import examine, examine_roots

    if arguments.root:
        roots = examine_roots(arguments.root)
        if arguments.json:
            render.json(roots.as_json())
        else:
            _show_roots(roots, render)
        return EXIT_CODES[roots.verdict]
    report = examine(arguments.backend, arguments.url, stores=arguments.store)
    if arguments.json:
        render.json(report.as_json())
    else:
        _show(report, render)
    return EXIT_CODES[report.verdict]


def _codes(value: dict[str, Any]) -> list[str]:
    """Return the codes that have a page, of the failures that a report tells of."""
    codes = {str(check["details"].get("code", "")) for check in value["checks"]}
    if codes == {""}:  # then nothing more is imported, which might be broken
        return []
    from engineroom.errors.pages import has_page

    return sorted(filter(has_page, codes))


def _show(report: Report, render: Render) -> None:
    value = report.as_json()
    render.line(f"{report.verdict}: {value['summary']}")
    if value["remedy"]:
        render.line(f"hint: {value['remedy']}")
    for code in _codes(value):
        render.line(f"more: `engineroom explain {code}`")
    render.line()
    render.table(
        ("check", "state", "finding"),
        [(c["name"], c["state"], c["text"]) for c in value["checks"]],
    )
    render.line()
    _show_facts(value["process"], render)
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


def _show_facts(facts: dict[str, Any], render: Render) -> None:
    render.table(
        ("fact", "value", "source"),
        [
            (
                name,
                "unknown" if fact["value"] is None else fact["value"],
                fact["source"],
            )
            for name, fact in facts.items()
        ],
    )


def _show_roots(report: RootsReport, render: Render) -> None:
    value = report.as_json()
    render.line(f"{report.verdict}: {value['summary']}")
    if value["remedy"]:
        render.line(f"hint: {value['remedy']}")
    render.line()
    render.table(
        ("root", "program", "system", "target", "verdict"),
        [
            (root["root"], program["path"], program["system"], *_answer(program))
            for root in value["roots"]
            for program in root["programs"]
        ],
    )
    for root in value["roots"]:
        if root["verdict"] != "ok":
            render.line()
            render.line(f"{root['root']}: {root['summary']}")
            render.line(f"hint: {root['remedy']}")
    first = value["roots"][0]["programs"][:1]
    if len(value["roots"]) == 1 and first and first[0]["facts"]:
        render.line()
        _show_facts(first[0]["facts"], render)
        render.line()
        render.table(
            ("candidate", "verdict", "reason"),
            [(c["target"], c["verdict"], c["reason"]) for c in first[0]["candidates"]],
        )


def _answer(program: dict[str, Any]) -> tuple[str, str]:
    return program["target"] or "none", program["verdict"]
