"""Static web servers on loopback, as people put in front of a folder."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _JsonIndexHandler(SimpleHTTPRequestHandler):
    """The two lines that a web server needs to serve `json/`: index file and type."""

    extensions_map = {  # noqa: RUF012 - typed so by its base
        **SimpleHTTPRequestHandler.extensions_map,
        ".json": "application/vnd.pypi.simple.v1+json",
    }

    def __init__(self, *arguments: Any, asked: list[str], **options: Any) -> None:
        self._asked = asked
        super().__init__(*arguments, **options)

    def translate_path(self, path: str) -> str:
        is_page = path.startswith("/json/") and path.endswith("/")
        return super().translate_path(f"{path}index.json" if is_page else path)

    def log_message(self, *_: Any) -> None:
        self._asked.append(self.path)


@contextmanager
def serve_json(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a store's JSON pages; give their address and the paths asked for."""
    asked: list[str] = []
    handler = partial(_JsonIndexHandler, directory=str(root), asked=asked)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/json/", asked
        finally:
            server.shutdown()
            thread.join()
