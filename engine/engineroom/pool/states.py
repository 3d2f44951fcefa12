"""The states of a connection's life, as a table, and the one place that moves on in it.

    new ── connecting ── warming ── ready ── draining ── closed
               │            │         │
               ├── failed ──┤         └── connecting (again), failed
               └ timed_out ─┘

Each state carries since when it is and what led to it, so that whoever looks is told
the truth and not a habit.
"""

from __future__ import annotations

import time

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    StateName = Literal[
        "new",
        "connecting",
        "warming",
        "ready",
        "draining",
        "closed",
        "failed",
        "timed_out",
    ]

__all__ = ["MOVES", "Life", "State"]

# From each state, those that may follow.
MOVES: dict[StateName, tuple[StateName, ...]] = {
    "new": ("connecting", "draining"),
    "connecting": ("warming", "failed", "timed_out", "draining"),
    "warming": ("ready", "failed", "timed_out", "draining"),
    "ready": ("connecting", "failed", "draining"),
    "failed": ("connecting", "draining"),
    "timed_out": ("connecting", "draining"),
    "draining": ("closed",),
    "closed": (),
}


class State:
    """One state, and how it came to be.

    Attributes:
        name: one of the words of `MOVES`.
        since: when it began, in seconds since 1970.
        cause: the error that led to it, None for the plain course of things.
    """

    __slots__ = ("cause", "name", "since")
    name: StateName

    def __init__(self, name: StateName, cause: errors.Error | None = None) -> None:
        self.name = name
        self.since = time.time()
        self.cause = cause

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON; of the cause its code, fault and sentence."""
        cause = self.cause
        said = None
        if cause is not None:
            said = {"code": cause.code, "fault": cause.fault, "message": cause.message}
        return {"name": self.name, "since": self.since, "cause": said}

    def __repr__(self) -> str:
        why = f" because of {self.cause.code}" if self.cause is not None else ""
        return f"<engineroom.State {self.name}{why}>"


class Life:
    """The state that something is in, and the way there.

    Attributes:
        state: the one it is in.
        past: the last states before it, the oldest first, with this one at the end.
    """

    __slots__ = ("past", "state")

    _KEPT = 20

    def __init__(self) -> None:
        self.state = State("new")
        self.past = [self.state]

    @property
    def name(self) -> StateName:
        """The name of the state."""
        return self.state.name

    def move(self, name: StateName, cause: errors.Error | None = None) -> None:
        """Go over to another state.

        Raises:
            StateMoveRefused: it does not follow the one that is.
        """
        if name not in MOVES[self.state.name]:
            raise errors.StateMoveRefused(self.state.name, name)
        self.state = State(name, cause)
        self.past.append(self.state)
        del self.past[: -self._KEPT]

    def begin_anew(self) -> None:
        """Be new again, unless it is over: a forked child has no life of its parent."""
        self.state = State("closed" if self.name in ("draining", "closed") else "new")
        self.past = [self.state]
