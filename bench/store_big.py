"""A store of 100,000 files: what it costs to publish to it, verify it and serve it.

Its journals and bytes are laid down at once, as a publisher writes them, and `repair`
makes everything else; so it is a store that `verify` accepts.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.store_install import serve
from tests.store.wheels import make_wheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.store import File, Identity

WHEELS = 6
REQUESTS_PER_SECOND = 200
SERVED_SECONDS = 10
MEBIBYTE = 1 << 20

# As pip asks.
ASKED = {
    "Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.01",
    "Accept-Encoding": "gzip",
}


class Found(NamedTuple):
    """One figure and the most it may be; seconds, or bytes where it says memory."""

    what: str
    value: float
    limit: float

    def shown(self, value: float) -> str:
        if "memory" in self.what:
            return f"{value / MEBIBYTE:.0f} MiB"
        return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def measure(folder: Path, projects: int, releases: int) -> list[Found]:
    """Make the store and measure on it."""
    from engineroom.store import FolderTransport, publish, repair

    root = folder / "store"
    count = make_store(root, folder / "wheels", projects, releases)
    transport = FolderTransport(root)
    outcome = repair(transport)
    assert not outcome.problems, outcome.problems
    # The first to come reads all entries and leaves the checkpoint that lacks so far.
    publish(transport, [make_wheel(folder, project="widget-0", version="9998.0")])
    one_more = make_wheel(folder, project="widget-0", version="9999.0")
    start = time.perf_counter()
    publish(transport, [one_more])
    seconds = time.perf_counter() - start
    verify_seconds, verify_bytes = _verify_in_child(root)
    named = f"of {count} files"
    return [
        Found(f"publish one more {named}", seconds, 1.5),
        Found(f"verify {named}", verify_seconds, 60.0),
        Found(f"memory of verify {named}", verify_bytes, 512 * MEBIBYTE),
        *_serve(root),
    ]


def make_store(root: Path, wheels: Path, projects: int, releases: int) -> int:
    """Lay down blobs and journals; give how many files that is.

    All wheels have the bytes of one and names of their own: what is measured never
    looks into them.
    """
    from engineroom.store import FolderTransport, ensure_store, inspect_wheel

    identity, _ = ensure_store(FolderTransport(root), "2026-01-01T00:00:00Z")
    wheel = inspect_wheel(make_wheel(wheels))
    data = (wheels / wheel.file.name).read_bytes()
    for number in range(projects):
        _lay_down(
            root,
            identity,
            f"widget-{number}",
            releases,
            wheel.file,
            data,
            wheel.metadata,
        )
    return projects * releases * WHEELS


def _lay_down(
    root: Path,
    identity: Identity,
    project: str,
    releases: int,
    pattern: File,
    data: bytes,
    metadata: bytes,
) -> None:
    from engineroom.store import keys
    from engineroom.store.entry import PUBLISH, Entry, encode_entry
    from engineroom.store.names import parse_wheel_name
    from engineroom.store.publish import TOOL

    previous = ""
    for turn in range(releases):
        files: list[File] = []
        for wheel in range(WHEELS):
            tag = f"cp3{10 + wheel}-cp3{10 + wheel}-any"
            name = parse_wheel_name(f"{project.replace('-', '_')}-1.{turn}-{tag}.whl")
            files.append(
                replace(
                    pattern,
                    name=name.text,
                    identity=name.identity,
                    version=name.version,
                )
            )
            _write(root, keys.blob(pattern.sha256, name.text), data)
            _write(root, keys.metadata(pattern.sha256, name.text), metadata)
        entry = Entry(
            number=turn + 1,
            previous=previous,
            action=PUBLISH,
            publish_id=f"{turn:032x}",
            time="2026-01-01T00:00:00Z",
            tool=TOOL,
            files=tuple(files),
            channel=keys.RELEASE,
        )
        body = encode_entry(entry, identity, project)
        _write(root, keys.journal_entry(project, turn + 1), body)
        previous = hashlib.sha256(body).hexdigest()


def _write(root: Path, key: str, data: bytes) -> None:
    path = root / key
    try:
        path.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True)
        path.write_bytes(data)


def _verify_in_child(root: Path) -> tuple[float, int]:
    """Verify a store in a process of its own; give its time and most memory."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "bench.store_big", str(root)])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, f"verify: exit {child.returncode}"
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, usage.ru_maxrss * unit


def _serve(root: Path) -> list[Found]:
    """Ask for a project's page so many times a second, from eight connections."""
    import statistics

    with serve(root) as (url, process):
        address = urlsplit(url)
        taken: list[float] = []
        count = REQUESTS_PER_SECOND * SERVED_SECONDS
        connections = threading.local()

        def ask(number: int) -> float:
            if not hasattr(connections, "one"):
                connections.one = http.client.HTTPConnection(
                    address.hostname or "", address.port
                )
            wait = start + number / REQUESTS_PER_SECOND - time.perf_counter()
            time.sleep(max(wait, 0))
            began = time.perf_counter()
            connections.one.request(
                "GET", f"/simple/widget-{number % 5}/", headers=ASKED
            )
            answer = connections.one.getresponse()
            assert answer.status == 200
            answer.read()
            return time.perf_counter() - began

        start = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(ask, range(count)))
        memory = _peak_bytes(process)
    rate = f"at {REQUESTS_PER_SECOND} requests a second"
    return [
        Found(
            f"serve a project's page {rate}, median", statistics.median(taken), 0.010
        ),
        Found("memory of serve", memory, 512 * MEBIBYTE),
    ]


def _peak_bytes(process: int) -> int:
    text = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def main() -> None:
    from engineroom.store import FolderTransport
    from engineroom.store.verify import verify

    found = verify(FolderTransport(Path(sys.argv[1])))
    assert not found.findings, found.findings


if __name__ == "__main__":
    main()
