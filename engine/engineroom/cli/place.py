"""The options that say which store is meant: the same for every command with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from engineroom.store import Transport

__all__ = ["add_options", "index_of", "install_line", "open_place"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare them; each has a setting that counts where it is not given."""
    parser.add_argument(
        "--store",
        metavar="PLACE",
        help="the store: a folder, or `s3://bucket/prefix`; by default ENGINEROOM_STORE"
        " or what pyproject.toml says",
    )
    parser.add_argument(
        "--endpoint-url",
        metavar="URL",
        help="the server of a bucket, where it is not the region's own",
    )
    parser.add_argument("--region", metavar="NAME", help="the region of a bucket")
    parser.add_argument(
        "--single-writer",
        action="store_true",
        help="vouch that nobody else writes to the bucket at the same time, so that a"
        " server may be used that cannot keep writers apart",
    )


def open_place(arguments: argparse.Namespace) -> Transport:
    """Open the store that the options and settings name."""
    from engineroom.store import open_store, read_settings

    settings = read_settings(
        store=arguments.store,
        endpoint_url=arguments.endpoint_url,
        region=arguments.region,
        single_writer=arguments.single_writer,
    )
    return open_store(
        settings.store,
        endpoint_url=settings.endpoint_url,
        region=settings.region,
        single_writer=settings.single_writer,
    )


def index_of(transport: Transport, channel: str) -> str:
    """Give the address of a channel's index, straight at a place."""
    from engineroom.store import keys

    top = transport.index_url.removesuffix("simple/")
    return f"{top}{keys.channel_root(channel)}simple/"


def install_line(transport: Transport, projects: Iterable[str], channel: str) -> str:
    """Give what to type to install projects of a channel straight from a place."""
    names, index = tuple(projects), index_of(transport, channel)
    if index.startswith("file:") or transport.slash_pages:
        return f"pip install --index-url {index} {' '.join(names)}"
    # This server has nothing under the addresses that an index must have.
    links = " ".join(f"--find-links {index}{name}/index.html" for name in names)
    return f"pip install --no-index {links} {' '.join(names)}"
