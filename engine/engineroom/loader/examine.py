"""Reads an engine's file before it is loaded, and refuses what should not be.

Loading a file that is damaged or for another machine gives at best a message that
names neither; at worst the process dies. So the header is held against this process
and the bytes against the manifest first. What a file is comes before what it is not:
an arm64 engine that was put in ours' place is called that, not "damaged".

The check of the bytes is size and CRC-32: 0.2 ms for an engine of 1.2 MB, against 3.3
for Python's own SHA-256 and 2.6 for hashlib's, which loads libcrypto besides. It is
there for accidents. `engineroom doctor` compares the SHA-256.
"""

from __future__ import annotations

import os
import stat
import zlib

from engineroom.errors import MalformedBinary
from engineroom.loader.attempt import Refused
from engineroom.platforms.binary import read_file
from engineroom.platforms.target import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.loader.find import EngineFile
    from engineroom.platforms.binary import Header
    from engineroom.platforms.probe import Facts

__all__ = ["examine"]

FORMATS = {"linux": "ELF", "darwin": "Mach-O"}
SYSTEMS = {"ELF": "linux", "Mach-O": "darwin"}


def examine(engine: EngineFile, facts: Facts) -> None:
    """Check the file of an engine against its manifest and this process.

    Raises:
        Refused: the file must not be loaded; the verdict and reason say why.
    """
    size = _size(engine.path)
    try:
        header = read_file(engine.path, cpu=str(facts.cpu))
        # Without a manifest there is nothing to compare the bytes with.
        read, crc32 = _checksum(engine.path) if engine.is_listed else (size, "")
    except OSError as error:
        raise Refused("unreadable", f"it cannot be read: {error.strerror}") from error
    except MalformedBinary as error:
        if not error.is_truncated:
            raise Refused("not-a-binary", error.reason) from error
        raise _truncated(engine, size, error.reason) from error
    _check_machine(header, facts)
    _check_libc(header, facts)
    if engine.is_listed:
        _check_bytes(engine, read, crc32)


def _size(path: str) -> int:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise Refused("missing", "there is no such file") from None
    except OSError as error:
        raise Refused("unreadable", f"it cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise Refused("not-a-file", "it is no regular file")
    return status.st_size


def _checksum(path: str) -> tuple[int, str]:
    """Return a file's size and CRC-32, read piece by piece.

    Reading it whole would take four times as long: the system has to give, and clear,
    fresh memory for all of it.
    """
    piece = bytearray(64 * 1024)
    size = crc32 = 0
    with open(path, "rb", buffering=0) as file, memoryview(piece) as view:
        while True:
            count = file.readinto(piece)
            if not count:
                return size, f"{crc32:08x}"
            size += count
            crc32 = zlib.crc32(view[:count], crc32)


def _truncated(engine: EngineFile, size: int, reason: str = "") -> Refused:
    if not engine.is_listed or size >= engine.size_bytes:
        return Refused("truncated", reason, size_bytes=size)
    return Refused(
        "truncated",
        f"it has {size} of its {engine.size_bytes} bytes",
        size_bytes=size,
        size_bytes_listed=engine.size_bytes,
        sha256_listed=engine.sha256,
    )


def _check_machine(header: Header, facts: Facts) -> None:
    if header.format != FORMATS.get(str(facts.os)):
        raise Refused(
            "other-os",
            f"it is for {SYSTEMS[header.format]} ({header.format}), this is {facts.os}",
            format=header.format,
        )
    if (header.cpu, header.bits) != (facts.cpu.value, facts.pointer_bits.value):
        raise Refused(
            "other-cpu",
            f"it is for {header.cpu} ({header.bits} bits), this process runs as"
            f" {facts.cpu} ({facts.pointer_bits} bits)",
            cpu=header.cpu,
            bits=header.bits,
        )
    if header.kind not in ("shared library", "bundle") or header.interpreter:
        kind = "program" if header.interpreter else header.kind
        raise Refused("wrong-type", f"it is no shared library but a {kind}", kind=kind)


def _check_libc(header: Header, facts: Facts) -> None:
    libc, version = facts.libc.value, facts.libc_version.value
    if header.libc and libc and header.libc != libc:
        raise Refused(
            "other-libc",
            f"it is linked with {header.libc}, this process uses {libc}",
            libc=header.libc,
            libraries=header.libraries,
        )
    needed = header.glibc_needed or header.floor
    if isinstance(version, str) and needed > version_numbers(version):
        text = ".".join(str(number) for number in needed)
        name = f"GLIBC_{text}" if header.format == "ELF" else f"macOS {text}"
        raise Refused(
            "libc-too-old", f"it needs {name}, this process has {version}", needed=text
        )


def _check_bytes(engine: EngineFile, size: int, crc32: str) -> None:
    if size < engine.size_bytes:
        raise _truncated(engine, size)
    if size > engine.size_bytes:
        raise Refused(
            "damaged",
            f"it has {size} bytes, the manifest lists {engine.size_bytes}",
            size_bytes=size,
            size_bytes_listed=engine.size_bytes,
            sha256_listed=engine.sha256,
        )
    if crc32 != engine.crc32:
        raise Refused(
            "damaged",
            f"its CRC-32 is {crc32}, the manifest lists {engine.crc32}",
            crc32=crc32,
            crc32_listed=engine.crc32,
            sha256_listed=engine.sha256,
        )
