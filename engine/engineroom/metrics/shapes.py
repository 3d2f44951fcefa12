"""What is known of each shape of statement: how often, how long, which faults.

Every query passes `ShapeStats.add`, from any thread, so it takes no lock: it appends to
lists, which the interpreter does in one piece, and each 256th call counts what has been
gathered. Whoever folds only ever *tries* the lock: `add` may run in a finaliser that
interrupts a fold of its own thread, and would wait for itself for ever.
"""

from __future__ import annotations

from threading import Lock

from engineroom.metrics.distribution import Distribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, TypeVar

    Item = TypeVar("Item")

    class Shaped(Protocol):
        """What a statement is known by here; `engineroom.statement` makes them."""

        @property
        def shape(self) -> str:
            """The text without literals."""
            ...

        @property
        def fingerprint(self) -> str:
            """Sixteen hexadecimal digits of the shape."""
            ...


__all__ = ["FOLD_AT", "OTHERS", "ShapeFacts", "ShapeStats", "Shapes"]

# Samples that are gathered before they are counted.
FOLD_AT = 256

# The shape that stands for all that came after the last there was room for.
OTHERS = "(others)"
_MAX_SHAPE_CHARACTERS = 2_000


class ShapeFacts:
    """What was known of a shape at one moment.

    Attributes:
        fingerprint: sixteen hexadecimal digits, the same in every run.
        shape: the statement without literals.
        count: calls that ended, those that failed included.
        rows: rows that they gave or changed.
        errors: calls that failed.
        faults: how many failed with each fault.
        seconds: how long the calls took.
    """

    __slots__ = ("count", "errors", "faults", "fingerprint", "rows", "seconds", "shape")

    def __init__(
        self,
        fingerprint: str,
        shape: str,
        rows: int,
        faults: dict[str, int],
        seconds: Distribution,
    ) -> None:
        self.fingerprint = fingerprint
        self.shape = shape
        self.count = seconds.count
        self.rows = rows
        self.errors = sum(faults.values())
        self.faults = faults
        self.seconds = seconds

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as snapshots have them."""
        p50, p95, p99 = self.seconds.quantiles(0.5, 0.95, 0.99)
        return {
            "fingerprint": self.fingerprint,
            "shape": self.shape,
            "count": self.count,
            "rows": self.rows,
            "errors": self.errors,
            "faults": self.faults,
            "total_seconds": self.seconds.total,
            "p50": p50,
            "p95": p95,
            "p99": p99,
        }


class ShapeStats:
    """Counts the calls of one shape, from many threads at once.

    Attributes:
        fingerprint: of the shape.
        shape: the statement without literals.
    """

    __slots__ = (
        "_faults", "_lock", "_new_faults", "_new_rows", "_new_seconds", "_rows",
        "_seconds", "fingerprint", "shape",
    )  # fmt: skip

    def __init__(self, fingerprint: str, shape: str) -> None:
        self.fingerprint = fingerprint
        self.shape = shape
        # Three lists, because only sums are kept: what belongs to one call need not
        # stay together, and two appends cost less than a pair.
        self._new_seconds: list[float] = []
        self._new_rows: list[int] = []
        self._new_faults: list[str] = []
        self._lock = Lock()
        self._seconds = Distribution()
        self._rows = 0
        self._faults: dict[str, int] = {}

    def add(self, seconds: float, rows: int) -> None:
        """Count a call that succeeded."""
        gathered = self._new_seconds
        gathered.append(seconds)
        self._new_rows.append(rows)
        if len(gathered) >= FOLD_AT:
            self._try_fold()

    def add_error(self, fault: str, seconds: float) -> None:
        """Count a call that failed, after all its attempts."""
        gathered = self._new_seconds
        gathered.append(seconds)
        self._new_faults.append(fault)
        if len(gathered) >= FOLD_AT:
            self._try_fold()

    def facts(self) -> ShapeFacts:
        """Return what is known by now."""
        with self._lock:
            self._fold()
            seconds = Distribution()
            seconds.add_from(self._seconds)
            return ShapeFacts(
                self.fingerprint, self.shape, self._rows, dict(self._faults), seconds
            )

    def _try_fold(self) -> None:
        # Another thread that folds leaves what comes meanwhile to the next call.
        if self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def _fold(self) -> None:
        """Count what was gathered. Runs in one thread at a time, under the lock."""
        self._seconds.take(cut(self._new_seconds))
        self._rows += sum(cut(self._new_rows))
        for fault in cut(self._new_faults):
            self._faults[fault] = self._faults.get(fault, 0) + 1


def cut(gathered: list[Item]) -> list[Item]:
    """Take out what a list holds by now, while others go on extending it.

    Only what was copied is deleted: an entry is at the end, or it is in the copy. A
    list swapped for a new one would lose what threads that still have the old one add.
    """
    taken = gathered[:]
    del gathered[: len(taken)]
    return taken


class Shapes:
    """The statistics of each shape, up to a number of shapes.

    Args:
        max_shapes: shapes that are told apart; later ones count as `(others)`.
    """

    def __init__(self, max_shapes: int = 500) -> None:
        self._max_shapes = max_shapes
        self._lock = Lock()
        self._by_fingerprint: dict[str, ShapeStats] = {}
        self._others = ShapeStats("", OTHERS)

    def stats(self, statement: Shaped) -> ShapeStats:
        """Return the statistics that a statement's calls belong to."""
        found = self._by_fingerprint.get(statement.fingerprint)
        return self._learn(statement) if found is None else found

    def facts(self) -> list[ShapeFacts]:
        """Return what is known of each shape, the most time taken first."""
        with self._lock:
            known = [*self._by_fingerprint.values(), self._others]
        facts = [one for one in (stats.facts() for stats in known) if one.count]
        return sorted(facts, key=lambda one: -one.seconds.total)

    def _learn(self, statement: Shaped) -> ShapeStats:
        with self._lock:
            known = self._by_fingerprint
            found = known.get(statement.fingerprint)
            if found is None:
                if len(known) >= self._max_shapes:
                    return self._others
                shape = statement.shape
                if len(shape) > _MAX_SHAPE_CHARACTERS:
                    shape = f"{shape[:_MAX_SHAPE_CHARACTERS]}…"
                found = ShapeStats(statement.fingerprint, shape)
                known[statement.fingerprint] = found
            return found
