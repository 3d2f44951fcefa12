"""From an offered wheel to its engines: downloaded, checked and unpacked to a scratch.

The bytes must have the hash that the page, or the lock file, promises. Then the wheel
passes every check that a store makes before it takes one, engines against their
manifest included, so that nothing here has to trust the archive.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.errors import (
    DownloadBroken,
    DownloadHashWrong,
    DownloadTruncated,
    WheelRefused,
)
from engineroom.fetch.address import shown
from engineroom.fetch.shelf import Row, write_durably, writing
from engineroom.store import inspect_wheel

if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Callable

    from engineroom.fetch.index import Offer
    from engineroom.fetch.source import Source

    # Called with what is under way, and how many of how many KiB have come.
    Progress = Callable[[str, int, int], None]

__all__ = ["download", "read_rows", "unpack"]

_PIECE_BYTES = 64 * 1024
_ENGINES = "engineroom/engines/"
_WORD = re.compile(r"[A-Za-z0-9._-]+")


def download(source: Source, offer: Offer, folder: str, progress: Progress) -> Path:
    """Bring a wheel into a folder, and refuse other bytes than those promised.

    Raises:
        SourceFailed: of the kind that says what went wrong.
        ShelfUnwritable: the folder takes no more.
    """
    path = Path(folder, offer.name.text)
    digest = hashlib.sha256()
    count = 0
    with writing(str(path)):
        file = path.open("wb")
    with file, source.open(offer.url) as body:
        size = body.size_bytes if body.size_bytes is not None else offer.size_bytes
        while piece := body.read(_PIECE_BYTES):
            count += len(piece)
            digest.update(piece)
            with writing(str(path)):
                file.write(piece)
            progress(offer.name.text, count >> 10, (size or 0) >> 10)
            if offer.size_bytes is not None and count > offer.size_bytes:
                break  # whatever follows, these are not the bytes
        with writing(str(path)):
            file.flush()
    if size is not None and count < size:
        raise DownloadTruncated(shown(offer.url), size, count)
    if digest.hexdigest() != offer.sha256:
        raise DownloadHashWrong(shown(offer.url), offer.sha256, digest.hexdigest())
    return path


def read_rows(path: Path, url: str) -> tuple[Row, ...]:
    """Check a wheel and return the engines that its manifest lists.

    Raises:
        DownloadBroken: the wheel is refused, or has no engines.
    """
    try:
        wheel = inspect_wheel(path)
    except WheelRefused as error:
        raise DownloadBroken(shown(url), error.reason) from error
    if not wheel.file.engines:
        raise DownloadBroken(shown(url), "the wheel has no engines in it")
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(f"{_ENGINES}manifest.csv").decode().splitlines()
    rows: list[Row] = []
    for line in lines[2:]:
        target, backend, file, size, crc32, sha256, build_id = line.split(",")
        words = (target, backend, build_id, *file.split("/"))
        if not all(_WORD.fullmatch(word) for word in words):
            raise DownloadBroken(shown(url), f"its manifest has the line `{line}`")
        rows.append(Row(target, backend, file, int(size), crc32, sha256, build_id))
    return tuple(rows)


def unpack(
    path: Path, rows: tuple[Row, ...], targets: Container[str], folder: str
) -> list[Row]:
    """Write the engines of some targets to a folder; return their rows there."""
    unpacked: list[Row] = []
    with zipfile.ZipFile(path) as archive:
        for row in rows:
            if row.target not in targets:
                continue
            above, _, name = row.file.rpartition("/")
            stem = above.replace("/", ".") or row.backend
            own = f"{stem}.{row.sha256[:16]}"
            engine = os.path.join(folder, own, name)
            with writing(engine):
                os.makedirs(os.path.dirname(engine), mode=0o755, exist_ok=True)
                if not os.path.exists(engine):  # two targets may share one engine
                    write_durably(engine, archive.read(f"{_ENGINES}{row.file}"))
            unpacked.append(row._replace(file=f"{own}/{name}"))
    return unpacked
