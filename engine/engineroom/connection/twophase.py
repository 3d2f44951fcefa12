"""Two-phase commit as PEP 249 has it, over PREPARE TRANSACTION.

A coordinator has each of several databases prepare, and when all have, commits all. A
transaction that is prepared outlives its connection: it keeps its locks until somebody
commits it or rolls it back by its name, on any connection to the same database.
"""

from __future__ import annotations

from engineroom import errors
from engineroom.connection.xid import Xid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.connection.conversation import Conversation

__all__ = ["TwoPhase"]

_NOT_IN_PREREQUISITE_STATE = "55000"


class TwoPhase:
    """The two-phase transactions of one connection.

    Attributes:
        xid: the one it is in, None outside of any.
        is_prepared: whether that one has been prepared.
    """

    __slots__ = ("_conversation", "is_prepared", "xid")

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.xid: Xid | None = None
        self.is_prepared = False
        if not conversation.is_server:
            raise errors.NotSupportedError(
                "SQLite has no two-phase commit",
                hint="it needs a database that can prepare a transaction: PostgreSQL",
            )

    def begin(self, xid: Xid | str) -> None:
        """Begin a transaction of that name."""
        name = _read(xid)
        self._refuse_inside("tpc_begin")
        self._conversation.handle.session.begin()
        self.xid = name

    def prepare(self) -> None:
        """Do the first phase: afterwards a commit cannot fail any more."""
        if self.xid is None or self.is_prepared:
            raise errors.Misuse(
                "tpc_prepare() needs a two-phase transaction that is not prepared",
                hint="begin one with `tpc_begin()`",
            )
        xid, self.xid = self.xid, None
        conversation = self._conversation
        session = conversation.handle.session
        try:
            conversation.settle()
        except BaseException:
            session.rollback()
            raise
        if conversation.transaction_status == "failed":
            # PREPARE would answer ROLLBACK, and call that a success.
            session.rollback()
            raise errors.InFailedTransaction(
                "The transaction had failed, and was rolled back instead",
                hint="begin another with `tpc_begin()`",
                sqlstate="25P02",
            )
        try:
            self._run("PREPARE TRANSACTION", xid)
        except errors.DatabaseError as error:
            raise _explain(error) from None
        self.xid = xid
        self.is_prepared = True

    def commit(self, xid: Xid | str | None) -> None:
        """Do the second phase; without a first one, both."""
        self._finish("commit", xid)

    def rollback(self, xid: Xid | str | None) -> None:
        """Undo the transaction, prepared or not."""
        self._finish("rollback", xid)

    def _finish(self, word: str, given: Xid | str | None) -> None:
        if given is not None:
            name = _read(given)
            self._refuse_inside(f"tpc_{word}")
            self._run(f"{word.upper()} PREPARED", name)
            return
        if self.xid is None:
            raise errors.Misuse(
                f"tpc_{word}() without a name needs a two-phase transaction",
                hint="begin one with `tpc_begin()`, or say which of "
                "`tpc_recover()`'s is meant",
            )
        session = self._conversation.handle.session
        if self.is_prepared:
            # Where that fails it stays prepared, and may be tried again.
            self._run(f"{word.upper()} PREPARED", self.xid)
            self.xid, self.is_prepared = None, False
            return
        self.xid = None
        if word == "rollback":
            session.rollback()
            return
        try:
            self._conversation.settle()
            session.commit()
        except BaseException:
            session.rollback()
            raise

    def recover(self) -> list[Xid]:
        """Return those that are prepared and wait for their second phase."""
        handle = self._conversation.handle
        self._conversation.settle()
        was_open = handle.in_transaction
        reader = handle.session.reader()
        reader.execute(
            "SELECT gid, prepared, owner::text, database::text FROM pg_prepared_xacts "
            "ORDER BY prepared, gid",
            None,
        )
        found: list[Xid] = []
        for name, prepared, owner, database in reader.fetchall():
            xid = Xid.from_name(name)
            xid.prepared, xid.owner, xid.database = prepared, owner, database
            found.append(xid)
        reader.close()
        if not was_open:
            handle.session.rollback()
        return found

    def _refuse_inside(self, method: str) -> None:
        conversation = self._conversation
        if self.xid is None and not conversation.handle.in_transaction:
            return
        raise errors.Misuse(
            f"{method}() inside a transaction", hint="commit or roll back first"
        )

    def _run(self, words: str, xid: Xid) -> None:
        # Doubled in an escape string, a backslash means itself whatever the server's
        # standard_conforming_strings is.
        quoted = xid.name.replace("\\", "\\\\").replace("'", "''")
        self._conversation.handle.session.executescript(f"{words} E'{quoted}'")


def _read(xid: Xid | str) -> Xid:
    return Xid.from_name(xid) if isinstance(xid, str) else xid


def _explain(error: errors.DatabaseError) -> errors.DatabaseError:
    if error.sqlstate != _NOT_IN_PREREQUISITE_STATE:
        return error
    return errors.NotSupportedError(
        error.message,
        hint=error.server_hint or "set `max_prepared_transactions` on the server",
        sqlstate=error.sqlstate,
    )
