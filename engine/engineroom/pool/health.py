"""What the last look at the database said, and for how long that may be repeated."""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

from time import monotonic

from engineroom import errors
from engineroom.health import Health

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.pool.face import ClientFace

__all__ = ["HealthCache"]

# Faults that tell of the way to the database and not of one statement.
_OF_THE_WAY = frozenset(
    ("unreachable", "connect-timeout", "broken-reply", "timeout", "not-connected")
)


class HealthCache:
    """The last answer of a client.

    Args:
        client: whose answers they are.
        seconds: how old an answer may be that is given again.
    """

    __slots__ = ("_asked", "_client", "_last", "_seconds")

    def __init__(self, client: ClientFace, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._last: Health | None = None
        self._asked = 0.0

    def find(self, came: float = float("inf")) -> Health | None:
        """Return the last answer, where it may be given again.

        Args:
            came: since when the caller has waited, as `time.monotonic()` counts: an
                answer that came meanwhile is his too.
        """
        last = self._last
        if last is None:
            return None
        if last.age_seconds > self._seconds and self._asked < came:
            return None
        if not last.is_healthy and self._client._last_success > self._asked:
            return None  # a query has shown that it is out of date
        self._client.metrics.count("health_cached")
        return last.as_cached()

    def note(self, began: float, error: errors.Error | None) -> Health:
        """Keep an answer, and return it.

        Args:
            began: when it was asked for, as `time.monotonic()` counts.
            error: why there was none.
        """
        client = self._client
        metrics = client.metrics
        metrics.count("health_checks", result="pass" if error is None else "fail")
        if error is not None and client._last_success > began:
            metrics.count("health_disagreements", kind="health failed, query passed")
        self._asked = monotonic()
        seconds = self._asked - began
        self._last = Health(seconds=seconds, state=client.state.name, error=error)
        return self._last

    def note_failure(self, error: errors.Error) -> None:
        """Forget an answer that a query has shown to be out of date."""
        last = self._last
        if last is None or error.fault not in _OF_THE_WAY or not last.is_healthy:
            return
        self._last = None
        if last.age_seconds <= self._seconds:
            self._client.metrics.count(
                "health_disagreements", kind="health passed, query failed"
            )

    def forget(self) -> None:
        """Forget the last answer: what it told of is no more."""
        self._last = None

    def late(self) -> Health:
        """Return the answer for who has waited for another's question to the end."""
        seconds = self._client.options.health_seconds
        late = errors.DeadlineExceeded(
            seconds, spent={"waiting": seconds}, doing="waiting"
        )
        return Health(seconds=seconds, state=self._client.state.name, error=late)
