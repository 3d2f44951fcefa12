"""`engineroom monitor`: watches a client, or judges it over a window."""

from __future__ import annotations

import argparse
import math
import time
from collections import deque
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from engineroom.metrics.gate import THRESHOLDS

if TYPE_CHECKING:
    from typing import Any

    from engineroom.cli.monitor_sources import Source
    from engineroom.cli.render import Render, Screen
    from engineroom.metrics.gate import Finding

__all__ = ["EXIT_GATE", "HELP", "configure", "run"]

HELP = "watch what a client counts, or judge it before a deploy goes on"

# What the gate ends with when it finds a problem.
EXIT_GATE = 9

# The form of what `--gate --json` prints.
FORMAT = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "url",
        metavar="URL",
        help="the address at which a service offers its metrics, as JSON or as"
        " Prometheus' text; or a database, which a client is then opened to",
    )
    parser.add_argument(
        "--interval",
        type=_seconds,
        default=1.0,
        metavar="SECONDS",
        help="how long to wait between two looks (default: 1)",
    )
    parser.add_argument(
        "--window",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="over how long rates are taken, and the gate judges (default: 30)",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long an answer may take (default: 5)",
    )
    parser.add_argument(
        "--top",
        type=int,
        default=10,
        metavar="NUMBER",
        help="how many shapes of statements to show (default: 10)",
    )
    parser.add_argument(
        "--gate",
        action="store_true",
        help="wait for the window and say what is found; exit code"
        f" {EXIT_GATE} if that is a problem",
    )
    parser.add_argument("--once", action="store_true", help="look once and end")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one snapshot, or with --gate the findings, as JSON",
    )
    for name, (default, meaning) in THRESHOLDS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_not_negative,
            default=default,
            metavar="NUMBER",
            help=f"{meaning} (default: {default:g})",
        )


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Watch until told to end, look once, or judge; return the exit code."""
    source = _open(arguments)
    try:
        if arguments.gate:
            return _gate(source, arguments, render)
        if arguments.once or arguments.json:
            _once(source, arguments, render)
        else:
            _watch(source, arguments, render)
    finally:
        source.close()
    return 0


def _open(arguments: argparse.Namespace) -> Source:
    from engineroom.cli.monitor_sources import Asker, Endpoint, is_endpoint

    kind = Endpoint if is_endpoint(arguments.url) else Asker
    return kind(arguments.url, timeout_seconds=arguments.timeout)


def _once(source: Source, arguments: argparse.Namespace, render: Render) -> None:
    from engineroom.cli.monitor_view import describe
    from engineroom.metrics.window import Window

    snapshot = source.snapshot()
    if arguments.json:
        render.json(snapshot)
    else:
        render.parts(describe(Window.since_the_start(snapshot), top=arguments.top))


def _watch(source: Source, arguments: argparse.Namespace, render: Render) -> None:
    """Show what happens until somebody ends it, which is no failure."""
    first = source.snapshot()
    screen = render.screen()
    with suppress(KeyboardInterrupt), screen or nullcontext():
        _look_on(source, first, arguments, render, screen)


def _look_on(
    source: Source,
    first: dict[str, Any],
    arguments: argparse.Namespace,
    render: Render,
    screen: Screen | None,
) -> None:
    from engineroom.cli.monitor_view import describe, headline, summary
    from engineroom.errors import MetricsNotUnderstood, MetricsUnreachable
    from engineroom.metrics.window import Window

    seen = deque([first])
    silence = ""
    if screen is None:
        render.line(headline(Window(first, first)))
    while True:
        window = Window(seen[0], seen[-1])
        if screen is not None:
            shown = describe(window, top=arguments.top)
            screen.show([silence, *shown] if silence else shown)
        elif silence or len(seen) > 1:
            render.line(silence or summary(window))
        render.flush()
        time.sleep(arguments.interval)
        try:
            seen.append(source.snapshot())
            silence = ""
        except (MetricsUnreachable, MetricsNotUnderstood) as error:
            # Services are started anew; who watches wants to see them come back.
            silence = f"{time.strftime('%H:%M:%S')}  {error.message}"
            continue
        while len(seen) > 2 and seen[1]["time"] <= seen[-1]["time"] - arguments.window:
            seen.popleft()


def _gate(source: Source, arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.metrics.gate import Thresholds, judge, verdict_of

    given = {name: getattr(arguments, name) for name in THRESHOLDS}
    begin = source.snapshot()
    with render.progress(f"Watching for {arguments.window:g} s"):
        end = _wait(source, arguments)
    findings = judge(begin, end, Thresholds(**given))
    verdict = verdict_of(findings)
    if arguments.json:
        render.json(
            {
                "format": FORMAT,
                "verdict": verdict,
                "window_seconds": end["time"] - begin["time"],
                "findings": [finding.as_dict() for finding in findings],
            }
        )
    else:
        _show(verdict, findings, render)
    return EXIT_GATE if verdict == "problem" else 0


def _wait(source: Source, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the snapshot at the end of the window.

    What is between is looked at as well: a client of our own asks its database only
    when it is looked at.
    """
    until = time.monotonic() + arguments.window
    while True:
        left = until - time.monotonic()
        time.sleep(max(min(left, arguments.interval), 0))
        snapshot = source.snapshot()
        if left <= arguments.interval:
            return snapshot


def _show(verdict: str, findings: list[Finding], render: Render) -> None:
    render.table(
        ("rule", "state", "finding"),
        [(one.word, one.state, one.sentence) for one in findings],
    )
    for one in findings:
        if one.hint:
            render.line(f"hint: {one.word}: {one.hint}")
    render.line(verdict)


def _seconds(text: str) -> float:
    """Read a length of time from the command line."""
    seconds = _not_negative(text)
    # A day is longer than anybody watches, and shorter than any timer's end.
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"`{text}` is no time from 0 s to a day")
    return seconds


def _not_negative(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number >= 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"`{text}` is no number from 0 upwards")
    return number
