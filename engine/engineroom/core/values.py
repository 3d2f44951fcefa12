"""The conversions that need Python: what the engine asks for when it cannot decide.

`adapt` turns a parameter into one of the five types a database has, `convert` makes
a value of a declared type from what was stored, and `load_types` gives the classes
that rows are made of. The common cases never come here: the engine does them itself.
"""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

    Plain = Union[int, float, str, bytes, None]

__all__ = ["adapt", "convert", "load_types"]

# qe_type, as native/abi/qe_abi.h numbers it.
BOOLEAN, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, DECIMAL = 5, 6, 7, 8, 9, 10

_NAMES = {
    BOOLEAN: "BOOLEAN",
    DATE: "DATE",
    TIME: "TIME",
    TIMESTAMP: "TIMESTAMP",
    TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
    DECIMAL: "DECIMAL",
}


def load_types() -> tuple[Any, ...]:
    """Return datetime, date, time, UTC and Decimal, imported only now."""
    import datetime
    import decimal

    return (
        datetime.datetime,
        datetime.date,
        datetime.time,
        datetime.timezone.utc,
        decimal.Decimal,
    )


def adapt(value: object) -> Plain:
    """Return the value as int, float, str, bytes or None.

    Dates and times become ISO 8601 text, as SQLite's own functions read it; a
    Decimal becomes text, which keeps every digit.

    Raises:
        ParameterTypeUnsupported: the type has no such form.
    """
    import datetime
    import decimal

    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)  # pyright: ignore[reportUnknownArgumentType] - of any format
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    index = getattr(value, "__index__", None)
    if index is not None:
        return int(index())
    name = type(value).__name__
    raise errors.ParameterTypeUnsupported(
        name,
        hint="send int, float, str, bytes, bool, None, Decimal, date, time or datetime",
    )


def convert(value: object, declared: int, column: str, row: int) -> object:
    """Return what a stored value means in a column declared so.

    The engine has already tried the plain forms; what comes here is text with a time
    zone in a TIMESTAMP, text in a DECIMAL, or a value that does not fit.

    Raises:
        NotOfDeclaredType: the value is not of the type.
    """
    if isinstance(value, str):
        if declared == DECIMAL:
            return _decimal(value, column, row)
        if declared == TIMESTAMP:
            return _zoned(value, column, row)
    raise _not_of_type(value, declared, column, row)


def _decimal(text: str, column: str, row: int) -> object:
    import decimal

    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise _not_of_type(text, DECIMAL, column, row) from None


def _zoned(text: str, column: str, row: int) -> object:
    """A moment with its offset: `2024-05-06 07:08:09+02:00`, or `Z`."""
    import datetime

    form = text[:-1] + "+00:00" if text.endswith("Z") else text
    try:
        moment = datetime.datetime.fromisoformat(form)
    except ValueError:
        raise _not_of_type(text, TIMESTAMP, column, row) from None
    # What has no offset the engine has read already, unless it would have lost digits.
    if moment.tzinfo is None:
        raise _not_of_type(text, TIMESTAMP, column, row)
    return moment


_SHOWN = 40


def _not_of_type(
    value: object, declared: int, column: str, row: int
) -> errors.NotOfDeclaredType:
    shown = repr(value)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}..."
    return errors.NotOfDeclaredType(
        f"Row {row} of column `{column}` holds `{shown}`, which is no "
        f"{_NAMES[declared]} in a form that is known",
        hint=(
            "correct the value, or add `types=stored` to the URL to get values as they "
            "are stored"
        ),
        sqlstate="22007"
        if declared in (DATE, TIME, TIMESTAMP, TIMESTAMPTZ)
        else "22018",
    )
