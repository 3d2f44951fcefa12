"""What both faces know of a connection that is lent: its limits and its statements."""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

from time import monotonic

from engineroom import errors
from engineroom.pool.call import is_demoted
from engineroom.pool.lane import NEVER
from engineroom.pool.lease import LeaseFacts
from engineroom.pool.places import SHARING_POOLERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from engineroom.pool.deadline import Deadline
    from engineroom.pool.face import ClientFace
    from engineroom.pool.known import Known
    from engineroom.pool.lane import Slot

__all__ = ["ENDED", "Loan"]


class _Ended:
    """Stands where a lent connection's parts were, and refuses everything."""

    __slots__ = ()
    changes = -1
    last_row_id = 0
    has_result = is_running = False

    def __getattr__(self, name: str) -> NoReturn:
        raise errors.LeaseEnded()

    def fetchone(self) -> NoReturn:
        """Refuse."""
        raise errors.LeaseEnded()

    def __next__(self) -> NoReturn:
        raise errors.LeaseEnded()

    def close(self) -> None:
        """Do nothing: closing twice is allowed."""


ENDED = _Ended()


class Loan:
    """One connection that is lent.

    Args:
        client: who lends it.
        slot: the connection.
        deadline: of the whole block; None where each statement has its own.

    Attributes:
        facts: since when, and where it was taken.
        has_copied: whether a COPY was begun, of which nobody knows if it ended.
        is_suspect: whether something has failed on it.
        is_demoted: whether its server has become one that can only be read.
        is_over: whether it was given back.
        slot: as above.
    """

    __slots__ = (
        "_client",
        "_cursors",
        "_deadline",
        "_prune_at",
        "facts",
        "has_copied",
        "is_demoted",
        "is_suspect",
        "slot",
    )

    def __init__(
        self, client: ClientFace, slot: Slot, deadline: Deadline | None
    ) -> None:
        self.slot = slot
        self._client = client
        self._deadline = deadline
        self._cursors: list[Callable[[], Any]] = []
        self._prune_at = 64
        self.has_copied = False
        self.is_demoted = False
        self.is_suspect = False
        if deadline is not None:
            deadline.enter("caller")
        self.facts = slot.lease = LeaseFacts(slot.lane.name, slot.generation)
        client.metrics.count("leases")

    @property
    def is_over(self) -> bool:
        """Whether it was given back."""
        return self.facts.is_over

    def check(self) -> None:
        """Refuse what comes after the end.

        Raises:
            LeaseEnded: it was given back.
        """
        if self.facts.is_over:
            raise errors.LeaseEnded()

    def note_cursor(self, cursor: Callable[[], Any]) -> None:
        """Keep in mind a cursor that has to end with the loan."""
        cursors = self._cursors
        cursors.append(cursor)
        if len(cursors) >= self._prune_at:
            cursors[:] = [each for each in cursors if each() is not None]
            self._prune_at = 2 * len(cursors) + 64

    def begin(self, operation: str) -> Known:
        """Note that a statement begins, and give it its time.

        Raises:
            LeaseEnded: the connection was given back.
            Misuse: the pooler would have it run in somebody else's session.
        """
        self.check()
        client, slot = self._client, self.slot
        known = client._known[operation]
        if known.changes_session:
            if client.options.pooler in SHARING_POOLERS:
                raise errors.Misuse(
                    f"`{known.statement.word}` changes a session, which a pooler of "
                    f"the kind `{client.options.pooler}` shares with others",
                    hint="say it in the server's settings of the role or database",
                )
            slot.is_dirty = True
            if known.statement.word == "prepare":
                slot.lane.outlive(slot)  # a reset leaves what is prepared
        if self._deadline is None:
            slot.limit(client._limit_ms)
        else:
            self._deadline.enter("querying")
        return known

    def end(self, known: Known, began: float, rows: int) -> None:
        """Note that a statement has ended."""
        self._leave()
        seconds = monotonic() - began
        known.stats.add(seconds, rows)
        client = self._client
        if client._replicas and not known.is_read and not self.slot.lane.is_reader:
            client._pin()
        if client._watching or seconds >= client._notice_seconds:
            client._notice(known, seconds, rows)

    def _leave(self) -> None:
        if self._deadline is not None:
            self._deadline.enter("caller")
        elif not self.slot.conversation.handle.is_closed:
            self.slot.limit(0)  # what is read of it may take as long as it takes

    def fail(self, known: Known, began: float, error: errors.Error) -> errors.Error:
        """Note that a statement has failed; return what the caller gets."""
        known.stats.add_error(error.fault, monotonic() - began)
        self.is_suspect = True
        client = self._client
        if is_demoted(error, self.slot):
            self.is_demoted = True
            client._pool.io.settle(client._pool.retire("read-only"))
        late = client._late(error, self._deadline)
        self._leave()
        return late

    def close(self) -> None:
        """End it: its cursors refuse everything from now on."""
        self.facts.is_over = True
        self.slot.lease = None
        # Unused from now on; after a COPY it has to be asked whether it still works.
        self.slot.since = NEVER if self.has_copied else monotonic()
        for cursor in self._cursors:
            found = cursor()
            if found is not None:
                found._end_lease()
        self._cursors.clear()
        self._client.metrics.observe("lease_seconds", self.facts.seconds)

    def __repr__(self) -> str:
        return repr(self.facts)
