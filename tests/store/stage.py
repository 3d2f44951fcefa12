"""Actors that share a store and take turns at each call of it, in an order drawn."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .faults import Killed, KillingTransport

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from engineroom.store import Transport
    from engineroom.store.transport import Body, Entry, Stored

_TURN_SECONDS = 60.0
_BURST_CALLS_MAX = 60


class Clock:
    """A time that passes when it is told to, and when each object was written."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.written: dict[str, float] = {}


class ClockedTransport(KillingTransport):
    """A transport whose objects are dated by a clock of the test's."""

    def __init__(self, inner: Transport, clock: Clock) -> None:
        super().__init__(inner, write=0, is_done=False)
        self._clock = clock

    def now(self) -> float:
        return self._clock.seconds

    def entries(self, prefix: str, *, is_deep: bool = True) -> Iterator[Entry]:
        for entry in list(super().entries(prefix, is_deep=is_deep)):
            modified = self._clock.written[entry.key]
            yield type(entry)(entry.key, entry.size_bytes, modified, entry.version)

    def put_if_absent(self, key: str, body: Body) -> bool:
        is_ours = super().put_if_absent(key, body)
        if is_ours:
            self._clock.written[key] = self._clock.seconds
        return is_ours

    def replace(self, key: str, body: Body, *, expected: str | None) -> bool:
        is_ours = super().replace(key, body, expected=expected)
        if is_ours:
            self._clock.written[key] = self._clock.seconds
        return is_ours


class Stage:
    """Runs actors in threads of which only one makes a call of the store at a time.

    Args:
        order: draws who is next and for how many calls.
    """

    def __init__(self, order: random.Random) -> None:
        self._order = order
        self._changed = threading.Condition()
        self._waiting: set[str] = set()
        self._running: set[str] = set()
        self._turn = ""
        self.killed: set[str] = set()
        self.failures: dict[str, BaseException] = {}

    def play(
        self, actors: dict[str, Callable[[], object]], between: Callable[[], None]
    ) -> None:
        """Run the actors to their ends.

        Args:
            actors: what each does, by name.
            between: called between the turns, when no actor is doing anything.
        """
        self._running = set(actors)
        threads = [
            threading.Thread(target=self._act, args=(name, act))
            for name, act in actors.items()
        ]
        for thread in threads:
            thread.start()
        while self._await_quiet():
            between()
            name = self._order.choice(sorted(self._waiting))
            for _ in range(self._order.randint(1, _BURST_CALLS_MAX)):
                if name not in self._waiting:
                    break
                self._give_turn(name)
                self._await_quiet()
        for thread in threads:
            thread.join(_TURN_SECONDS)
            assert not thread.is_alive()

    def wait_for_turn(self, name: str) -> None:
        """Let an actor wait until it may make its next call."""
        with self._changed:
            self._waiting.add(name)
            self._changed.notify_all()
            is_turn = self._changed.wait_for(lambda: self._turn == name, _TURN_SECONDS)
            assert is_turn
            self._turn = ""
            self._waiting.discard(name)
            if name in self.killed:
                raise Killed

    def _act(self, name: str, act: Callable[[], object]) -> None:
        try:
            act()
        except Killed:
            pass
        except BaseException as error:
            self.failures[name] = error
        finally:
            with self._changed:
                self._running.discard(name)
                self._changed.notify_all()

    def _await_quiet(self) -> bool:
        """Wait until all actors wait; False when all have ended."""
        with self._changed:
            is_quiet = self._changed.wait_for(
                lambda: not self._turn and self._waiting >= self._running,
                _TURN_SECONDS,
            )
            assert is_quiet, (self._turn, self._waiting, self._running)
            return bool(self._running)

    def _give_turn(self, name: str) -> None:
        with self._changed:
            self._turn = name
            self._changed.notify_all()


class StagedTransport(ClockedTransport):
    """An actor's own view of the store: it waits for its turn before each call."""

    def __init__(self, inner: Transport, clock: Clock, stage: Stage, name: str) -> None:
        super().__init__(inner, clock)
        self._stage = stage
        self._name = name

    @property
    def parallel(self) -> int:
        return 1

    def get(self, key: str) -> Stored | None:
        self._stage.wait_for_turn(self._name)
        return super().get(key)

    def size(self, key: str) -> int | None:
        self._stage.wait_for_turn(self._name)
        return super().size(key)

    def put_if_absent(self, key: str, body: Body) -> bool:
        self._stage.wait_for_turn(self._name)
        return super().put_if_absent(key, body)

    def replace(self, key: str, body: Body, *, expected: str | None) -> bool:
        self._stage.wait_for_turn(self._name)
        return super().replace(key, body, expected=expected)

    def delete(self, key: str) -> None:
        self._stage.wait_for_turn(self._name)
        super().delete(key)

    def list(self, prefix: str) -> Iterator[str]:
        self._stage.wait_for_turn(self._name)
        return iter([*super().list(prefix)])

    def entries(self, prefix: str, *, is_deep: bool = True) -> Iterator[Entry]:
        self._stage.wait_for_turn(self._name)
        return iter([*super().entries(prefix, is_deep=is_deep)])
