"""The options that say which store is meant: the same for every command with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from engineroom.store import Transport

__all__ = ["add_options", "open_place"]


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
