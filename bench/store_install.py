"""`pip install` from a store beside the same from a plain static folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from tests.store.wheels import make_wheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

VERSIONS = 40
WHEEL_BYTES = 2_000_000


def measure(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Install from each place in turn; give what each install took."""
    from engineroom.store import FolderTransport, publish

    wheels = [
        make_wheel(
            folder / "wheels", version=f"1.{n}", files={"data": os.urandom(WHEEL_BYTES)}
        )
        for n in range(VERSIONS)
    ]
    publish(FolderTransport(folder / "store"), wheels)
    _make_plain(folder / "plain", wheels)
    taken: dict[str, list[float]] = {}
    with (
        _static(folder / "plain") as plain,
        _static(folder / "store") as static,
        _served(folder / "store") as served,
    ):
        places = {
            "plain folder": f"{plain}/simple/",
            "store in a folder, static": f"{static}/simple/",
            "store, served": f"{served}/simple/",
        }
        for turn in range(rounds + 1):
            for name, index_url in places.items():
                seconds = _install(index_url, folder / "target")
                if turn:  # The first only warms the disk's cache.
                    taken.setdefault(name, []).append(seconds)
    return taken


def _make_plain(folder: Path, wheels: list[Path]) -> None:
    """Lay out what people make by hand: wheels and one page that links to them."""
    project = folder / "simple" / "widget"
    project.mkdir(parents=True)
    links: list[str] = []
    for wheel in wheels:
        shutil.copy(wheel, project)
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        links.append(f'<a href="{wheel.name}#sha256={sha256}">{wheel.name}</a><br>')
    text = "<!DOCTYPE html>\n<html><body>\n" + "\n".join(links) + "\n</body></html>\n"
    (project / "index.html").write_text(text)


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def _static(root: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _served(root: Path) -> Iterator[str]:
    with serve(root) as (url, _):
        yield url.rstrip("/")


@contextlib.contextmanager
def serve(root: Path) -> Iterator[tuple[str, int]]:
    """Run `engineroom store serve`; give its address and its process."""
    words = [sys.executable, "-m", "engineroom", "store", "serve", "--store", str(root)]
    server = subprocess.Popen(
        [*words, "--port", "0", "--quiet", "--json"], stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        text = b""
        while True:
            line = server.stdout.readline()
            assert line, "the server ended before it was ready"
            text += line
            with contextlib.suppress(ValueError):
                yield json.loads(text)["url"], server.pid
                return
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def _install(index_url: str, target: Path) -> float:
    shutil.rmtree(target, ignore_errors=True)
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--isolated"]
    words += ["--disable-pip-version-check", "--no-cache-dir", "--no-deps"]
    words += ["--index-url", index_url, "--target", str(target), "widget"]
    start = time.perf_counter()
    subprocess.run(words, check=True)
    return time.perf_counter() - start
