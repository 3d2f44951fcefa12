"""Faults that come and go at random before a server, while others work behind them."""

from __future__ import annotations

import contextlib
import random
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .gate import Gate

__all__ = ["Weather", "bad_weather"]

# A short fault is gone before a second attempt; a long one outlasts the deadlines.
_SHORT_SECONDS = (0.01, 0.3)
_LONG_SECONDS = 2.5
_CALM_SECONDS = (0.2, 1.0)
_LONG_ONE_IN = 8
# Of statements while they are lost one by one. It is small, because this is the one
# fault that strikes one caller and not another who asks in the same moment.
_LOSS = 0.05


class Weather:
    """Faults at one gate, one after the other, with calm between them.

    Attributes:
        short: how many short faults there were.
        long: how many long ones.
    """

    def __init__(self, gate: Gate, seed: int) -> None:
        self.short = self.long = 0
        self._gate = gate
        self._random = random.Random(seed)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._blow, name="weather")
        self._thread.start()

    def _blow(self) -> None:
        faults = (
            self._gate.refuse,
            self._gate.swallow,
            self._gate.drop_all,
            self._gate.garble,
            lambda: self._gate.reset_replies(3),
            lambda: self._gate.reset_replies(3, times=1),
            lambda: self._gate.lose(_LOSS),
        )
        turn = 0
        while not self._is_over.wait(self._random.uniform(*_CALM_SECONDS)):
            turn += 1
            is_long = turn % _LONG_ONE_IN == 0
            if is_long:
                self._gate.refuse()
                self._is_over.wait(_LONG_SECONDS)
            else:
                self._random.choice(faults)()
                self._is_over.wait(self._random.uniform(*_SHORT_SECONDS))
            self.long += is_long
            self.short += not is_long
            self._gate.heal()

    def wait(self, seconds: float) -> None:
        """Wait, unless it is over."""
        self._is_over.wait(seconds)

    def close(self) -> None:
        """Let there be calm."""
        self._is_over.set()
        self._thread.join()


@contextlib.contextmanager
def bad_weather(gate: Gate, seed: int) -> Iterator[Weather]:
    """Give faults at random until the block ends."""
    weather = Weather(gate, seed)
    try:
        yield weather
    finally:
        weather.close()
