"""A pipeline as a block: statements are sent without waiting for their answers.

Every run is followed by its own synchronisation point, so with autocommit on each
statement stands for itself, and one that fails takes no other with it. Inside a
transaction those behind a failure fail too, as they do one after the other.

The block keeps what it has sent until it is answered. It lets only so much be on its
way: then it waits for the older half, because what nobody reads fills the server's
socket, and what the server does not read fills our memory.
"""

from __future__ import annotations

from collections import deque

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Literal

    from engineroom.connection.conversation import Conversation
    from engineroom.core.handle import Reader

__all__ = ["WINDOW", "Pipeline"]

# Runs on their way; half of them is what is waited for at once.
WINDOW = 1024
# How much may wait to be sent, and after how many runs that is looked at.
_UNSENT_BYTES = 1024 * 1024
_UNSENT_EVERY = 8
# Failures that are kept; of more only the number is told.
_KEPT = 16


class Pipeline:
    """The context manager that `Connection.pipeline()` returns. Used once.

    Attributes:
        failures: why runs failed, in their order; the first sixteen.
        failure_count: how many have failed.
    """

    __slots__ = (
        "_conversation",
        "_pending",
        "_raised_count",
        "_state",
        "failure_count",
        "failures",
    )
    _state: Literal["new", "open", "ended"]

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._pending: deque[Reader] = deque()
        self._state = "new"
        self._raised_count = 0
        self.failures: list[errors.Error] = []
        self.failure_count = 0

    @property
    def is_open(self) -> bool:
        """Whether the block has begun and not ended."""
        return self._state == "open"

    def add(self, reader: Reader) -> None:
        """Take care of a run that was sent."""
        pending = self._pending
        pending.append(reader)
        if len(pending) >= WINDOW:
            self._settle(WINDOW // 2)
        elif not len(pending) % _UNSENT_EVERY and self._is_stuck():
            self._settle(len(pending))

    def _is_stuck(self) -> bool:
        """Whether the server takes nothing more before its answers are read."""
        unsent = self._conversation.handle.about("unsent_bytes")
        return int(unsent or 0) > _UNSENT_BYTES

    def sync(self) -> None:
        """Wait for all that was sent, and raise the first failure not raised yet."""
        self._settle(len(self._pending))
        self._raise()

    def _settle(self, count: int) -> None:
        pending = self._pending
        if count and self._conversation.handle.is_closed:
            pending.clear()
            raise errors.ConnectionClosed(
                f"The connection was closed with {count} statements on their way",
                hint="close it behind the block: whether they ran is not known",
            )
        for _ in range(count):
            reader = pending.popleft()
            try:
                reader.settle()
            except errors.Error as error:
                self.note(error)

    def note(self, error: errors.Error) -> None:
        """Keep the failure of a run, to be raised later."""
        self.failure_count += 1
        if len(self.failures) < _KEPT:
            self.failures.append(error)

    def _raise(self) -> None:
        new = self.failures[self._raised_count :]
        others = self.failure_count - self._raised_count - 1
        self._raised_count = self.failure_count
        if not new:
            return
        first = new[0]
        note = getattr(first, "add_note", None)  # since Python 3.11
        if others and note is not None:
            note(f"{others} more of the pipeline's statements failed after it")
        raise first

    def __enter__(self) -> Pipeline:
        conversation = self._conversation
        if self._state != "new":
            raise errors.Misuse(
                "A pipeline block was entered twice",
                hint="call `connection.pipeline()` for each block",
            )
        # A database without a server answers at once; there is nothing to wait for.
        if conversation.is_server:
            conversation.handle.set("pipeline", "on")
            conversation.pipelines.append(self)
            conversation.look_again()
        self._state = "open"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._settle(len(self._pending))
        finally:
            self._end()
        # That the transaction has failed is news only after the failure itself.
        if error is None or isinstance(error, errors.InFailedTransaction):
            self._raise()

    def _end(self) -> None:
        conversation = self._conversation
        self._pending.clear()
        self._state = "ended"
        if self in conversation.pipelines:
            conversation.pipelines.remove(self)
            conversation.look_again()
        if not conversation.pipelines and conversation.is_server:
            handle = conversation.handle
            if not handle.is_closed:
                handle.set("pipeline", "off")

    def __repr__(self) -> str:
        return f"<engineroom.Pipeline {self._state}, {len(self._pending)} on their way>"
