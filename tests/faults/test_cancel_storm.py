"""A storm of calls that are cancelled, or run out of time, wherever they happen to be.

Nothing of it may be left: no connection out of the books, no cancellation that was
swallowed, no answer that went to somebody else. Each asks for a number of its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import engineroom
import engineroom.aio
from engineroom import errors

from .styles import Awaited, figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from .figures import Figures
    from .gate import Gate
    from .styles import Style

# Of each face with each backend: 100,000 in all.
CALLS = 25_000
CALLS_WITH_LOSS = 5_000
LOSS = 0.01
AT_ONCE = 64
MOST_CONNECTIONS = 4
# The deadline of a call in a thread, on average: about as long as it waits.
MEAN_SECONDS = 0.02
# What a call may take beyond its deadline, and how many in a thousand may take longer:
# when one of many threads may run is up to a machine on which others work.
SLACK_SECONDS = 0.25
LATE_AT_MOST = 0.001
HUNG_SECONDS = 2.0
ASK = {"postgres": "SELECT ?::int8", "sqlite": "SELECT ?"}
OUT_OF_TIME = (errors.TimedOut, errors.DeadlineExceeded, errors.PoolExhausted)


class Storm(NamedTuple):
    """What is stormed, how often, and what is done before it is looked over."""

    url: str
    calls: int
    chance: random.Random
    heal: Callable[[], object] = lambda: None

    @property
    def sql(self) -> str:
        return ASK["sqlite" if self.url.startswith("sqlite") else "postgres"]

    @property
    def places(self) -> int:
        """How many connections can be lent for writing at once."""
        return 1 if self.url.startswith("sqlite") else MOST_CONNECTIONS


def rage(storm: Storm, style: Style) -> dict[str, float]:
    """Let a storm go by; return how its calls ended."""
    begin = _storm_of_tasks if isinstance(style, Awaited) else _storm_of_threads
    start = time.monotonic()
    tally = begin(style, storm)
    tally["seconds"] = round(time.monotonic() - start, 1)
    assert tally["wrong answer"] == 0
    assert tally["swallowed"] == 0
    assert tally["answered"] + tally["stopped"] + tally["failed"] == storm.calls
    # A storm in which nothing happens would prove nothing.
    assert min(tally["answered"], tally["stopped"]) > storm.calls / 20
    assert tally["late"] <= LATE_AT_MOST * storm.calls
    assert tally["longest overrun"] < HUNG_SECONDS
    return tally


def test_nothing_is_left_of_a_storm(
    style: Style, database: str, seed: int, figures: Figures
) -> None:
    storm = Storm(database, CALLS, random.Random(seed))
    tally = rage(storm, style)
    figures.note(f"storm, {database.partition(':')[0]}, {style.name}", **tally)
    assert tally["failed"] == 0


def test_nothing_is_left_of_a_storm_that_loses_connections(
    style: Style, gate: Gate, gate_url: str, seed: int, figures: Figures
) -> None:
    gate.lose(LOSS)
    storm = Storm(gate_url, CALLS_WITH_LOSS, random.Random(seed), gate.heal)
    tally = rage(storm, style)
    figures.note(f"storm with losses, {style.name}", lost=gate.lost, **tally)
    assert gate.lost > 0


def _new_tally() -> dict[str, float]:
    names = ("answered", "stopped", "failed", "swallowed", "wrong answer", "late")
    return dict.fromkeys((*names, "longest overrun"), 0)


def _note_answer(tally: dict[str, float], value: object, number: int) -> None:
    tally["answered" if value == number else "wrong answer"] += 1


def _storm_of_tasks(style: Any, storm: Storm) -> dict[str, float]:
    async def rage() -> dict[str, float]:
        tally = _new_tally()
        async with engineroom.aio.open(storm.url, max_size=MOST_CONNECTIONS) as client:
            numbers = iter(range(storm.calls))
            await asyncio.gather(
                *(_cancel_some(client, storm, numbers, tally) for _ in range(AT_ONCE))
            )
            tally["connects"] = figure(client, "counters", "connects")
            storm.heal()
            await asyncio.wait_for(_take_all(client, storm), 5)
        return tally

    done: dict[str, float] = style.run(rage())
    return done


async def _cancel_some(
    client: Any, storm: Storm, numbers: Any, tally: dict[str, float]
) -> None:
    ways = (_ask, _ask, _ask, _lend, _transact)
    chance = storm.chance
    for number in numbers:
        task = asyncio.create_task(chance.choice(ways)(client, storm.sql, number))
        await _pass_some_time(task, chance)
        is_cancelled = chance.random() < 0.9 and task.cancel()
        try:
            value = await task
        except asyncio.CancelledError:
            assert is_cancelled
            tally["stopped"] += 1
        except errors.Error:
            tally["swallowed"] += is_cancelled
            tally["failed"] += 1
        else:
            tally["swallowed"] += is_cancelled
            _note_answer(tally, value, number)


async def _pass_some_time(task: asyncio.Task[Any], chance: random.Random) -> None:
    """Let a task come some way: so many turns of the loop, or so much time."""
    if chance.random() < 0.3:
        await asyncio.wait([task], timeout=chance.uniform(0, 0.02))
    for _ in range(chance.randrange(40)):
        if task.done():
            return
        await asyncio.sleep(0)


async def _ask(client: Any, sql: str, number: int) -> object:
    return await client.fetchvalue(sql, (number,))


async def _lend(client: Any, sql: str, number: int) -> object:
    async with client.connection() as connection:
        return (await (await connection.execute(sql, (number,))).fetchone())[0]


async def _transact(client: Any, sql: str, number: int) -> object:
    async with client.transaction() as connection:
        return (await (await connection.execute(sql, (number,))).fetchone())[0]


async def _take_all(client: Any, storm: Storm) -> None:
    """Lend every connection there may be, all at once: none has gone astray."""
    leases = [client.connection() for _ in range(storm.places)]
    for number, lease in enumerate(leases):
        connection = await lease.__aenter__()
        cursor = await connection.execute(storm.sql, (number,))
        assert await cursor.fetchone() == (number,)
    assert figure(client, "gauges", "pool_waiting") == 0
    for lease in leases:
        await lease.__aexit__(None, None, None)
    assert figure(client, "gauges", "pool_in_use") == 0


def _storm_of_threads(_: object, storm: Storm) -> dict[str, float]:
    tallies = [_new_tally() for _ in range(AT_ONCE)]
    with engineroom.open(storm.url, max_size=MOST_CONNECTIONS) as client:
        numbers = iter(range(storm.calls))
        with ThreadPoolExecutor(AT_ONCE) as threads:
            done = [
                threads.submit(_hurry, client, storm, numbers, tally)
                for tally in tallies
            ]
        for each in done:
            each.result()
        total = {name: sum(tally[name] for tally in tallies) for name in tallies[0]}
        total["longest overrun"] = max(tally["longest overrun"] for tally in tallies)
        total["connects"] = figure(client, "counters", "connects")
        storm.heal()
        _take_all_blocking(client, storm)
    return total


def _hurry(client: Any, storm: Storm, numbers: Any, tally: dict[str, float]) -> None:
    chance = random.Random(storm.chance.random())
    for number in numbers:
        seconds = chance.expovariate(1 / MEAN_SECONDS) + 0.0001
        start = time.monotonic()
        try:
            value = _ask_in_time(client, storm.sql, number, seconds, chance)
        except OUT_OF_TIME:
            tally["stopped"] += 1
        except errors.Error:
            tally["failed"] += 1
        else:
            _note_answer(tally, value, number)
        overrun = time.monotonic() - start - seconds
        tally["late"] += overrun > SLACK_SECONDS
        tally["longest overrun"] = max(tally["longest overrun"], overrun)


def _ask_in_time(
    client: Any, sql: str, number: int, seconds: float, chance: random.Random
) -> object:
    way = chance.randrange(5)
    if way < 3:
        return client.fetchvalue(sql, (number,), deadline_seconds=seconds)
    block = client.connection if way == 3 else client.transaction
    with block(deadline_seconds=seconds) as connection:
        return connection.execute(sql, (number,)).fetchone()[0]


def _take_all_blocking(client: Any, storm: Storm) -> None:
    leases = [client.connection() for _ in range(storm.places)]
    for number, lease in enumerate(leases):
        cursor = lease.__enter__().execute(storm.sql, (number,))
        assert cursor.fetchone() == (number,)
    assert figure(client, "gauges", "pool_waiting") == 0
    for lease in leases:
        lease.__exit__(None, None, None)
    assert figure(client, "gauges", "pool_in_use") == 0
