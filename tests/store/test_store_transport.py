"""What every transport promises; the store's safety is made of these promises alone."""

from __future__ import annotations

import hashlib
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import WheelChanged, WheelUnreadable
from engineroom.store import FolderTransport
from engineroom.store.transport import BytesBody, FileBody

from .conftest import EVERY_TRANSPORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engineroom.store import Transport

pytestmark = pytest.mark.parametrize("make_transport", EVERY_TRANSPORT, indirect=True)

KEY = "journal/widget/000000000001.json"


def body(text: str) -> BytesBody:
    return BytesBody(text.encode())


def text_of(transport: Transport, key: str = KEY) -> str | None:
    stored = transport.get(key)
    return stored.data.decode() if stored else None


def test_an_absent_object_is_none_everywhere(transport: Transport) -> None:
    assert transport.get(KEY) is None
    assert transport.open(KEY) is None
    assert transport.size(KEY) is None
    assert list(transport.list("")) == []
    assert list(transport.folders("journal/")) == []


def test_an_object_is_put_once_and_read_whole(transport: Transport) -> None:
    assert transport.put_if_absent(KEY, body("one"))
    assert text_of(transport) == "one"
    assert transport.size(KEY) == 3
    file = transport.open(KEY)
    assert file is not None
    with file:
        assert file.read(2) == b"on"
        assert file.read() == b"e"


def test_a_second_put_is_told_so_and_changes_nothing(
    transport: Transport, make_transport: Callable[[], Transport]
) -> None:
    assert transport.put_if_absent(KEY, body("one"))
    assert not transport.put_if_absent(KEY, body("two"))
    assert not make_transport().put_if_absent(KEY, body("three"))
    assert text_of(transport) == "one"


def test_of_many_that_put_at_once_one_wins(
    make_transport: Callable[[], Transport],
) -> None:
    def race(turn: int, runner: int, start: threading.Barrier) -> bool:
        transport = make_transport()
        start.wait(timeout=30)
        return transport.put_if_absent(f"journal/{turn}.json", body(str(runner)))

    # SeaweedFS lets those who meet at one key wait for whole seconds.
    turns = 10 if isinstance(make_transport(), FolderTransport) else 2
    with ThreadPoolExecutor(16) as pool:
        for turn in range(turns):
            start = threading.Barrier(16)
            runs = [pool.submit(race, turn, runner, start) for runner in range(16)]
            winners = [runner for runner, run in enumerate(runs) if run.result()]
            assert len(winners) == 1
            assert text_of(make_transport(), f"journal/{turn}.json") == str(winners[0])


def test_a_page_is_replaced_from_the_version_that_was_read(
    transport: Transport,
) -> None:
    assert transport.replace(KEY, body("one"), expected=None)
    first = transport.get(KEY)
    assert first is not None
    assert transport.replace(KEY, body("two"), expected=first.version)
    assert text_of(transport) == "two"
    second = transport.get(KEY)
    assert second is not None
    assert second.version != first.version


def test_a_page_is_not_replaced_from_any_other_version(transport: Transport) -> None:
    assert not transport.replace(KEY, body("early"), expected="a version")
    assert transport.get(KEY) is None
    assert transport.replace(KEY, body("one"), expected=None)
    first = transport.get(KEY)
    assert first is not None
    assert transport.replace(KEY, body("two"), expected=first.version)
    assert not transport.replace(KEY, body("late"), expected=first.version)
    assert not transport.replace(KEY, body("blind"), expected=None)
    assert text_of(transport) == "two"


def test_a_count_kept_by_many_replacing_at_once_loses_nothing(
    make_transport: Callable[[], Transport],
) -> None:
    def count(_runner: int) -> None:
        transport = make_transport()
        for _ in range(12):
            while True:
                stored = transport.get(KEY)
                value = int(stored.data) if stored else 0
                version = stored.version if stored else None
                if transport.replace(KEY, body(str(value + 1)), expected=version):
                    break

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert text_of(make_transport()) == "96"


def test_a_reader_meets_whole_pages_while_they_are_replaced(
    make_transport: Callable[[], Transport],
) -> None:
    pages = [bytes([65 + number]) * 100_000 for number in range(20)]
    assert make_transport().replace(KEY, BytesBody(pages[0]), expected=None)
    is_done = threading.Event()

    def write() -> None:
        transport = make_transport()
        for page in pages[1:]:
            stored = transport.get(KEY)
            assert stored is not None
            assert transport.replace(KEY, BytesBody(page), expected=stored.version)
        is_done.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        transport = make_transport()
        while not is_done.is_set() and not writing.done():
            stored = transport.get(KEY)
            assert stored is not None
            assert stored.data in pages
        writing.result()


def test_keys_are_listed_below_a_prefix_and_only_there(transport: Transport) -> None:
    for key in (
        "store.json",
        "journal/a/1.json",
        "journal/a/2.json",
        "journal/b/1.json",
    ):
        assert transport.put_if_absent(key, body(key))
    assert sorted(transport.list("journal/a/")) == [
        "journal/a/1.json",
        "journal/a/2.json",
    ]
    assert sorted(transport.list("")) == [
        "journal/a/1.json",
        "journal/a/2.json",
        "journal/b/1.json",
        "store.json",
    ]
    assert sorted(transport.folders("journal/")) == ["a", "b"]
    assert sorted(transport.folders("")) == ["journal"]
    assert list(transport.list("nothing/")) == []


def test_a_file_is_stored_byte_for_byte(transport: Transport, tmp_path: Path) -> None:
    data = bytes(range(256)) * 12_345  # more than one chunk, and not whole chunks
    path = tmp_path / "wheel"
    path.write_bytes(data)
    file = FileBody(path, len(data), hashlib.sha256(data).hexdigest())
    assert transport.put_if_absent("blobs/wheel", file)
    stored = transport.get("blobs/wheel")
    assert stored is not None
    assert stored.data == data


def test_a_file_that_changed_after_its_check_is_not_stored(
    transport: Transport, tmp_path: Path
) -> None:
    path = tmp_path / "wheel"
    path.write_bytes(b"other")
    file = FileBody(path, 5, hashlib.sha256(b"first").hexdigest())
    with pytest.raises(WheelChanged, match="when it was checked"):
        transport.put_if_absent("blobs/wheel", file)
    assert list(transport.list("")) == []


def test_a_file_that_vanished_after_its_check_is_not_stored(
    transport: Transport, tmp_path: Path
) -> None:
    file = FileBody(tmp_path / "gone", 5, "0" * 64)
    with pytest.raises(WheelUnreadable, match="No such file"):
        transport.put_if_absent("blobs/wheel", file)
    assert list(transport.list("")) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a//",
        "a//b",
        "../a",
        "a/../b",
        "a/.b",
        ".a",
        "a b",
        "a\\b",
        "a\0",
        "é",
    ],
)
def test_a_key_that_is_not_plain_is_refused(transport: Transport, key: str) -> None:
    with pytest.raises(ValueError, match="not a safe key"):
        transport.put_if_absent(key, body("x"))
    with pytest.raises(ValueError, match="not a safe key"):
        transport.get(key)


def test_a_key_with_a_final_slash_is_kept_whole_or_refused(
    transport: Transport,
) -> None:
    page = "simple/widget/"
    if not transport.slash_pages:
        with pytest.raises(ValueError, match="not a safe key"):
            transport.put_if_absent(page, body("x"))
        return
    assert transport.put_if_absent("simple/widget/index.html", body("one"))
    assert transport.put_if_absent(page, body("one"))
    stored = transport.get(page)
    assert stored is not None
    assert transport.replace(page, body("two"), expected=stored.version)
    assert text_of(transport, page) == "two"
    assert text_of(transport, "simple/widget/index.html") == "one"
    assert sorted(transport.list("simple/")) == [page, "simple/widget/index.html"]


def test_sweeping_an_empty_place_removes_nothing(transport: Transport) -> None:
    assert transport.sweep(older_than_seconds=0) == ()


def test_sweeping_touches_no_object(transport: Transport) -> None:
    assert transport.put_if_absent(KEY, body("one"))
    assert transport.replace("simple/index.html", body("two"), expected=None)
    transport.sweep(older_than_seconds=0)
    assert sorted(transport.list("")) == [KEY, "simple/index.html"]


def test_a_part_of_an_object_is_read(transport: Transport) -> None:
    data = bytes(range(256)) * 20
    assert transport.put_if_absent("blobs/wheel", BytesBody(data))
    for start, stop in (
        (0, None), (0, 1), (1, 3), (5000, None), (5119, 5120), (5000, 9000),
        (5120, None), (5120, 5121), (9000, 9001), (7, 7), (9, 3),
    ):  # fmt: skip
        file = transport.open("blobs/wheel", start=start, stop=stop)
        assert file is not None
        with file:
            assert file.read() == data[start:stop], (start, stop)
    assert transport.open("blobs/other", start=1, stop=3) is None
    assert transport.open("blobs/other", start=3, stop=3) is None


def test_an_empty_object_is_an_object(transport: Transport) -> None:
    assert transport.put_if_absent("blobs/wheel", BytesBody(b""))
    assert not transport.put_if_absent("blobs/wheel", BytesBody(b""))
    assert transport.size("blobs/wheel") == 0
    assert text_of(transport, "blobs/wheel") == ""
    file = transport.open("blobs/wheel")
    assert file is not None
    with file:
        assert file.read() == b""


def test_a_removed_object_is_gone_and_may_be_removed_again(
    transport: Transport,
) -> None:
    assert transport.put_if_absent(KEY, body("one"))
    assert transport.put_if_absent("journal/widget/000000000002.json", body("two"))
    transport.delete(KEY)
    transport.delete(KEY)
    transport.delete("nothing/like/it")
    assert transport.get(KEY) is None
    assert list(transport.list("")) == ["journal/widget/000000000002.json"]
    assert transport.put_if_absent(KEY, body("three"))
    assert text_of(transport) == "three"


def test_a_listing_tells_sizes_times_and_versions(transport: Transport) -> None:
    before = transport.now()
    assert transport.put_if_absent(KEY, body("one"))
    assert transport.put_if_absent("journal/widget/000000000002.json", body("four"))
    after = transport.now()
    entries = {entry.key: entry for entry in transport.entries("journal/")}
    assert {key: entry.size_bytes for key, entry in entries.items()} == {
        KEY: 3,
        "journal/widget/000000000002.json": 4,
    }
    for key, entry in entries.items():
        # A bucket's times have whole seconds, which may be cut or rounded.
        assert before - 1 <= entry.modified_seconds <= after + 1
        stored = transport.get(key)
        assert stored is not None
        assert entry.version in (None, stored.version)
    assert list(transport.entries("nothing/")) == []


def test_more_keys_than_one_answer_holds_are_listed(transport: Transport) -> None:
    keys = {f"journal/p{number % 7}/{number}.json" for number in range(1_100)}
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda key: transport.put_if_absent(key, body("x")), keys))
    assert set(transport.list("journal/")) == keys
    assert {entry.key for entry in transport.entries("")} == keys
    assert sorted(transport.folders("journal/")) == [f"p{n}" for n in range(7)]


def test_a_link_reads_the_object_until_it_ends(transport: Transport) -> None:
    assert transport.put_if_absent("blobs/wheel", body("one"))
    url = transport.link("blobs/wheel", seconds=60)
    if isinstance(transport, FolderTransport):
        assert url is None
        return
    assert url is not None
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"one"
        assert answer.headers["Content-Type"] == "application/octet-stream"


def test_one_transport_serves_many_threads(transport: Transport) -> None:
    def work(number: int) -> bytes | None:
        key = f"journal/{number}.json"
        assert transport.put_if_absent(key, body(str(number)))
        stored = transport.get(key)
        return stored.data if stored else None

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(64))) == [str(n).encode() for n in range(64)]


def test_a_big_file_is_stored_without_being_in_memory(
    transport: Transport, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 40_000  # ten megabytes, above what is kept in memory
    path = tmp_path / "wheel"
    path.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    assert transport.put_if_absent("blobs/wheel", FileBody(path, len(data), sha256))
    file = transport.open("blobs/wheel")
    assert file is not None
    with file:
        assert hashlib.sha256(file.read()).hexdigest() == sha256
    with pytest.raises(WheelChanged, match="when it was checked"):
        transport.put_if_absent("blobs/other", FileBody(path, len(data), "0" * 64))
    assert transport.get("blobs/other") is None
