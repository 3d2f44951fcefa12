"""Blocks of the blocking client: a connection, or a transaction, for a while."""

# pyright: reportPrivateUsage=false
# A client, its blocks and its connections are one thing in several files.
from __future__ import annotations

from time import monotonic

from engineroom import errors
from engineroom.pool.call import make_call
from engineroom.pool.leased import LeasedConnection
from engineroom.pool.loan import Loan
from engineroom.pool.thread_io import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from engineroom.connection.transaction import Transaction as Block
    from engineroom.pool.client import Client
    from engineroom.pool.deadline import Deadline
    from engineroom.pool.lane import Slot

__all__ = ["Lease", "Transaction"]

# How long undoing a block may take at least, whatever is left of its time.
UNDO_SECONDS = 0.1


class _Lending:
    """A block that lends a connection; which kind is its subclasses' business."""

    __slots__ = (
        "__weakref__",
        "_client",
        "_connection",
        "_loan",
        "_reads",
    )

    def __init__(self, client: Client, read_only: bool) -> None:
        self._client = client
        self._reads = read_only
        self._loan: Loan | None = None
        self._connection: LeasedConnection | None = None

    def _lend(self, slot: Slot, deadline: Deadline | None) -> LeasedConnection:
        self._loan = Loan(self._client, slot, deadline)
        self._connection = LeasedConnection(self._loan)
        return self._connection

    def _give_back(self) -> None:
        loan, self._loan = self._loan, None
        if loan is None:
            return
        assert self._connection is not None
        try:
            self._connection._end_lease()
            is_changed = needs_mending(loan)
        except BaseException:
            # Another thread is in the middle of a statement, or Ctrl-C came: nobody
            # else may have it, and it is closed when it can be.
            run(self._client._pool.lose(loan.slot, "left in use", is_lost=False))
            raise
        if is_changed:
            run(self._client._pool.put_back(loan.slot))
        else:
            self._client._pool.give(loan.slot)

    def __del__(self) -> None:
        loan: Loan | None = getattr(self, "_loan", None)  # None: it was never made
        if loan is None or self._connection is None or self._client.closed:
            return
        import warnings

        warnings.warn(
            f"A connection that was taken at {loan.facts.taken_at} was never given "
            "back",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )
        self._connection._end_lease()
        self._client._pool.forgotten.append(loan.slot)


class Lease(_Lending):
    """The block that `Client.connection()` returns. Used once."""

    __slots__ = ("_seconds",)

    def __init__(
        self, client: Client, read_only: bool, deadline_seconds: float | None
    ) -> None:
        super().__init__(client, read_only)
        self._seconds = deadline_seconds

    def __enter__(self) -> LeasedConnection:
        return self._lend(_take(self._client, self._reads, self._seconds), None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._give_back()


class Transaction(_Lending):
    """The block that `Client.transaction()` returns. Used once."""

    __slots__ = ("_block", "_deadline", "_is_demoted", "_is_undone", "_level")

    def __init__(
        self,
        client: Client,
        read_only: bool,
        isolation_level: str | None,
        deadline: Deadline,
    ) -> None:
        super().__init__(client, read_only)
        self._deadline = deadline
        self._level = isolation_level
        self._block: Block | None = None
        # Whether it is certain that nothing of it was kept, and whether its server has
        # become one that can only be read: whoever runs it again has to know.
        self._is_undone = True
        self._is_demoted = False

    def __enter__(self) -> LeasedConnection:
        client = self._client
        client._check_blocks()
        call = client._for_block(self._reads, self._deadline, self._begin)
        client._keep()
        self._block, slot = run(make_call(client._pool, call))
        return self._lend(slot, self._deadline)

    def _begin(self, slot: Slot) -> Block:
        connection = slot.connection
        shape_next(slot, self._level, self._reads)
        block: Block = connection.transaction()
        block.__enter__()
        return block

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        loan, block = self._loan, self._block
        if loan is None or block is None:
            return False
        self._is_demoted = loan.is_demoted
        loan.is_suspect |= error is not None
        self._deadline.enter("querying")
        if error is not None:  # to undo it there is always a moment
            loan.slot.limit(int(1000 * max(self._deadline.limit(), UNDO_SECONDS)))
        try:
            is_swallowed = block.__exit__(kind, error, traceback)
        except errors.Error as failure:
            is_sent = failure.sent_to_server and failure.poisons_connection
            self._is_undone = error is not None or not is_sent
            loan.is_suspect = True
            late = self._client._late(failure, self._deadline)
            raise late from late.__cause__
        finally:
            self._give_back()
        if not self._reads:
            self._client._pin()
        return is_swallowed


def shape_next(slot: Slot, level: str | None, read_only: bool) -> None:
    """Have a connection's next transaction begin as it is asked for."""
    conversation = slot.conversation
    if level is not None:
        conversation.isolation_level = level
    if read_only and conversation.is_server:  # a file's readers only read anyhow
        conversation.read_only = True


def _take(client: Client, read_only: bool, seconds: float | None) -> Slot:
    """Return a connection to be lent."""
    lane = client._read_lane if read_only else client._write_lane
    slot = None if client._replicas and read_only else lane.take()
    if slot is not None:
        now = monotonic()
        validate_seconds = client.options.validate_seconds
        if now - slot.since <= validate_seconds and not slot.is_gone():
            slot.since = now
            return slot
        client._pool.give(slot)
    call = client._for_block(read_only, client._deadline(seconds), _nothing)
    client._keep()
    taken: tuple[None, Slot] = run(make_call(client._pool, call))
    return taken[1]


def _nothing(slot: Slot) -> None:
    slot.limit(0)


def needs_mending(loan: Loan) -> bool:
    """Whether a connection that comes back may not be as it was lent."""
    conversation = loan.slot.conversation
    is_as_lent = conversation.is_plain and conversation.is_as_new
    return loan.is_suspect or conversation.handle.in_transaction or not is_as_lent
