"""Keeps the trees: each under a name that tells what it was made from.

A tree is made under another name and renamed, with a list of what is in it; before it
is used it is compared with that list, byte for byte (a third of a second), so a tree
that was half-made, changed or spoilt by the disk is made anew. A lock for each tree has
a second run wait for the first; the kernel lets go of it when a run is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import stat
from typing import TYPE_CHECKING, NamedTuple

from native.build.cache import text_sha256
from native.build.errors import CacheUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Callable

    from native.build.cache import Cache

__all__ = ["Kept", "Shelf", "listing_sha256"]

_RECORD = "root.json"


class Kept(NamedTuple):
    """A tree that is there.

    Attributes:
        path: its folder.
        why: why it has just been made, such as `missing`; empty if it has not.
    """

    path: Path
    why: str


class Shelf:
    """The folder of trees within the cache.

    Args:
        cache: the cache.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def log_path(self, name: str) -> Path:
        """Return where the log of making a tree goes."""
        folder = self._cache.path("roots", "logs")
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.log"

    @contextlib.contextmanager
    def hold(
        self, name: str, recipe: str, make: Callable[[Path], None], *, fresh: bool
    ) -> Iterator[Kept]:
        """Give a tree, and keep others from changing it meanwhile.

        Args:
            name: its name.
            recipe: all that it is made from.
            make: fills an empty folder.
            fresh: make it anew whatever is there.
        """
        folder = self._cache.path("roots")
        place = folder / f"{name}-{text_sha256(name, recipe)[:16]}"
        lock_path = folder / f"{name}.lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = lock_path.open("w", encoding="utf-8")
        except OSError as error:
            reason = error.strerror or str(error)
            raise CacheUnwritable(lock_path, reason) from error
        with lock:
            # Any number of runs may use a tree at once.
            fcntl.flock(lock, fcntl.LOCK_SH)
            why = "asked for" if fresh else _damage(place)
            if why:
                fcntl.flock(lock, fcntl.LOCK_EX)
                # Another run may have made it while this one waited.
                why = "asked for" if fresh else _damage(place)
                if why:
                    self._make(name, place, make)
                fcntl.flock(lock, fcntl.LOCK_SH)
            yield Kept(place / "tree", why)

    def _make(self, name: str, place: Path, make: Callable[[Path], None]) -> None:
        with self._cache.scratch() as scratch:
            tree = scratch / "made" / "tree"
            tree.mkdir(parents=True)
            make(tree)
            record = {"format": 1, "name": name, "sha256": listing_sha256(tree)}
            text = json.dumps(record, indent=1)
            try:
                (tree.parent / _RECORD).write_text(text, encoding="utf-8")
                # The trees of older recipes go with the one that takes their place.
                for old in place.parent.glob(f"{name}-{'?' * 16}"):
                    shutil.rmtree(old)
                tree.parent.rename(place)
            except OSError as error:
                reason = error.strerror or str(error)
                raise CacheUnwritable(place, reason) from error


def listing_sha256(folder: Path) -> str:
    """Return a hash of all in a folder: paths, kinds, modes, links and bytes."""
    digest = hashlib.sha256()
    root = os.fspath(folder)
    for here, folders, files in os.walk(root):
        folders.sort()
        for name in sorted((*folders, *files)):
            path = os.path.join(here, name)
            mode = os.lstat(path).st_mode
            parts = [os.path.relpath(path, root), f"{mode:o}"]
            if stat.S_ISLNK(mode):
                parts.append(os.readlink(path))
            digest.update("\0".join(parts).encode("utf-8", "surrogateescape"))
            # Only regular files: a device can be read for ever.
            if stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def _damage(place: Path) -> str:
    """Say what is wrong with a kept tree; empty if nothing is."""
    try:
        record = json.loads((place / _RECORD).read_text(encoding="utf-8"))
        listed = record["sha256"]
        found = listing_sha256(place / "tree")
    except FileNotFoundError:
        return "damaged" if place.exists() else "missing"
    except (OSError, ValueError, KeyError, TypeError):
        return "damaged"
    return "" if found == listed else "damaged"
