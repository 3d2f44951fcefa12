"""Pages in the server's memory: read seldom, never old, and bounded."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import StoreUnreadable
from engineroom.store import FolderTransport
from engineroom.store.serve.cache import Page, PageCache, PageTooBig
from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store.transport import Stored


class CountingFolder(FolderTransport):
    """A folder that counts how often it is read."""

    reads = 0

    def get(self, key: str) -> Stored | None:
        self.reads += 1
        return super().get(key)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> CountingFolder:
    return CountingFolder(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def put(folder: FolderTransport, key: str, data: bytes) -> None:
    stored = folder.get(key)
    expected = stored.version if stored else None
    assert folder.replace(key, BytesBody(data), expected=expected)


async def found(pages: PageCache, key: str = "simple/a/index.html") -> Page:
    page = await pages.find(key)
    assert page is not None
    return page


def test_a_burst_of_readers_costs_one_read(
    folder: CountingFolder, clock: Clock
) -> None:
    put(folder, "simple/a/index.html", b"one")
    folder.reads = 0

    async def burst() -> None:
        pages = PageCache(folder, clock=clock)
        await asyncio.gather(*(found(pages) for _ in range(50)))
        clock.now += 0.9
        await found(pages)
        assert folder.reads == 1
        clock.now += 0.2
        await asyncio.gather(*(found(pages) for _ in range(50)))
        assert folder.reads == 2

    asyncio.run(burst())


def test_who_wants_it_fresh_gets_it_fresh(folder: CountingFolder, clock: Clock) -> None:
    async def change() -> None:
        pages = PageCache(folder, clock=clock)
        put(folder, "heads/a.json", b"one")
        await found(pages, "heads/a.json")
        put(folder, "heads/a.json", b"two")
        page = await pages.find("heads/a.json", is_fresh=True)
        assert page is not None
        assert page.data == b"two"

    asyncio.run(change())


def test_a_changed_page_is_seen_when_the_time_is_over(
    folder: CountingFolder, clock: Clock
) -> None:
    async def change() -> None:
        pages = PageCache(folder, clock=clock)
        put(folder, "simple/a/index.html", b"one")
        first = await found(pages)
        clock.now += 2
        assert await found(pages) is first
        put(folder, "simple/a/index.html", b"two")
        clock.now += 2
        assert (await found(pages)).data == b"two"
        (folder.root / "simple" / "a" / "index.html").unlink()
        clock.now += 2
        assert await pages.find("simple/a/index.html") is None

    asyncio.run(change())


def test_an_absent_page_is_not_remembered(folder: CountingFolder, clock: Clock) -> None:
    async def appear() -> None:
        pages = PageCache(folder, clock=clock)
        assert await pages.find("simple/a/index.html") is None
        assert pages.weight_bytes == 0
        put(folder, "simple/a/index.html", b"one")
        assert (await found(pages)).data == b"one"

    asyncio.run(appear())


def test_a_page_is_compressed_once_for_all_readers(
    folder: CountingFolder, clock: Clock
) -> None:
    put(folder, "simple/a/index.html", b"one " * 10_000)

    async def compress() -> None:
        pages = PageCache(folder, clock=clock)
        page = await found(pages)
        packed = await asyncio.gather(*(pages.compressed(page) for _ in range(20)))
        assert {id(data) for data in packed} == {id(page.compressed)}
        assert gzip.decompress(packed[0]) == page.data
        assert pages.weight_bytes == page.weight_bytes
        clock.now += 2
        assert (await found(pages)).compressed is packed[0]
        assert pages.weight_bytes == page.weight_bytes

    asyncio.run(compress())


def test_memory_is_bounded_and_what_was_used_last_stays(
    folder: CountingFolder, clock: Clock
) -> None:
    names = [f"simple/{n}/index.html" for n in range(30)]
    for name in names:
        put(folder, name, b"x" * 10_000)

    async def fill() -> None:
        pages = PageCache(folder, bytes_max=100_000, clock=clock)
        for name in names:
            await found(pages, name)
            await found(pages, names[0])
            assert pages.weight_bytes <= 100_000
        assert pages.weight_bytes > 50_000
        folder.reads = 0
        await found(pages, names[0])
        await found(pages, names[-1])
        assert folder.reads == 0
        await found(pages, names[1])
        assert folder.reads == 1
        page = await found(pages, names[1])
        await pages.compressed(page)
        assert pages.weight_bytes <= 100_000

    asyncio.run(fill())


def test_a_page_too_big_to_keep_is_not_read(
    folder: CountingFolder, clock: Clock
) -> None:
    put(folder, "simple/a/index.html", b"x" * 1001)
    folder.reads = 0

    async def find() -> None:
        pages = PageCache(folder, page_bytes_max=1000, clock=clock)
        with pytest.raises(PageTooBig) as told:
            await pages.find("simple/a/index.html")
        assert told.value.size_bytes == 1001
        assert (folder.reads, pages.weight_bytes) == (0, 0)

    asyncio.run(find())


def test_a_store_that_cannot_be_read_fails_all_who_wait_and_no_later_one(
    folder: CountingFolder, clock: Clock
) -> None:
    page = folder.root / "simple" / "a" / "index.html"
    page.mkdir(parents=True)

    async def fail() -> None:
        pages = PageCache(folder, clock=clock)
        key = "simple/a/index.html"
        outcomes = await asyncio.gather(
            *(pages.find(key) for _ in range(5)), return_exceptions=True
        )
        assert {type(outcome) for outcome in outcomes} == {StoreUnreadable}
        page.rmdir()
        put(folder, key, b"one")
        assert (await found(pages)).data == b"one"

    asyncio.run(fail())


def test_a_reader_who_leaves_takes_the_page_from_nobody(
    folder: CountingFolder, clock: Clock
) -> None:
    put(folder, "simple/a/index.html", b"one")

    async def leave() -> None:
        pages = PageCache(folder, clock=clock)
        leaving = asyncio.ensure_future(pages.find("simple/a/index.html"))
        staying = asyncio.ensure_future(pages.find("simple/a/index.html"))
        await asyncio.sleep(0)
        leaving.cancel()
        page = await staying
        assert page is not None
        assert page.data == b"one"
        assert leaving.cancelled()

    asyncio.run(leave())
