"""Pages in memory: bounded, never older than a second, compressed once.

A page is asked for hundreds of times between two publishes. So its bytes are kept, a
burst of requests waits for one read of the store, and while a page stays the same its
compressed form and its entity tag stay too. What is kept is bounded in bytes; a page
too big to be kept is never in memory as a whole: its readers get it piece by piece.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from engineroom.store.transport import Transport

__all__ = ["Page", "PageCache", "PageTooBig"]

_Key = TypeVar("_Key")
_Result = TypeVar("_Result")

# Compressing harder takes twice the time for a twentieth of the bytes.
_GZIP_LEVEL = 6
# What the bookkeeping of one page weighs, so that tiny ones are bounded too.
_OVERHEAD_BYTES = 1024


class PageTooBig(Exception):
    """A page is too big to be kept in memory; `size_bytes` tells how big it is."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


@dataclass(eq=False)
class Page:
    """One object of the store, whole.

    Attributes:
        data: its bytes.
        version: the store's word for these bytes.
        sha256: their hash, for the entity tag.
        checked: when the store was last asked, by the cache's clock.
        compressed: the bytes compressed, once somebody has asked for them.
        is_kept: whether the cache still has it.
    """

    data: bytes
    version: str
    sha256: str
    checked: float
    compressed: bytes | None = None
    is_kept: bool = False

    @property
    def weight_bytes(self) -> int:
        """How much memory it takes."""
        return len(self.data) + len(self.compressed or b"") + _OVERHEAD_BYTES


class PageCache:
    """Gives pages from memory, and reads them from the store when their time is over.

    Only the event loop's thread calls it; the store is read in other threads.

    Args:
        transport: where the store is.
        bytes_max: how much memory the pages may take together.
        page_bytes_max: pages above this are not read.
        age_seconds: how long a page is given without asking the store.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        bytes_max: int = 128 << 20,
        page_bytes_max: int = 16 << 20,
        age_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._bytes_max = bytes_max
        self._page_bytes_max = page_bytes_max
        self._age_seconds = age_seconds
        self._clock = clock
        self._pages: OrderedDict[str, Page] = OrderedDict()
        self._reads: dict[str, asyncio.Task[Page | None]] = {}
        self._compressions: dict[Page, asyncio.Task[bytes]] = {}
        self.weight_bytes = 0

    async def find(self, key: str, *, is_fresh: bool = False) -> Page | None:
        """Give a page, or None when the store has none under this key.

        Args:
            key: the page.
            is_fresh: whether the store is asked at any rate.

        Raises:
            PageTooBig: when it should not be read into memory.
            StoreError: when the store cannot be read.
        """
        page = self._pages.get(key)
        age_seconds = 0.0 if is_fresh else self._age_seconds
        if page is not None and self._clock() - page.checked < age_seconds:
            self._pages.move_to_end(key)
            return page
        task = self._reads.get(key)
        if task is None:
            task = asyncio.create_task(self._read(key, page))
            self._reads[key] = task
            task.add_done_callback(lambda done: self._forget(self._reads, key, done))
        # A client that goes away must not take the page from those who wait with it.
        return await asyncio.shield(task)

    async def compressed(self, page: Page) -> bytes:
        """Give a page's bytes as gzip."""
        if page.compressed is not None:
            return page.compressed
        task = self._compressions.get(page)
        if task is None:
            task = asyncio.create_task(self._compress(page))
            self._compressions[page] = task
            task.add_done_callback(
                lambda done: self._forget(self._compressions, page, done)
            )
        return await asyncio.shield(task)

    async def _read(self, key: str, known: Page | None) -> Page | None:
        checked = self._clock()
        page = await to_thread.run_sync(self._load, key, known, checked)
        if page is known and page is not None:
            page.checked = checked
        self._drop(key)
        if page is not None:
            self._pages[key] = page
            page.is_kept = True
            self.weight_bytes += page.weight_bytes
            self._shrink()
        return page

    def _load(self, key: str, known: Page | None, checked: float) -> Page | None:
        if known is None:
            size_bytes = self._transport.size(key)
            if size_bytes is None:
                return None
            if size_bytes > self._page_bytes_max:
                raise PageTooBig(size_bytes)
        stored = self._transport.get(key)
        if stored is None:
            return None
        if known is not None and stored.version == known.version:
            return known
        sha256 = hashlib.sha256(stored.data).hexdigest()
        return Page(stored.data, stored.version, sha256, checked)

    async def _compress(self, page: Page) -> bytes:
        # A fixed time, so that the same page gives the same bytes from every server.
        data = await to_thread.run_sync(
            lambda: gzip.compress(page.data, _GZIP_LEVEL, mtime=0)
        )
        page.compressed = data
        if page.is_kept:
            self.weight_bytes += len(data)
            self._shrink()
        return data

    @staticmethod
    def _forget(
        tasks: dict[_Key, asyncio.Task[_Result]],
        key: _Key,
        done: asyncio.Task[_Result],
    ) -> None:
        del tasks[key]
        if not done.cancelled():
            # Looked at even when all who waited have gone, or asyncio would complain.
            done.exception()

    def _drop(self, key: str) -> None:
        page = self._pages.pop(key, None)
        if page is not None:
            page.is_kept = False
            self.weight_bytes -= page.weight_bytes

    def _shrink(self) -> None:
        while self.weight_bytes > self._bytes_max:
            self._drop(next(iter(self._pages)))
