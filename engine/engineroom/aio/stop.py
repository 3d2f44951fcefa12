"""A request to the server to stop what it does, on its way."""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from engineroom.core import Handle

__all__ = ["STOP_SECONDS", "Stop"]

# How long a server may take to end what it was asked to stop.
STOP_SECONDS = 5.0

_WANT_READ = 14


class Stop:
    """A request to stop, which has a socket of its own.

    Args:
        loop: the loop that waits.
        handle: the connection whose server is asked.
        on_end: called when the request has been heard, or has failed.

    Attributes:
        is_over: whether either has come about.
    """

    __slots__ = ("_handle", "_loop", "_on_end", "_socket", "is_over")

    def __init__(
        self, loop: AbstractEventLoop, handle: Handle, on_end: Callable[[], None]
    ) -> None:
        self.is_over = False
        self._loop = loop
        self._handle = handle
        self._on_end = on_end
        self._socket = -1

    def go_on(self) -> None:
        """Make a step, and wait for the next one."""
        self._unwatch()
        try:
            want, socket = self._handle.cancel()
        except errors.Error:
            want, socket = 0, -1  # The operation may end without, or has to time out.
        if not want:
            self.is_over = True
            self._on_end()
            return
        self._socket = socket
        if want == _WANT_READ:
            self._loop.add_reader(socket, self.go_on)
        else:
            self._loop.add_writer(socket, self.go_on)

    def abandon(self) -> None:
        """Wait no longer."""
        self._unwatch()
        self.is_over = True

    def _unwatch(self) -> None:
        if self._socket >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket = -1
