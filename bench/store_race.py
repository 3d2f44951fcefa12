"""Eight publishers at once, each a process, beside s3pypi doing the same."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

from tests.store.servers import BUCKET
from tests.store.wheels import make_wheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PUBLISHERS = 8
WHEELS = 6


class Raced(NamedTuple):
    """What one race took and what was left of it.

    Attributes:
        tool: who ran.
        seconds: from the start of all to the end of the last.
        cpu_seconds: of the publishers, and not of the server.
        published: how many wheels were handed over.
        missing: how many of these an installer cannot find.
        gaps: how many numbers the journals lack; None for a tool without one.
    """

    tool: str
    seconds: float
    cpu_seconds: float
    published: int
    missing: int
    gaps: int | None

    @property
    def per_second(self) -> float:
        return self.published / self.seconds


def make_releases(folder: Path, releases: int, *, is_one_project: bool) -> None:
    """Write the wheels: a folder for each publisher, in it one for each release."""
    for runner in range(PUBLISHERS):
        project = "widget" if is_one_project else f"widget-{runner}"
        for turn in range(releases):
            for number in range(WHEELS):
                make_wheel(
                    folder / str(runner) / f"{turn:04d}",
                    project=project,
                    version=f"{turn}.{runner}",
                    tag=f"cp3{10 + number}-cp3{10 + number}-any",
                )


def race(tool: str, endpoint: str, folder: Path) -> Raced:
    """Let all publishers of a tool run at once in a place of their own."""
    prefix = f"race-{secrets.token_hex(6)}"
    wheels = {path.name for path in folder.rglob("*.whl")}
    with _publishers(tool, endpoint, prefix, folder) as children:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
        start = time.perf_counter()
        for child in children:
            assert child.stdin is not None
            child.stdin.write(b"\n")
            child.stdin.close()
        ended = [child.wait() for child in children]
        seconds = time.perf_counter() - start
        told = [child.stdout.read() for child in children if child.stdout]
    assert ended == [0] * PUBLISHERS, f"{tool} failed: {ended}"
    cpu = sum(map(float, told))
    is_ours = tool.startswith("engineroom")
    found, gaps = (_ours if is_ours else _theirs)(endpoint, prefix)
    return Raced(tool, seconds, cpu, len(wheels), len(wheels - found), gaps)


@contextmanager
def _publishers(
    tool: str, endpoint: str, prefix: str, folder: Path
) -> Iterator[list[subprocess.Popen[bytes]]]:
    words = [sys.executable, "-m", "bench.store_publisher", tool, endpoint, prefix]
    children = [
        subprocess.Popen(
            [*words, str(one)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for one in sorted(folder.iterdir())
    ]
    try:
        yield children
    finally:
        for child in children:
            assert child.stdout is not None
            child.stdout.close()
            if child.poll() is None:
                child.kill()
                child.wait()


def _ours(endpoint: str, prefix: str) -> tuple[set[str], int]:
    from pathlib import Path

    from engineroom.store import FolderTransport, Transport, list_projects
    from engineroom.store.s3 import S3Transport
    from tests.store.reader import visible, visible_json

    transport: Transport
    if endpoint.startswith("http"):
        transport = S3Transport(BUCKET, f"{prefix}/", endpoint_url=endpoint)
    else:
        transport = FolderTransport(Path(endpoint) / prefix)
    found: set[str] = set()
    gaps = 0
    for project in list_projects(transport):
        found |= visible(transport, project) & visible_json(transport, project)
        numbers = {int(key[-17:-5]) for key in transport.list(f"journal/{project}/")}
        gaps += max(numbers) - len(numbers)
    return found, gaps


def _theirs(endpoint: str, prefix: str) -> tuple[set[str], None]:
    """Read the index pages that s3pypi has left."""
    from engineroom.store.s3 import S3Transport

    transport = S3Transport(BUCKET, f"{prefix}/", endpoint_url=endpoint)
    found: set[str] = set()
    for key in transport.list(""):
        if key.endswith("/index.html"):
            stored = transport.get(key)
            assert stored is not None
            found.update(re.findall(r">([^<>]+\.whl)</a>", stored.data.decode()))
    return found, None
