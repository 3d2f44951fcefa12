"""How long an operation may take: its own time, and a limit over several.

One timer serves for all operations. It is set anew when it rings before the time is up,
or when an operation has less time than those before: a loop's timer costs more than a
short query should.
"""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

__all__ = ["Clock"]


class Clock:
    """The time of one connection's operations.

    Args:
        loop: whose clock it is.
        timeout_seconds: how long each operation may take; 0 for ever.
        on_late: called when the time is up, whether an operation is going on or not.

    Attributes:
        is_wanted: whether operations have a time at all.
    """

    __slots__ = (
        "_deadline",
        "_limit_seconds",
        "_limit_until",
        "_loop",
        "_on_late",
        "_rings_at",
        "_timeout_seconds",
        "_timer",
        "is_wanted",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        timeout_seconds: float,
        on_late: Callable[[], None],
    ) -> None:
        self.is_wanted = timeout_seconds > 0
        self._loop = loop
        self._timeout_seconds = timeout_seconds
        self._on_late = on_late
        self._limit_seconds = 0.0
        self._limit_until = 0.0
        self._deadline = 0.0
        self._rings_at = 0.0
        self._timer: TimerHandle | None = None

    def limit(self, seconds: float) -> None:
        """Have what is started from now on end within so many seconds from now.

        Args:
            seconds: 0 takes the limit away; less is a time that has passed already.
        """
        self._limit_seconds = seconds
        self._limit_until = self._loop.time() + seconds if seconds else 0.0
        self.is_wanted = self._timeout_seconds > 0 or seconds != 0

    def start(self) -> None:
        """Begin with the time of an operation."""
        deadline = self._limit_until
        if self._timeout_seconds:
            own = self._loop.time() + self._timeout_seconds
            deadline = min(own, deadline) if deadline else own
        self._deadline = deadline
        if self._timer is None or deadline < self._rings_at:
            self._set()

    def why(self) -> errors.TimedOut:
        """Return what an operation fails with whose time is up."""
        within = f"{self._timeout_seconds * 1000:.0f} ms"
        hint = "wait longer with `timeout_seconds` in the URL"
        if self._deadline == self._limit_until:
            within = f"the time limit of {max(self._limit_seconds, 0) * 1000:.0f} ms"
            hint = "see what the server is doing, or allow it more time"
        late = errors.TimedOut(
            f"The server did not answer within {within}, and the connection was given "
            "up",
            hint=hint,
        )
        late.was_sent = True
        return late

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if not self.is_wanted:
            return  # the limit was taken away
        if self._loop.time() < self._deadline:
            self._set()
        else:
            self._on_late()
