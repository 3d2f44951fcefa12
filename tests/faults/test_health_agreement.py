"""What health says is what queries meet, again and again while faults come and go.

Each answer stands beside a real query that begins in the same moment and has as long.
A fault that begins or ends just then may part them: for that is the last thousandth.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .styles import measured
from .weather import bad_weather

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from .figures import Figures
    from .gate import Gate
    from .styles import Caller, Outcome, Style
    from .weather import Weather

# Of each face: 10,000 in all.
ANSWERS = 5_000
AGREE_AT_LEAST = 0.999
BESIDE_SECONDS = 0.1
ASKERS = 2
# Between two answers, so that they see more of the weather.
REST_SECONDS = 0.01
HEALTH_SECONDS = 1.0


class Tally:
    """How often health and a query were asked, and how often they agreed."""

    def __init__(self) -> None:
        self.agreed = self.failed = 0
        self.parted: list[str] = []
        self.apart_seconds = 0.0
        self._left = ANSWERS
        self._lock = threading.Lock()

    def is_enough(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left < 0

    def ask(self, caller: Caller, weather: Weather, elsewhere: Executor) -> None:
        """Ask both until it is enough."""
        keywords = {"deadline_seconds": HEALTH_SECONDS}
        while not self.is_enough():
            weather.wait(REST_SECONDS)
            query = elsewhere.submit(
                measured, lambda: caller.call("fetchvalue", "SELECT 42", **keywords)
            )
            health = measured(lambda: caller.call("health"))
            self.compare(health, query.result())

    def compare(self, health: Outcome, query: Outcome) -> None:
        with self._lock:
            apart = abs(health.began - query.began)
            self.apart_seconds = max(self.apart_seconds, apart)
            is_healthy = getattr(health.value, "is_healthy", None)
            is_same = is_healthy is (query.error is None)
            self.agreed += is_same
            self.failed += not is_healthy
            if not is_same:
                told = getattr(health.value, "error", health.error)
                self.parted.append(f"{told} beside {query.error!r}")


def ask_all(tally: Tally, caller: Caller, weather: Weather) -> None:
    with ThreadPoolExecutor(ASKERS) as askers, ThreadPoolExecutor(ASKERS) as others:
        asked = [
            askers.submit(tally.ask, caller, weather, others) for _ in range(ASKERS)
        ]
        for each in asked:
            each.result()


def test_health_agrees_with_queries_under_random_faults(
    style: Style, gate_url: str, gate: Gate, seed: int, figures: Figures
) -> None:
    tally = Tally()
    # Answers told again would agree with each other; what is compared are questions.
    options = {"max_size": 2 * ASKERS, "health_cache_seconds": 0}
    with style.open(gate_url, **options) as caller, bad_weather(gate, seed) as weather:
        ask_all(tally, caller, weather)
    share = tally.agreed / ANSWERS
    figures.note(
        f"health agreement, {style.name}",
        answers=ANSWERS,
        agree=share,
        unhealthy=tally.failed,
        apart=tally.apart_seconds,
        short_faults=weather.short,
        long_faults=weather.long,
    )
    assert tally.failed > 0
    assert tally.apart_seconds <= BESIDE_SECONDS
    assert share >= AGREE_AT_LEAST, "\n".join(tally.parted)
