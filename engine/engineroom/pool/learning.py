"""What cold starts teach: how long this process waits for the next one.

A place that has always been ready after 20 ms is not given the whole budget the next
time: where it does not answer, the attempt ends soon, and there is time for another. A
place that turns out to be slower is given more, never more than the budget.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Learned", "learned_for"]

_KEPT = 10
_TIMES = 4.0
_LEAST_SECONDS = 0.75
_PLACES = 1000


class Learned:
    """How long the last warm-ups of one place took."""

    __slots__ = ("_patience", "_seconds")

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_KEPT)
        self._patience = 1.0

    def add(self, seconds: float) -> None:
        """Note a warm-up that went well."""
        self._seconds.append(seconds)
        self._patience = 1.0

    def add_late(self) -> None:
        """Note one that was given too little time: the next has twice as much."""
        self._patience *= 2

    def limit(self, budget_seconds: float) -> float:
        """Return how many seconds one connection may take, at most the budget."""
        budget = max(0.001, budget_seconds)
        if not self._seconds:
            return budget
        expected = max(_LEAST_SECONDS, _TIMES * max(self._seconds))
        return min(budget, expected * self._patience)


_learned: dict[str, Learned] = {}


def learned_for(place: str) -> Learned:
    """Return what is known of a place, which is named by its URL without secrets."""
    found = _learned.get(place)
    if found is None:
        if len(_learned) >= _PLACES:
            _learned.clear()
        found = _learned[place] = Learned()
    return found
