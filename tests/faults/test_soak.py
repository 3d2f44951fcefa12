"""A soak: a client works for minutes while one statement in a hundred is lost.

Nothing may grow, and nothing may be left when it is closed.
"""

from __future__ import annotations

import gc
import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from postgres.programs import wait_until
from postgres.sockets import open_sockets

from .stages import TABLES, gated_stage
from .styles import figure, measured, own_threads

if TYPE_CHECKING:
    import pytest
    from postgres.cluster import Cluster

    from .figures import Figures
    from .gate import Gate
    from .stages import ServerStage
    from .styles import Caller, Outcome, Style

LOSS = 0.01
WORKERS = 8
RETRIES_LESS_THAN = 0.05
# What the allocator, and the ledger of a test, may take; a leak of a hundred bytes for
# each query would be more.
GROWTH_BYTES = 8 << 20
# Memory is measured from here on: buffers, caches and pools have their sizes by then.
SETTLED_PART = 0.4


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def work(
    caller: Caller, stage: ServerStage, chance: random.Random, until: float
) -> Counter[str]:
    """Read, write and transact until it is time; return how the calls ended."""
    words: Counter[str] = Counter()
    while time.monotonic() < until:
        dice = chance.random()
        if dice < 0.8:
            asked = chance.randrange(1 << 30)
            outcome = measured(
                lambda asked=asked: caller.call("fetchvalue", "SELECT ?::int", (asked,))
            )
            assert outcome.error is not None or outcome.value == asked
            words[f"read: {told(outcome)}"] += 1
            continue
        numbers = stage.ledger.take(1 if dice < 0.95 else 2)
        outcome = measured(lambda numbers=numbers: write(caller, stage, numbers))
        words[f"write: {told(outcome)}"] += 1
    return words


def told(outcome: Outcome) -> str:
    """Return how a call ended, and after how many attempts if it failed."""
    attempts = getattr(outcome.error, "attempts", 0)
    return f"{outcome.word} in {attempts}" if outcome.error else outcome.word


def write(caller: Caller, stage: ServerStage, numbers: list[int]) -> None:
    """Write one number alone, or two in a transaction."""
    sql = [f"INSERT INTO {table} VALUES (?)" for table in TABLES]
    if len(numbers) == 1:
        table = numbers[0] % len(TABLES)
        call = lambda: caller.call("execute", sql[table], (numbers[0],))  # noqa: E731
    else:
        both = [(text, (number,)) for text, number in zip(sql, numbers)]
        call = lambda: caller.transact(both)  # noqa: E731
    stage.ledger.note(numbers, call)


def soak(
    caller: Caller, stage: ServerStage, seconds: float, seed: int
) -> tuple[Counter[str], int]:
    """Work in many threads; return how calls ended, and how much memory has grown."""
    start = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as threads:
        done = [
            threads.submit(
                work, caller, stage, random.Random(seed + number), start + seconds
            )
            for number in range(WORKERS)
        ]
        settled = start + seconds * SETTLED_PART
        wait_until(lambda: time.monotonic() > settled, "it is warm", seconds=seconds)
        before = resident_bytes()
        words = sum((each.result() for each in done), Counter[str]())
    return words, resident_bytes() - before


def test_a_soak_with_lost_connections_changes_nothing(
    request: pytest.FixtureRequest,
    server: Cluster,
    gate: Gate,
    style: Style,
    seed: int,
    figures: Figures,
) -> None:
    seconds = request.config.getoption("--soak-seconds") / 2
    with gated_stage(server, gate) as stage:
        gc.collect()
        threads, sockets = own_threads(), set(open_sockets())
        with style.open(stage.url, max_size=WORKERS) as caller:
            gate.lose(LOSS)
            words, growth = soak(caller, stage, seconds, seed)
            lost, statements = gate.lost, gate.statements
            gate.heal()
            queries = figure(caller.client, "counters", "queries")
            retries = figure(caller.client, "counters", "retries")
        wait_until(lambda: gate.open == 0, "all connections have ended")
        wait_until(lambda: set(open_sockets()) <= sockets, "no socket is left")
        wait_until(lambda: own_threads() <= threads, "no thread is left")
        assert stage.ledger.faults_in(stage.numbers()) == []
    figures.note(
        f"soak, {style.name}",
        seconds=seconds,
        queries=queries,
        lost=lost / statements,
        retries=retries / queries,
        grown_bytes=growth,
        **dict(sorted(words.items())),
    )
    assert lost > 0.5 * LOSS * statements
    # A write that was sent is not tried again; a read is, until three times are lost.
    unlucky = words.pop("read: broken-reply in 3", 0)
    assert unlucky <= max(1, 10 * LOSS**3 * queries)
    writes = {f"write: broken-reply in {attempts}" for attempts in (1, 2, 3)}
    assert words.keys() <= {"read: answer", "write: answer", *writes}
    assert retries < RETRIES_LESS_THAN * queries
    assert growth < GROWTH_BYTES
