"""`engineroom health`: asks a database once, and says in a line whether it answered.

Made for containers, which start it anew for each probe: what it imports is what a query
needs. A service asks itself instead, by `engineroom.health.health_app()`, because a
process of its own tells nothing about the service's connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import engineroom

if TYPE_CHECKING:
    import argparse

    from engineroom.cli.render import Render

__all__ = ["HELP", "configure", "run"]

HELP = "ask a database once whether it answers"

UNHEALTHY = 8


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("url", metavar="URL", help="such as postgresql://shop@db/shop")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=1.0,
        metavar="SECONDS",
        help="how long to wait, connecting with it (default: 1)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.01 <= seconds <= 3600:
        raise ValueError(text)
    return seconds


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Ask, and return 0 if it answered and 8 if it did not."""
    seconds = arguments.timeout
    with engineroom.open(
        arguments.url,
        start="first use",
        min_size=1,
        max_size=1,
        attempts=1,
        deadline_seconds=seconds,
        warm_up_seconds=seconds,
        health_seconds=seconds,
    ) as client:
        health = client.health()
    if arguments.json:
        render.json({"url": client.url, **health.as_dict()})
    elif health.error is None:
        render.line(f"healthy: {client.url} answered in {health.seconds * 1000:.1f} ms")
    else:
        why = health.error
        sentence = why.message.partition("\n")[0]
        render.line(f"unhealthy: {why.code} {why.fault}: {sentence}")
    return 0 if health.is_healthy else UNHEALTHY
