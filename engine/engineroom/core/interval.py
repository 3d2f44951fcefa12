"""A length of time as PostgreSQL keeps it: months, days and microseconds apart.

A month has no fixed number of days, nor a day of hours, so the three are never turned
into each other here and whatever the database holds comes back the same.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from typing import Any, NoReturn

__all__ = ["Interval", "interval_of"]

_MONTHS = 2**31
_MICROSECONDS = 2**63
_DAY = 86_400_000_000


class Interval:
    """Months, days and microseconds. Cannot be changed, and can be a key.

    Two are equal when all three are: 24 hours are not a day here, though
    PostgreSQL's `=` says so.

    Args:
        months: of 32 bits, as `days`.
        days: not limited to those of a month.
        microseconds: of 64 bits; not limited to those of a day.

    Raises:
        ValueError: a number is past what PostgreSQL keeps.
    """

    __slots__ = ("days", "microseconds", "months")
    months: int
    days: int
    microseconds: int

    def __init__(self, months: int = 0, days: int = 0, microseconds: int = 0) -> None:
        for name, value, limit in (
            ("months", months, _MONTHS),
            ("days", days, _MONTHS),
            ("microseconds", microseconds, _MICROSECONDS),
        ):
            if not -limit <= value < limit:
                raise ValueError(f"An interval cannot have {value} {name}")
            object.__setattr__(self, name, value)

    @classmethod
    def from_timedelta(cls, delta: datetime.timedelta) -> Interval:
        """Return the same length: a timedelta's days stay days."""
        return cls(0, delta.days, delta.seconds * 1_000_000 + delta.microseconds)

    def to_timedelta(self) -> datetime.timedelta:
        """Return the same length with days of 24 hours.

        Raises:
            ValueError: it has months, which a timedelta cannot say.
            OverflowError: it is longer than a timedelta can be.
        """
        import datetime

        if self.months:
            raise ValueError(f"{self!r} has months, whose days are not known")
        return datetime.timedelta(days=self.days, microseconds=self.microseconds)

    def __setattr__(self, name: str, value: object = None) -> NoReturn:
        raise AttributeError(f"An interval cannot be changed: `{name}`")

    __delattr__ = __setattr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Interval):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __bool__(self) -> bool:
        return any(self._parts())

    def __neg__(self) -> Interval:
        return Interval(-self.months, -self.days, -self.microseconds)

    def __add__(self, other: object) -> Interval:
        if not isinstance(other, Interval):
            return NotImplemented
        return Interval(*map(sum, zip(self._parts(), other._parts())))

    def __sub__(self, other: object) -> Interval:
        if not isinstance(other, Interval):
            return NotImplemented
        return self + -other

    def __repr__(self) -> str:
        parts = (
            f"{name}={value}"
            for name, value in zip(("months", "days", "microseconds"), self._parts())
            if value
        )
        return f"Interval({', '.join(parts)})"

    def __str__(self) -> str:
        """Return PostgreSQL's text, which every one of its versions reads."""
        days = f"{self.months} mons {self.days} days"
        if self.microseconds == -_MICROSECONDS:  # too low for the server's clock
            return f"{days} {self.microseconds} microseconds"
        seconds, fraction = divmod(abs(self.microseconds), 1_000_000)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        clock = f"{hours:02}:{minutes:02}:{seconds:02}"
        if fraction:
            clock += f".{fraction:06}"
        sign = "-" if self.microseconds < 0 else ""
        return f"{days} {sign}{clock}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Interval, self._parts()

    def _parts(self) -> tuple[int, int, int]:
        return self.months, self.days, self.microseconds


_new, _members = object.__new__, vars(Interval)
_set_months = _members["months"].__set__
_set_days = _members["days"].__set__
_set_microseconds = _members["microseconds"].__set__


def interval_of(months: int, days: int, microseconds: int) -> Interval:
    """Return the interval of numbers that are known to fit."""
    made = _new(Interval)
    _set_months(made, months)
    _set_days(made, days)
    _set_microseconds(made, microseconds)
    return made
