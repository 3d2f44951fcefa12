"""Type objects and constructors of PEP 249.

A column's `type_code` in `cursor.description` is a word such as `integer` or
`timestamp`; a type object equals every word of its group.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "TYPE_WORDS",
    "Binary",
    "Date",
    "DateFromTicks",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "TypeGroup",
]

# By qe_type, as native/abi/qe_abi.h numbers it.
TYPE_WORDS = (
    "any",
    "integer",
    "float",
    "text",
    "blob",
    "boolean",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "decimal",
    "uuid",
    "json",
    "interval",
    "timetz",
    "network",
    "nested",
)


class TypeGroup:
    """Equal to each of several type codes, as PEP 249 wants of its type objects."""

    __slots__ = ("_name", "_words")

    def __init__(self, name: str, *words: str) -> None:
        self._name = name
        self._words = frozenset(words)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeGroup):
            return self._words == other._words
        return other in self._words

    def __hash__(self) -> int:
        return hash(self._words)

    def __repr__(self) -> str:
        return self._name


STRING = TypeGroup("STRING", "text")
BINARY = TypeGroup("BINARY", "blob")
NUMBER = TypeGroup("NUMBER", "integer", "float", "decimal", "boolean")
DATETIME = TypeGroup(
    "DATETIME", "date", "time", "timetz", "timestamp", "timestamptz", "interval"
)
# Row ids of SQLite and oids of PostgreSQL are integers, and described as such.
ROWID = TypeGroup("ROWID", "integer")

Binary = bytes


def Date(year: int, month: int, day: int) -> datetime.date:  # noqa: N802 - PEP 249's
    """Return a date."""
    import datetime

    return datetime.date(year, month, day)


def Time(hour: int, minute: int, second: int) -> datetime.time:  # noqa: N802 - PEP 249's
    """Return a time of day."""
    import datetime

    return datetime.time(hour, minute, second)


def Timestamp(  # noqa: N802 - PEP 249's
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> datetime.datetime:
    """Return a date with a time, without a zone."""
    import datetime

    return datetime.datetime(year, month, day, hour, minute, second)


def DateFromTicks(ticks: float) -> datetime.date:  # noqa: N802 - PEP 249's
    """Return the local date at so many seconds since the epoch."""
    import datetime

    return datetime.date.fromtimestamp(ticks)


def TimeFromTicks(ticks: float) -> datetime.time:  # noqa: N802 - PEP 249's
    """Return the local time of day at so many seconds since the epoch."""
    return TimestampFromTicks(ticks).time()


def TimestampFromTicks(ticks: float) -> datetime.datetime:  # noqa: N802 - PEP 249's
    """Return the local date and time at so many seconds since the epoch."""
    import datetime

    return datetime.datetime.fromtimestamp(ticks)
