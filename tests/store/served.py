"""The real server in a process of its own, as people run it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Served:
    """A running server."""

    url: str
    index_url: str
    listens_at: str
    log_path: Path
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        port = urlsplit(self.listens_at).port
        assert port is not None
        return port

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    def logs(self, pattern: str) -> bool:
        """Tell whether something comes to be in the log; it follows the answer."""
        deadline = time.monotonic() + 20
        while not re.search(pattern, self.log):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Answer:
        """Send one request; the path goes out as it is, escapes and all."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            has_host = "Host" in (headers or {})
            connection.putrequest(
                method, path, skip_host=has_host, skip_accept_encoding=True
            )
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, body)
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and give the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@contextmanager
def served(
    store: str,
    folder: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Run the server for a store; its log goes to a file in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    log_path = folder / "serve.log"
    command = [sys.executable, "-m", "engineroom", "store", "serve", "--store", store]
    with open(log_path, "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, "--port", "0", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **(environment or {})},
        )
    with process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                assert line, f"the server ended: {log_path.read_text()}"
                text += line
            ready = json.loads(text)
            addresses = ready["url"], ready["index_url"], ready["listens_at"]
            yield Served(*addresses, log_path, process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)
