"""`engineroom targets`: the systems Engineroom is built for, and which fit here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from engineroom.cli.render import Render
    from engineroom.platforms.target import Target

__all__ = ["HELP", "configure", "run"]

HELP = "list the systems that Engineroom is built for, and which of them fit here"

FORMAT = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Print the table of targets."""
    from engineroom.platforms.choose import judge
    from engineroom.platforms.probe import probe
    from engineroom.platforms.rows import TARGETS

    facts = probe()
    judged = [(target, judge(target, facts)) for target in TARGETS]
    if arguments.json:
        render.json(
            {
                "format": FORMAT,
                "process": str(facts),
                "targets": [
                    {
                        **target.fields(),
                        "fits": verdict.word == "fits",
                        "verdict": verdict.word,
                        "reason": verdict.reason,
                    }
                    for target, verdict in judged
                ],
            }
        )
        return 0
    render.table(
        ("target", "oldest system", "OpenSSL", "wheel", "here"),
        [
            (
                target.id,
                _oldest_system(target),
                target.tls,
                target.wheel_tag,
                verdict.word,
            )
            for target, verdict in judged
        ],
    )
    render.line()
    render.line(f"This process is {facts}.")
    aliases = ", ".join(
        f"{alias} ({target.id})" for target in TARGETS for alias in target.aliases
    )
    render.line(f"Other names that are understood: {aliases}.")
    return 0


def _oldest_system(target: Target) -> str:
    return f"{'macOS' if target.os == 'darwin' else target.libc} {target.libc_floor}"
