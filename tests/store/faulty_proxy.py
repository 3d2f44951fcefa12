"""An HTTP proxy that hurts the n-th request of a kind on its way to an S3 server.

The client is given the proxy's address as its endpoint. Requests are passed on as they
came, `Host` included, so their signatures hold at the real server behind.

    with FaultyProxy(endpoint) as proxy:
        proxy.hurt("lose", method="PUT", path="journal/", nth=2)
        publish(s3_transport(proxy.url, prefix), [wheel])
        assert proxy.was_hurt

What `how` may be, each with what the server has seen of the request:

    drop       nothing; the client's connection ends without an answer
    cut        a half of its body; both connections end
    lose       all of it; the connection ends without an answer
    stall      all of it; nothing is answered for `seconds`, then the connection ends
    delay      all of it, `seconds` late
    swap       all of it, after the next other request has been answered
    twice      all of it, twice over; the second answer is passed on
    truncate   all of it; a half of the answer's body is passed on
    refuse     nothing; `status` and `code` are answered
    disown     all of it; `status` and `code` are answered all the same
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from http.client import HTTPConnection, HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["HOWS", "FaultyProxy"]

HOWS = (
    "drop", "cut", "lose", "stall", "delay", "swap", "twice", "truncate", "refuse",
    "disown",
)  # fmt: skip

_HOP_HEADERS = {"connection", "expect", "keep-alive", "transfer-encoding"}
_LONG_SECONDS = 60.0


class Asked(NamedTuple):
    """A request as the proxy saw it: for assertions, and to count requests."""

    method: str
    path: str
    headers: dict[str, str]


class _Answer(NamedTuple):
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class _Fault:
    """One way to hurt requests, and which ones."""

    how: str
    method: str
    path: str
    nth: int
    times: int
    status: int
    code: str
    seconds: float
    seen: int = 0

    def strikes(self, asked: Asked) -> bool:
        if self.method not in ("", asked.method) or not re.search(
            self.path, asked.path
        ):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times

    @property
    def struck(self) -> bool:
        return self.seen >= self.nth


class FaultyProxy:
    """A proxy in threads of this process, in front of one server.

    Attributes:
        url: the proxy's address.
        asked: every request so far, hurt or not.
        skew_seconds: how far the server's clock is made to look ahead, in the dates of
            its answers.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._lock = threading.Condition()
        self._faults: list[_Fault] = []
        self._answered = 0
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.asked: list[Asked] = []
        self.skew_seconds = 0

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    def hurt(
        self,
        how: str,
        *,
        method: str = "",
        path: str = "",
        nth: int = 1,
        times: int = 1,
        status: int = 500,
        code: str = "InternalError",
        seconds: float = _LONG_SECONDS,
    ) -> None:
        """Hurt requests from now on.

        Args:
            how: what is done to them: see the head of this file.
            method: only requests of this method; all if empty.
            path: only those whose path (unquoted, with the query) has this expression.
            nth: the first of these that is hurt, from 1.
            times: how many are hurt, one after the other.
            status: what `refuse` and `disown` answer.
            code: S3's name for it.
            seconds: how long `stall` and `delay` take, and `swap` at most.
        """
        assert how in HOWS
        with self._lock:
            self._faults.append(
                _Fault(how, method, path, nth, times, status, code, seconds)
            )

    def heal(self) -> None:
        """Pass everything on again."""
        with self._lock:
            self._faults.clear()

    @property
    def was_hurt(self) -> bool:
        """Whether every fault that was asked for has struck."""
        with self._lock:
            return all(fault.struck for fault in self._faults)

    def fault_for(self, asked: Asked) -> _Fault | None:
        """Note a request and say what is to be done to it."""
        with self._lock:
            self.asked.append(asked)
            struck = [fault for fault in self._faults if fault.strikes(asked)]
            return struck[0] if struck else None

    def wait(self, seconds: float) -> None:
        """Wait, unless the proxy is to end."""
        self._closing.wait(seconds)

    def wait_for_another(self, seconds: float) -> None:
        """Wait until some other request has been answered."""
        with self._lock:
            before = self._answered
            self._lock.wait_for(lambda: self._answered > before, seconds)

    def note_answered(self) -> None:
        """Wake whoever waits for another request's answer."""
        with self._lock:
            self._answered += 1
            self._lock.notify_all()

    def pass_on(
        self, asked: Asked, raw: str, headers: HTTPMessage, body: bytes
    ) -> _Answer:
        """Send a request to the server and read its whole answer."""
        with contextlib.closing(HTTPConnection(*self._upstream, timeout=60)) as server:
            self._send(server, asked.method, raw, headers)
            server.send(body)
            answer = server.getresponse()
            return _Answer(
                answer.status, answer.reason, answer.getheaders(), answer.read()
            )

    def pass_half(
        self, asked: Asked, raw: str, headers: HTTPMessage, body: bytes
    ) -> None:
        """Send the server a request whose body breaks off."""
        with contextlib.closing(HTTPConnection(*self._upstream, timeout=60)) as server:
            self._send(server, asked.method, raw, headers)
            server.send(body[: len(body) // 2])

    def _send(
        self, server: HTTPConnection, method: str, raw: str, headers: HTTPMessage
    ) -> None:
        server.putrequest(method, raw, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in _HOP_HEADERS:
                server.putheader(name, value)
        server.endheaders()


class _Server(ThreadingHTTPServer):
    """The listening half, which knows its open connections so as to end them."""

    daemon_threads = True
    block_on_close = False
    proxy: FaultyProxy

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: that clients hang up is what this proxy is for."""

    def end_connections(self) -> None:
        with self._open_lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self._answer()
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Say nothing; `asked` has it."""

    def _answer(self) -> None:
        proxy = self.server.proxy
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, unquote(self.path), headers)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = proxy.fault_for(asked)
        request = (asked, self.path, self.headers, body)
        answer = self._treat(fault, request)
        if answer is None:
            self.close_connection = True
            return
        self._write(answer, half=fault is not None and fault.how == "truncate")
        proxy.note_answered()

    def _treat(
        self, fault: _Fault | None, request: tuple[Asked, str, HTTPMessage, bytes]
    ) -> _Answer | None:
        """Do to a request what is to be done; give the answer if there is to be one."""
        proxy = self.server.proxy
        if fault is None:
            return proxy.pass_on(*request)
        if fault.how == "cut":
            proxy.pass_half(*request)
        if fault.how in ("drop", "cut"):
            return None
        if fault.how == "refuse":
            return _refusal(fault)
        if fault.how == "delay":
            proxy.wait(fault.seconds)
        if fault.how == "swap":
            proxy.wait_for_another(fault.seconds)
        answer = proxy.pass_on(*request)
        if fault.how == "twice":
            answer = proxy.pass_on(*request)
        if fault.how == "stall":
            proxy.wait(fault.seconds)
        if fault.how in ("lose", "stall"):
            return None
        return _refusal(fault) if fault.how == "disown" else answer

    def _write(self, answer: _Answer, *, half: bool) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers:
            if name.lower() == "date":
                self.send_header(name, _later(value, self.server.proxy.skew_seconds))
            elif name.lower() not in (*_HOP_HEADERS, "content-length"):
                self.send_header(name, value)
        lengths = [v for name, v in answer.headers if name.lower() == "content-length"]
        is_head = self.command == "HEAD"
        size = lengths[0] if is_head and lengths else str(len(answer.body))
        if answer.status != 204:
            self.send_header("Content-Length", size)
        self.end_headers()
        if half:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
        elif not is_head:
            self.wfile.write(answer.body)


def _refusal(fault: _Fault) -> _Answer:
    text = f"<Error><Code>{fault.code}</Code><Message>as asked</Message></Error>"
    headers = [("Content-Type", "application/xml")]
    return _Answer(fault.status, "Refused", headers, text.encode())


def _later(date: str, seconds: int) -> str:
    return formatdate(parsedate_to_datetime(date).timestamp() + seconds, usegmt=True)
