"""The conversions of PostgreSQL's values that need Python, in both directions.

The engine makes what is common itself. For the rest it asks `maker_of` once for each
type and calls what it was given for each value; `convert` is the same with an error
that names the row where a value is beyond Python.
"""

from __future__ import annotations

from decimal import Decimal

from engineroom import errors
from engineroom.core import postgres_scalars as scalars
from engineroom.core.postgres_literal import adapt
from engineroom.core.postgres_tagged import make_nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["adapt", "convert", "maker_of"]

# By qe_type, as native/abi/qe_abi.h numbers it.
_MAKERS: dict[int, Callable[[Any], object]] = {
    6: scalars.make_date,
    7: scalars.make_time,
    8: scalars.make_timestamp,
    9: scalars.make_timestamptz,
    10: Decimal,
    13: scalars.make_interval,
    14: scalars.make_timetz,
    15: scalars.make_network,
    16: make_nested,
}
# Those whose modules are worth waiting for until the first value comes.
_LATE: dict[int, Callable[[], Callable[[Any], object]]] = {
    11: scalars.uuid_maker,
    12: scalars.json_maker,
}
_SHOWN = 40


def maker_of(declared: int) -> Callable[[Any], object]:
    """Return what makes a column's values, each from how the column keeps it.

    Args:
        declared: the column's qe_type.
    """
    maker = _MAKERS.get(declared)
    if maker is None:
        maker = _MAKERS[declared] = _LATE[declared]()
    return maker


def convert(value: Any, declared: int, column: str, row: int) -> object:
    """Return what a value of a column means in Python.

    Args:
        value: as its column keeps it: int, str or bytes.
        declared: the column's qe_type.
        column: its name.
        row: of the result, from 1.

    Raises:
        NotOfDeclaredType: Python has no form of it, as for JSON that nests too deep.
    """
    try:
        return maker_of(declared)(value)
    except (ValueError, ArithmeticError, RecursionError) as error:
        shown = repr(value)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}..."
        raise errors.NotOfDeclaredType(
            f"Row {row} of column `{column}` holds `{shown}`, which Python cannot: "
            f"{error}",
            hint="select it as text, as with `column::text`",
            sqlstate="22000",
        ) from error
