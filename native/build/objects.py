"""Compiles one file, or finds that it has been compiled before.

An object is known by the compiler, the arguments, the source's bytes and the bytes of
each header it included. Which those were is only known afterwards, so the search goes
in two steps: the first three lead to a list of header sets seen with them, and the one
whose headers still have the same bytes leads to the object.

Files of pinned sources and the compiler's own headers need no look: the former are part
of the arguments by their hash, the latter change with the compiler's version only.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from native.build.cache import file_sha256, text_sha256
from native.build.errors import (
    CacheUnwritable,
    ChangedMeanwhile,
    CompileFailed,
    ForeignHeader,
)
from native.build.plan import filled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from native.build.cache import Cache
    from native.build.logs import Logs
    from native.build.plan import Compile
    from native.build.toolchain import Toolchain

__all__ = ["Object", "Roots", "Workshop", "parse_depfile"]

_SHOWN_LINES = 40
_TRIES = 5
# As the compiler says it, and as the linker does.
_NO_ROOM = re.compile(r"NoSpaceLeft|No space left on device")
# File times move in steps of the kernel's clock, which lags behind by up to one.
_CLOCK_STEP_NS = 20_000_000


@dataclass(frozen=True)
class Roots:
    """Where on this machine the roots that a plan names are.

    Attributes:
        folders: the folder of each.
        digests: for roots whose content is pinned: the hash of it.
    """

    folders: Mapping[str, str]
    digests: Mapping[str, str]


@dataclass(frozen=True)
class Object:
    """A compiled file.

    Attributes:
        path: where it is kept.
        identity: a hash of all that went into it.
        is_new: whether it had to be compiled just now.
    """

    path: Path
    identity: str
    is_new: bool


class Workshop:
    """Compiles with one compiler, keeping what it makes.

    Args:
        cache: where things are kept.
        toolchain: the compiler.
        roots: where the files of the plans are.
        logs: told of every command.
    """

    def __init__(
        self, cache: Cache, toolchain: Toolchain, roots: Roots, logs: Logs
    ) -> None:
        self._cache = cache
        self._logs = logs
        self._toolchain = toolchain
        self._roots = roots
        self._hashes: dict[tuple[str, int, int], str] = {}

    def compile(self, target: str, work: Compile) -> Object:
        """Return the object of a file.

        Args:
            target: what it is for; words in an error.
            work: what to compile.

        Raises:
            CompileFailed: the compiler refused it.
            ChangedMeanwhile: it is being edited all the time.
            ForeignHeader: it includes a file of this machine.
        """
        for _ in range(_TRIES):
            key = self._key(work)
            made = self._find(key) or self._make(target, work, key)
            if made is not None:
                return made
        raise ChangedMeanwhile(work.source)

    def run(
        self, target: str, file: str, arguments: Sequence[str], scratch: Path
    ) -> None:
        """Run the compiler driver.

        Args:
            target: what it is for; words in an error.
            file: what it makes or reads; likewise.
            arguments: for the driver.
            scratch: a folder for what it writes on the way.

        Raises:
            CompileFailed: it refused.
            CacheUnwritable: it had no room to work in.
        """
        command = [*self._toolchain.command, *arguments]
        own = {"TMPDIR": str(scratch), "ZIG_LOCAL_CACHE_DIR": str(scratch / "zig")}
        started = time.monotonic()
        done = subprocess.run(
            command,
            env={**self._toolchain.environment, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        self._logs.add(
            target,
            self._repeatable(command),
            exit_code=done.returncode,
            seconds=time.monotonic() - started,
            output=done.stdout,
        )
        if done.returncode and _NO_ROOM.search(done.stdout):
            raise CacheUnwritable(scratch, os.strerror(errno.ENOSPC))
        if done.returncode:
            raise self._failure(target, file, command, done.stdout)

    def _key(self, work: Compile) -> str:
        source = _fill(work.source, self._roots)
        named = " ".join((work.source, *work.arguments))
        pinned = [
            digest
            for root, digest in sorted(self._roots.digests.items())
            if f"{{{root}}}" in named
        ]
        return text_sha256(
            self._toolchain.name,
            work.source,
            *work.arguments,
            self._hash(source),
            *pinned,
        )

    def _find(self, key: str) -> Object | None:
        for path in sorted(self._cache.path("headers", key[:2], key).glob("*.json")):
            try:
                entry = json.loads(path.read_text(encoding="utf-8"))
                if not self._is_current(entry["headers"]):
                    continue
                place = self._place(path.stem)
                if file_sha256(place) == entry["object"]:
                    return Object(place, path.stem, is_new=False)
            except (OSError, ValueError, KeyError):
                continue  # damaged or gone: compiled again and written anew
        return None

    def _is_current(self, headers: Mapping[str, str]) -> bool:
        return all(
            self._hash(_fill(name, self._roots)) == digest
            for name, digest in headers.items()
        )

    def _make(self, target: str, work: Compile, key: str) -> Object | None:
        """Compile; None if somebody edits the files that the compiler is reading."""
        source = _fill(work.source, self._roots)
        started = time.time_ns() - _CLOCK_STEP_NS
        arguments = filled(work.arguments, self._roots.folders)
        with self._cache.scratch() as scratch:
            made, depfile = scratch / "made.o", scratch / "made.d"
            self.run(
                target,
                source,
                [*arguments, "-MD", "-MF", str(depfile), source, "-o", str(made)],
                scratch,
            )
            read = parse_depfile(depfile.read_text(encoding="utf-8"))
            headers = self._headers(target, work, source, read)
            names = [source, *(_fill(name, self._roots) for name in headers)]
            ended = time.time_ns()  # a file from the future is odd, but unchanged
            if any(started < os.stat(name).st_mtime_ns <= ended for name in names):
                return None
            flat = [part for pair in sorted(headers.items()) for part in pair]
            identity = text_sha256(key, *flat)
            entry = {"headers": headers, "object": file_sha256(made)}
            self._cache.keep_file(made, self._place(identity))
        self._cache.keep_text(
            json.dumps(entry, indent=1, sort_keys=True),
            self._cache.path("headers", key[:2], key, f"{identity}.json"),
        )
        return Object(self._place(identity), identity, is_new=True)

    def _headers(
        self, target: str, work: Compile, source: str, read: Sequence[str]
    ) -> dict[str, str]:
        """Return the headers whose bytes matter, named by their roots."""
        headers: dict[str, str] = {}
        folders = self._roots.folders
        settled = [folders[root] for root in self._roots.digests]
        if self._toolchain.library is not None:
            settled.append(str(self._toolchain.library))
        settled = [os.path.realpath(folder) for folder in settled]
        tree = os.path.realpath(folders["tree"])
        for name in read:
            # The compiler names some files from where it runs, some from the root, and
            # some by other names than the one it was given.
            path = os.path.realpath(name)
            if path == os.path.realpath(source):
                continue
            if any(_is_below(path, folder) for folder in settled):
                continue
            if _is_below(path, tree):
                headers["{tree}" + path[len(tree) :]] = self._hash(path)
            elif self._toolchain.library is not None:
                raise ForeignHeader(target, work.source, path)
            else:
                headers[path] = self._hash(path)
        return headers

    def _failure(
        self, target: str, file: str, command: Sequence[str], output: str
    ) -> CompileFailed:
        lines = output.strip().splitlines()
        if len(lines) > _SHOWN_LINES:
            more = f"... {len(lines) - _SHOWN_LINES} more lines in the log"
            lines = [*lines[:_SHOWN_LINES], more]
        return CompileFailed(
            target,
            file,
            command=shlex.join(self._repeatable(command)),
            log_path=self._logs.path(target),
            output="\n".join(lines),
        )

    def _repeatable(self, command: Sequence[str]) -> list[str]:
        """The command without the scratch files that are gone when it is repeated."""
        scratch = str(self._cache.path("scratch"))
        return [os.devnull if _is_below(word, scratch) else word for word in command]

    def _place(self, identity: str) -> Path:
        return self._cache.path("objects", identity[:2], f"{identity}.o")

    def _hash(self, path: str) -> str:
        # Headers are read by many files; one that is edited meanwhile counts as new.
        status = os.stat(path)
        known = (path, status.st_mtime_ns, status.st_size)
        if known not in self._hashes:
            self._hashes[known] = file_sha256(Path(path))
        return self._hashes[known]


def parse_depfile(text: str) -> tuple[str, ...]:
    r"""Return the files that a compiler wrote down as read, in the form of make.

    Args:
        text: `object: file file \` and so on over several lines.
    """
    _, _, files = text.replace("\\\n", " ").partition(": ")
    names = re.findall(r"(?:\\.|[^\s\\])+", files)
    return tuple(re.sub(r"\\(.)", r"\1", name).replace("$$", "$") for name in names)


def _fill(path: str, roots: Roots) -> str:
    return filled((path,), roots.folders)[0]


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder + os.sep)
