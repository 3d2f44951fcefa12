"""Checks the code signature of a Mach-O file, page by page.

macOS on arm64 ends a process that runs a page whose hash is not the one signed. An ad
hoc signature names nobody: it is the hashes alone, so all of it can be checked
anywhere.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

__all__ = ["Signature", "read_signature"]

_SUPER_BLOB, _DIRECTORY_BLOB = 0xFADE0CC0, 0xFADE0C02
_DIRECTORY_SLOTS = (0, *range(0x1000, 0x1006))
_AD_HOC = 0x2
_HASHES = {1: ("sha1", 20), 2: ("sha256", 32), 4: ("sha384", 48)}
_SHA256 = 2
_LONGEST_PAGE = 24


@dataclass(frozen=True)
class Signature:
    """What was found out about a signature.

    Attributes:
        is_ad_hoc: whether it names nobody.
        pages: how many page hashes were compared.
        problem: what is wrong; empty if all is right.
    """

    is_ad_hoc: bool
    pages: int
    problem: str


def read_signature(data: bytes, offset: int, size: int) -> Signature:
    """Compare a file with its signature.

    Args:
        data: the file.
        offset: where the signature begins.
        size: how long it is.

    Raises:
        struct.error: it ends too early.
    """
    if offset + size != len(data):
        return Signature(False, 0, "it does not end where the file ends")
    blob = data[offset:]
    magic, _, count = struct.unpack_from(">3I", blob)
    if magic != _SUPER_BLOB:
        return Signature(False, 0, "it does not begin as one")
    index = dict(struct.unpack_from(">2I", blob, 12 + 8 * i) for i in range(count))
    directories = [index[slot] for slot in _DIRECTORY_SLOTS if slot in index]
    if not directories:
        return Signature(False, 0, "it has no code directory")
    found = [_directory(data, offset, blob, at, index) for at in directories]
    problems = [one.problem for one in found if one.problem]
    if not any(blob[at + 37] == _SHA256 for at in directories):
        problems.append("no directory of it has SHA-256 hashes")
    return Signature(
        is_ad_hoc=all(one.is_ad_hoc for one in found),
        pages=sum(one.pages for one in found),
        problem="; ".join(problems),
    )


def _directory(
    data: bytes, end: int, blob: bytes, at: int, index: dict[int, int]
) -> Signature:
    magic, _, _, flags, hashes, _, specials, slots, limit = struct.unpack_from(
        ">9I", blob, at
    )
    hash_size, kind, _, page_log = struct.unpack_from(">4B", blob, at + 36)
    is_ad_hoc = bool(flags & _AD_HOC)
    name, wanted_size = _HASHES.get(kind, ("", 0))
    if magic != _DIRECTORY_BLOB or hash_size != wanted_size or not name:
        return Signature(is_ad_hoc, 0, f"its directory has hashes of kind {kind}")
    if limit != end:
        return Signature(is_ad_hoc, 0, f"it covers {limit:,} of {end:,} bytes")
    page = 1 << page_log if 0 < page_log <= _LONGEST_PAGE else limit
    if slots != -(-limit // page):
        return Signature(is_ad_hoc, 0, f"it has {slots} hashes for {limit:,} bytes")
    place = at + hashes
    wrong = []
    for number in range(slots):
        part = data[number * page : min((number + 1) * page, limit)]
        told = blob[place + number * hash_size : place + (number + 1) * hash_size]
        if hashlib.new(name, part).digest() != told:
            wrong.append(str(number))
    problem = f"pages with other bytes: {', '.join(wrong)}" if wrong else ""
    for slot in range(1, specials + 1):
        told = blob[place - slot * hash_size : place - (slot - 1) * hash_size]
        if slot in index and hashlib.new(name, _blob(blob, index[slot])).digest() != (
            told
        ):
            problem = problem or f"part {slot} of it has another hash"
    return Signature(is_ad_hoc, slots, problem)


def _blob(blob: bytes, at: int) -> bytes:
    (size,) = struct.unpack_from(">I", blob, at + 4)
    return blob[at : at + size]
