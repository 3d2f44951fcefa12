"""What the N+1 finder raises: ER2620."""

from __future__ import annotations

from engineroom.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class RepeatedQueries(Error, AssertionError):
    """One line of a program ran the same statement again and again.

    Attributes:
        limit: how often a statement may run from one place.
        repeats: the shape, the file, the line and the count of each that ran more
            often, in the order in which they began.
    """

    code = "ER2620"

    def __init__(
        self, limit: int, repeats: Sequence[tuple[str, str, int, int]]
    ) -> None:
        self.limit = limit
        self.repeats = list(repeats)
        shape, file, line, count = self.repeats[0]
        others = len(self.repeats) - 1
        also = f", and {others} more repeated so" if others else ""
        super().__init__(
            f"`{shape}` ran {count} times from `{file}:{line}`,"
            f" which is over the limit of `{limit}`{also}",
            hint="fetch what the loop needs with one statement, by a join or a list of"
            " keys; or give a higher `limit` where the loop is meant",
        )
