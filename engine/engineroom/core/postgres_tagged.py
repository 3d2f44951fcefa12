"""Values within values, from the bytes that native/src/qe_nested.h describes.

The engine has checked every count and size in them, so they are trusted here.
"""

from __future__ import annotations

from decimal import Decimal
from struct import unpack_from

from engineroom.core.nested import Array, Multirange, Range
from engineroom.core.postgres_scalars import (
    make_date,
    make_interval,
    make_json,
    make_network,
    make_time,
    make_timestamp,
    make_timestamptz,
    make_timetz,
    make_uuid,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Reader = Callable[[bytes, int], tuple[Any, int]]

__all__ = ["make_nested"]

_NUMBERS = {ord("i"): "xq", ord("f"): "xd"}
_EMPTY, _LOWER, _UPPER = 1, 2, 4  # qe_range's flags


def make_nested(data: bytes) -> object:
    """Return the list, tuple, range, multirange or dict that the bytes describe."""
    return _READERS[data[0]](data, 1)[0]


def _null(_: bytes, at: int) -> tuple[None, int]:
    return None, at


def _fixed(code: str, size: int, make: Callable[[Any], object] | None = None) -> Reader:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        value = unpack_from(code, data, at)[0]
        return value if make is None else make(value), at + size

    return read


def _sized(make: Callable[[Any], object], *, is_text: bool) -> Reader:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        end = at + 4 + int(unpack_from("=I", data, at)[0])
        raw = data[at + 4 : end]
        return make(raw.decode() if is_text else raw), end

    return read


def _bytes_of(size: int, make: Callable[[bytes], object]) -> Reader:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        return make(data[at : at + size]), at + size

    return read


def _list(data: bytes, at: int) -> tuple[list[Any], int]:
    count = unpack_from("=I", data, at)[0]
    at += 4
    code = _NUMBERS.get(data[at]) if count else None
    if code is not None and data[at : at + 9 * count : 9] == data[at : at + 1] * count:
        # Numbers alone, as most arrays are: tags stand at every ninth byte.
        return list(unpack_from(f"={code * count}", data, at)), at + 9 * count
    items: list[Any] = []
    for _ in range(count):
        item, at = _READERS[data[at]](data, at + 1)
        items.append(item)
    return items, at


def _array(data: bytes, at: int) -> tuple[Array, int]:
    dimensions = unpack_from("=I", data, at)[0]
    bounds = unpack_from(f"={dimensions}i", data, at + 4)
    # Behind the bounds, and the tag of the list.
    items, at = _list(data, at + 4 + 4 * dimensions + 1)
    return Array(items, bounds), at


def _tuple(data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
    items, at = _list(data, at)
    return tuple(items), at


def _range(data: bytes, at: int) -> tuple[Range, int]:
    flags = data[at]
    lower, at = _READERS[data[at + 1]](data, at + 2)
    upper, at = _READERS[data[at]](data, at + 1)
    if flags & _EMPTY:
        return Range(empty=True), at
    bounds = ("[" if flags & _LOWER else "(") + ("]" if flags & _UPPER else ")")
    return Range(lower, upper, bounds), at


def _multirange(data: bytes, at: int) -> tuple[Multirange, int]:
    items, at = _list(data, at)
    return Multirange(items), at


def _map(data: bytes, at: int) -> tuple[dict[str, str | None], int]:
    count = unpack_from("=I", data, at)[0]
    at += 4
    pairs: dict[str, str | None] = {}
    for _ in range(count):
        key, at = _READERS[data[at]](data, at + 1)
        pairs[key], at = _READERS[data[at]](data, at + 1)
    return pairs, at


_READERS: dict[int, Reader] = {
    ord(tag): reader
    for tag, reader in {
        "n": _null,
        "i": _fixed("=q", 8),
        "f": _fixed("=d", 8),
        "?": _fixed("=?", 1),
        "t": _sized(str, is_text=True),
        "b": _sized(bytes, is_text=False),
        "d": _fixed("=i", 4, make_date),
        "c": _fixed("=q", 8, make_time),
        "s": _fixed("=q", 8, make_timestamp),
        "z": _fixed("=q", 8, make_timestamptz),
        "m": _sized(Decimal, is_text=True),
        "u": _bytes_of(16, make_uuid),
        "j": _sized(make_json, is_text=True),
        "v": _bytes_of(16, make_interval),
        "o": _bytes_of(12, make_timetz),
        "w": _sized(make_network, is_text=True),
        "[": _list,
        "A": _array,
        "(": _tuple,
        "r": _range,
        "R": _multirange,
        "h": _map,
    }.items()
}
