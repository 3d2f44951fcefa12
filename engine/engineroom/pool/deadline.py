"""One deadline for all that a call does, and the account of what used the time."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Phase = Literal["waiting", "warming", "querying", "pausing", "caller"]

__all__ = ["Deadline"]

# Kept back of the time that an engine is given, so that its failure is told before the
# deadline and not behind it.
_RESERVE = 0.02


class Deadline:
    """The time that a call has, by a clock that never jumps.

    Attributes:
        began: its beginning, as `time.monotonic()` counts.
        seconds: all of it.
        until: its end, as `time.monotonic()` counts.
        spent: seconds by phase, of phases that have ended.
        phase: the one that runs.
        attempts: how many attempts were begun.
    """

    __slots__ = (
        "_phase_began",
        "attempts",
        "began",
        "phase",
        "seconds",
        "spent",
        "until",
    )

    def __init__(self, seconds: float, *, already: float = 0.0) -> None:
        now = self.began = monotonic()
        self.seconds = seconds
        self.until = now - already + seconds
        self.spent: dict[str, float] = {"querying": already} if already else {}
        self.phase: Phase = "waiting"
        self.attempts = 0
        self._phase_began = now

    def enter(self, phase: Phase) -> None:
        """Begin another phase."""
        if phase == self.phase:
            return
        now = monotonic()
        self.spent[self.phase] = self.spent.get(self.phase, 0.0) + (
            now - self._phase_began
        )
        self.phase = phase
        self._phase_began = now

    def left(self) -> float:
        """Return the seconds that are left, 0 at the least."""
        return max(0.0, self.until - monotonic())

    def elapsed(self) -> float:
        """Return the seconds that have passed."""
        return self.seconds - (self.until - monotonic())

    @property
    def reserve(self) -> float:
        """The seconds that are kept back for telling of a failure."""
        return min(0.1, self.seconds * _RESERVE)

    def limit(self) -> float:
        """Return the seconds that an engine may take: what is left but the reserve."""
        return max(0.001, self.left() - self.reserve)

    def account(self) -> dict[str, float]:
        """Return the seconds by phase, the running one with them."""
        spent = dict(self.spent)
        running = monotonic() - self._phase_began
        spent[self.phase] = spent.get(self.phase, 0.0) + running
        return {phase: used for phase, used in spent.items() if used >= _SHOWN}

    def tell(self) -> str:
        """Return the account as a line: `2 attempts, 0.510 s: pausing 0.500 s`."""
        return tell_account(self.account(), self.attempts)


_SHOWN = 0.0005


def tell_account(spent: dict[str, float], attempts: int) -> str:
    """Return what used the time, the longest first."""
    by_length = sorted(spent.items(), key=lambda item: -item[1])
    parts = ", ".join(f"{phase} {used:.3f} s" for phase, used in by_length)
    word = "attempt" if attempts == 1 else "attempts"
    total = f"{attempts} {word}, {sum(spent.values()):.3f} s"
    return f"{total}: {parts}" if parts else total
