"""The N+1 finder: one line of a program that runs the same statement again and again.

A list is fetched with one query, and then each of its rows asks another. It is made for
tests, where a loop over three rows shows what a loop over a thousand will cost.
"""

from __future__ import annotations

from threading import Lock

from engineroom.errors import RepeatedQueries
from engineroom.metrics.caller import caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from engineroom.metrics.shapes import Shaped

__all__ = ["Repeat", "Repeats"]


class Repeat:
    """A statement that ran too often from one place.

    Attributes:
        shape: the statement without literals.
        file: where the line is that ran it.
        line: its number.
        count: how often it did.
    """

    __slots__ = ("count", "file", "line", "shape")

    def __init__(self, shape: str, file: str, line: int, count: int) -> None:
        self.shape = shape
        self.file = file
        self.line = line
        self.count = count

    def __repr__(self) -> str:
        return f"<{self.count} times from {self.file}:{self.line}: {self.shape}>"


class Repeats:
    """Counts statements by shape and place until its `with` block ends.

    Args:
        limit: how often a statement may run from one place.
        fail: raise `RepeatedQueries` at the end of the block if one ran more often.
    """

    def __init__(self, limit: int = 5, *, fail: bool = False) -> None:
        self.limit = limit
        self._fails = fail
        self._is_over = False
        self._lock = Lock()
        self._counts: dict[tuple[str, str, int], int] = {}

    def note(self, statement: Shaped) -> None:
        """Count a statement that is about to run."""
        if self._is_over:
            return
        key = (statement.shape, *caller())
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + 1

    @property
    def found(self) -> list[Repeat]:
        """What ran too often, in the order in which each ran first."""
        with self._lock:
            counts = list(self._counts.items())
        return [Repeat(*key, count) for key, count in counts if count > self.limit]

    def __enter__(self) -> Repeats:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over = True
        # What the block itself raised tells more.
        if self._fails and error is None and (found := self.found):
            raise RepeatedQueries(
                self.limit,
                [(one.shape, one.file, one.line, one.count) for one in found],
            )
