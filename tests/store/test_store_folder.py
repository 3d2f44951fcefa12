"""What a folder adds to a transport's promises: the file system's own troubles."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import StoreBusy, StoreMissing, StoreUnreadable, StoreUnwritable
from engineroom.store import FolderTransport, open_store
from engineroom.store.transport import BytesBody

from .processes import in_child
from .reader import leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.store.transport import Body

KEY = "journal/widget/000000000001.json"


@pytest.mark.parametrize(
    ("mask", "expected"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)]
)
def test_files_get_the_rights_the_users_mask_leaves(
    tmp_path: Path, mask: int, expected: int
) -> None:
    """A web server under another user must be able to read what is published."""
    transport = FolderTransport(tmp_path / "store")
    before = os.umask(mask)
    try:
        assert transport.put_if_absent(KEY, BytesBody(b"x"))
        assert transport.replace("simple/index.html", BytesBody(b"x"), expected=None)
    finally:
        os.umask(before)
    for key in (KEY, "simple/index.html"):
        mode = (tmp_path / "store" / key).stat().st_mode
        assert stat.S_IMODE(mode) == expected


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="asks /proc")
@pytest.mark.parametrize("operation", ["put", "replace"])
def test_bytes_are_on_the_disk_before_their_name_and_the_name_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """A power cut cannot be had in a test, so the system calls are watched."""
    transport = FolderTransport(tmp_path)
    flushed: list[tuple[str, bool]] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        flushed.append((path, (tmp_path / KEY).exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    if operation == "put":
        transport.put_if_absent(KEY, BytesBody(b"x"))
    else:
        transport.replace(KEY, BytesBody(b"x"), expected=None)
    folder = str((tmp_path / KEY).parent)
    assert flushed[:2] == [(str(tmp_path), False), (os.path.dirname(folder), False)]
    temporary, is_named = flushed[2]
    assert temporary.startswith(f"{folder}/.engineroom-tmp-")
    assert not is_named
    assert flushed[3:] == [(folder, True)]


class Failing:
    """A body whose source fails after its first chunk."""

    size_bytes = 4
    sha256 = "0" * 64

    def chunks(self) -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path)
    failing: Body = Failing()
    with pytest.raises(KeyboardInterrupt):
        transport.put_if_absent(KEY, failing)
    with pytest.raises(KeyboardInterrupt):
        transport.replace(KEY, failing, expected=None)
    assert transport.get(KEY) is None
    assert leftovers(tmp_path) == set()


def test_leftovers_of_dead_writers_are_swept_once_they_are_old(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path)
    assert transport.put_if_absent(KEY, BytesBody(b"x"))
    old = tmp_path / "journal" / ".engineroom-tmp-old"
    young = tmp_path / ".engineroom-tmp-young"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert transport.sweep(older_than_seconds=3600) == ("journal/.engineroom-tmp-old",)
    assert leftovers(tmp_path) == {".engineroom-tmp-young"}
    assert transport.get(KEY) is not None


def test_a_lock_held_by_a_stopped_process_is_named(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path, lock_timeout_seconds=0.05)
    assert transport.replace(KEY, BytesBody(b"one"), expected=None)
    lock = tmp_path / ".engineroom-lock"
    with open(lock) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreBusy) as caught:
            transport.replace(KEY, BytesBody(b"two"), expected=None)
    assert caught.value.path == str(lock)
    stored = transport.get(KEY)
    assert stored is not None
    assert stored.data == b"one"
    assert leftovers(tmp_path) == set()
    assert transport.replace(KEY, BytesBody(b"two"), expected=stored.version)


def test_a_lock_dies_with_its_owner(tmp_path: Path) -> None:
    script = (
        "import fcntl, os, signal, sys\n"
        "file = open(sys.argv[1], 'w')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    lock = tmp_path / ".engineroom-lock"
    subprocess.run([sys.executable, "-c", script, lock], check=False)
    transport = FolderTransport(tmp_path, lock_timeout_seconds=0)
    assert transport.replace(KEY, BytesBody(b"x"), expected=None)


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("hello")
    with pytest.raises(StoreMissing, match="a file is there, not a folder"):
        open_store(str(tmp_path / "store"))
    with pytest.raises(StoreUnwritable, match="Not a directory"):
        FolderTransport(tmp_path / "store").put_if_absent(KEY, BytesBody(b"x"))


def test_a_file_in_the_way_inside_the_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("hello")
    with pytest.raises(StoreUnwritable, match="Not a directory") as caught:
        FolderTransport(tmp_path).put_if_absent(KEY, BytesBody(b"x"))
    assert not caught.value.is_full


def test_a_folder_in_an_objects_place_is_named(tmp_path: Path) -> None:
    (tmp_path / KEY).mkdir(parents=True)
    with pytest.raises(StoreUnreadable, match="Is a directory") as caught:
        FolderTransport(tmp_path).get(KEY)
    assert caught.value.path == str(tmp_path / KEY)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that any user may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def _as_nobody() -> None:
    # Rights do not bind root, so the child becomes someone they do bind.
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


def test_a_folder_that_may_not_be_written_is_named(open_folder: Path) -> None:
    open_folder.chmod(0o555)

    def write() -> None:
        _as_nobody()
        transport = FolderTransport(open_folder)
        with pytest.raises(StoreUnwritable, match="Permission denied") as caught:
            transport.put_if_absent(KEY, BytesBody(b"x"))
        assert not caught.value.is_full
        assert "may write there" in caught.value.hint

    assert in_child(write) == 0
    open_folder.chmod(0o755)
    assert list(open_folder.iterdir()) == []


def test_an_object_that_may_not_be_read_is_named(open_folder: Path) -> None:
    transport = FolderTransport(open_folder)
    assert transport.put_if_absent(KEY, BytesBody(b"x"))
    (open_folder / KEY).chmod(0)

    def read() -> None:
        _as_nobody()
        with pytest.raises(StoreUnreadable, match="Permission denied"):
            transport.get(KEY)

    assert in_child(read) == 0


def test_a_write_beyond_the_room_there_is_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        transport = FolderTransport(tmp_path)
        with pytest.raises(StoreUnwritable) as caught:
            transport.put_if_absent(KEY, BytesBody(bytes(2000)))
        assert caught.value.is_full
        assert os.strerror(errno.EFBIG) in caught.value.reason
        assert "make room" in caught.value.hint
        assert transport.put_if_absent(KEY, BytesBody(bytes(500)))

    assert in_child(write) == 0
    assert leftovers(tmp_path) == set()
    assert (tmp_path / KEY).stat().st_size == 500


def test_index_addresses_are_escaped(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path / "a b#c")
    assert transport.index_url.endswith("/a%20b%23c/simple/")
