"""A read-only web server for a store: pages for installers, and pages for people.

It adds nothing to a store and trusts it for everything: the pages it gives are the
stored ones, byte for byte. What it adds is one address for HTML and JSON, compression,
conditional and partial requests, tokens, and pages that a person can read.

The web stack is an extra, so nothing of it is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engineroom.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

    from engineroom.store.serve.run import Address
    from engineroom.store.transport import Transport

__all__ = ["serve"]


def serve(
    transport: Transport,
    *,
    host: str,
    port: int,
    tokens: tuple[str, ...] = (),
    redirects: bool = False,
    public_url: str | None = None,
    ready: Callable[[Address], None],
) -> None:
    """Serve a store until the process is told to end.

    Args:
        transport: where the store is.
        host: the host to listen on.
        port: the port, or 0 for any that is free.
        tokens: what readers must have one of; without any, everybody may read.
        redirects: whether wheels are fetched from the store's own place.
        public_url: the address that others use, where it is not the one asked for.
        ready: told the address when connections are taken.

    Raises:
        MissingExtra: when the web stack is not installed.
        ServeError: when it cannot be served as asked.
        StoreError: when there is no store, or it cannot be read.
    """
    try:
        from engineroom.store.serve.run import run
    except ImportError as error:
        name = (error.name or "starlette").partition(".")[0]
        raise MissingExtra("engineroom store serve", name, "serve") from error
    run(
        transport,
        host=host,
        port=port,
        tokens=tokens,
        redirects=redirects,
        public_url=public_url,
        ready=ready,
    )
