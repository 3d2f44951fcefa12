"""Fetches engines from stores into a folder that the loader reads.

For images, air gaps and other machines: what pip does for the machine at hand, this
does for any target. `fetch` fills a folder, `make_lock` records what every target gets.
Part of the delivery half: nothing here loads an engine, and the loader knows nothing of
this. docs/guides/fetch-engines.md tells how it is used.
"""

from __future__ import annotations

from engineroom.fetch.lockfile import write_lock
from engineroom.fetch.run import Fetched, fetch, make_lock, offers_of
from engineroom.fetch.signed import Signatures
from engineroom.fetch.source import Source, open_source
from engineroom.lockfile import LOCK_NAME, Lock, read_lock

__all__ = [
    "LOCK_NAME",
    "Fetched",
    "Lock",
    "Signatures",
    "Source",
    "fetch",
    "make_lock",
    "offers_of",
    "open_source",
    "read_lock",
    "write_lock",
]
