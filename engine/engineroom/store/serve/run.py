"""The server's process: its socket, its limits, and how it ends.

The socket is opened here rather than by the server, so that a port in use is an error
like any other, and so that the address that is told takes connections already.
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uvicorn

from engineroom.errors import (
    ServeAddressUnusable,
    ServeCannotRedirect,
    ServeUrlInvalid,
)
from engineroom.store import keys
from engineroom.store.identity import read_store
from engineroom.store.serve.access import Access
from engineroom.store.serve.app import App

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from engineroom.store.transport import Transport

__all__ = ["Address", "run"]

# Beyond these, new readers are told to come back: memory stays bounded.
_CONNECTIONS_MAX = 1000
_BACKLOG = 1024
# How long downloads under way may take when the server is told to end.
_GRACE_SECONDS = 20
_IDLE_SECONDS = 15

_PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(?:/[A-Za-z0-9._~/-]*)?")


@dataclass(frozen=True)
class Address:
    """Where a server can be reached.

    Attributes:
        url: the address that readers use; ends in `/`.
        listens_at: the address of the process itself, which a proxy is given.
    """

    url: str
    listens_at: str

    @property
    def index_url(self) -> str:
        """The address that installers are given."""
        return f"{self.url}simple/"


def run(
    transport: Transport,
    *,
    host: str,
    port: int,
    tokens: tuple[str, ...],
    redirects: bool,
    public_url: str | None,
    ready: Callable[[Address], None],
) -> None:
    """Serve a store until SIGTERM or Ctrl-C; see `engineroom.store.serve.serve`."""
    base = None if public_url is None else _checked(public_url)
    read_store(transport)
    if redirects and transport.link(keys.IDENTITY, seconds=1) is None:
        raise ServeCannotRedirect(transport.address)
    app = App(transport, Access(tokens), redirects=redirects, public_url=base)
    with _listening(host, port) as listener:
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # A proxy's word about who asks is not believed: nothing depends on it.
            proxy_headers=False,
            ws="none",
            limit_concurrency=_CONNECTIONS_MAX,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = uvicorn.Server(config)
        with _signals_end(server):
            listens_at = _url_of(listener)
            ready(Address(base or listens_at, listens_at))
            asyncio.run(server.serve([listener]))


@contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket, None, None]:
    if not 0 <= port <= 65535:  # The system would take it modulo 65536.
        raise ServeAddressUnusable(host, port, "a port is a number from 0 to 65535")
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        listener = socket.create_server(
            address[:2], family=family, backlog=_BACKLOG, reuse_port=False
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ServeAddressUnusable(host, port, reason) from error
    # Connections inherit it. asyncio sets it by itself only where it has opened the
    # socket; without it the body of each answer waits 40 ms for the client's receipt.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listener:
        yield listener


@contextmanager
def _signals_end(server: uvicorn.Server) -> Generator[None, None, None]:
    """Let a signal end the server, and be an end like any other.

    The server has handlers of its own while it runs. These are there before, when the
    address is told already, and after: then it sends itself the signal once more, which
    would otherwise be a traceback or a death by signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread gets signals.
        return
    before = {
        number: signal.signal(number, server.handle_exit)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ServeUrlInvalid(url, str(error)) from error
    if parts.username is not None:
        # Shown without its password, and pages must show none either.
        raise ServeUrlInvalid(
            f"{parts.scheme}://…@{parts.hostname}", "it has a user name in it"
        )
    if not _PUBLIC_URL.fullmatch(url):
        reason = "it is no http or https address of plain letters without a query"
        raise ServeUrlInvalid(url, reason)
    return url if url.endswith("/") else f"{url}/"
