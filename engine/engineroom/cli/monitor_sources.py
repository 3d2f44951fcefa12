"""Where `engineroom monitor` has its snapshots from.

An endpoint is on the network and may be anybody's: it is given a time, a size, and no
way to send us elsewhere.
"""

from __future__ import annotations

import http.client
import logging
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

import engineroom
from engineroom.errors import MetricsNotUnderstood, MetricsUnreachable
from engineroom.fetch.address import authorization_of, shown, without_credentials
from engineroom.metrics.reading import read_snapshot
from engineroom.version import __version__

if TYPE_CHECKING:
    from typing import Protocol

    class Source(Protocol):
        """What a monitor watches."""

        def snapshot(self) -> dict[str, Any]:
            """Return what has been counted by now."""
            ...

        def close(self) -> None:
            """Let go of what was opened."""
            ...


__all__ = ["SIZE_MAX", "Asker", "Endpoint", "is_endpoint"]

# 500 shapes of 2,000 characters are a megabyte.
SIZE_MAX = 8 << 20
_ACCEPT = "application/json, text/plain;version=0.0.4;q=0.5"


def is_endpoint(url: str) -> bool:
    """Say whether a URL is one of metrics; the others are of databases."""
    return url.lower().startswith(("http://", "https://"))


class Endpoint:
    """The metrics that a service offers over HTTP, as JSON or as Prometheus' text.

    Args:
        url: its address, with credentials if need be.
        timeout_seconds: how long an answer may take as a whole.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self._shown = shown(url)
        self._timeout_seconds = timeout_seconds
        headers = {"Accept": _ACCEPT, "User-Agent": f"engineroom/{__version__}"}
        try:
            address = without_credentials(url)
            self._request = Request(address, headers=headers)  # noqa: S310 - by is_endpoint
            if authorization := authorization_of(url):
                self._request.add_unredirected_header("Authorization", authorization)
        except ValueError as error:
            raise MetricsUnreachable(self._shown, str(error)) from None
        self._opener = _opener()

    def snapshot(self) -> dict[str, Any]:
        """Ask once.

        Raises:
            MetricsUnreachable: no answer, or one that is a failure.
            MetricsNotUnderstood: the answer holds no metrics of ours.
        """
        data = self._answer()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MetricsNotUnderstood(
                self._shown, f"it is no UTF-8: {error}"
            ) from None
        return read_snapshot(text, url=self._shown, now=time.time())

    def close(self) -> None:
        """Do nothing: each question has a connection of its own."""

    def _answer(self) -> bytes:
        deadline = time.monotonic() + self._timeout_seconds
        try:
            with self._opener.open(
                self._request, timeout=self._timeout_seconds
            ) as answer:
                return self._body(answer, deadline)
        except HTTPError as error:
            with error:
                reason = f"the server answered {error.code} {error.reason}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = self._reason(error)
        raise MetricsUnreachable(self._shown, reason) from None

    def _body(self, answer: http.client.HTTPResponse, deadline: float) -> bytes:
        data = bytearray()
        # Read in pieces: a timeout of the socket is for each, and never for the whole.
        while piece := answer.read1(1 << 16):
            data += piece
            if len(data) > SIZE_MAX:
                raise MetricsNotUnderstood(self._shown, f"it is over {SIZE_MAX} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError
        return bytes(data)

    def _reason(self, error: Exception) -> str:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, (socket.timeout, TimeoutError)):
            return f"no answer within {self._timeout_seconds:g} s"
        text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        return f"there is no connection: {text}"


class Asker:
    """A client of the monitor's own, which asks a database whenever it is looked at.

    It is opened as a service's would be, but for its size. What it counts is of its own
    calls: whether this database can be reached from here, and how fast.

    Args:
        url: of the database.
        timeout_seconds: how long a call may take as a whole.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        # What the client would log is shown by the view, and must not write over it.
        logging.getLogger("engineroom").addHandler(logging.NullHandler())
        # In the background: a database that does not answer is something to be shown.
        self._client = engineroom.open(
            url,
            start="background",
            max_size=1,
            deadline_seconds=timeout_seconds,
            health_seconds=timeout_seconds,
        )

    def snapshot(self) -> dict[str, Any]:
        """Ask for health, ask a query, and return what has been counted by now."""
        self._client.health()
        with suppress(engineroom.Error):  # counted, and shown by its fault
            self._client.execute("SELECT 1")
        return self._client.snapshot()

    def close(self) -> None:
        """Close the client."""
        self._client.close()


def _opener() -> OpenerDirector:
    """Return what asks the web, and nothing else: no redirects, no other schemes."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
