"""What a server says unasked, until somebody reads it."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future

    from engineroom.core import Handle

__all__ = ["Inbox"]


class Inbox:
    """Messages in the order they came, as the engine gives them."""

    __slots__ = ("_readers", "error", "is_ended", "messages")

    def __init__(self) -> None:
        self.messages: deque[bytes] = deque()
        self.error: BaseException | None = None
        self.is_ended = False
        self._readers: list[Future[None]] = []

    def fill(self, handle: Handle) -> None:
        """Take what the engine has."""

    def end(self, error: BaseException | None) -> None:
        """Note that nothing more will come."""
