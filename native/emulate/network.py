"""Sockets: Darwin's addresses, options and flags, done to real sockets of this machine.

Only what a client needs is here. A socket is the guest's by the number of its
descriptor, which is a real one.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import TYPE_CHECKING, Callable

from native.emulate.errnos import darwin_errno
from native.emulate.library import Answer, Library, provides
from native.emulate.memory import signed32

if TYPE_CHECKING:
    from native.emulate.files import Files
    from native.emulate.libsystem import LibSystem
    from native.emulate.machine import Machine

__all__ = ["Network"]

_UNIX, _INET, _INET6 = 1, 2, 30
_FAMILIES = {
    0: socket.AF_UNSPEC,
    _UNIX: socket.AF_UNIX,
    _INET: socket.AF_INET,
    _INET6: socket.AF_INET6,
}
_DARWIN_FAMILIES = {family: number for number, family in _FAMILIES.items()}
_SOL_SOCKET, _SO_ERROR = 0xFFFF, 0x1007
# Level and option to this machine's; None for what only Darwin has.
_OPTIONS = {
    (_SOL_SOCKET, _SO_ERROR): (socket.SOL_SOCKET, socket.SO_ERROR),
    (_SOL_SOCKET, 0x0008): (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (_SOL_SOCKET, 0x1001): (socket.SOL_SOCKET, socket.SO_SNDBUF),
    (_SOL_SOCKET, 0x1002): (socket.SOL_SOCKET, socket.SO_RCVBUF),
    (_SOL_SOCKET, 0x1022): None,  # SO_NOSIGPIPE
    (6, 0x01): (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    (6, 0x10): (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    (6, 0x101): (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    (6, 0x102): (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
}
_F_GETFL, _F_SETFL, _O_NONBLOCK = 3, 4, 4
_ENOPROTOOPT, _EBADF, _EAFNOSUPPORT = 42, 9, 47
_AI_FLAGS = (
    (0x1, socket.AI_PASSIVE),
    (0x4, socket.AI_NUMERICHOST),
    (0x1000, socket.AI_NUMERICSERV),
)
_EAI = {
    socket.EAI_AGAIN: 2, socket.EAI_FAIL: 4, socket.EAI_FAMILY: 5,
    socket.EAI_MEMORY: 6, socket.EAI_NONAME: 8, socket.EAI_SERVICE: 9,
    socket.EAI_SOCKTYPE: 10,
}  # fmt: skip
_EAI_FAIL, _EAI_OVERFLOW = 4, 14
_NI_FLAGS = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
# struct addrinfo { flags, family, type, protocol, length; name, address, next }
_INFO, _INFO_BYTES, _LONGEST = "<iiiiI4xQQQ", 48, 128


class Network(Library):
    """Names, connections, and what goes over them."""

    def __init__(self, machine: Machine, system: LibSystem, files: Files) -> None:
        super().__init__(machine)
        self._system = system
        self._files = files
        self._sockets: dict[int, socket.socket] = {}
        self._texts: dict[int, int] = {}

    @property
    def live(self) -> int:
        """How many sockets are open."""
        return len(self._sockets)

    def _try(self, work: Callable[[], Answer]) -> Answer:
        try:
            return work()
        except OSError as error:
            return self._system.fail(darwin_errno(error))

    def _done(self, work: Callable[[], object]) -> Answer:
        def quiet() -> Answer:
            work()
            return 0

        return self._try(quiet)

    def _socket(self) -> socket.socket:
        try:
            return self._sockets[self.machine.signed(0)]
        except KeyError:
            raise OSError(_EBADF, "no socket") from None

    @provides("socket")
    def make(self) -> Answer:
        """Make a socket."""
        number, kind, protocol = (self.machine.signed(i) for i in range(3))
        if number not in _FAMILIES:
            return self._system.fail(_EAFNOSUPPORT)

        def work() -> int:
            made = socket.socket(_FAMILIES[number], kind, protocol)
            self._sockets[made.fileno()] = made
            return made.fileno()

        return self._try(work)

    @provides("close")
    def close(self) -> Answer:
        """Close a socket, or a file."""
        found = self._sockets.pop(self.machine.signed(0), None)
        if found is None:
            return self._files.close_now()
        return self._done(found.close)

    @provides("fcntl")
    def fcntl(self) -> Answer:
        """Tell or set whether a socket blocks; files have more to ask."""
        found = self._sockets.get(self.machine.signed(0))
        command = signed32(self.machine.integer(1))
        if found is None or command not in (_F_GETFL, _F_SETFL):
            return self._files.control_now()
        if command == _F_GETFL:
            return 2 | (0 if found.getblocking() else _O_NONBLOCK)
        wanted = self.machine.variadic(2)("i")
        found.setblocking(not wanted & _O_NONBLOCK)
        return 0

    @provides("connect")
    def connect(self) -> Answer:
        """Connect a socket."""
        address = self._address(self.machine.integer(1), self.machine.integer(2))
        return self._done(lambda: self._socket().connect(address))

    @provides("send")
    def send(self) -> Answer:
        """Send what the socket takes."""
        data = self.memory.read(self.machine.integer(1), self.machine.integer(2))
        return self._try(lambda: self._socket().send(data, socket.MSG_NOSIGNAL))

    @provides("recv")
    def recv(self) -> Answer:
        """Receive what is there."""
        at, size = self.machine.integer(1), self.machine.integer(2)

        def work() -> int:
            data = self._socket().recv(size)
            self.memory.write(at, data)
            return len(data)

        return self._try(work)

    @provides("shutdown")
    def shutdown(self) -> Answer:
        """End one or both directions."""
        return self._done(lambda: self._socket().shutdown(self.machine.signed(1)))

    @provides("setsockopt")
    def setsockopt(self) -> Answer:
        """Set an option that is a number."""
        key = self.machine.signed(1), self.machine.signed(2)
        value = signed32(self.memory.u32(self.machine.integer(3)))
        if key not in _OPTIONS:
            return self._system.fail(_ENOPROTOOPT)
        option = _OPTIONS[key]
        if option is None:
            return 0
        level, name = option
        return self._done(lambda: self._socket().setsockopt(level, name, value))

    @provides("getsockopt")
    def getsockopt(self) -> Answer:
        """Tell an option that is a number."""
        option = _OPTIONS.get((self.machine.signed(1), self.machine.signed(2)))
        if option is None:
            return self._system.fail(_ENOPROTOOPT)
        level, name = option

        def work() -> int:
            value = self._socket().getsockopt(level, name)
            if name == socket.SO_ERROR and level == socket.SOL_SOCKET and value:
                value = darwin_errno(OSError(value, ""))
            self.memory.set32(self.machine.integer(3), value)
            return 0

        return self._try(work)

    @provides("getsockname")
    def getsockname(self) -> Answer:
        """Tell a socket's own address."""

        def work() -> int:
            found = self._socket()
            data = self._packed(found.family, found.getsockname())
            length = self.memory.u32(self.machine.integer(2))
            self.memory.write(self.machine.integer(1), data[:length])
            self.memory.set32(self.machine.integer(2), len(data))
            return 0

        return self._try(work)

    @provides("poll")
    def poll(self) -> Answer:
        """Wait until one of some sockets can be read or written."""
        at, count = self.machine.integer(0), self.machine.integer(1)
        waiting = select.poll()
        entries = {}
        for index in range(count):  # struct pollfd { fd; events, revents }
            place = at + 8 * index
            file, events, _ = struct.unpack("<ihh", self.memory.read(place, 8))
            entries[file] = place
            self.memory.write(place + 6, b"\0\0")
            if file >= 0:
                waiting.register(file, events)
        timeout = self.machine.signed(2)

        def work() -> int:
            found = waiting.poll(timeout if timeout >= 0 else None)
            for file, events in found:
                self.memory.write(entries[file] + 6, struct.pack("<h", events))
            return len(found)

        return self._try(work)

    # Names and addresses.

    def _address(self, at: int, size: int) -> tuple[object, ...] | bytes:
        """Return what Python calls an address that begins with length and family."""
        data = self.memory.read(at, size)
        family = data[1]
        if family == _UNIX:
            return data[2:].partition(b"\0")[0]
        (port,) = struct.unpack(">H", data[2:4])
        if family == _INET:
            return socket.inet_ntop(socket.AF_INET, data[4:8]), port
        scope = struct.unpack("<I", data[24:28])[0]
        return socket.inet_ntop(socket.AF_INET6, data[8:24]), port, 0, scope

    def _packed(self, family: int, address: object) -> bytes:
        """Return an address as Darwin lays it out."""
        if isinstance(address, (str, bytes)):
            path = address.encode() if isinstance(address, str) else address
            return struct.pack("<BB104s", 106, _UNIX, path)
        assert isinstance(address, tuple)
        port = struct.pack(">H", address[1])
        host = socket.inet_pton(family, address[0].partition("%")[0])
        if family == socket.AF_INET:
            return struct.pack("<BB2s4s8x", 16, _INET, port, host)
        scope = address[3]
        return struct.pack("<BB2sI16sI", 28, _INET6, port, 0, host, scope)

    @provides("getaddrinfo")
    def getaddrinfo(self) -> int:
        """Look a name up; the answer is a list that freeaddrinfo() ends."""
        host, port = (
            self.memory.text(at).decode() if at else None
            for at in (self.machine.integer(0), self.machine.integer(1))
        )
        hints, out = self.machine.integer(2), self.machine.integer(3)
        wanted = (0, 0, 0, 0)
        if hints:
            wanted = struct.unpack("<iiii", self.memory.read(hints, 16))
        flags = sum(linux for darwin, linux in _AI_FLAGS if wanted[0] & darwin)
        try:
            family = _FAMILIES[wanted[1]]
            found = socket.getaddrinfo(host, port, family, *wanted[2:], flags)
        except socket.gaierror as error:
            return _EAI.get(error.errno or 0, _EAI_FAIL)
        first = 0
        for entry in reversed(found):
            first = self._entry(entry, first)
        self.memory.set64(out, first)
        return 0

    def _entry(
        self, found: tuple[int, int, int, str, tuple[object, ...]], following: int
    ) -> int:
        family, kind, protocol, _, address = found
        data = self._packed(family, address)
        at = self.memory.allocate(_INFO_BYTES + _LONGEST)
        place = at + _INFO_BYTES
        number = _DARWIN_FAMILIES[socket.AddressFamily(family)]
        self.memory.write(place, data)
        self.memory.write(
            at,
            struct.pack(
                *(_INFO, 0, number, kind, protocol, len(data), 0, place, following)
            ),
        )
        return at

    @provides("freeaddrinfo")
    def freeaddrinfo(self) -> None:
        """End a list of addresses."""
        at = self.machine.integer(0)
        while at:
            following = self.memory.u64(at + 40)
            self.memory.free(at)
            at = following

    @provides("gai_strerror")
    def gai_strerror(self) -> int:
        """Return a text for the answer of getaddrinfo()."""
        code = self.machine.signed(0)
        if code not in self._texts:
            self._texts[code] = self.memory.cstring(b"lookup error %d" % code)
        return self._texts[code]

    @provides("getnameinfo")
    def getnameinfo(self) -> int:
        """Write an address and a port as numbers."""
        address = self._address(self.machine.integer(0), self.machine.integer(1))
        if isinstance(address, bytes):
            return _EAI_FAIL
        texts = socket.getnameinfo(address, _NI_FLAGS)  # type: ignore[arg-type]
        for index, text in ((2, texts[0]), (4, texts[1])):
            at, size = self.machine.integer(index), self.machine.integer(index + 1)
            data = text.encode() + b"\0"
            if at and len(data) > size & 0xFFFFFFFF:
                return _EAI_OVERFLOW
            if at:
                self.memory.write(at, data)
        return 0

    @provides("inet_pton")
    def inet_pton(self) -> int:
        """Read an address; 0 for what is none."""
        family = _FAMILIES.get(self.machine.signed(0), socket.AF_INET)
        return self._parse(family, 1, 2)

    @provides("inet_aton")
    def inet_aton(self) -> int:
        """Read an address of four numbers; 0 for what is none."""
        return self._parse(socket.AF_INET, 0, 1)

    def _parse(self, family: int, source: int, out: int) -> int:
        text = self.memory.text(self.machine.integer(source))
        try:
            data = socket.inet_pton(family, text.decode("ascii", "replace"))
        except OSError:
            return 0
        self.memory.write(self.machine.integer(out), data)
        return 1
