"""A storm of calls that are cancelled, or run out of time, wherever they happen to be.

Nothing of it may be left: no connection out of the books, no cancellation that was
swallowed, no answer that went to somebody else. Each asks for a number of its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import engineroom
import engineroom.aio
from engineroom import errors

from .styles import Awaited, figure

if TYPE_CHECKING:
    from .figures import Figures
    from .styles import Style

# Of each face with each backend: 100,000 in all.
CALLS = 25_000
AT_ONCE = 64
MOST_CONNECTIONS = 4
# The deadline of a call in a thread, on average: about as long as it waits.
MEAN_SECONDS = 0.02
# What a call may take beyond its deadline, on a machine on which others work.
SLACK_SECONDS = 0.25
ASK = {"postgres": "SELECT ?::int8", "sqlite": "SELECT ?"}
OUT_OF_TIME = (errors.TimedOut, errors.DeadlineExceeded, errors.PoolExhausted)


def test_nothing_is_left_of_a_storm(
    style: Style, database: str, seed: int, figures: Figures
) -> None:
    backend = "sqlite" if database.startswith("sqlite") else "postgres"
    storm = _storm_of_tasks if isinstance(style, Awaited) else _storm_of_threads
    start = time.monotonic()
    tally = storm(style, database, ASK[backend], random.Random(seed))
    tally["seconds"] = round(time.monotonic() - start, 1)
    figures.note(f"storm, {backend}, {style.name}", **tally)
    assert tally["wrong answer"] == 0
    assert tally["swallowed"] == 0
    assert tally["answered"] + tally["stopped"] == CALLS
    # A storm in which nothing happens would prove nothing.
    assert min(tally["answered"], tally["stopped"]) > CALLS / 20
    assert tally["longest overrun"] < SLACK_SECONDS


def _new_tally() -> dict[str, float]:
    names = ("answered", "stopped", "swallowed", "wrong answer", "longest overrun")
    return dict.fromkeys(names, 0)


def _note_answer(tally: dict[str, float], value: object, number: int) -> None:
    tally["answered" if value == number else "wrong answer"] += 1


def _storm_of_tasks(
    style: Any, url: str, sql: str, chance: random.Random
) -> dict[str, float]:
    async def storm() -> dict[str, float]:
        tally = _new_tally()
        async with engineroom.aio.open(url, max_size=MOST_CONNECTIONS) as client:
            numbers = iter(range(CALLS))
            each = [
                _cancel_some(client, sql, numbers, chance, tally)
                for _ in range(AT_ONCE)
            ]
            await asyncio.gather(*each)
            tally["connects"] = figure(client, "counters", "connects")
            await asyncio.wait_for(_take_all(client, sql), 5)
        return tally

    done: dict[str, float] = style.run(storm())
    return done


async def _cancel_some(
    client: Any, sql: str, numbers: Any, chance: random.Random, tally: dict[str, float]
) -> None:
    ways = (_ask, _ask, _ask, _lend, _transact)
    for number in numbers:
        task = asyncio.create_task(chance.choice(ways)(client, sql, number))
        await _pass_some_time(task, chance)
        is_cancelled = chance.random() < 0.9 and task.cancel()
        try:
            value = await task
        except asyncio.CancelledError:
            assert is_cancelled
            tally["stopped"] += 1
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


async def _take_all(client: Any, sql: str) -> None:
    """Lend every connection there may be, all at once: none has gone astray."""
    leases = [client.connection() for _ in range(_places(client))]
    for number, lease in enumerate(leases):
        connection = await lease.__aenter__()
        cursor = await connection.execute(sql, (number,))
        assert await cursor.fetchone() == (number,)
    assert figure(client, "gauges", "pool_waiting") == 0
    for lease in leases:
        await lease.__aexit__(None, None, None)
    assert figure(client, "gauges", "pool_in_use") == 0


def _places(client: Any) -> int:
    return 1 if client.url.startswith("sqlite") else MOST_CONNECTIONS


def _storm_of_threads(
    _: object, url: str, sql: str, chance: random.Random
) -> dict[str, float]:
    tallies = [_new_tally() for _ in range(AT_ONCE)]
    with engineroom.open(url, max_size=MOST_CONNECTIONS) as client:
        numbers = iter(range(CALLS))
        with ThreadPoolExecutor(AT_ONCE) as threads:
            done = [
                threads.submit(
                    _hurry, client, sql, numbers, random.Random(chance.random()), tally
                )
                for tally in tallies
            ]
        for each in done:
            each.result()
        total = {name: sum(tally[name] for tally in tallies) for name in tallies[0]}
        total["longest overrun"] = max(tally["longest overrun"] for tally in tallies)
        total["connects"] = figure(client, "counters", "connects")
        _take_all_blocking(client, sql)
    return total


def _hurry(
    client: Any, sql: str, numbers: Any, chance: random.Random, tally: dict[str, float]
) -> None:
    for number in numbers:
        seconds = chance.expovariate(1 / MEAN_SECONDS) + 0.0001
        start = time.monotonic()
        try:
            value = _ask_in_time(client, sql, number, seconds, chance)
        except OUT_OF_TIME:
            tally["stopped"] += 1
        else:
            _note_answer(tally, value, number)
        overrun = time.monotonic() - start - seconds
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


def _take_all_blocking(client: Any, sql: str) -> None:
    leases = [client.connection() for _ in range(_places(client))]
    for number, lease in enumerate(leases):
        assert lease.__enter__().execute(sql, (number,)).fetchone() == (number,)
    assert figure(client, "gauges", "pool_waiting") == 0
    for lease in leases:
        lease.__exit__(None, None, None)
    assert figure(client, "gauges", "pool_in_use") == 0
