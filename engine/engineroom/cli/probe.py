"""`engineroom store probe`: say whether a place can be trusted with a store."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from engineroom.cli.place import open_place
from engineroom.cli.store_answers import EXIT_STORE, FORMAT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from engineroom.cli.render import Render
    from engineroom.store import Probe

__all__ = ["configure"]


# Signed requests hold for a quarter of an hour; a minute apart is worth a word.
_CLOCK_SECONDS = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments besides the store's."""
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        metavar="N",
        help="how many races to run for one object each; 3 if not given",
    )
    parser.set_defaults(perform=_probe)


def _probe(arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.store import probe

    transport = open_place(arguments)
    with render.progress("Probing"):
        found = probe(transport, rounds=max(1, arguments.rounds))
    if arguments.json:
        value = asdict(found)
        value.update(
            format=FORMAT, store=transport.address, fit_for_publishing=found.is_fit
        )
        render.json(value)
    else:
        render.table(("question", "answer", "what it means"), list(_rows(found)))
        verdict = "is fit" if found.is_fit else "is not fit"
        render.line(f"{transport.address} {verdict} for several publishers at once.")
    return 0 if found.is_fit else EXIT_STORE


def _rows(found: Probe) -> Iterator[tuple[str, str, str]]:
    answers = found.answers
    if answers is not None:
        yield "server", answers.server or "says nothing", ""
        yield (
            "a second writer is kept out",
            _yes(answers.puts_if_absent),
            "no publisher's work is lost" if answers.puts_if_absent else "one may be",
        )
    won = f"{found.lone_winners} of {found.rounds}" if found.rounds else "not run"
    yield "races with one winner", won, "the same, with 16 writers at one instant"
    if answers is not None:
        compares = answers.if_match != "ignored"
        yield (
            "pages are compared when replaced",
            f"{_yes(compares)}, ETag {answers.if_match}" if compares else "no",
            "one write each" if compares else "written, read back and repeated",
        )
        yield (
            "keys that end in `/` keep their page",
            _yes(answers.slash_pages),
            "installers may ask the bucket itself"
            if answers.slash_pages
            else "installers need `engineroom store serve`, or --find-links",
        )
        yield "a wrong sha256 is noticed", _yes(answers.sha256 == "checked"), ""
        yield "a wrong MD5 is noticed", _yes(answers.md5 == "checked"), ""
    yield "a write is listed at once", _yes(found.lists_at_once), ""
    ahead = found.clock_ahead_seconds
    yield (
        "its clock is ahead of ours by",
        f"{round(ahead)} s",
        "set this machine's clock" if abs(ahead) > _CLOCK_SECONDS else "",
    )
    for key in found.left:
        yield "could not be removed", key, "this user may not delete; it does no harm"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
