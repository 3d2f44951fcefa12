"""What happened between two snapshots: the same counters, now and then."""

from __future__ import annotations

from engineroom.metrics.exposition import split_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Window"]


class Window:
    """The difference of two snapshots of a client.

    Where a counter has fallen, another process answers than before. Then everything
    that it counted falls into the window, as Prometheus has it.

    Args:
        begin: the earlier snapshot.
        end: the later one.

    Attributes:
        begin: the earlier snapshot, or where it is another's, one with nothing in it.
        end: the later one.
        seconds: how long the window was.
        has_restarted: whether the client was another at its end.
    """

    def __init__(self, begin: dict[str, Any], end: dict[str, Any]) -> None:
        self.end = end
        self.seconds = max(end["time"] - begin["time"], 0.0)
        now = end["counters"]
        self.has_restarted = any(
            count > now.get(key, 0)
            # What is worked out may fall by one while a call is being counted.
            for key, count in begin["counters"].items()
            if key != "attempt_won{attempt=1}"
        )
        if self.has_restarted:
            begin = {**_emptied(end), "gauges": begin["gauges"]}
        self.begin = begin

    @classmethod
    def since_the_start(cls, end: dict[str, Any]) -> Window:
        """Return a window over all that was counted, whose length is not known."""
        return cls(_emptied(end), end)

    def counts(self, name: str) -> dict[str, float]:
        """Return how much a counter grew, for each value of its label."""
        before = _by_label(self.begin["counters"], name)
        return {
            value: max(count - before.get(value, 0), 0)
            for value, count in self.totals(name).items()
        }

    def count(self, name: str) -> float:
        """Return how much a counter grew, all its labels together."""
        return sum(self.counts(name).values())

    def rate(self, name: str) -> float:
        """Return how much a counter grew in a second."""
        return self.count(name) / self.seconds if self.seconds else 0.0

    def totals(self, name: str) -> dict[str, float]:
        """Return what a counter has come to, for each value of its label."""
        return _by_label(self.end["counters"], name)

    def gauges(self, name: str) -> dict[str, float]:
        """Return what a gauge shows at the end, for each value of its label."""
        return _by_label(self.end["gauges"], name)

    def histogram(self, name: str) -> dict[str, Any]:
        """Return the samples that a histogram got."""
        new: dict[str, Any] = self.end["histograms"][name]
        old = self.begin["histograms"][name]
        return {
            "count": new["count"] - old["count"],
            "sum": new["sum"] - old["sum"],
            "buckets": [
                [edge, count - before]
                for (edge, count), (_, before) in zip(new["buckets"], old["buckets"])
            ],
        }


def _emptied(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return a snapshot as one of before anything was counted."""
    histograms = {
        name: {
            "count": 0,
            "sum": 0.0,
            "buckets": [[edge, 0] for edge, _ in histogram["buckets"]],
        }
        for name, histogram in snapshot["histograms"].items()
    }
    return {**snapshot, "counters": {}, "histograms": histograms, "shapes": []}


def _by_label(numbers: dict[str, float], name: str) -> dict[str, float]:
    pairs = ((*split_key(key), number) for key, number in numbers.items())
    return {value: number for of, value, number in pairs if of == name}
