"""A store in a folder: the transport that needs no server.

An object is written to a temporary file beside its final place, flushed, and given
its name at one instant: by a hard link, which fails when the name exists, or, for
pages, by a rename under a file lock that the kernel lets go of when its owner dies. So
a kill at any instruction leaves each name with its old bytes or its new ones, and a
power cut too, as far as the disk keeps what fsync promises. Nothing here knows what the
objects mean.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import secrets
import sys
import time
from typing import TYPE_CHECKING, BinaryIO, cast

from engineroom.errors import StoreBusy, StoreUnreadable, StoreUnwritable
from engineroom.store import keys
from engineroom.store.transport import Entry, Stored

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from _typeshed import WriteableBuffer

    from engineroom.store.transport import Body

__all__ = ["FolderTransport"]

# No key begins with a dot, so nothing of these is ever taken for an object.
_TEMPORARY_PREFIX = ".engineroom-tmp-"
_LOCK_NAME = ".engineroom-lock"

_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINK_ERRORS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_LOCK_POLL_SECONDS = 0.01


class FolderTransport:
    """Objects as files below one folder.

    Args:
        root: the folder; made when something is first written.
        lock_timeout_seconds: how long to wait for another publisher's page change,
            which takes milliseconds unless its process is stopped.
        hard_links: False behaves as on file systems that have none (exFAT, some
            network shares), where names are given by a rename under the lock. Found
            out by itself; a parameter so that it can be tested anywhere.
    """

    def __init__(
        self,
        root: Path,
        *,
        lock_timeout_seconds: float = 30.0,
        hard_links: bool = True,
    ) -> None:
        self.root = root
        self._lock_timeout_seconds = lock_timeout_seconds
        self._hard_links = hard_links

    @property
    def address(self) -> str:
        """The folder's path."""
        return str(self.root)

    @property
    def index_url(self) -> str:
        """A `file://` address that pip and uv take as `--index-url`."""
        return f"{self.root.absolute().as_uri()}/simple/"

    @property
    def replaces_conditionally(self) -> bool:
        """True: versions are compared under the lock."""
        return True

    @property
    def checks_bytes(self) -> bool:
        """False: a disk takes what comes."""
        return False

    @property
    def slash_pages(self) -> bool:
        """False: a file system has folders under such names."""
        return False

    @property
    def parallel(self) -> int:
        """One at a time: a disk has no round trips to save."""
        return 1

    def get(self, key: str) -> Stored | None:
        """Read an object whole, or give None when it is absent."""
        file = self.open(key)
        if file is None:
            return None
        with file, _reading(file.name):
            data = file.read()
        return Stored(data, self.version_of(data))

    def version_of(self, data: bytes) -> str:
        """Give the sha256 of bytes."""
        return hashlib.sha256(data).hexdigest()

    def open(
        self, key: str, *, start: int = 0, stop: int | None = None
    ) -> BinaryIO | None:
        """Open an object, or a part of it, or give None when it is absent."""
        path = self._path(key)
        with _reading(path):
            try:
                whole = io.FileIO(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
            whole.seek(start)
        raw = whole if stop is None else _Part(whole, max(stop - start, 0))
        return cast("BinaryIO", io.BufferedReader(raw))

    def size(self, key: str) -> int | None:
        """Give an object's size, or None when it is absent."""
        path = self._path(key)
        with _reading(path):
            try:
                return os.stat(path).st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    def put_if_absent(self, key: str, body: Body) -> bool:
        """Create an object whole, or leave what is there."""
        path = self._path(key)
        folder = os.path.dirname(path)
        with _writing(path):
            _make_folders(folder)
            if os.path.lexists(path):
                # Perhaps linked by a process that died before it made the name
                # durable; our caller goes on to build upon it.
                _flush_folder(folder)
                return False
        temporary = self._write_temporary(folder, body)
        try:
            with _writing(path):
                is_ours = self._give_name(temporary, path)
                _flush_folder(folder)
                return is_ours
        finally:
            _remove(temporary)

    def replace(self, key: str, body: Body, *, expected: str | None) -> bool:
        """Put new bytes in an object's place if it is still as expected."""
        path = self._path(key)
        folder = os.path.dirname(path)
        with _writing(path):
            _make_folders(folder)
        temporary = self._write_temporary(folder, body)
        try:
            with self._lock():
                current = self.get(key)
                if (current.version if current else None) != expected:
                    return False
                with _writing(path):
                    os.replace(temporary, path)
                    _flush_folder(folder)
                return True
        finally:
            _remove(temporary)

    def delete(self, key: str) -> None:
        """Remove an object; one that is absent is fine.

        The folders above it stay, even empty: removing one could meet a writer that has
        just made sure it is there.
        """
        path = self._path(key)
        with _writing(path):
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                return
            _flush_folder(os.path.dirname(path))

    def list(self, prefix: str) -> Iterator[str]:
        """Give the keys under a prefix; links to folders are not followed."""
        for key, _ in self._files(prefix):
            yield key

    def entries(self, prefix: str, *, is_deep: bool = True) -> Iterator[Entry]:
        """Give what a listing tells of each object; a folder knows no versions."""
        for key, file in self._files(prefix, is_deep=is_deep):
            with _reading(file.path):
                try:
                    status = file.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # Removed since it was listed.
            yield Entry(key, status.st_size, status.st_mtime, None)

    def folders(self, prefix: str) -> Iterator[str]:
        """Give the names of the folders right under a prefix."""
        for entry in self._scan(prefix):
            if entry.is_dir(follow_symlinks=False):
                yield entry.name

    def sweep(self, *, older_than_seconds: float) -> tuple[str, ...]:
        """Remove temporary files of that age; their writers are long dead."""
        if not os.path.isdir(self.root):
            return ()
        removed: list[str] = []
        now = self.now()
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                if not name.startswith(_TEMPORARY_PREFIX):
                    continue
                with _writing(path), contextlib.suppress(FileNotFoundError):
                    if now - os.lstat(path).st_mtime >= older_than_seconds:
                        os.unlink(path)
                        removed.append(os.path.relpath(path, self.root))
        return tuple(removed)

    def now(self) -> float:
        """Give the time by the clock that stamps this folder's files.

        On a network share that is the server's, so a file is made and looked at.
        """
        with _writing(str(self.root)):
            _make_folders(str(self.root))
        path = os.path.join(self.root, f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}")
        with _writing(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                return os.fstat(descriptor).st_mtime
            finally:
                os.close(descriptor)
                _remove(path)

    def link(self, key: str, *, seconds: int) -> None:  # noqa: ARG002 - the protocol's
        """Give nothing: a folder has no addresses that end after a while."""
        return

    def _path(self, key: str) -> str:
        # Keys come from names that were checked; this guards against our own slips.
        if not keys.is_safe(key):
            raise ValueError(f"not a safe key: {key!r}")
        return os.path.join(self.root, *key.split("/"))

    def _files(
        self, prefix: str, *, is_deep: bool = True
    ) -> Iterator[tuple[str, os.DirEntry[str]]]:
        for entry in self._scan(prefix):
            if entry.name.startswith((_TEMPORARY_PREFIX, _LOCK_NAME)):
                continue
            if entry.is_dir(follow_symlinks=False):
                if is_deep:
                    yield from self._files(f"{prefix}{entry.name}/")
            else:
                yield f"{prefix}{entry.name}", entry

    def _scan(self, prefix: str) -> Iterator[os.DirEntry[str]]:
        path = os.path.join(self.root, *prefix.split("/")[:-1])
        with _reading(path):
            try:
                entries = os.scandir(path)
            except (FileNotFoundError, NotADirectoryError):
                return
            with entries:
                yield from entries

    def _write_temporary(self, folder: str, body: Body) -> str:
        """Write a body to a flushed temporary file; on failure nothing is left."""
        path = os.path.join(folder, f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}")
        try:
            with _writing(path):
                # 0o666 less the user's umask, as for any file: `tempfile` would make
                # files that a web server under another user cannot read.
                flags = (
                    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
                )
                with open(os.open(path, flags, 0o666), "wb") as file:
                    for chunk in body.chunks():
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
        except BaseException:
            _remove(path)
            raise
        return path

    def _give_name(self, temporary: str, path: str) -> bool:
        if self._hard_links:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINK_ERRORS:
                    raise
                self._hard_links = False
            else:
                return True
        with self._lock():
            if os.path.lexists(path):
                return False
            os.rename(temporary, path)
            return True

    @contextlib.contextmanager
    def _lock(self) -> Generator[None, None, None]:
        """Hold the store's page lock; the kernel frees it when a holder dies.

        The file is never removed: a lock on a removed file would guard nothing.
        """
        path = os.path.join(self.root, _LOCK_NAME)
        with _writing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            deadline = time.monotonic() + self._lock_timeout_seconds
            while not _try_lock(descriptor):
                if time.monotonic() >= deadline:
                    raise StoreBusy(path, self._lock_timeout_seconds)
                time.sleep(_LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)


class _Part(io.RawIOBase):
    """A file from where it stands, for so many bytes; closing it closes the file."""

    def __init__(self, file: io.FileIO, size_bytes: int) -> None:
        super().__init__()
        self._file = file
        self._left_bytes = size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)[: self._left_bytes]
        count = self._file.readinto(view) or 0
        self._left_bytes -= count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


@contextlib.contextmanager
def _reading(path: str) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        raise StoreUnreadable(path, error.strerror or str(error)) from error


@contextlib.contextmanager
def _writing(path: str) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        is_full = error.errno in _FULL_ERRORS
        reason = error.strerror or str(error)
        raise StoreUnwritable(path, reason, is_full=is_full) from error


def _make_folders(path: str) -> None:
    """Make a folder and those above it, each entered durably in its parent."""
    missing: list[str] = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path) or os.curdir
    for folder in reversed(missing):
        # Another publisher may make it first; if what is there is a file, the next
        # step fails with the system's own words.
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
        _flush_folder(os.path.dirname(folder) or os.curdir)


def _flush_folder(path: str) -> None:
    if sys.platform == "win32":
        return  # Windows opens no folders; its file systems journal names themselves.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems flush files and know no flush of folders.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    # What cannot be removed now is swept later, and must not hide the first error.
    with contextlib.suppress(OSError):
        os.unlink(path)


if sys.platform == "win32":  # pragma: no cover - published from POSIX systems
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        # flock rather than lockf: it also keeps two threads of one process apart.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
