"""How one cell of the fault matrix is played, and what must be true at its end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from postgres.programs import wait_until

from engineroom import errors

from .stages import TABLES, FileStage
from .styles import figure, measured
from .troubles import SITUATIONS

if TYPE_CHECKING:
    from .stages import Stage
    from .styles import Caller, Outcome, Style
    from .troubles import Trouble

__all__ = [
    "DEADLINE_SECONDS", "HEALTHY_SECONDS", "SLACK_SECONDS", "play_cell", "read",
    "seconds_until_healthy",
]  # fmt: skip

DEADLINE_SECONDS = 4.0
HEALTHY_SECONDS = 1.0
# What the machine may add, on which others work too.
SLACK_SECONDS = 0.1
READ = "SELECT 42"


def insert(stage: Stage, table: str) -> str:
    return f"INSERT INTO {table} VALUES (?, {stage.padding})"


def read(caller: Caller) -> Outcome:
    return measured(lambda: caller.call("fetchvalue", READ))


def write(caller: Caller, stage: Stage) -> list[Outcome]:
    """Write one number into each table, both at once."""

    def one(table: str) -> Outcome:
        numbers = stage.ledger.take()
        call = lambda: caller.call("execute", insert(stage, table), (numbers[0],))  # noqa: E731
        return measured(lambda: stage.ledger.note(numbers, call))

    with ThreadPoolExecutor(len(TABLES)) as threads:
        return list(threads.map(one, TABLES))


def transact(caller: Caller, stage: Stage, begin: Any) -> Outcome:
    """Write a number into each table, with the trouble between the two."""
    numbers = stage.ledger.take(len(TABLES))
    statements = [
        (insert(stage, table), (number,)) for table, number in zip(TABLES, numbers)
    ]
    call = lambda: caller.transact(statements, before_last=begin)  # noqa: E731
    return measured(lambda: stage.ledger.note(numbers, call))


class Play:
    """One cell of the matrix."""

    def __init__(self, trouble: Trouble, stage: Stage) -> None:
        self.trouble = trouble
        self.stage = stage
        self.has_begun = threading.Event()
        self.elsewhere = ThreadPoolExecutor(1)

    def begin(self) -> None:
        self.trouble.begin(self.stage)
        self.has_begun.set()

    def during(self, call: Any, *, until_there: Any = None) -> Any:
        """Make a call in another thread, and go on with the trouble in this one."""
        future = self.elsewhere.submit(call)
        if until_there is not None:
            until_there()
        wait_until(lambda: self.has_begun.is_set() or future.done(), "it has begun")
        if self.has_begun.is_set():
            self.trouble.during(self.stage)
        return future.result()

    def end(self) -> None:
        """End the trouble; the database is back when this returns."""
        self.elsewhere.shutdown()
        self.trouble.end(self.stage)


def play_ready(play: Play, caller: Caller, situation: str) -> list[Outcome]:
    """Play one of the situations in which the client is ready."""
    stage = play.stage
    if situation == "in a transaction" and not play.trouble.begins_first:
        return [play.during(lambda: transact(caller, stage, play.begin))]
    if situation == "while waiting":
        return play_waiting(play, caller)
    play.begin()
    if situation == "reading":
        return [play.during(lambda: read(caller))]
    if situation == "writing":
        outcomes: list[Outcome] = play.during(lambda: write(caller, stage))
        return outcomes
    return [play.during(lambda: transact(caller, stage, None))]


def play_waiting(play: Play, caller: Caller) -> list[Outcome]:
    """Wait for the only connection, which is given back in the trouble."""
    stage = play.stage
    with ExitStack() as lease:
        lease.enter_context(caller.lease())
        play.begin()

        def give_back() -> None:
            wait_until(
                lambda: figure(caller.client, "gauges", "pool_waiting") > 0, "it waits"
            )
            lease.close()

        if isinstance(stage, FileStage):  # It has one writer, and readers beside it.
            waited: list[Outcome] = play.during(
                lambda: write(caller, stage), until_there=give_back
            )
            return waited
        return [play.during(lambda: read(caller), until_there=give_back)]


def seconds_until_healthy(caller: Caller) -> float:
    """Ask until there is an answer; return how long that took."""
    start = time.monotonic()
    while measured(lambda: caller.call("fetchvalue", READ, deadline_seconds=1.0)).error:
        assert time.monotonic() - start < 10, caller.client.state
    return time.monotonic() - start


def check(
    play: Play, situation: str, outcomes: list[Outcome], retries: float, healthy: float
) -> None:
    trouble = play.trouble
    expected = dict(zip(SITUATIONS, trouble.expected))[situation].split()
    for outcome in outcomes:
        assert outcome.word in expected, repr(outcome.error)
        if outcome.word == "timeout":
            assert isinstance(outcome.error, errors.DeadlineExceeded)
        if outcome.error is not None and situation != "in a transaction":
            assert "attempt" in outcome.error.account  # What used the time.
        assert outcome.seconds <= DEADLINE_SECONDS + SLACK_SECONDS, str(outcome.error)
    if situation == "in a transaction" or (
        situation == "writing" and trouble.writes_once
    ):
        assert retries == 0
    assert healthy <= HEALTHY_SECONDS + SLACK_SECONDS
    assert play.stage.ledger.faults_in(play.stage.numbers()) == []


def play_cell(
    trouble: Trouble, situation: str, style: Style, arguments: tuple[Any, ...]
) -> tuple[float, float]:
    """Play a cell and check it; return the longest call, and the time to health."""
    size = 1 if situation == "while waiting" else 2
    is_warming = situation == "while warming"
    options = {"max_size": size, "min_size": 0 if is_warming else size}
    with trouble.stage(*arguments) as stage:
        play = Play(trouble, stage)
        if is_warming:
            play.begin()
            options["start"] = "background"
        with style.open(stage.url, **options) as caller:
            if is_warming:
                outcomes = [play.during(lambda: read(caller))]
            else:
                outcomes = play_ready(play, caller, situation)
            retries = figure(caller.client, "counters", "retries")
            play.end()
            healthy = seconds_until_healthy(caller)
        check(play, situation, outcomes, retries, healthy)
    return max(outcome.seconds for outcome in outcomes), healthy
