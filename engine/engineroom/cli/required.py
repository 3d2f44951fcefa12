"""The options that say for which targets a release must have engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ["add_options", "required_targets"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    required = parser.add_mutually_exclusive_group()
    required.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="NAME",
        help="a target, family or alias that a release with engines must have; may be"
        " given again. Without it, all that engineroom is built for",
    )
    required.add_argument(
        "--partial",
        action="store_true",
        help="let a release have engines for some targets only",
    )


def required_targets(arguments: argparse.Namespace) -> list[str]:
    """Give the ids of the targets that the options name."""
    from engineroom.platforms.select import select_targets

    named = [] if arguments.partial else arguments.target or ["all"]
    return [target.id for target in select_targets(named)]
