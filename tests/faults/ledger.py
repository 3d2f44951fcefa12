"""What callers were told of their writes, held against what the table has.

Every write carries a number of its own. One that was confirmed stands in the table
once, one that was certainly not sent stands there never, and none stands there twice.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Ledger"]


class Ledger:
    """The writes of one test.

    Attributes:
        confirmed: numbers whose write returned.
        denied: numbers of which the error said that nothing was sent.
        open: numbers of which nobody can know: they may stand in the table or not.
    """

    def __init__(self) -> None:
        self.confirmed: set[int] = set()
        self.denied: set[int] = set()
        self.open: set[int] = set()
        self._numbers = itertools.count(1)
        self._together: list[list[int]] = []
        self._lock = threading.Lock()

    def take(self, count: int = 1) -> list[int]:
        """Return numbers to write that nobody has written before: all or none."""
        with self._lock:
            numbers = [next(self._numbers) for _ in range(count)]
            self.open.update(numbers)
            self._together.append(numbers)
        return numbers

    def confirm(self, numbers: Iterable[int]) -> None:
        """Note that a write, or a commit, of these has returned."""
        self._move(numbers, self.confirmed)

    def deny(self, numbers: Iterable[int]) -> None:
        """Note that none of these can have reached the database, or was rolled back."""
        self._move(numbers, self.denied)

    def _move(self, numbers: Iterable[int], target: set[int]) -> None:
        with self._lock:
            for number in numbers:
                self.open.remove(number)
                target.add(number)

    def note(self, numbers: Sequence[int], write: Callable[[], object]) -> None:
        """Run a write of these numbers and note what its caller learns; errors pass."""
        try:
            write()
        except Exception as error:
            if getattr(error, "sent_to_server", True) is False:
                self.deny(numbers)
            raise
        self.confirm(numbers)

    def faults_in(self, rows: Iterable[int]) -> list[str]:
        """Return what the numbers in the table and what was told do not agree on."""
        found = Counter(rows)
        known = self.confirmed | self.denied | self.open
        torn = (
            them for them in self._together if 0 < len(found.keys() & them) < len(them)
        )
        groups = {
            "written twice": {n for n, times in found.items() if times > 1},
            "confirmed but lost": self.confirmed - found.keys(),
            "written but said not to be sent": self.denied & found.keys(),
            "written in part": set(itertools.chain.from_iterable(torn)),
            "of nobody": found.keys() - known,
        }
        return [f"{what}: {sorted(them)}" for what, them in groups.items() if them]
