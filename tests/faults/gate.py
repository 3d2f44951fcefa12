"""A proxy before a PostgreSQL whose faults are turned on and off while it runs.

`postgres.proxy` hurts one connection at a given message; this one stands for a network
or a host in trouble, for all connections that are open and those that are still to
come. It reads the messages that pass, so nothing may be encrypted: `sslmode=disable`.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from typing import TYPE_CHECKING

from postgres.proxy import CLIENT, SERVER, Conversation, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Rule = Callable[["Passage", str, bytes], None]

__all__ = ["Gate", "Passage", "started_gate"]

_CHUNK = 65536
_ALL = 1 << 62
_PIECES_PER_SECOND = 20
# Neither a message nor an answer to a wish for encryption begins with it.
_NOISE = b"\xff"


class Passage(Conversation):
    """One client and its connection to the server, under a rule that may change.

    Attributes:
        rule: what is done to bytes that come.
        has_said_goodbye: whether the client has sent a Terminate.
        is_closed: whether the gate has ended it.
        statements: how many statements the client's last bytes had.
        doomed_after: of the answer to a statement that is lost, how many bytes are
            passed on; None while no statement is.
    """

    def __init__(
        self, gate: Gate, client: socket.socket, server: socket.socket, rule: Rule
    ) -> None:
        super().__init__(client, server, None)
        self.rule = rule
        self.has_said_goodbye = False
        self.is_closed = False
        self.doomed_after: int | None = None
        self.statements = 0
        self._gate = gate
        self._directions = 2

    def _pass_on(self, sender: str) -> None:
        receiver = SERVER if sender == CLIENT else CLIENT
        source, sink = self._sockets[sender], self._sockets[receiver]
        try:
            has_ended = False
            while not has_ended:
                data = source.recv(_CHUNK)
                self._note(sender, data)
                # A network that is down hides the end too, so the rule has a say in it.
                self.rule(self, sender, data)
                has_ended = not data
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # One side is gone rudely, so the other loses it too.
            self.close()
        finally:
            self._end_direction()

    def _note(self, sender: str, data: bytes) -> None:
        """Read the messages in what a side has sent, and forget them again."""
        names = self._read(sender, data)
        if sender == SERVER:
            return
        self.statements = sum(name in ("S", "Q") for name in names)
        self.has_said_goodbye = self.has_said_goodbye or "X" in names
        self._gate.note(names)

    def _read(self, sender: str, data: bytes) -> list[str]:
        with self._lock:
            framing = self.framing[sender]
            known = len(framing.names)
            framing.take(data, _ALL)
            names = framing.names[known:]
            del framing.names[:-1]
            if names[-1:] == ["ask"]:
                self.framing[SERVER].expect_answer()
        return names

    def send(self, sender: str, data: bytes) -> None:
        """Pass on what a side has sent."""
        self._sockets[SERVER if sender == CLIENT else CLIENT].sendall(data)

    def reset(self) -> None:
        """End both connections without a word."""
        self.close(is_rude=True)

    def close(self, *, is_rude: bool = False) -> None:
        self.is_closed = True
        super().close(is_rude=is_rude)
        self._gate.wake()

    def _end_direction(self) -> None:
        with self._lock:
            self._directions -= 1
            is_last = not self._directions
        if is_last:
            self.close()
            self._gate.forget(self)


def _pass(passage: Passage, sender: str, data: bytes) -> None:
    passage.send(sender, data)


def _garble(passage: Passage, sender: str, data: bytes) -> None:
    passage.send(sender, _NOISE * len(data) if sender == SERVER else data)


class Gate(Proxy):
    """Listens on loopback before one server; passes on everything until it is told.

    Attributes:
        port: where it listens; it stays the same through all faults.
        made: how many connections it has taken.
        began: when each of those that asked to be let in did, as `time.monotonic()`
            counts.
        cancels: how many asked to stop another one's statement.
        statements: how many statements have come, of all connections.
        torn: how many connections ended without the client's goodbye.
        lost: how many statements `lose()` has hurt.
    """

    def __init__(self, server_port: int, *, seed: int = 0) -> None:
        self.made = self.cancels = 0
        self.began: list[float] = []
        self.statements = self.torn = self.lost = 0
        self._rule: Rule = _pass
        self._random = random.Random(seed)
        self._swallows = False
        self._swallowed: list[socket.socket] = []
        self._changed = threading.Condition()
        # Keeps the port while nobody listens on it: what connects then is refused.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))
        super().__init__(server_port)

    def _bind(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(self._place.getsockname())
        return listener

    def _begin(self, client: socket.socket) -> None:
        with self._changed:  # A rule that is set now finds it, or is found by it.
            self.made += 1
            if self._swallows:
                self._swallowed.append(client)
            else:
                super()._begin(client)

    def _converse(self, client: socket.socket, server: socket.socket) -> Conversation:
        return Passage(self, client, server, self._rule)

    def wake(self) -> None:
        """Let those that wait under a rule look whether they still must."""
        with self._changed:
            self._changed.notify_all()

    def note(self, names: list[str]) -> None:
        """Count the messages of a client."""
        with self._changed:
            self.began += [time.monotonic()] * names.count("startup")
            self.cancels += names.count("cancel")
            self.statements += names.count("S") + names.count("Q")

    def forget(self, passage: Passage) -> None:
        """Take out a passage that has ended."""
        with self._changed:
            is_cancel = passage.framing[CLIENT].names == ["cancel"]
            self.torn += not (passage.has_said_goodbye or is_cancel)
            with contextlib.suppress(ValueError):
                self.conversations.remove(passage)
            self._changed.notify_all()

    @property
    def startups(self) -> int:
        """How many connections asked to be let in."""
        return len(self.began)

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self.conversations)

    def _set(self, rule: Rule, *, to_come: Rule | None = None) -> None:
        """Put the open connections under a rule, and by default those to come."""
        with self._changed:
            self._rule = rule if to_come is None else to_come
            for passage in self._passages():
                passage.rule = rule
            self._changed.notify_all()

    def _passages(self) -> list[Passage]:
        return [one for one in self.conversations if isinstance(one, Passage)]

    def _wait_under(self, passage: Passage, rule: Rule, seconds: float | None) -> bool:
        """Wait until a passage ends or gets another rule; say whether it was so."""

        def is_over() -> bool:
            return passage.is_closed or passage.rule is not rule

        with self._changed:
            return self._changed.wait_for(is_over, seconds)

    def drop_all(self) -> None:
        """End the open connections without a word, as a host that crashed."""
        for passage in self._passages():
            passage.reset()

    def refuse(self) -> None:
        """Refuse connections from now on, and end those that are open."""
        self._stop_listening()
        self.drop_all()

    def swallow(self) -> None:
        """Take connections and never answer; open ones hear nothing either."""
        with self._changed:
            self._swallows = True
            self._hold_open_ones()

    def leave_unanswered(self) -> None:
        """Let the wish to connect have no answer; open ones hear nothing either.

        The queue of those who wait to be taken is full, so the system drops the rest.
        """
        self._stop_listening()
        full = self._bind()
        full.listen(0)
        self._swallowed.append(full)
        for _ in range(2):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            self._swallowed.append(one)
        self._hold_open_ones()

    def hold(self) -> None:
        """Pass on nothing more for the open connections; new ones are well.

        What was sent meanwhile arrives when the gate is healed, as in a real network.
        """
        self._hold_open_ones()

    def _hold_open_ones(self) -> None:
        def hold(passage: Passage, sender: str, data: bytes) -> None:
            self._wait_under(passage, hold, None)
            if not passage.is_closed:
                passage.rule(passage, sender, data)

        self._set(hold, to_come=_pass)

    def slow(self, bytes_per_second: int) -> None:
        """Let answers trickle, for connections to come too."""
        size = max(1, bytes_per_second // _PIECES_PER_SECOND)

        def trickle(passage: Passage, sender: str, data: bytes) -> None:
            while data and sender == SERVER:
                if self._wait_under(passage, trickle, size / bytes_per_second):
                    break
                passage.send(sender, data[:size])
                data = data[size:]
            if data:
                passage.send(sender, data)

        self._set(trickle)

    def garble(self) -> None:
        """Replace answers by noise, for connections to come too."""
        self._set(_garble)

    def reset_replies(self, after_bytes: int, *, times: int | None = None) -> None:
        """Tear the next answers after so many bytes of them, and their connections.

        Args:
            after_bytes: how much of each answer arrives.
            times: how many are torn, of all connections; None is all of them.
        """
        left = iter(range(_ALL if times is None else times))

        def tear(passage: Passage, sender: str, data: bytes) -> None:
            if sender == CLIENT or not data:
                passage.send(sender, data)
                return
            with self._changed:
                is_torn = next(left, None) is not None
            passage.send(sender, data[:after_bytes] if is_torn else data)
            if is_torn:
                passage.reset()

        self._set(tear)

    def lose(self, probability: float) -> None:
        """Lose the connection at each statement with a probability.

        A third of them is lost before the server hears of it, a third before the
        client hears of the answer, a third within the answer.
        """

        def lose(passage: Passage, sender: str, data: bytes) -> None:
            if sender == CLIENT and self._is_lost(passage, probability):
                passage.reset()
            elif sender == SERVER and passage.doomed_after is not None:
                passage.send(sender, data[: passage.doomed_after])
                passage.reset()
            else:
                passage.send(sender, data)

        self._set(lose)

    def _is_lost(self, passage: Passage, probability: float) -> bool:
        """Throw for the statements that came; say whether they are lost at once."""
        with self._changed:
            throws = [self._random.random() for _ in range(passage.statements)]
            if not any(throw < probability for throw in throws):
                return False
            self.lost += 1
            way = self._random.randrange(3)
            passage.doomed_after = self._random.randrange(1, 20) if way == 2 else 0
        return way == 0

    def heal(self) -> None:
        """Pass on everything again, and take connections."""
        with self._changed:
            for one in self._swallowed:
                one.close()
            self._swallowed.clear()
            self._swallows = False
            self._set(_pass)
        if not self._thread.is_alive():
            self._listen(self._bind())

    def close(self) -> None:
        self.heal()
        self._stop_listening()
        self.close_all()
        self._place.close()

    def close_all(self) -> None:
        for passage in self._passages():
            passage.join()


@contextlib.contextmanager
def started_gate(server_port: int, *, seed: int = 0) -> Iterator[Gate]:
    """Give a gate before a server's port; end it and its connections afterwards."""
    gate = Gate(server_port, seed=seed)
    try:
        yield gate
    finally:
        gate.close()
