"""What a connection is in the middle of, and what has to be heeded because of it.

Blocks of transactions and pipelines, a two-phase transaction, listeners. The faces of
a connection, blocking or not, keep one of these; the fast path asks it one question,
`is_plain`.
"""

from __future__ import annotations

import sys

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from engineroom.connection.messages import Inbox
    from engineroom.connection.pipeline import Pipeline
    from engineroom.connection.transaction import Transaction
    from engineroom.connection.twophase import TwoPhase
    from engineroom.core import Handle
    from engineroom.core.adapters import Adapters
    from engineroom.core.handle import Reader

    TransactionStatus = Literal["idle", "open", "failed", "lost", "closed"]

__all__ = ["Conversation"]

_STATUS_WORDS: dict[str, TransactionStatus] = {
    "I": "idle",
    "T": "open",
    "E": "failed",
}


class Conversation:
    """The state of one connection above its handle.

    Attributes:
        handle: the native connection.
        is_plain: whether statements run as they come: no pipeline, nobody listening.
        transactions: the blocks that are open, the outermost first.
        pipelines: likewise.
    """

    __slots__ = (
        "_adapters",
        "_deferrable",
        "_inbox",
        "_isolation_level",
        "_read_only",
        "_two_phase",
        "handle",
        "is_plain",
        "pipelines",
        "transactions",
    )

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.is_plain = True
        self.transactions: list[Transaction] = []
        self.pipelines: list[Pipeline] = []
        self._adapters: Adapters | None = None
        self._inbox: Inbox | None = None
        self._two_phase: TwoPhase | None = None
        self._isolation_level: str | None = None
        self._read_only: bool | None = None
        self._deferrable: bool | None = None

    @property
    def is_server(self) -> bool:
        """Whether there is a server at the other end."""
        return self.handle.engine.backend == "postgres"

    def make_reader(self) -> Reader:
        """Return what runs a cursor's statements."""
        reader = self.handle.session.reader()
        adapters = self._adapters
        if adapters is None:
            # Nobody has registered any while the module is not even loaded.
            module = sys.modules.get("engineroom.core.adapters")
            if module is None:
                return reader
            adapters = module.ADAPTERS
        converting: Reader = adapters.around(reader)
        return converting

    def own_adapters(self) -> Adapters:
        """Return the adapters of this connection alone."""
        from engineroom.core.adapters import ADAPTERS, Adapters

        if self._adapters is None:
            self._adapters = Adapters(ADAPTERS)
        return self._adapters

    @property
    def inbox(self) -> Inbox:
        """What came from the server unasked."""
        if self._inbox is None:
            from engineroom.connection.messages import Inbox

            self._inbox = Inbox(self)
        return self._inbox

    @property
    def two_phase(self) -> TwoPhase:
        """The two-phase transaction, if any."""
        if self._two_phase is None:
            from engineroom.connection.twophase import TwoPhase

            self._two_phase = TwoPhase(self)
        return self._two_phase

    def look_again(self) -> None:
        """Find out whether statements may run as they come."""
        is_watched = self._inbox is not None and self._inbox.is_watched
        self.is_plain = not self.pipelines and not is_watched

    def deliver(self) -> None:
        """Call the handlers for what has come."""
        if self._inbox is not None and self._inbox.is_watched:
            self._inbox.drain()

    def settle(self) -> None:
        """Wait for all that pipelines have sent; raise the first failure."""
        for pipeline in self.pipelines:
            pipeline.sync()

    @property
    def transaction_status(self) -> TransactionStatus:
        """How things stand with the transaction."""
        handle = self.handle
        if handle.is_closed:
            return "closed"
        if not self.is_server:
            return "open" if handle.in_transaction else "idle"
        if handle.about("is_lost") == "yes":
            return "lost"
        return _STATUS_WORDS[handle.about("transaction") or "I"]

    @property
    def is_as_new(self) -> bool:
        """Whether nobody has said how it is to be used, or who is to hear of it."""
        return (
            self._inbox is None
            and self._adapters is None
            and self._two_phase is None
            and self._isolation_level is None
            and self._read_only is None
            and self._deferrable is None
        )

    def be_as_new(self) -> None:
        """Forget what was said of its use; between two who use it, no block open."""
        self._inbox = self._adapters = self._two_phase = None
        self.look_again()
        if not self.is_as_new:
            self._shape(None, None, None)

    def before_end(self, word: str) -> None:
        """See that a transaction may be ended by hand, and wait for what was sent.

        Args:
            word: `commit` or `rollback`.

        Raises:
            Misuse: it belongs to a block or to a two-phase transaction.
            DatabaseError: before a commit, the first failure in a pipeline.
        """
        if self.transactions:
            raise errors.Misuse(
                f"{word}() inside a transaction block",
                hint="the block ends its transaction; raise `engineroom.Rollback` to "
                "undo it",
            )
        if self._two_phase is not None and self._two_phase.xid is not None:
            raise errors.Misuse(
                f"{word}() inside a two-phase transaction",
                hint=f"call `tpc_{word}()`",
            )
        if word == "commit":
            self.settle()

    # What the next BEGIN says.

    @property
    def isolation_level(self) -> str | None:
        """How transactions are kept apart; None as the server does it."""
        return self._isolation_level

    @isolation_level.setter
    def isolation_level(self, level: str | None) -> None:
        from engineroom.connection.transaction import read_isolation_level

        wanted = None if level is None else read_isolation_level(level)
        if not self.is_server and wanted not in (None, "SERIALIZABLE"):
            raise errors.NotSupportedError(
                f"SQLite has no isolation level `{wanted}`",
                hint="its transactions are SERIALIZABLE, always",
            )
        self._shape(wanted, self._read_only, self._deferrable)

    @property
    def read_only(self) -> bool | None:
        """Whether transactions may only read; None as the server has it."""
        return self._read_only

    @read_only.setter
    def read_only(self, is_on: bool | None) -> None:
        self._shape(self._isolation_level, is_on, self._deferrable)

    @property
    def deferrable(self) -> bool | None:
        """Whether a serializable reader waits for a snapshot that cannot fail."""
        return self._deferrable

    @deferrable.setter
    def deferrable(self, is_on: bool | None) -> None:
        if not self.is_server and is_on:
            raise errors.NotSupportedError(
                "SQLite has no deferrable transactions",
                hint="its readers never wait for writers in WAL mode, and never fail",
            )
        self._shape(self._isolation_level, self._read_only, is_on)

    def _shape(
        self, level: str | None, read_only: bool | None, deferrable: bool | None
    ) -> None:
        from engineroom.connection.transaction import begin_statement

        if self.handle.in_transaction:
            raise errors.Misuse(
                "A transaction is open, and what it is like was said when it began",
                hint="commit or roll back first",
            )
        if self.is_server:
            self.handle.set("begin", begin_statement(level, read_only, deferrable))
        elif read_only != self._read_only:
            word = "ON" if read_only else "OFF"
            self.handle.session.executescript(f"PRAGMA query_only = {word}")
        self._isolation_level = level
        self._read_only = read_only
        self._deferrable = deferrable
