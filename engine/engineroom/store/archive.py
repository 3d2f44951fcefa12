"""Reading a zip archive from a stranger: nothing is unpacked, all of it is checked.

Whole, of bounded size, without overlapping members, without names or kinds of members
that could reach outside a folder. What the members say is wheel.py's business.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, BinaryIO

from engineroom.errors import (
    WheelBroken,
    WheelMetadataWrong,
    WheelRecordWrong,
    WheelUnsafe,
)
from engineroom.store.transport import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["Archive", "Digest", "archive_errors"]

# Ceilings against archives made to overwhelm. The largest wheels in public use have
# some 20,000 members and 5 GB; ordinary code deflates 3 to 10 times.
_MEMBERS_MAX = 100_000
_UNPACKED_BYTES_MAX = 16 << 30
_RATIO_MAX = 200
_RATIO_FREE_BYTES = 64 << 20
_TEXT_BYTES_MAX = 64 << 20
_UNPACKED_IN_MEMORY_BYTES = 16 << 20


@dataclass(frozen=True)
class Digest:
    """What was found when a member of the archive was read."""

    size_bytes: int
    crc32: int
    by_algorithm: dict[str, bytes]


@contextmanager
def archive_errors(path: Path) -> Generator[None, None, None]:
    """Turn what `zipfile` raises over a bad archive into one kind of refusal.

    Its fields are numbers and texts from a stranger, so beside its own exception it
    lets through those of the functions it hands them to.
    """
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        OverflowError,
        ValueError,
    ) as error:
        raise WheelBroken(str(path), f"it is no whole zip archive: {error}") from error
    except RuntimeError as error:  # what zipfile raises for an encrypted member
        raise WheelBroken(str(path), f"it cannot be unpacked: {error}") from error


class Archive:
    """The archive's members, once their names, kinds and sizes have been checked."""

    def __init__(self, path: Path, file: BinaryIO, size_bytes: int) -> None:
        self._path = path
        if file.read(4) != b"PK\x03\x04":
            raise WheelBroken(
                str(path), f"its {size_bytes} bytes do not begin as a zip archive"
            )
        self._archive = zipfile.ZipFile(file)
        members = self._archive.infolist()
        self._check_sizes(members, size_bytes)
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in members:
            self._check_member(info)
            if info.orig_filename in self._infos:
                raise WheelUnsafe(str(path), f"`{info.filename}` is in it twice")
            self._infos[info.orig_filename] = info

    @property
    def names(self) -> list[str]:
        """The names of the files, folders left out."""
        return [name for name in self._infos if not name.endswith("/")]

    def text(self, name: str, kind: type[WheelRecordWrong | WheelMetadataWrong]) -> str:
        """Read a member that must be there and be UTF-8."""
        info = self._infos.get(name)
        if info is None:
            raise kind(str(self._path), f"it has no `{name}`")
        if info.file_size > _TEXT_BYTES_MAX:
            raise kind(str(self._path), f"`{name}` has {info.file_size} bytes")
        try:
            return self._archive.read(info).decode()
        except UnicodeDecodeError as error:
            raise kind(str(self._path), f"`{name}` is not UTF-8: {error}") from error

    def digest_all(self, algorithms: set[str]) -> dict[str, Digest]:
        """Read every file to its end, which also checks the archive's own sums."""
        return {
            name: self._digest(self._infos[name], algorithms) for name in self.names
        }

    @contextmanager
    def unpacked(self, name: str) -> Generator[IO[bytes], None, None]:
        """Give a member as a file of its own.

        On disk if it is large: what is read at offsets cannot be read from the archive
        without unpacking it over and over.
        """
        with tempfile.SpooledTemporaryFile(_UNPACKED_IN_MEMORY_BYTES) as file:
            with self._archive.open(self._infos[name]) as member:
                shutil.copyfileobj(member, file, CHUNK_BYTES)
            yield file

    def _digest(self, info: zipfile.ZipInfo, algorithms: set[str]) -> Digest:
        hashers = {name: hashlib.new(name) for name in algorithms}
        size_bytes = 0
        with self._archive.open(info) as member:
            while chunk := member.read(CHUNK_BYTES):
                for hasher in hashers.values():
                    hasher.update(chunk)
                size_bytes += len(chunk)
        # zipfile has compared the CRC with the bytes when it reached their end.
        by_algorithm = {name: hasher.digest() for name, hasher in hashers.items()}
        return Digest(size_bytes, info.CRC, by_algorithm)

    def _check_sizes(self, members: list[zipfile.ZipInfo], size_bytes: int) -> None:
        path = str(self._path)
        if len(members) > _MEMBERS_MAX:
            raise WheelBroken(path, f"it has {len(members)} members; {_MEMBERS_MAX} do")
        unpacked = sum(info.file_size for info in members)
        is_bomb = unpacked > max(_RATIO_FREE_BYTES, size_bytes * _RATIO_MAX)
        if unpacked > _UNPACKED_BYTES_MAX or is_bomb:
            raise WheelBroken(
                path, f"its {size_bytes} bytes would unpack to {unpacked} bytes"
            )
        end = 0
        for info in sorted(members, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise WheelBroken(path, f"`{info.filename}` overlaps another member")
            # 30 is the fixed part of a member's own header.
            encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
            name_bytes = len(info.orig_filename.encode(encoding))
            end = info.header_offset + 30 + name_bytes + info.compress_size

    def _check_member(self, info: zipfile.ZipInfo) -> None:
        name = info.orig_filename
        segments = name[:-1].split("/") if name.endswith("/") else name.split("/")
        if (
            any(segment in ("", ".", "..") for segment in segments)
            or "\\" in name
            or not name.isprintable()
            or segments[0].endswith(":")
        ):
            raise WheelUnsafe(str(self._path), f"member name {name!r} is not safe")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise WheelUnsafe(str(self._path), f"`{name}` is no plain file")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise WheelBroken(
                str(self._path),
                f"`{name}` is packed by method {info.compress_type}; installers read"
                " stored and deflated members",
            )
