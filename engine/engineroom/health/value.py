"""What is known of a client's health, as a value."""

from __future__ import annotations

from time import monotonic

from engineroom.errors import Error

__all__ = ["Health", "Problem"]


class Problem:
    """Why something is not healthy, fit to be shown to whoever probes.

    An error itself is not kept: its traceback holds on to all that it went through.

    Attributes:
        code: the error's code, such as `ER2106`; `ER2000` for one that is not ours.
        fault: its word, such as `unreachable`; empty for one that is not ours.
        message: its sentence; of one that is not ours only the class, because nobody
            knows what its sentence holds.
        hint: what to do about it.
    """

    __slots__ = ("code", "fault", "hint", "message")

    def __init__(self, error: BaseException) -> None:
        if not isinstance(error, Error):
            error = Error(f"`{type(error).__name__}`")
        self.code = error.code
        self.fault = error.fault
        self.message = error.message
        self.hint = error.hint

    def as_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class Health:
    """How a query went that asked whether a client works.

    Attributes:
        is_healthy: whether the query was answered.
        seconds: how long that took, waiting with it.
        state: the client's state behind it, such as `ready`.
        error: why it was not answered, or None.
        is_cached: whether this was asked before, and is told again.
    """

    __slots__ = ("_asked", "error", "is_cached", "is_healthy", "seconds", "state")

    def __init__(
        self, *, seconds: float, state: str, error: BaseException | None = None
    ) -> None:
        self.is_healthy = error is None
        self.seconds = seconds
        self.state = state
        self.error = None if error is None else Problem(error)
        self.is_cached = False
        self._asked = monotonic()

    @property
    def age_seconds(self) -> float:
        """How long ago the answer came."""
        return monotonic() - self._asked

    def as_cached(self) -> Health:
        """Return the same, marked as told again."""
        again = Health.__new__(Health)
        for name in self.__slots__:
            setattr(again, name, getattr(self, name))
        again.is_cached = True
        return again

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "is_healthy": self.is_healthy,
            "state": self.state,
            "seconds": round(self.seconds, 6),
            "age_seconds": round(self.age_seconds, 6),
            "is_cached": self.is_cached,
            "error": self.error.as_dict() if self.error is not None else None,
        }

    def __repr__(self) -> str:
        how = (
            "healthy" if self.error is None else f"{self.error.code} {self.error.fault}"
        )
        return f"<engineroom.Health {how}, {self.state}, {self.seconds * 1000:.1f} ms>"
