"""The files below a folder, from the disk or from git's index.

Only files whose names say that they tell something are ever opened. Whatever cannot
be read becomes a sentence that says why, because one bad file must not hide the rest.
No symbolic link leads out of the folder, and none to a folder is followed at all.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from typing import TYPE_CHECKING, Protocol

from engineroom.errors import CheckNeedsGit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["DiskTree", "IndexTree", "Tree", "Unreadable", "is_compose", "is_dockerfile"]

MAX_BYTES = 16 * 1024 * 1024
# Folders of tools, of what was installed, and of what was made; hidden ones besides.
SKIPPED = frozenset(
    ("node_modules", "venv", "env", "site-packages", "__pycache__", "bower_components")
)
DOCKERFILE = re.compile(
    r"(?:.+\.)?(?:dockerfile|containerfile)(?:\.(?!dockerignore$).+)?$", re.IGNORECASE
)
COMPOSE = re.compile(r"(?:docker-)?compose(?:[.-].+)?\.ya?ml$")
# The client that Prisma makes carries a copy of the schema; this file tells it apart.
_GENERATED = "index-browser.js"


class Unreadable(Exception):
    """A file that cannot be read; `str()` says why."""


class Tree(Protocol):
    """The files below a folder."""

    root: str

    def files(self) -> list[str]:
        """Return every file, relative to the folder and with slashes, in order."""
        ...

    def troubles(self) -> list[tuple[str, str]]:
        """Return what could not be listed, with the reason."""
        ...

    def read(self, path: str) -> str:
        """Return the text of a file.

        Raises:
            Unreadable: it is too big, no text, or cannot be read.
        """
        ...


class DiskTree:
    """The files that lie below a folder."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._real = os.path.realpath(root)
        self._troubles: list[tuple[str, str]] = []

    def files(self) -> list[str]:
        """Return every file in order."""
        self._troubles = []
        return sorted(self._walk())

    def troubles(self) -> list[tuple[str, str]]:
        """Return the folders that could not be listed."""
        return self._troubles

    def read(self, path: str) -> str:
        """Return the text of a file."""
        whole = os.path.join(self.root, path)
        try:
            real = os.path.realpath(whole)
            if os.path.commonpath([real, self._real]) != self._real:
                raise Unreadable("it is a link that leads out of the folder")
            about = os.stat(real)
            if not stat.S_ISREG(about.st_mode):
                raise Unreadable("it is no regular file")
            if about.st_size > MAX_BYTES:
                raise Unreadable(_too_big(about.st_size))
            with open(real, "rb") as file:
                return _text(file.read())
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error

    def _walk(self) -> Iterator[str]:
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(os.path.join(self.root, folder)) as entries:
                    found = list(entries)
            except OSError as error:
                self._troubles.append((folder or ".", error.strerror or str(error)))
                continue
            names = {entry.name for entry in found}
            if folder and ("pyvenv.cfg" in names or _GENERATED in names):
                continue
            for entry in found:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if not entry.is_dir(follow_symlinks=False):
                    if not (entry.is_symlink() and os.path.isdir(entry.path)):
                        yield path
                elif not _is_skipped(entry.name):
                    waiting.append(path)


class IndexTree:
    """The files below a folder as they are staged, whatever lies on the disk."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._blobs: dict[str, str] = {}
        self._read: dict[str, bytes | str] = {}

    def files(self) -> list[str]:
        """Return every file of the index in order; links and submodules left out."""
        listed = _git(self.root, "ls-files", "--stage", "-z", "--", ".")
        self._blobs = {}
        for row in os.fsdecode(listed).split("\0"):
            about, tab, path = row.partition("\t")
            if not tab or not about.startswith("100") or _is_below_skipped(path):
                continue
            mode, blob, stage = about.split(" ")
            if mode and stage in ("0", "2"):
                self._blobs[path] = blob
        return sorted(self._blobs)

    def troubles(self) -> list[tuple[str, str]]:
        """Return nothing: the index is listed as a whole or not at all."""
        return []

    def staged(self) -> set[str]:
        """Return the files that are staged with changes, without those deleted."""
        _git(
            self.root, "rev-parse", "--git-dir"
        )  # without one, diff says what it takes
        words = ["diff", "--cached", "--name-only", "--diff-filter=d", "--no-renames"]
        listed = _git(self.root, *words, "--relative", "-z")
        return {path for path in os.fsdecode(listed).split("\0") if path}

    def load(self, paths: Iterable[str]) -> None:
        """Read these files with one call of git."""
        wanted = [path for path in paths if path in self._blobs]
        asked = "".join(f"{self._blobs[path]}\n" for path in wanted).encode()
        out = _git(self.root, "cat-file", "--batch", given=asked)
        at = 0
        for path in wanted:
            end = out.index(b"\n", at)
            words = out[at:end].split()
            at = end + 1
            if len(words) != 3:
                self._read[path] = "git does not have it"
                continue
            size = int(words[2])
            data = out[at : at + size]
            self._read[path] = _too_big(size) if size > MAX_BYTES else data
            at += size + 1

    def read(self, path: str) -> str:
        """Return the text of a file."""
        if path not in self._read:
            self.load([path])
        data = self._read.get(path, "it is not in the index")
        if isinstance(data, str):
            raise Unreadable(data)
        return _text(data)


def is_dockerfile(path: str) -> bool:
    """Say whether a file is a Dockerfile, by its name."""
    return DOCKERFILE.fullmatch(path.rpartition("/")[2]) is not None


def is_compose(path: str) -> bool:
    """Say whether a file is a compose file, by its name."""
    return COMPOSE.fullmatch(path.rpartition("/")[2]) is not None


def was_deleted(path: str) -> bool:
    """Say whether git's last commit has a file that is gone now."""
    folder, name = os.path.split(os.path.abspath(path))
    while not os.path.isdir(folder):
        folder, above = os.path.split(folder)
        name = f"{above}/{name}"
    try:
        _git(folder, "cat-file", "-e", f"HEAD:./{name}")
    except CheckNeedsGit:
        return False
    return True


def _is_skipped(name: str) -> bool:
    return name in SKIPPED or name.startswith(".")


def _is_below_skipped(path: str) -> bool:
    return any(_is_skipped(name) for name in path.split("/")[:-1])


def _text(data: bytes) -> str:
    if b"\0" in data:
        raise Unreadable("it is no text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"it is no UTF-8 in line {line}") from error


def _too_big(size: int) -> str:
    return f"it has {size:,} bytes, more than the {MAX_BYTES:,} that are read"


def _git(folder: str, *words: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, and words of ours
            ["git", "-C", folder, *words],  # noqa: S607 - whichever git is used here
            input=given,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckNeedsGit(folder, f"`git` cannot be run: {reason}") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        fatal = [line[7:] for line in lines if line.startswith("fatal: ")]
        raise CheckNeedsGit(folder, (fatal or lines or ["it gives no reason"])[0])
    return done.stdout
