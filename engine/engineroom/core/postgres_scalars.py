"""PostgreSQL's single values as Python objects, each from how a column keeps it.

What Python's classes cannot hold comes as PostgreSQL's own text: `infinity`,
`0044-03-15 BC`, `10000-01-01`, `24:00:00`.
"""

from __future__ import annotations

import datetime
from functools import cache
from struct import Struct

from engineroom.core.interval import Interval, interval_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "json_maker",
    "make_date",
    "make_interval",
    "make_json",
    "make_network",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "make_timetz",
    "make_uuid",
    "uuid_maker",
]

_EPOCH_ORDINAL = 719163  # 1970-01-01, as date.toordinal() counts
_read_interval = Struct("=qii").unpack
_read_timetz = Struct("=qi").unpack
_DAY = 86_400_000_000
_INT32_MOST, _INT32_LEAST = 2**31 - 1, -(2**31)
_INT64_MOST, _INT64_LEAST = 2**63 - 1, -(2**63)
# What Python's classes hold: from the year 1 to the year 9999.
_DAYS = range(1 - _EPOCH_ORDINAL, 3652060 - _EPOCH_ORDINAL)
_MICROSECONDS = range(_DAYS[0] * _DAY, (_DAYS[-1] + 1) * _DAY)
_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=datetime.timezone.utc)


def make_date(days: int) -> datetime.date | str:
    """Return the date so many days after 1970-01-01."""
    if days in _DAYS:
        return datetime.date.fromordinal(days + _EPOCH_ORDINAL)
    if days in (_INT32_MOST, _INT32_LEAST):
        return "infinity" if days > 0 else "-infinity"
    text, era = _date_text(days)
    return text + era


def make_time(microseconds: int) -> datetime.time | str:
    """Return the time of day; its end, which Python has not, as `24:00:00`."""
    if microseconds < _DAY:
        return _time_of(microseconds)
    return "24:00:00"


def _time_of(microseconds: int) -> datetime.time:
    seconds, fraction = divmod(microseconds, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return datetime.time(hour, minute, second, fraction)


def make_timestamp(microseconds: int) -> datetime.datetime | str:
    """Return what a clock showed so many microseconds after 1970."""
    if microseconds in _MICROSECONDS:
        return _EPOCH + datetime.timedelta(microseconds=microseconds)
    return _timestamp_text(microseconds, "")


def make_timestamptz(microseconds: int) -> datetime.datetime | str:
    """Return the moment so many microseconds after 1970, in UTC."""
    if microseconds in _MICROSECONDS:
        return _EPOCH_UTC + datetime.timedelta(microseconds=microseconds)
    return _timestamp_text(microseconds, "+00")


def _timestamp_text(microseconds: int, zone: str) -> str:
    if microseconds in (_INT64_MOST, _INT64_LEAST):
        return "infinity" if microseconds > 0 else "-infinity"
    days, clock = divmod(microseconds, _DAY)
    date, era = _date_text(days)
    time = _time_of(clock).isoformat()
    if clock % 1_000_000:
        time = time.rstrip("0")
    return f"{date} {time}{zone}{era}"


def _date_text(days: int) -> tuple[str, str]:
    """Year, month and day of the Gregorian calendar, and the era.

    Howard Hinnant's algorithm: http://howardhinnant.github.io/date_algorithms.html
    """
    cycle, day_of_cycle = divmod(days + 719468, 146097)
    year_of_cycle = (
        day_of_cycle
        - day_of_cycle // 1460
        + day_of_cycle // 36524
        - day_of_cycle // 146096
    ) // 365
    day_of_year = day_of_cycle - (
        365 * year_of_cycle + year_of_cycle // 4 - year_of_cycle // 100
    )
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_cycle + cycle * 400 + (month <= 2)
    era = ""
    if year <= 0:
        year, era = 1 - year, " BC"
    return f"{year:04}-{month:02}-{day:02}", era


def make_timetz(data: bytes) -> datetime.time | str:
    """Return the time of day with its offset from UTC."""
    microseconds, east = _read_timetz(data)
    if microseconds >= _DAY:
        sign = "-" if east < 0 else "+"
        minutes, seconds = divmod(abs(east), 60)
        hours, minutes = divmod(minutes, 60)
        parts = [f"{hours:02}", f"{minutes:02}", f"{seconds:02}"]
        while len(parts) > 1 and parts[-1] == "00":
            parts.pop()
        return f"24:00:00{sign}{':'.join(parts)}"
    zone = datetime.timezone(datetime.timedelta(seconds=east))
    return _time_of(microseconds).replace(tzinfo=zone)


def make_interval(data: bytes) -> Interval | str:
    """Return the interval; the endless ones of PostgreSQL 17 as their text."""
    microseconds, days, months = _read_interval(data)
    if months == days == _INT32_MOST and microseconds == _INT64_MOST:
        return "infinity"
    if months == days == _INT32_LEAST and microseconds == _INT64_LEAST:
        return "-infinity"
    return interval_of(months, days, microseconds)


def make_network(text: str) -> object:
    """Return an address, a network, or an address with its network's mask.

    Without a mask it is an address. With one it is a network, unless bits behind the
    mask are set: then it is the interface of a host.
    """
    import ipaddress  # it is large, and few columns hold addresses

    if "/" not in text:
        return ipaddress.ip_address(text)
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return ipaddress.ip_interface(text)


@cache
def uuid_maker() -> Callable[[bytes], object]:
    """Return what makes a UUID of 16 bytes at a third of its constructor's price.

    The constructor spends its time on finding out which of six ways it was called.
    """
    from uuid import UUID, SafeUUID

    members: Any = vars(UUID)
    set_int, set_safe = members["int"].__set__, members["is_safe"].__set__
    unknown, new, read = SafeUUID.unknown, object.__new__, int.from_bytes

    def make(data: bytes) -> object:
        made = new(UUID)
        set_int(made, read(data, "big"))
        set_safe(made, unknown)
        return made

    return make


@cache
def json_maker() -> Callable[[str], object]:
    """Return what reads JSON, without json.loads()' questions about its input."""
    from json import JSONDecoder

    decoder: Any = JSONDecoder()
    scan: Callable[[str, int], tuple[object, int]] = decoder.scan_once
    decode: Callable[[str], object] = decoder.decode

    def make(text: str) -> object:
        try:
            value, end = scan(text, 0)
        except StopIteration:
            return decode(text)
        # A json column keeps blanks as they were written.
        return value if end == len(text) else decode(text)

    return make


def make_uuid(data: bytes) -> object:
    """Return the UUID of 16 bytes."""
    return uuid_maker()(data)


def make_json(text: str) -> object:
    """Return what the JSON text says."""
    return json_maker()(text)
