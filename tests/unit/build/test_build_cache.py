"""The cache: what is in it is whole, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from native.build import ROOT
from native.build.cache import Cache, cache_root, file_sha256, text_sha256
from native.build.errors import CacheUnwritable


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param(
            {"ENGINEROOM_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a", id="ours-first"
        ),
        pytest.param({"XDG_CACHE_HOME": "/b"}, "/b/engineroom", id="then-xdg"),
        pytest.param({}, "~/.cache/engineroom", id="then-home"),
        pytest.param(
            {"ENGINEROOM_CACHE": ""}, "~/.cache/engineroom", id="empty-is-unset"
        ),
    ],
)
def test_the_cache_is_where_the_settings_say(
    environ: dict[str, str], expected: str
) -> None:
    assert cache_root(environ) == Path(expected).expanduser()


def test_a_kept_folder_is_whole_and_scratch_is_gone(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    with cache.scratch() as scratch:
        (scratch / "made" / "deep").mkdir(parents=True)
        (scratch / "made" / "deep" / "file").write_text("x")
        cache.keep_folder(scratch / "made", cache.path("kept", "it"))

    assert (tmp_path / "kept" / "it" / "deep" / "file").read_text() == "x"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_of_two_builds_that_keep_the_same_folder_the_first_wins(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    place = cache.path("kept")

    for text in ("first", "second"):
        with cache.scratch() as scratch:
            (scratch / "made").mkdir()
            (scratch / "made" / "file").write_text(text)
            cache.keep_folder(scratch / "made", place)

    assert (place / "file").read_text() == "first"


def test_an_error_while_making_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def fail() -> None:
        with cache.scratch() as scratch:
            (scratch / "half").write_text("x")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()

    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_folder_that_cannot_be_is_told_with_its_path_and_reason(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file" / "cache")

    with pytest.raises(CacheUnwritable) as caught, cache.scratch():
        pass

    assert caught.value.path == tmp_path / "file" / "cache" / "scratch"
    assert caught.value.reason == os.strerror(errno.ENOTDIR)
    assert "ENGINEROOM_CACHE" in caught.value.hint


def test_a_write_that_the_disk_refuses_leaves_the_old_state(tmp_path: Path) -> None:
    """A limit on the size of files refuses in the middle of a write, as a disk does."""
    code = """
import resource, signal, sys
from pathlib import Path
from native.build.cache import Cache
from native.build.errors import CacheUnwritable

cache = Cache(Path(sys.argv[1]))
cache.keep_text("old", cache.path("texts", "it"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    cache.keep_text("new" * 10_000, cache.path("texts", "it"))
except CacheUnwritable as error:
    sys.stdout.write(error.reason)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == os.strerror(errno.EFBIG)
    assert (tmp_path / "texts" / "it").read_text() == "old"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_sweeping_removes_old_scratch_and_spares_what_is_in_use(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    old = tmp_path / "scratch" / "old"
    old.mkdir(parents=True)
    long_ago = time.time() - 48 * 3600
    os.utime(old, (long_ago, long_ago))

    with cache.scratch() as scratch:
        cache.sweep()
        assert scratch.is_dir()

    assert not old.exists()


def test_what_is_put_aside_is_kept_under_a_name_that_tells_why(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    bad = cache.path("engine.so")
    bad.write_bytes(b"bad")

    aside = cache.put_aside(bad, "changed-on-disk")

    assert not bad.exists()
    assert aside.parent == tmp_path / "refused"
    assert aside.name.startswith("engine.so.changed-on-disk.")
    assert aside.read_bytes() == b"bad"


def test_hashes_are_of_the_bytes_and_tell_lists_of_texts_apart(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")

    assert file_sha256(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert text_sha256("ab", "c") != text_sha256("a", "bc")
    assert text_sha256("ab", "c") == text_sha256("ab", "c")
