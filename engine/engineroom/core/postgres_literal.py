"""Python values as the text that PostgreSQL reads.

What goes in alone and has a binary form never comes here: the engine sends it. The
rest, and everything inside an array, a composite, a range or a map, is written the way
the server's input functions read it, always quoted where it is text.
https://www.postgresql.org/docs/17/arrays.html#ARRAYS-INPUT and, for composites,
https://www.postgresql.org/docs/17/rowtypes.html#ROWTYPES-IO-SYNTAX
"""

from __future__ import annotations

import datetime
import decimal
import enum

from engineroom import errors
from engineroom.core.adapters import ADAPTERS
from engineroom.core.interval import Interval
from engineroom.core.nested import Array, Multirange, Range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Union

    Plain = Union[int, float, str, bytes, None]

__all__ = ["adapt"]

_JSON = frozenset((114, 3802))
_JSON_ARRAYS = frozenset((199, 3807))
# The numbers of the arrays that every server has, for which a tuple serves as well;
# where the type is the user's own a tuple is a composite.
# fmt: off
_ARRAYS = frozenset((
    143, 199, 271, 629, 651, 719, 775, 791, 1000, 1001, 1002, 1003, 1005, 1006, 1007,
    1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1017, 1018, 1019, 1020, 1021,
    1022, 1027, 1028, 1034, 1040, 1041, 1115, 1182, 1183, 1185, 1187, 1231, 1270, 1561,
    1563, 2201, 2207, 2208, 2209, 2210, 2211, 2949, 2951, 3221, 3643, 3645, 3735, 3770,
    3807, 3905, 3907, 3909, 3911, 3913, 3927, 4073, 4090, 4097, 4192, 5039, 6150, 6151,
    6152, 6153, 6155, 6157,
))
# fmt: on
_DEPTH_MOST = 64
_UTC = datetime.timezone.utc


def adapt(value: Any, oid: int = 0) -> Plain:
    """Return the value as int, float, str, bytes or None.

    Args:
        value: anything.
        oid: the parameter's type as the server numbers it, 0 where it is not known.

    Raises:
        ParameterTypeUnsupported: the type has no form that PostgreSQL reads.
        DataError: the value has none.
    """
    if value is None:
        return None
    if _is(value, bytes, bytearray, memoryview):
        return bytes(value)
    if _is(value, enum.Enum) and not _is(value, int, str, float):
        return adapt(value.value, oid)
    if oid in _JSON and _is(value, dict, list, tuple):
        return _json(value)
    if oid in _JSON_ARRAYS and _is(value, list, tuple):
        return _json_array(value)
    if oid in _ARRAYS and _is(value, tuple):
        return _array(list(value), 0)
    return _text(value, 0)


def _is(value: object, *kinds: type) -> bool:
    """As isinstance(), without type checkers concluding what the parts are."""
    return isinstance(value, kinds)


def _text(value: object, depth: int) -> str:
    """Return the text of a value that is not NULL, not quoted yet."""
    if depth > _DEPTH_MOST:
        raise errors.DataError(
            f"A parameter has values within values more than {_DEPTH_MOST} deep",
            hint="see whether it holds itself",
            sqlstate="54001",
        )
    # What is sent alone has been to its adapter; what lies in another value has not.
    adapter = ADAPTERS.adapter_of(value) if depth else None
    if adapter is not None:
        value = adapter(value)
    write = _WRITERS.get(type(value))
    if write is None:
        inherited = (w for kind, w in _WRITERS.items() if isinstance(value, kind))
        write = next(inherited, _other)
    return write(value, depth)


def _other(value: Any, depth: int) -> str:
    import ipaddress
    import uuid

    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(
        value,
        (
            ipaddress.IPv4Address,
            ipaddress.IPv6Address,
            ipaddress.IPv4Network,
            ipaddress.IPv6Network,
        ),
    ):
        return str(value)
    if isinstance(value, enum.Enum):
        return _text(value.value, depth + 1)
    index = getattr(value, "__index__", None)
    if index is not None:
        return str(int(index()))
    raise _unsupported(value)


def _unsupported(value: object) -> errors.ParameterTypeUnsupported:
    return errors.ParameterTypeUnsupported(
        type(value).__name__,
        hint=(
            "send a type that docs/concepts/types.md lists, text, or tell how to send "
            "it with `engineroom.register_adapter()`"
        ),
    )


# Values that hold no others.


def _boolean(value: bool, _: int) -> str:
    return "t" if value else "f"


def _integer(value: int, _: int) -> str:
    return int.__repr__(value)


def _float(value: float, _: int) -> str:
    # `inf` and `nan` are read as well as `Infinity` and `NaN`.
    return float.__repr__(value)


def _string(value: str, _: int) -> str:
    text = str.__str__(value)
    if "\0" in text:
        raise errors.NotUtf8(
            "A parameter holds a zero character, which PostgreSQL cannot store",
            hint="send it as bytes, or leave it out",
            sqlstate="22021",
        )
    return text


def _bytes(value: bytes, _: int) -> str:
    return f"\\x{bytes(value).hex()}"


def _decimal(value: decimal.Decimal, _: int) -> str:
    return "NaN" if value.is_nan() else str(value)


def _datetime(value: datetime.datetime, _: int) -> str:
    return _in_whole_seconds(value).isoformat(" ")


def _in_whole_seconds(value: datetime.datetime) -> datetime.datetime:
    # The server reads no fraction of a second in an offset.
    offset = value.utcoffset()
    return value.astimezone(_UTC) if offset and offset.microseconds else value


def _date(value: datetime.date, _: int) -> str:
    return value.isoformat()


def _time(value: datetime.time, _: int) -> str:
    if value.tzinfo is not None and value.utcoffset() is None:
        raise errors.DataError(
            f"The time `{value!r}` has a zone whose offset depends on the date",
            hint="give it an offset with `datetime.timezone`, or send a datetime",
            sqlstate="22007",
        )
    return value.isoformat()


def _timedelta(value: datetime.timedelta, _: int) -> str:
    return str(Interval.from_timedelta(value))


def _interval(value: Interval, _: int) -> str:
    return str(value)


# Values made of others.


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_BARE = (int, float, decimal.Decimal)


def _element(value: object, depth: int, null: str) -> str:
    if value is None:
        return null
    text = _text(value, depth + 1)
    return text if type(value) in _BARE else _quoted(text)


def _array(value: list[Any], depth: int) -> str:
    items = (
        _array(item, depth + 1)
        if _is(item, list) and depth <= _DEPTH_MOST
        else _element(item, depth, "NULL")
        for item in value
    )
    return f"{{{','.join(items)}}}"


def _array_with_bounds(value: Array, depth: int) -> str:
    bounds = value.lower_bounds
    if not value or all(bound == 1 for bound in bounds):
        return _array(value, depth)
    sizes: list[int] = []
    inner: Any = value
    for _ in bounds:
        is_list = _is(inner, list)
        sizes.append(len(inner) if is_list else 0)
        inner = inner[0] if is_list and inner else ()
    written = "".join(
        f"[{bound}:{bound + size - 1}]" for bound, size in zip(bounds, sizes)
    )
    return f"{written}={_array(value, depth)}"


def _composite(value: tuple[Any, ...], depth: int) -> str:
    return f"({','.join(_element(item, depth, '') for item in value)})"


def _range(value: Range, depth: int) -> str:
    if value.is_empty:
        return "empty"
    lower = _element(value.lower, depth, "")
    upper = _element(value.upper, depth, "")
    return f"{value.bounds[0]}{lower},{upper}{value.bounds[1]}"


def _multirange(value: Multirange, depth: int) -> str:
    return f"{{{','.join(_range(each, depth + 1) for each in value)}}}"


def _map(value: dict[Any, Any], _: int) -> str:
    """A dict whose type nobody knows: the extension hstore's text."""
    pairs: list[str] = []
    for key, item in value.items():
        if not isinstance(key, str) or not (item is None or isinstance(item, str)):
            raise errors.ParameterTypeUnsupported(
                "dict",
                hint=(
                    "where PostgreSQL does not ask for json, a dict of str and None "
                    "is a hstore; send other ones as `json.dumps(...)`"
                ),
            )
        text = "NULL" if item is None else _quoted(_string(item, 0))
        pairs.append(f"{_quoted(_string(key, 0))}=>{text}")
    return ",".join(pairs)


def _json(value: object) -> str:
    import json

    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except TypeError as error:
        raise errors.ParameterTypeUnsupported(
            type(value).__name__,
            hint=f"it holds what JSON has no form for ({error}); make it text first",
        ) from None
    except (ValueError, RecursionError) as error:
        raise errors.DataError(
            f"A parameter cannot be written as JSON: {error}",
            hint="NaN and infinities are no JSON, and a value cannot hold itself",
            sqlstate="22032",
        ) from None


def _json_array(value: Iterable[Any]) -> str:
    items = (
        "NULL"
        if item is None
        else _quoted(_string(item, 0) if isinstance(item, str) else _json(item))
        for item in value
    )
    return f"{{{','.join(items)}}}"


# By exact type first, then in this order: those below others come before them.
_WRITERS: dict[type, Callable[[Any, int], str]] = {
    str: _string,
    bool: _boolean,
    int: _integer,
    float: _float,
    decimal.Decimal: _decimal,
    datetime.datetime: _datetime,
    datetime.date: _date,
    datetime.time: _time,
    datetime.timedelta: _timedelta,
    Interval: _interval,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    Array: _array_with_bounds,
    list: _array,
    tuple: _composite,
    Range: _range,
    Multirange: _multirange,
    dict: _map,
}
