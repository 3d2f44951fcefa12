"""`engineroom store serve`: the words around the web server."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from engineroom.cli.place import open_place
from engineroom.cli.store_answers import FORMAT

if TYPE_CHECKING:
    import argparse

    from engineroom.cli.render import Render
    from engineroom.store.serve.run import Address

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments besides the store's."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the host to listen on; 127.0.0.1 without it, which is this machine only",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=8000,
        help="the port to listen on; 8000 without it, and 0 takes one that is free",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="let in only who has a token of this file, one a line, or one of"
        " ENGINEROOM_SERVE_TOKENS",
    )
    parser.add_argument(
        "--redirect",
        action="store_true",
        help="send downloads to the bucket, by addresses that it signs for 15 minutes",
    )
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help="the address that others use, where a proxy stands before this server",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="log failures only, not every request"
    )
    parser.set_defaults(perform=run)


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Serve until told to end."""
    from engineroom.store.serve import serve
    from engineroom.store.serve.access import read_tokens
    from engineroom.store.serve.settings import TOKENS

    tokens = read_tokens(arguments.token_file, os.environ.get(TOKENS, ""))
    transport = open_place(arguments)
    _log_to(render, logging.WARNING if arguments.quiet else logging.INFO)

    def ready(address: Address) -> None:
        if arguments.json:
            value = {
                "format": FORMAT,
                "store": transport.address,
                "url": address.url,
                "index_url": address.index_url,
                "listens_at": address.listens_at,
                "needs_token": bool(tokens),
            }
            render.json(value)
        else:
            _print_ready(address, transport.address, bool(tokens), render)
        render.flush()

    serve(
        transport,
        host=arguments.host,
        port=arguments.port,
        tokens=tokens,
        redirects=arguments.redirect,
        public_url=arguments.public_url,
        ready=ready,
    )
    return 0


def _print_ready(
    address: Address, store: str, needs_token: bool, render: Render
) -> None:
    from engineroom.store.serve.access import USER

    index = address.index_url
    if needs_token:
        scheme, separator, rest = index.partition("://")
        index = f"{scheme}{separator}{USER}:TOKEN@{rest}"
    render.line(f"The store {store} is at {address.listens_at}")
    if address.url != address.listens_at:
        render.line(f"Others reach it at {address.url}")
    render.line()
    render.line(f"pip install --index-url {index} NAME")
    render.line(f"uv pip install --default-index {index} NAME")
    render.line()
    render.line("Ctrl-C ends it.")


def _log_to(render: Render, level: int) -> None:
    """Have the server's log written to standard error."""
    handler = _Handler(render)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name, least in (("engineroom.store.serve", level), ("uvicorn", "WARNING")):
        logger = logging.getLogger(name)
        logger.setLevel(least)
        logger.addHandler(handler)
        logger.propagate = False


class _Handler(logging.Handler):
    def __init__(self, render: Render) -> None:
        super().__init__()
        self._render = render

    def emit(self, record: logging.LogRecord) -> None:
        self._render.note(self.format(record))
