"""A service that offers metrics over HTTP, and the monitor run against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import engineroom
from engineroom.metrics import CONTENT_TYPE, Metrics, prometheus

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = str(Path(engineroom.__file__).parents[1])


class Answer(Exception):
    """What an odd path of the service answers: a status, headers and a body."""

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        super().__init__()
        self.status = status
        self.body = body
        self.headers = headers


class Service:
    """Serves `/metrics.json` and `/metrics` of the metrics that it has.

    Attributes:
        metrics: what is counted; None for a service that is being started.
        odd: what other paths answer, by path.
        asked: the headers of each request.
    """

    def __init__(self) -> None:
        self.metrics: Metrics | None = Metrics(
            backend="postgres",
            url="postgresql://ann@db.example/shop",
            read_state=lambda: {"name": "ready", "since": None, "cause": None},
        )
        self.odd: dict[str, Callable[[], bytes]] = {}
        self.asked: list[dict[str, str]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.asked.append(dict(self.headers))
                try:
                    answer = Answer(200, service.body(self.path))
                except Answer as odd:
                    answer = odd
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, path: str = "/metrics.json", user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self._server.server_port}{path}"

    def body(self, path: str) -> bytes:
        if path in self.odd:
            return self.odd[path]()
        if self.metrics is None:
            raise Answer(503)
        if path.partition("?")[0] == "/metrics":
            return prometheus(self.metrics).encode()
        return json.dumps(self.metrics.snapshot()).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def command(*words: str) -> list[str]:
    """Return the command line that runs the monitor of this tree."""
    return [sys.executable, "-m", "engineroom", "monitor", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": SOURCE, "no_proxy": "127.0.0.1"}


def monitor(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the monitor to its end."""
    return subprocess.run(
        command(*words),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
