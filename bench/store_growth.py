"""What one publish of six wheels costs, from the first to the 20,000th file."""

from __future__ import annotations

import secrets
import shutil
import statistics
import time
from pathlib import Path
from typing import NamedTuple

from tests.store.servers import BUCKET
from tests.store.wheels import make_wheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engineroom.store import Transport

WHEELS = 6
WINDOWS = 10

# Builds of every commit of one project, and ever new projects with a release each.
KINDS = ("nightly builds", "projects")


class Grown(NamedTuple):
    """What each publish took.

    Attributes:
        seconds: of each, in order.
        cpu_seconds: of each, of the publisher.
        requests: how often each asked the place for something.
    """

    seconds: list[float]
    cpu_seconds: list[float]
    requests: list[int]

    def windows(self, *, of_cpu: bool = False) -> list[float]:
        """Give the median of each tenth."""
        taken = self.cpu_seconds if of_cpu else self.seconds
        size = max(len(taken) // WINDOWS, 1)
        starts = range(0, size * WINDOWS, size)
        return [statistics.median(taken[one : one + size]) for one in starts]


class _Counting:
    """A transport that counts what is asked of it."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return self._counted(value) if callable(value) else value

    def _counted(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            return work(*arguments, **options)

        return call


def grow(kind: str, place: str, folder: Path, releases: int) -> Grown:
    """Publish release after release; the wheels are made outside the time."""
    from engineroom.store import FolderTransport, publish
    from engineroom.store.s3 import S3Transport

    prefix = f"growth-{secrets.token_hex(6)}"
    inner: Transport
    if place.startswith("http"):
        inner = S3Transport(BUCKET, f"{prefix}/", endpoint_url=place)
    else:
        inner = FolderTransport(Path(place) / prefix)
    transport: Any = _Counting(inner)
    grown = Grown([], [], [])
    is_nightly = kind == "nightly builds"
    for turn in range(releases):
        wheels = [
            make_wheel(
                folder / str(turn),
                project="widget" if is_nightly else f"widget-{turn}",
                version=f"1.0.dev{turn}",
                tag=f"cp3{10 + number}-cp3{10 + number}-any",
            )
            for number in range(WHEELS)
        ]
        channel = "nightly" if is_nightly else "release"
        commit = f"{turn:040x}" if is_nightly else None
        transport.calls = 0
        cpu, start = time.process_time(), time.perf_counter()
        publish(transport, wheels, channel=channel, commit=commit)
        grown.seconds.append(time.perf_counter() - start)
        grown.cpu_seconds.append(time.process_time() - cpu)
        grown.requests.append(transport.calls)
        shutil.rmtree(folder / str(turn))
    return grown
