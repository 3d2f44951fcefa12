"""Many callers at once: one way to connect for all of them, and each in its turn."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

from postgres.programs import wait_until

import engineroom
import engineroom.aio

from .figures import spread
from .stages import file_stage
from .styles import Awaited, figure, measured

if TYPE_CHECKING:
    from pathlib import Path

    from .figures import Figures
    from .gate import Gate
    from .styles import Style

CALLERS = 1000
MOST_CONNECTIONS = 10
# Threads are dear: a tenth of the tasks is what a machine has room for.
WAITERS = {"asyncio": 10_000, "blocking": 1_000}
PATIENCE_SECONDS = 60.0
WRITERS = 16
WRITES = 50
INSERT = "INSERT INTO kept_once (number) VALUES (?)"
COUNT = "SELECT count(*) FROM kept_once"
# A file has one lane for its writer and one for its readers.
WARM_UPS = {"postgres": 1, "sqlite": 2}
ASK = {"postgres": "SELECT ?::int8", "sqlite": "SELECT ?"}


def backend_of(url: str) -> str:
    return "sqlite" if url.startswith("sqlite") else "postgres"


def test_a_thousand_first_queries_share_one_way_to_connect(
    style: Style, database: str, gate: Gate, figures: Figures
) -> None:
    backend = backend_of(database)
    options = {"start": "first use", "max_size": MOST_CONNECTIONS}
    with style.open(database, **options) as caller:
        calls = [(ASK[backend], (number,)) for number in range(CALLERS)]
        outcomes = caller.together("fetchvalue", calls)
        assert [outcome.error for outcome in outcomes if outcome.error] == []
        assert [outcome.value for outcome in outcomes] == list(range(CALLERS))
        assert figure(caller.client, "counters", "warm_ups") == WARM_UPS[backend]
        assert figure(caller.client, "counters", "disconnects") == 0
        assert figure(caller.client, "counters", "retries") == 0
        connects = int(figure(caller.client, "counters", "connects"))
        if backend == "postgres":
            assert gate.made == gate.startups == connects <= MOST_CONNECTIONS
    if backend == "postgres":
        wait_until(lambda: gate.open == 0, "all connections have ended")
        assert gate.torn == 0
    figures.note(
        f"{CALLERS} first queries, {backend}, {style.name}",
        connects=connects,
        **spread([outcome.seconds for outcome in outcomes]),
    )


def test_sixteen_threads_never_hear_that_a_file_is_locked(
    style: Style, tmp_path: Path, figures: Figures
) -> None:
    def write_and_read(_: int) -> list[float]:
        waits = []
        for _ in range(WRITES):
            numbers = stage.ledger.take()
            write = lambda n=numbers: caller.call("execute", INSERT, (n[0],))  # noqa: E731
            outcome = measured(lambda n=numbers, w=write: stage.ledger.note(n, w))
            assert outcome.error is None
            assert caller.call("fetchvalue", COUNT) > 0
            waits.append(outcome.seconds)
        return waits

    with file_stage(tmp_path) as stage, style.open(stage.url) as caller:
        with ThreadPoolExecutor(WRITERS) as threads:
            waits = list(
                chain.from_iterable(threads.map(write_and_read, range(WRITERS)))
            )
        assert figure(caller.client, "counters", "retries") == 0
        assert len(stage.numbers()) == WRITERS * WRITES
        assert stage.ledger.faults_in(stage.numbers()) == []
    figures.note(f"{WRITERS} writers of a file, {style.name}", **spread(waits))


def test_waiters_are_served_in_their_turn(
    style: Style, database: str, figures: Figures
) -> None:
    """All stand in line before the first is served, so the last waits twice the median.

    Who is passed over waits longer. Of threads only their turns are counted: when one
    of a thousand that is awake may run is up to the system.
    """
    count = WAITERS[style.name]
    wait = _wait_in_tasks if isinstance(style, Awaited) else _wait_in_threads
    served, waits = wait(style, database, count)
    assert sorted(served) == list(range(count))
    passed = max(number - turn for turn, number in enumerate(served))
    waited = spread(waits)
    figures.note(
        f"{count} waiters, {backend_of(database)}, {style.name}",
        passed=passed,
        **waited,
    )
    if isinstance(style, Awaited):
        assert waited["longest"] <= 3 * waited["median"]
    assert passed <= 4 * MOST_CONNECTIONS


def _wait_in_tasks(style: Any, url: str, count: int) -> tuple[list[int], list[float]]:
    async def everything() -> tuple[list[int], list[float]]:
        options = {"max_size": MOST_CONNECTIONS, "deadline_seconds": PATIENCE_SECONDS}
        async with engineroom.aio.open(url, **options) as client:
            served: list[int] = []
            waits: list[float] = []
            start = 0.0

            async def one(number: int) -> None:
                async with client.connection():
                    served.append(number)
                    waits.append(time.monotonic() - start)
                    await asyncio.sleep(0)

            held = [client.connection() for _ in range(_places(client))]
            for lease in held:
                await lease.__aenter__()
            tasks = [asyncio.create_task(one(number)) for number in range(count)]
            while _in_line(client) < count:
                await asyncio.sleep(0)
            start = time.monotonic()
            for lease in held:
                await lease.__aexit__(None, None, None)
            await asyncio.gather(*tasks)
            return served, waits

    found: tuple[list[int], list[float]] = style.run(everything())
    return found


def _wait_in_threads(_: object, url: str, count: int) -> tuple[list[int], list[float]]:
    options = {"max_size": MOST_CONNECTIONS, "deadline_seconds": PATIENCE_SECONDS}
    served: list[int] = []
    waits: list[float] = []
    with engineroom.open(url, **options) as client:
        start = [0.0]

        def one(number: int) -> None:
            with client.connection():
                served.append(number)
                waits.append(time.monotonic() - start[0])

        held = [client.connection() for _ in range(_places(client))]
        for lease in held:
            lease.__enter__()
        with ThreadPoolExecutor(count) as threads:
            tasks = []
            for number in range(count):
                tasks.append(threads.submit(one, number))
                wait_until(lambda: _in_line(client) == len(tasks), "it stands in line")
            start[0] = time.monotonic()
            for lease in held:
                lease.__exit__(None, None, None)
            for task in tasks:
                task.result()
    return served, waits


def _places(client: Any) -> int:
    """How many connections can be lent for writing at once."""
    return 1 if client.url.startswith("sqlite") else MOST_CONNECTIONS


def _in_line(client: Any) -> float:
    return figure(client, "gauges", "pool_waiting")
