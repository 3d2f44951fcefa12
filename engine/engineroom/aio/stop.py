"""A request to the server to stop what it does, repeated until it has.

One that comes before the server has begun with what was sent last has no effect.
"""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

    from engineroom.core import Handle

__all__ = ["PATIENCE_SECONDS", "STOP_SECONDS", "Stop"]

# How long a server may take to end what it was asked to stop.
STOP_SECONDS = 5.0

# How long it is commonly given before the first request is repeated.
PATIENCE_SECONDS = 0.1
_WANT_READ = 14


class Stop:
    """Requests to stop, one after the other, each with a socket of its own.

    Args:
        loop: the loop that waits.
        handle: the connection whose server is asked.
        on_end: called when a request has been heard, or has failed.
        patience_seconds: how long until it is repeated; then twice as long.

    Attributes:
        is_asking: whether a request is on its way.
    """

    __slots__ = (
        "_handle",
        "_loop",
        "_on_end",
        "_patience_seconds",
        "_socket",
        "_timer",
        "is_asking",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        handle: Handle,
        on_end: Callable[[], None],
        patience_seconds: float,
    ) -> None:
        self.is_asking = False
        self._handle = handle
        self._loop = loop
        self._on_end = on_end
        self._patience_seconds = patience_seconds
        self._socket = -1
        self._timer: TimerHandle | None = None

    def go_on(self) -> None:
        """Make a step of a request, and wait for the next one."""
        self.is_asking = True
        self._unwatch()
        try:
            want, socket = self._handle.cancel()
        except errors.Error:
            want, socket = 0, -1
        if not want:
            self.is_asking = False
            self._timer = self._loop.call_later(self._patience_seconds, self.go_on)
            self._patience_seconds *= 2
            self._on_end()
            return
        self._socket = socket
        if want == _WANT_READ:
            self._loop.add_reader(socket, self.go_on)
        else:
            self._loop.add_writer(socket, self.go_on)

    def end(self) -> None:
        """Ask no more."""
        self._unwatch()
        self.is_asking = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _unwatch(self) -> None:
        if self._socket >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket = -1
