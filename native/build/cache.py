"""The folder outside the checkout that keeps what is dear to make again.

Everything in it is named by a hash of what it was made from and comes into place by
renaming something finished, so there is no lock: two builds at once make the same thing
twice, and a build killed at any moment leaves only scratch, which a later one sweeps.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from native.build.errors import CacheUnwritable
from native.build.settings import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FULL", "Cache", "cache_root", "file_sha256", "text_sha256"]

# Scratch older than this belongs to a build that was killed.
_SCRATCH_SECONDS = 24 * 3600
_CHUNK = 1 << 20
# How a disk says that it takes no more.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the cache: ENGINEROOM_CACHE, or the user's cache folder."""
    chosen = environ.get(CACHE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = environ.get("XDG_CACHE_HOME")
    home = Path(base) if base else Path("~/.cache").expanduser()
    return home / "engineroom"


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, as lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def text_sha256(*parts: str) -> str:
    """Return the sha256 of several texts; no two lists of texts have the same."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


class Cache:
    """The cache's folder and the only ways to write into it.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._scratch = root / "scratch"

    def path(self, *parts: str) -> Path:
        """Return where something is or would be."""
        return self.root.joinpath(*parts)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder on the cache's own disk, and remove it afterwards.

        Raises:
            CacheUnwritable: it cannot be made, or the disk is full.
        """
        with self._writing(self._scratch):
            self._scratch.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self._scratch))
        try:
            yield folder
        except OSError as error:
            if error.errno in FULL:
                raise CacheUnwritable(folder, os.strerror(error.errno)) from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep_file(self, made: Path, place: Path) -> None:
        """Move a finished scratch file into place; whoever comes last wins.

        Raises:
            CacheUnwritable: the disk did not take it; `place` is as it was.
        """
        with self._writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            _sync(made)
            made.replace(place)
            _sync(place.parent)

    def keep_text(self, text: str, place: Path) -> None:
        """Write a small file in one piece; errors as in `keep_file`."""
        with self.scratch() as folder:
            made = folder / place.name
            with self._writing(place):
                made.write_text(text, encoding="utf-8")
            self.keep_file(made, place)

    def keep_folder(self, made: Path, place: Path) -> None:
        """Move a finished scratch folder into place; whoever comes first wins.

        Raises:
            CacheUnwritable: the disk did not take it; `place` is as it was.
        """
        with self._writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            for path in sorted(made.rglob("*")):
                _sync(path)
            try:
                made.rename(place)
            except OSError:
                if not place.is_dir():  # otherwise another build was faster
                    raise
            _sync(place.parent)

    def put_aside(self, path: Path, why: str) -> Path:
        """Move something that cannot be trusted out of the way, and keep it.

        Args:
            path: a file or folder.
            why: a word that becomes part of the new name.
        """
        place = self.path("refused", f"{path.name}.{why}.{time.time_ns():x}")
        with self._writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(str(path), str(place))
        return place

    def sweep(self) -> None:
        """Remove the scratch of builds that were killed long ago."""
        now = time.time()
        for folder in self._scratch.glob("*"):
            with contextlib.suppress(OSError):
                if now - folder.stat().st_mtime > _SCRATCH_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _writing(self, place: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise CacheUnwritable(place, reason) from error


def _sync(path: Path) -> None:
    """Have a file or folder on disk before anything that relies on it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
