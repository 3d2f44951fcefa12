"""Who has a connection for more than one statement, and where it was taken."""

from __future__ import annotations

from time import monotonic

from engineroom.metrics.caller import Place, callers

__all__ = ["LeaseFacts"]

# How many lines of the way to where it was taken are kept. Each costs a tenth of a
# microsecond, of the five that a lease takes.
_DEPTH = 3
# callers(), this class, the loan and the block that lends, in both faces.
_OWN_FRAMES = 4


class LeaseFacts:
    """One lease of a connection.

    Attributes:
        lane: which connections it is of.
        generation: of the connection.
        began: when it was taken, as `time.monotonic()` counts.
        is_over: whether it was given back.
        is_reported: whether it was reported as a leak.
    """

    __slots__ = ("_places", "began", "generation", "is_over", "is_reported", "lane")

    def __init__(self, lane: str, generation: int) -> None:
        self.lane = lane
        self.generation = generation
        self.began = monotonic()
        self.is_over = False
        self.is_reported = False
        self._places = callers(_DEPTH, _OWN_FRAMES)

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return monotonic() - self.began

    @property
    def taken_at(self) -> str:
        """Where it was taken, as `file:line`; empty where nobody knows."""
        return self.stack[0] if self.stack else ""

    @property
    def stack(self) -> list[str]:
        """Where it was taken, as `file:line in function`, the innermost first."""
        return [str(Place(*each)) for each in self._places]

    def __repr__(self) -> str:
        state = "over" if self.is_over else f"{self.seconds:.3f} s"
        return f"<engineroom.Lease of {self.lane}, {state}, taken at {self.taken_at}>"
