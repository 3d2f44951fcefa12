"""A proxy that hurts the connection between a client and a PostgreSQL at a given byte.

It knows where messages begin, so that a test can cut before, in or after each of them;
what goes through TLS it counts in bytes alone. A thread for each direction.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, NamedTuple

from .programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT = "client"
SERVER = "server"

_CHUNK = 65536
_TLS_ASKED = 80877103
_GSS_ASKED = 80877104
_CANCEL = 80877102
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close sends RST


class Cut(NamedTuple):
    """Where a connection is hurt, and how.

    Attributes:
        sender: whose bytes are counted, `client` or `server`.
        messages: after so many of the sender's messages.
        plus_bytes: and after so many more bytes.
        how: `close` ends both sides in order, `reset` without, `stall` leaves both
            open and passes on nothing more in this direction.
    """

    sender: str
    messages: int = 0
    plus_bytes: int = 0
    how: str = "close"


class Framing:
    """Finds the ends of messages in one direction's bytes.

    Attributes:
        names: each message that has begun, by its type letter; `startup`, `ask` and
            `answer` are those without one.
    """

    def __init__(self, sender: str) -> None:
        self.names: list[str] = []
        self.ended = 0
        self.is_opaque = False
        self._has_types = sender == SERVER
        self._head = b""
        self._missing = 0
        self._expects_answer = False

    def expect_answer(self) -> None:
        """Take the next byte for an answer to the wish for encryption."""
        self._expects_answer = True

    def take(self, data: bytes, messages: int) -> int:
        """Take in bytes up to the end of message number `messages`; give how many.

        All of them are taken in when that end is not among them.
        """
        taken = 0
        while taken < len(data) and self.ended < messages and not self.is_opaque:
            taken += self._take_some(data[taken:])
        return taken if self.ended >= messages else len(data)

    def _take_some(self, data: bytes) -> int:
        if self._expects_answer:
            self._expects_answer = False
            self.names.append("answer")
            self.ended += 1
            self.is_opaque = data[:1] == b"S"
            return 1
        # A head is the length, and before it the type if there is one. The code of a
        # message without a type is kept too: it tells a wish from a startup.
        size = 5 if self._has_types else 8
        if not self._missing:
            some = data[: size - len(self._head)]
            self._head += some
            if len(self._head) == size:
                self._begin()
            return len(some)
        some = data[: self._missing]
        self._missing -= len(some)
        if not self._missing:
            self._end()
        return len(some)

    def _begin(self) -> None:
        start = 1 if self._has_types else 0
        (length,) = struct.unpack_from("!I", self._head, start)
        name = chr(self._head[0]) if self._has_types else self._untyped_name()
        self.names.append(name)
        self._missing = length + start - len(self._head)
        if not self._missing:
            self._end()

    def _untyped_name(self) -> str:
        (code,) = struct.unpack_from("!I", self._head, 4)
        if code in (_TLS_ASKED, _GSS_ASKED):
            return "ask"
        return "cancel" if code == _CANCEL else "startup"

    def _end(self) -> None:
        self.ended += 1
        self._head = b""
        self._has_types = self._has_types or self.names[-1] == "startup"


class Conversation:
    """One client and its connection to the server."""

    def __init__(self, client: socket.socket, server: socket.socket, cut: Cut | None):
        self.framing = {CLIENT: Framing(CLIENT), SERVER: Framing(SERVER)}
        self.has_cut = threading.Event()
        self.passed = {CLIENT: 0, SERVER: 0}
        self._sockets = {CLIENT: client, SERVER: server}
        self._cut = cut
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._pass_on, args=(sender,), daemon=True)
            for sender in (CLIENT, SERVER)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def _pass_on(self, sender: str) -> None:
        receiver = SERVER if sender == CLIENT else CLIENT
        source, sink = self._sockets[sender], self._sockets[receiver]
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                allowed = self._count(sender, data)
                sink.sendall(data[:allowed])
                self.passed[sender] += allowed
                if allowed < len(data) or self._is_due(sender):
                    self.hurt()
                    return
            # The end of one direction is passed on; the other may go on.
            sink.shutdown(socket.SHUT_WR)

    def _count(self, sender: str, data: bytes) -> int:
        """Take in what the sender said; give how much of it may pass."""
        cut = self._cut
        with self._lock:
            framing = self.framing[sender]
            if cut is None or cut.sender != sender:
                framing.take(data, 1 << 62)
                allowed = len(data)
            else:
                allowed = framing.take(data, cut.messages)
                more = min(len(data) - allowed, cut.plus_bytes)
                if framing.ended >= cut.messages:
                    self._cut = cut._replace(plus_bytes=cut.plus_bytes - more)
                allowed += more
            if sender == CLIENT and framing.names[-1:] == ["ask"]:
                self.framing[SERVER].expect_answer()
            if self.framing[SERVER].is_opaque:
                self.framing[CLIENT].is_opaque = True
        return allowed

    def _is_due(self, sender: str) -> bool:
        cut = self._cut
        if cut is None or cut.sender != sender or cut.plus_bytes:
            return False
        return self.framing[sender].ended >= cut.messages

    def hurt_after(self, messages: int, how: str = "close") -> None:
        """Hurt it when the client has sent so many messages more."""
        with self._lock:
            self._cut = Cut(CLIENT, self.framing[CLIENT].ended + messages, how=how)

    def hurt(self) -> None:
        how = self._cut.how if self._cut else "close"
        if how != "stall":
            self.close(is_rude=how == "reset")
        self.has_cut.set()

    def close(self, *, is_rude: bool = False) -> None:
        for one in self._sockets.values():
            with contextlib.suppress(OSError):
                if is_rude:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                else:
                    one.shutdown(socket.SHUT_RDWR)
            # A close alone would not wake a thread that reads, nor send a reset then.
            if is_rude:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RD)
            one.close()

    def join(self) -> None:
        self.close()
        for thread in self._threads:
            thread.join()


class Proxy:
    """Listens on loopback and passes on to one server.

    Attributes:
        port: where it listens.
        cut: what happens to connections made from now on; None is nothing.
        conversations: all that there were.
    """

    def __init__(self, server_port: int, *, buffer_bytes: int | None = None) -> None:
        self.cut: Cut | None = None
        self.conversations: list[Conversation] = []
        self._server_port = server_port
        self._buffer_bytes = buffer_bytes
        self._listen(self._bind())

    def _bind(self) -> socket.socket:
        """Return a socket with the address to listen on, which does not listen yet."""
        listener = socket.socket()
        if self._buffer_bytes:
            # What it accepts takes over the size, so a client's writes soon must wait.
            size = self._buffer_bytes
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        listener.bind(("127.0.0.1", 0))
        return listener

    def _listen(self, listener: socket.socket) -> None:
        listener.listen(64)
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _stop_listening(self) -> None:
        # Wakes the thread that accepts, which a close alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._begin(client)

    def _begin(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:
            client.close()
            return
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation = self._converse(client, server)
        self.conversations.append(conversation)
        conversation.start()

    def _converse(self, client: socket.socket, server: socket.socket) -> Conversation:
        return Conversation(client, server, self.cut)

    def names(self, sender: str, index: int = -1) -> list[str]:
        """Return the messages one side sent in the last, or another, conversation."""
        return list(self.conversations[index].framing[sender].names)

    def passed_bytes(self, sender: str) -> int:
        """Return how much one side sent in the last conversation."""
        return self.conversations[-1].passed[sender]

    def wait_for_cut(self) -> None:
        """Wait until the last conversation has been hurt."""
        wait_until(
            lambda: any(one.has_cut.is_set() for one in self.conversations[-1:]),
            "the proxy has cut",
        )

    def close_all(self) -> None:
        """End what goes on; new connections are still taken."""
        for conversation in self.conversations:
            conversation.join()
        self.conversations.clear()

    def close(self) -> None:
        self._stop_listening()
        self.close_all()


@contextlib.contextmanager
def started_proxy(
    server_port: int, *, buffer_bytes: int | None = None
) -> Iterator[Proxy]:
    """Give a proxy before a server's port; end it and its connections afterwards."""
    proxy = Proxy(server_port, buffer_bytes=buffer_bytes)
    try:
        yield proxy
    finally:
        proxy.close()
