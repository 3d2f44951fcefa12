"""What a client and its pool can fail with: ER2601 to ER2613.

Sentences name what used the time or the connections, because whoever reads one of them
asks just that.
"""

from __future__ import annotations

from engineroom.errors import (
    Error,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from engineroom.errors.postgres import ConnectFailed, TimedOut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SLOW_START = (
    "see whether the server is up and can be reached from here; "
    "`engineroom health URL` asks it"
)

# What to do where a call's time ran out, by what was done when it ended.
_LATE = {
    "waiting": "give connections back sooner, or make the pool larger with `max_size`",
    "warming": _SLOW_START,
    "connecting": _SLOW_START,
    "querying": "see what the server is doing; `client.snapshot()` tells which "
    "statements are slow",
    "pausing": "`__cause__` is what the attempts failed with",
    "caller": "do what takes long outside of the block, or give it more time with "
    "`deadline_seconds`",
}
# What is said of it, where it is another word.
_DOING = {"caller": "in the code of the block"}


class NotConnected(InterfaceError):
    """The client has no connection, and waits for none.

    Attributes:
        state: the client's state, such as `failed`.
    """

    code = "ER2601"

    def __init__(
        self,
        state: str,
        *,
        hint: str = "`client.state` tells why; `client.reconnect()` tries anew",
    ) -> None:
        super().__init__(f"The client is not connected: it is `{state}`", hint=hint)
        self.state = state


class ClientClosed(NotConnected):
    """The client was closed, or is closing and takes nothing new."""

    code = "ER2602"

    def __init__(self, state: str = "closed") -> None:
        super().__init__(state, hint="open a new client with `engineroom.open()`")


class WarmUpFailed(ConnectFailed):
    """The client could not make itself ready.

    `fault` and `retryable` are those of what it failed with, where that is one of our
    errors; `__cause__` is what it failed with.

    Attributes:
        attempts: how often it was tried.
        seconds: how long that took.
    """

    code = "ER2603"

    def __init__(
        self,
        reason: BaseException | None,
        *,
        attempts: int,
        seconds: float,
        message: str = "",
    ) -> None:
        super().__init__(
            message
            or f"The client did not become ready in {_times(attempts, 'attempt')} and "
            f"{seconds:.1f} s: {_told(reason)}",
            hint=(isinstance(reason, Error) and reason.hint) or _SLOW_START,
            sqlstate=getattr(reason, "sqlstate", ""),
        )
        self.attempts = attempts
        self.seconds = seconds
        self.__cause__ = reason

    @property
    def fault(self) -> str:
        """The word for what it failed with."""
        reason = self.__cause__
        return (isinstance(reason, Error) and reason.fault) or super().fault

    @property
    def retryable(self) -> bool:
        """Whether what it failed with may be gone the next time."""
        reason = self.__cause__
        if reason is None:
            return super().retryable
        # What is not ours is a hook's: a fault in a program, which stays.
        return isinstance(reason, Error) and reason.retryable


class WarmUpTimedOut(WarmUpFailed, TimedOut):
    """The client did not become ready within its budget for that.

    Attributes:
        budget_seconds: how long it may take, `warm_up_seconds`.
    """

    code = "ER2604"

    def __init__(
        self,
        reason: BaseException | None = None,
        *,
        attempts: int,
        seconds: float,
        budget_seconds: float,
    ) -> None:
        last = f"; the last failed with {_told(reason)}" if reason else ""
        super().__init__(
            reason,
            attempts=attempts,
            seconds=seconds,
            message=f"The client did not become ready within {budget_seconds:g} s, in "
            f"{_times(attempts, 'attempt')}{last}",
        )
        self.budget_seconds = budget_seconds


class PoolExhausted(OperationalError):
    """No connection of the pool came free in time.

    Attributes:
        size: how many connections the pool may have, `max_size`.
        in_use: how many of them are lent.
        waiting: how many callers wait, this one among them.
        waited_seconds: how long this one waited.
        oldest_seconds: the age of the oldest lease, or None where there is none.
        oldest_at: where that was taken, as `file:line`; empty where it runs a single
            statement.
    """

    code = "ER2605"

    def __init__(
        self,
        *,
        size: int,
        in_use: int,
        waiting: int,
        waited_seconds: float,
        oldest_seconds: float | None = None,
        oldest_at: str = "",
        is_fixed: bool = False,
    ) -> None:
        oldest = ""
        if oldest_seconds is not None:
            place = f", taken at `{oldest_at}`" if oldest_at else ""
            oldest = f"; the oldest lease is {oldest_seconds:.1f} s old{place}"
        larger = ", or make the pool larger with `max_size`"
        super().__init__(
            f"No connection came free in {waited_seconds:.2f} s: {in_use} of {size} "
            f"are in use and {_times(waiting, 'caller')} "
            f"{'waits' if waiting == 1 else 'wait'}{oldest}",
            # One connection writes to a file, whatever the size of the pool.
            hint=f"give connections back sooner{'' if is_fixed else larger}",
        )
        self.size = size
        self.in_use = in_use
        self.waiting = waiting
        self.waited_seconds = waited_seconds
        self.oldest_seconds = oldest_seconds
        self.oldest_at = oldest_at


class DeadlineExceeded(TimedOut):
    """The time for the whole call ran out, with all its waits and attempts.

    Attributes:
        deadline_seconds: how long it may take.
        spent: the seconds that went into each phase: `waiting` for a free connection,
            `warming`, `querying`, `pausing`, and the `caller`'s own code in a block.
        doing: the phase in which the time ran out.
    """

    code = "ER2606"

    def __init__(
        self,
        deadline_seconds: float,
        *,
        spent: Mapping[str, float],
        doing: str,
        attempts: int = 1,
        was_sent: bool = False,
    ) -> None:
        nth = f", in attempt {attempts}" if attempts > 1 else ""
        super().__init__(
            f"The call did not end within {deadline_seconds:g} s; it was "
            f"{_DOING.get(doing, doing)}{nth}",
            hint=_LATE.get(doing, ""),
        )
        self.deadline_seconds = deadline_seconds
        self.spent = dict(spent)
        self.doing = doing
        self.attempts = attempts
        self.was_sent = was_sent
        self.account = ", ".join(
            f"{phase} {seconds:.2f} s" for phase, seconds in spent.items() if seconds
        )


class StateMoveRefused(InternalError):
    """A client was to go from one state to another that cannot follow it.

    Attributes:
        before: the state it is in.
        after: the state it was to go to.
    """

    code = "ER2607"

    def __init__(self, before: str, after: str) -> None:
        super().__init__(
            f"A client that is `{before}` cannot become `{after}`",
            hint="this is a fault in Engineroom; report it with the traceback",
        )
        self.before = before
        self.after = after


class StalePlan(NotSupportedError):
    """What was prepared no longer fits: its tables have changed since.

    It was prepared anew, so that the next run succeeds. Where the columns of a result
    changed under a statement that was running, it did run: `sent_to_server` tells.
    """

    code = "ER2608"


class LeaseEnded(InterfaceError):
    """The connection went back to the pool, and is no longer this caller's."""

    code = "ER2609"

    def __init__(self) -> None:
        super().__init__(
            "The lease of this connection has ended",
            hint="use it inside the `with` block that lends it",
        )


class OptionRefused(ProgrammingError):
    """An option of a client has a value that it cannot take.

    Attributes:
        option: the option, such as `max_size`.
        value: the value; an empty text where that does not matter.
        problem: what is wrong with it.
    """

    code = "ER2610"

    def __init__(
        self, option: str, value: object, problem: str, *, hint: str = ""
    ) -> None:
        given = "" if value == "" else f" is `{value!r}`"
        super().__init__(f"The option `{option}`{given}: {problem}", hint=hint)
        self.option = option
        self.value = value
        self.problem = problem


class CredentialsFailed(ConnectFailed):
    """The callback that is to give user and password did not.

    Attributes:
        problem: what it did instead; never what it gave or said, which may be secret.
    """

    code = "ER2611"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The callback `credentials` {problem}",
            hint="it has to return a mapping with `user`, `password` or both",
        )
        self.problem = problem


class MetricsUnreachable(Error):
    """The metrics of a client cannot be had.

    Attributes:
        url: where they were to be, without secrets.
        reason: what stands in the way.
    """

    code = "ER2612"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"No metrics came from `{url}`: {reason}",
            hint="see whether the service runs and mounts `health_app()` there",
        )
        self.url = url
        self.reason = reason


class MetricsNotUnderstood(Error):
    """What is at an address is not the metrics of a client.

    Attributes:
        url: the address, without secrets.
        reason: what is wrong with what came.
    """

    code = "ER2613"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"What came from `{url}` is not a client's metrics: {reason}",
            hint="give the address of `/metrics.json` of `health_app()`",
        )
        self.url = url
        self.reason = reason


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _told(reason: BaseException | None) -> str:
    """Say what went wrong; of what is not ours only the class, it may hold secrets."""
    if isinstance(reason, Error):
        return f"{reason.code} {reason.message}"
    return f"`{type(reason).__name__}`"
