"""A server that is the enemy: it says hello as PostgreSQL does, then what a test wants.

It speaks only enough of the protocol's third version to be believed. Each test gives a
script, a function of a `Talk` that runs in a thread for each connection.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Script = Callable[["Talk"], None]

_ASKS = (80877103, 80877104)  # for TLS, for GSSAPI
_GREETING = {
    "server_version": "15.0",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "integer_datetimes": "on",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, MDY",
    "TimeZone": "UTC",
}
INT4, TEXT = 23, 25


class ClientLeft(Exception):
    """The client has hung up, as it should when it hears nonsense."""


def message(kind: bytes, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a message, with a length that may lie."""
    size = len(payload) + 4 if length is None else length
    return kind + struct.pack("!I", size & 0xFFFFFFFF) + payload


def row_description(*columns: tuple[str, int]) -> bytes:
    """Return the description of columns, given by name and type, in binary."""
    parts = [struct.pack("!h", len(columns))]
    for name, oid in columns:
        field = struct.pack("!IhIhih", 0, 0, oid, -1, -1, 1)
        parts.append(name.encode() + b"\0" + field)
    return message(b"T", b"".join(parts))


def data_row(*values: bytes | None) -> bytes:
    """Return a row of values as they are on the wire."""
    parts = [struct.pack("!h", len(values))]
    for value in values:
        size = -1 if value is None else len(value)
        parts.append(struct.pack("!i", size) + (value or b""))
    return message(b"D", b"".join(parts))


def notice(text: str, kind: bytes = b"N") -> bytes:
    fields = f"SNOTICE\0VNOTICE\0C00000\0M{text}\0\0"
    return message(kind, fields.encode())


class Talk:
    """One connection, seen from the server."""

    def __init__(self, client: socket.socket) -> None:
        self._socket = client
        self._received = b""

    def send(self, *messages: bytes) -> None:
        """Send bytes, whatever they are."""
        try:
            self._socket.sendall(b"".join(messages))
        except OSError as error:
            raise ClientLeft from error

    def _read(self, size: int) -> bytes:
        while len(self._received) < size:
            try:
                more = self._socket.recv(65536)
            except OSError as error:
                raise ClientLeft from error
            if not more:
                raise ClientLeft
            self._received += more
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def receive(self) -> tuple[bytes, bytes]:
        """Return the client's next message: its kind and what it holds."""
        kind = self._read(1)
        (length,) = struct.unpack("!I", self._read(4))
        return kind, self._read(length - 4)

    def receive_until(self, *kinds: bytes) -> list[tuple[bytes, bytes]]:
        """Return the client's messages up to one of these kinds."""
        received = [self.receive()]
        while received[-1][0] not in kinds:
            received.append(self.receive())
        return received

    def receive_startup(self) -> dict[str, str]:
        """Return what the client wants to be, having refused to encrypt."""
        while True:
            (length,) = struct.unpack("!I", self._read(4))
            body = self._read(length - 4)
            (code,) = struct.unpack("!I", body[:4])
            if code not in _ASKS:
                break
            self.send(b"N")
        words = body[4:].decode().split("\0")
        return dict(zip(words[::2], words[1::2]))

    def greet(self) -> None:
        """Let the client in, as a server that asks for no password."""
        self.receive_startup()
        parts = [message(b"R", struct.pack("!I", 0))]
        for name, value in _GREETING.items():
            parts.append(message(b"S", f"{name}\0{value}\0".encode()))
        parts.append(message(b"K", struct.pack("!II", 4711, 815)))
        self.send(*parts, self.ready())

    def ready(self, state: bytes = b"I") -> bytes:
        return message(b"Z", state)

    def answer_sync(self) -> list[tuple[bytes, bytes]]:
        """Take the client's messages up to a Sync, without an answer."""
        return self.receive_until(b"S")

    def describe(
        self, *columns: tuple[str, int], parameters: Sequence[int] = ()
    ) -> list[tuple[bytes, bytes]]:
        """Play a server until the client has asked for rows of these columns.

        A client may prepare and execute in one go or in several. Each Parse, Bind,
        Describe and Close is answered; the Execute is left to the script, and so is
        everything that comes after it.
        """
        types = struct.pack(f"!h{len(parameters)}I", len(parameters), *parameters)
        described = row_description(*columns)
        heard = []
        while True:
            kind, body = self.receive()
            heard.append((kind, body))
            if kind == b"E":
                return heard
            if kind == b"P":
                self.send(message(b"1"))
            elif kind == b"B":
                self.send(message(b"2"))
            elif kind == b"C":
                self.send(message(b"3"))
            elif kind == b"D":
                first = message(b"t", types) if body[:1] == b"S" else b""
                self.send(first + described)
            elif kind == b"S":
                self.send(self.ready())
            elif kind == b"X":
                raise ClientLeft


class HostileServer:
    """Listens on loopback and plays a script to everyone who comes.

    Attributes:
        port: where it listens.
        visitors: how many connections there were.
    """

    def __init__(self, script: Script) -> None:
        self.visitors = 0
        self._script = script
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._clients: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.visitors += 1
                self._clients.append(client)
                thread = threading.Thread(
                    target=self._play, args=(client,), daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _play(self, client: socket.socket) -> None:
        try:
            with client:
                self._script(Talk(client))
        except ClientLeft:
            pass
        except BaseException as error:
            self._failures.append(error)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def url(self, **options: object) -> str:
        more = "".join(f"&{name}={value}" for name, value in options.items())
        address = f"127.0.0.1:{self.port}"
        return f"postgresql://engine@{address}/engine?sslmode=disable{more}"


@contextlib.contextmanager
def hostile(script: Script) -> Iterator[HostileServer]:
    """Give a server that plays the script; a script that fails fails the test."""
    server = HostileServer(script)
    try:
        yield server
    finally:
        server.close()
