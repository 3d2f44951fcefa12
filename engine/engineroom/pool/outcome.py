"""One failure that several callers are told of, an exception for each."""

from __future__ import annotations

import copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom import errors

__all__ = ["another"]


def another(error: errors.Error) -> errors.Error:
    """Return an exception that says the same.

    One exception raised in several threads would gather the tracebacks of all.
    """
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin
