"""The fault matrix as a table: how each trouble begins and ends, how calls may end.

`answer` stands for a call that succeeds; the other words are those of `error.fault`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from postgres.cluster import OWNER

from .servers import fill, make_room
from .stages import (
    file_stage,
    gated_stage,
    pair_stage,
    small_disk_file_stage,
    small_disk_stage,
    small_stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

__all__ = ["FILE_TROUBLES", "SERVER_TROUBLES", "SITUATIONS", "Trouble"]

SITUATIONS = (
    "reading",
    "writing",
    "in a transaction",
    "while waiting",
    "while warming",
)

# How long the server is away where it comes back by itself, beside its own start.
_AWAY_SECONDS = 0.2

Act = Any  # Callable[[Stage], object]; each is for the stages of its row


def _nothing(_: object) -> None:
    """A part that a trouble does not have."""


class Trouble(NamedTuple):
    """One row of the matrix.

    Attributes:
        stage: where it is played.
        begin: makes the trouble.
        expected: for each of the situations, the words that are right, with spaces.
        end: takes it away; by then every call has ended.
        during: goes on while the calls are under way, in the thread of the test: a
            server dies with the thread that has started it.
        writes_once: whether no write may be tried again, since each has been sent.
        begins_first: whether it begins before a transaction, not in it.
    """

    stage: Callable[..., AbstractContextManager[Any]]
    begin: Act
    expected: tuple[str, str, str, str, str]
    end: Act = _nothing
    during: Act = _nothing
    writes_once: bool = False
    begins_first: bool = False


def _heal(stage: Any) -> None:
    stage.gate.heal()


def _stop(stage: Any) -> None:
    stage.cluster.stop()


def _crash(stage: Any) -> None:
    stage.cluster.stop(at_once=True)


def _start(stage: Any) -> None:
    time.sleep(_AWAY_SECONDS)  # How long it is away is part of the fault.
    stage.cluster.start()


def _fail_over(stage: Any) -> None:
    stage.pair.promote()
    stage.cluster = stage.pair.standby


def _gated(begin: Act, *expected: str, **more: Any) -> Trouble:
    words = (expected[0], expected[1], expected[2], expected[3], expected[4])
    return Trouble(gated_stage, begin, words, end=_heal, **more)


# Who came too late to hear that a connection is gone may still write into it, so that
# the answer breaks. Who hears of it in time connects anew.
_BROKEN_OR_ANSWER = "answer broken-reply"
# A server that takes its time to come back may not be there for the last attempt.
_WHEN_BACK = "answer unreachable"
_BROKEN_OR_BACK = f"{_BROKEN_OR_ANSWER} unreachable"
# What breaks all replies breaks those of a new connection too, which then is none.
_BROKEN = "broken-reply unreachable"

# Who waits for the lock hears of it; who waits behind him has no time left to try.
_LOCKED = "lock-timeout timeout"

SERVER_TROUBLES = {
    "refused": _gated(
        lambda stage: stage.gate.refuse(),
        "unreachable", "unreachable", "broken-reply", "unreachable", "unreachable",
    ),
    "black hole": _gated(
        lambda stage: stage.gate.swallow(),
        "timeout", "timeout", "timeout", "timeout", "timeout",
        writes_once=True,
    ),
    "unanswered": _gated(
        lambda stage: stage.gate.leave_unanswered(),
        "timeout", "timeout", "timeout", "timeout", "timeout",
        writes_once=True,
    ),
    "half-open": _gated(
        lambda stage: stage.gate.hold(),
        "timeout", "timeout", "timeout", "timeout", "answer",
        writes_once=True,
    ),
    "one reply reset": _gated(
        lambda stage: stage.gate.reset_replies(3, times=1),
        "answer", _BROKEN_OR_ANSWER, "broken-reply", "answer", "answer",
    ),
    "replies reset": _gated(
        lambda stage: stage.gate.reset_replies(3),
        _BROKEN, _BROKEN, "broken-reply", _BROKEN, _BROKEN,
    ),
    "slow reply": _gated(
        lambda stage: stage.gate.slow(10),
        "timeout", "timeout", "timeout", "timeout", "timeout",
        writes_once=True,
    ),
    "garbage": _gated(
        lambda stage: stage.gate.garble(),
        _BROKEN, _BROKEN, "broken-reply", _BROKEN, _BROKEN,
    ),
    "restart": _gated(
        _stop, _WHEN_BACK, _BROKEN_OR_BACK, "broken-reply", _WHEN_BACK, _WHEN_BACK,
        during=_start,
    ),
    "crash": _gated(
        _crash, _WHEN_BACK, _BROKEN_OR_BACK, "broken-reply", _WHEN_BACK, _WHEN_BACK,
        during=_start,
    ),
    "terminated": _gated(
        lambda stage: stage.cluster.terminate(OWNER),
        "answer", _BROKEN_OR_ANSWER, "broken-reply", "answer", "answer",
    ),
    "fail-over": Trouble(
        pair_stage,
        lambda stage: stage.pair.primary.stop(at_once=True),
        ("answer", _BROKEN_OR_ANSWER, "broken-reply", "answer", "answer"),
        during=_fail_over,
    ),
    "disk full": Trouble(
        small_disk_stage,
        lambda stage: fill(stage.folder),
        ("answer", "capacity", "capacity", "answer", "answer"),
        end=lambda stage: make_room(stage.folder),
    ),
    "too many connections": Trouble(
        small_stage,
        lambda stage: stage.take_all_places(),
        ("capacity", "capacity", "broken-reply", "capacity", "capacity"),
        end=lambda stage: stage.free_places(),
    ),
}  # fmt: skip

FILE_TROUBLES = {
    "locked": Trouble(
        file_stage,
        lambda stage: stage.locker.hold(),
        ("answer", _LOCKED, "lock-timeout", _LOCKED, "answer"),
        end=lambda stage: stage.locker.let_go(),
        begins_first=True,
    ),
    "disk full": Trouble(
        small_disk_file_stage,
        lambda stage: fill(stage.folder),
        ("answer", "capacity", "capacity", "capacity", "capacity"),
        end=lambda stage: make_room(stage.folder),
    ),
}
