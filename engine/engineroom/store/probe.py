"""`engineroom store probe`: prove that a place keeps the promise stores are built on.

Before its first write a server is asked once, by one client. Here put-if-absent is also
raced for, listings are compared with what was written, and the clocks with each other.
It works on a folder as on a bucket, and cleans up behind itself.
"""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engineroom.errors import RemoteError
from engineroom.store import keys
from engineroom.store.s3 import S3Transport
from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from engineroom.store.s3_answers import Answers
    from engineroom.store.transport import Transport

__all__ = ["RACERS", "Probe", "probe"]

RACERS = 16


@dataclass(frozen=True)
class Probe:
    """What was found.

    Attributes:
        answers: what an S3 server said; None for a folder.
        rounds: how many races were run; none where put-if-absent is ignored anyway.
        lone_winners: how many of them had exactly one winner, whose bytes stayed.
        lists_at_once: whether a listing told what had just been written and removed.
        clock_ahead_seconds: how far the place's clock is ahead of ours.
        left: keys that could not be removed.
    """

    answers: Answers | None
    rounds: int
    lone_winners: int
    lists_at_once: bool
    clock_ahead_seconds: float
    left: tuple[str, ...]

    @property
    def is_fit(self) -> bool:
        """Whether several publishers may use this place at once."""
        return 0 < self.rounds == self.lone_winners


def probe(transport: Transport, *, rounds: int = 3) -> Probe:
    """Put a place to the test.

    Args:
        transport: the place.
        rounds: how many races to run; SeaweedFS needs some seconds for each.

    Raises:
        StoreError: when the place cannot be reached, read or written.
    """
    answers = transport.ask() if isinstance(transport, S3Transport) else None
    if answers is not None and not answers.puts_if_absent:
        rounds = 0
    folder = keys.probe_folder(secrets.token_hex(8))
    race_keys = [f"{folder}race-{number}" for number in range(rounds)]
    lone_winners = sum(_is_won_by_one(transport, key) for key in race_keys)
    is_listed = sorted(transport.list(folder)) == sorted(race_keys)
    left = tuple(key for key in race_keys if not _is_removed(transport, key))
    is_unlisted = sorted(transport.list(folder)) == sorted(left)
    return Probe(
        answers=answers,
        rounds=rounds,
        lone_winners=lone_winners,
        lists_at_once=is_listed and is_unlisted,
        clock_ahead_seconds=_clock_ahead(transport),
        left=left,
    )


def _is_won_by_one(transport: Transport, key: str) -> bool:
    """Let many create one object at once; see that one was told so and it stayed."""
    start = threading.Barrier(RACERS)

    def run(racer: int) -> bool:
        start.wait()
        return transport.put_if_absent(key, BytesBody(str(racer).encode()))

    with ThreadPoolExecutor(RACERS) as pool:
        told = list(pool.map(run, range(RACERS)))
    stored = transport.get(key)
    return (
        told.count(True) == 1
        and stored is not None
        and stored.data == str(told.index(True)).encode()
    )


def _is_removed(transport: Transport, key: str) -> bool:
    """Remove what a race left, where this is allowed."""
    try:
        transport.delete(key)
    except RemoteError:
        return False
    return True


def _clock_ahead(transport: Transport) -> float:
    before = time.time()
    there = transport.now()
    return there - (before + time.time()) / 2
