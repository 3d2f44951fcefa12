"""Entity tags, conditions and ranges: RFC 9110, sections 8.8, 13 and 14.

Bytes in a store never change under their address, so every tag here is a strong one.
Nothing here reads a store.
"""

from __future__ import annotations

import re

__all__ = ["Unsatisfiable", "is_known", "is_still", "parse_range"]

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII | re.IGNORECASE)

# Beyond any size; longer numbers would only cost time to read.
_FAR = 10**18


class Unsatisfiable(ValueError):
    """A range lies beyond the end."""


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Tell whether a client has these bytes already, by its `If-None-Match`.

    `*` is passed over: who has something, but cannot say what, is given the whole.
    """
    # Weak comparison: a proxy that compressed an answer marks its tag as weak.
    return any(match[2] == tag for match in _TAG.finditer(if_none_match or ""))


def is_still(if_range: str | None, tag: str) -> bool:
    """Tell whether a part asked for fits what the client has, by its `If-Range`.

    A date fits nothing, because answers carry none that could be compared.
    """
    return if_range is None or if_range.strip() == tag


def parse_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Read a `Range` header as the first byte and the one to stop before.

    None stands for the whole: no header, another unit, a malformed one, or several
    ranges at once, which a server may answer with the whole.

    Raises:
        Unsatisfiable: when the range lies beyond the end.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not any(match.groups()):
        return None
    first, last = (_number(text) for text in match.groups())
    if first is None:
        start, stop = max(size_bytes - (last or 0), 0), size_bytes
    else:
        start = first
        stop = size_bytes if last is None else min(last + 1, size_bytes)
        if last is not None and last < first:
            return None
    if start >= size_bytes:
        raise Unsatisfiable
    return start, stop


def _number(text: str) -> int | None:
    if not text:
        return None
    return int(text) if len(text) <= 18 else _FAR
