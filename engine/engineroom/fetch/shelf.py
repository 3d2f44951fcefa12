"""The folder that engines are fetched into: a shelf as the loader reads it.

An engine's folder has its hash in the name, so its bytes never change under a reader,
and the manifest gets its name by one rename: whoever reads sees the engines of before
or those of after, and a kill at any instruction leaves one of the two. Everything
unfinished lies in a scratch folder; the next one to fetch removes those of processes
that died. The lock is the kernel's and goes with the process that holds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

from engineroom.errors import ShelfBusy, ShelfUnwritable
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

__all__ = ["MANIFEST", "Row", "ShelfFolder", "writing"]

MANIFEST = "manifest.csv"
_HEAD = f"# engineroom engines, format 1, package {__version__}"
_LOCK = ".engineroom-fetch.lock"
_SCRATCH = ".engineroom-fetch-"
_POLL_SECONDS = 0.05
_OWN_FOLDER = re.compile(r"[\w.-]+\.[0-9a-f]{16}", re.ASCII)


class Row(NamedTuple):
    """One engine, as a line of the manifest lists it."""

    target: str
    backend: str
    file: str
    size_bytes: int
    crc32: str
    sha256: str
    build_id: str

    @property
    def line(self) -> str:
        """The line."""
        return ",".join(map(str, self))


_COLUMNS = ",".join(Row._fields)


@contextlib.contextmanager
def writing(path: str) -> Generator[None, None, None]:
    """Turn what the operating system refuses within the block into one failure."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ShelfUnwritable(error.filename or path, reason) from error


class ShelfFolder:
    """A folder of engines and its manifest.

    Args:
        path: the folder; made when something is fetched.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def rows(self) -> tuple[Row, ...]:
        """Return what the manifest lists; nothing where it is not of this version."""
        try:
            with open(os.path.join(self.path, MANIFEST), encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError):
            return ()
        if lines[:2] != [_HEAD, _COLUMNS]:
            return ()
        try:
            return tuple(_row(line) for line in lines[2:])
        except ValueError:
            return ()

    def problem(self, row: Row) -> str:
        """Say what is wrong with the file of an engine, or return nothing."""
        path = os.path.join(self.path, *row.file.split("/"))
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as file:
                for piece in iter(lambda: file.read(1 << 20), b""):
                    digest.update(piece)
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"
        if digest.hexdigest() == row.sha256:
            return ""
        return (
            f"{path} has sha256 {digest.hexdigest()}, the manifest lists {row.sha256}"
        )

    @contextlib.contextmanager
    def locked(self, timeout_seconds: float) -> Generator[None, None, None]:
        """Keep other fetchers out while the block runs; remove what dead ones left."""
        import fcntl

        with writing(self.path):
            os.makedirs(self.path, mode=0o755, exist_ok=True)
            path = os.path.join(self.path, _LOCK)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            started = time.monotonic()
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() - started >= timeout_seconds:
                        raise ShelfBusy(path, timeout_seconds) from None
                    time.sleep(_POLL_SECONDS)
            self._sweep()
            yield
        finally:
            os.close(handle)  # which lets go of the lock

    @contextlib.contextmanager
    def scratch(self) -> Generator[str, None, None]:
        """Give a folder for what is unfinished, gone when the block ends."""
        with writing(self.path):
            folder = tempfile.mkdtemp(prefix=_SCRATCH, dir=self.path)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, scratch: str, new: Sequence[Row]) -> None:
        """Put engines from the scratch folder in place and list them.

        Rows for other targets stay; a target's rows are replaced all at once.
        """
        targets = {row.target for row in new}
        old = self.rows()
        rows = [row for row in old if row.target not in targets] + list(new)
        rows.sort()
        with writing(self.path):
            for folder in sorted({row.file.split("/")[0] for row in new}):
                self._place(os.path.join(scratch, folder), folder)
            text = "\n".join([_HEAD, _COLUMNS, *(row.line for row in rows)]) + "\n"
            manifest = os.path.join(scratch, MANIFEST)
            write_durably(manifest, text.encode())
            os.replace(manifest, os.path.join(self.path, MANIFEST))
            _flush_folder(self.path)
        self._prune(old, rows)

    def _place(self, source: str, name: str) -> None:
        final = os.path.join(self.path, name)
        _flush_folder(source)
        if not os.path.isdir(final):
            os.rename(source, final)
            return
        # It is there from before: whole and the same, or damaged since.
        for file in os.listdir(source):
            os.replace(os.path.join(source, file), os.path.join(final, file))
        _flush_folder(final)

    def _prune(self, old: Iterable[Row], rows: Iterable[Row]) -> None:
        """Remove the folders of engines that were listed and no longer are."""
        kept = {row.file.split("/")[0] for row in rows}
        gone = {row.file.split("/")[0] for row in old} - kept
        for name in gone:
            if _OWN_FOLDER.fullmatch(name):
                shutil.rmtree(os.path.join(self.path, name), ignore_errors=True)

    def _sweep(self) -> None:
        for name in os.listdir(self.path):
            path = os.path.join(self.path, name)
            if name.startswith(_SCRATCH) and os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)


def write_durably(path: str, data: bytes) -> None:
    """Write a file whose bytes are on the disk when this returns."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _row(line: str) -> Row:
    target, backend, file, size, crc32, sha256, build_id = line.split(",")
    parts = file.split("/")
    if not all(parts) or {".", ".."} & set(parts):
        raise ValueError(f"`{file}` is no path below the folder")
    return Row(target, backend, file, int(size), crc32, sha256, build_id)
