"""How durations are spread, in buckets that grow by less than a tenth each.

A quantile is told to within 5 % from a few dozen small numbers, however many samples
there were. Between 1 and 10 of each decade the bounds go through 2.5 and 5, so that
the coarse buckets of histograms are counted exactly from them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import ceil, sqrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BOUNDS", "Distribution"]


def _make_bounds() -> Iterator[float]:
    """Yield upper bounds from a microsecond to a hundred seconds."""
    yield 1e-6
    for decade in range(-6, 2):
        # From, to and in how many steps: the widest is a factor of 1.096.
        for low, high, steps in ((1.0, 2.5, 10), (2.5, 5.0, 8), (5.0, 10.0, 8)):
            for step in range(1, steps):
                yield low * (high / low) ** (step / steps) * 10.0**decade
            # Read from a text, because it must be the very number a bucket names.
            yield float(f"{high}e{decade}")


# A sample belongs to the first bound that is not below it.
BOUNDS = tuple(_make_bounds())


class Distribution:
    """Counts of durations. It has no lock: its owner lets one thread in at a time.

    Attributes:
        count: how many there were.
        total: their sum.
    """

    __slots__ = ("_counts", "_least", "_most", "count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self._least = float("inf")
        self._most = 0.0
        # Only buckets that hold something: a statement takes times of one order.
        self._counts: dict[int, int] = {}

    def take(self, samples: list[float]) -> None:
        """Count samples, in seconds; the list is sorted on the way.

        Sorted samples are counted bucket by bucket: a quarter of the time that finding
        the bucket of each would take.
        """
        if not samples:
            return
        samples.sort()
        counts = self._counts
        start, end, bucket = 0, len(samples), 0
        while start < end:
            bucket = bisect_left(BOUNDS, samples[start], bucket)
            stop = end
            if bucket < len(BOUNDS):
                stop = bisect_right(samples, BOUNDS[bucket], start)
            counts[bucket] = counts.get(bucket, 0) + stop - start
            start = stop
        self.count += end
        self.total += sum(samples)
        self._least = min(self._least, samples[0])
        self._most = max(self._most, samples[-1])

    def add_from(self, other: Distribution) -> None:
        """Count what another has counted."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self._least = min(self._least, other._least)
        self._most = max(self._most, other._most)

    def quantiles(self, *shares: float) -> list[float]:
        """Return for each share the duration that this share of samples is within.

        Args:
            shares: in growing order, such as 0.5 and 0.99.
        """
        found: list[float] = []
        buckets = iter(sorted(self._counts.items()))
        bucket, seen = 0, 0
        for share in shares:
            rank = ceil(share * self.count)
            while seen < rank:
                bucket, count = next(buckets)
                seen += count
            found.append(self._middle(bucket) if self.count else 0.0)
        return found

    def cumulate(self, edges: Sequence[float]) -> list[list[float]]:
        """Return pairs of an edge and how many samples are not above it.

        Args:
            edges: bounds of `BOUNDS`, in growing order.
        """
        buckets = sorted(self._counts.items())
        pairs: list[list[float]] = []
        index = seen = 0
        for edge in edges:
            last = bisect_left(BOUNDS, edge)
            while index < len(buckets) and buckets[index][0] <= last:
                seen += buckets[index][1]
                index += 1
            pairs.append([edge, seen])
        return pairs

    def _middle(self, bucket: int) -> float:
        """Return the value that stands for a bucket's samples."""
        if bucket == len(BOUNDS):
            return self._most
        high = BOUNDS[bucket]
        middle = sqrt(BOUNDS[bucket - 1] * high) if bucket else high
        return min(max(middle, self._least), self._most)
