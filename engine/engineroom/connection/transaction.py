"""A transaction as a block: committed at its end, undone when it fails.

Blocks nest: an inner one is a savepoint of the outer. What BEGIN says of isolation
and writing is made here too, because a block is where most transactions begin.
"""

from __future__ import annotations

from contextlib import suppress

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Literal

    from engineroom.connection.conversation import Conversation

__all__ = [
    "ISOLATION_LEVELS",
    "Rollback",
    "Transaction",
    "begin_statement",
    "read_isolation_level",
]

# The standard's four, weakest first.
ISOLATION_LEVELS = (
    "READ UNCOMMITTED",
    "READ COMMITTED",
    "REPEATABLE READ",
    "SERIALIZABLE",
)

# PostgreSQL cuts longer names, and two that differ only behind that are one.
_NAME_MAX = 63


class Rollback(Exception):
    """Raise it to leave a block of `connection.transaction()` and undo what it did.

    Nothing has failed, so it ends at the block: what follows goes on. Given a block, as
    `with connection.transaction() as block` names it, it leaves all up to that one.
    """

    def __init__(self, transaction: Transaction | None = None) -> None:
        super().__init__(transaction)
        self.transaction = transaction


class Transaction:
    """The context manager that `Connection.transaction()` returns. Used once.

    Attributes:
        savepoint_name: of the savepoint that the block is, None where it is a
            transaction.
    """

    __slots__ = ("_conversation", "_state", "savepoint_name")
    _state: Literal["new", "transaction", "savepoint", "ended"]

    def __init__(
        self, conversation: Conversation, savepoint_name: str | None = None
    ) -> None:
        if savepoint_name is not None:
            _check_name(savepoint_name)
        self._conversation = conversation
        self.savepoint_name = savepoint_name
        self._state = "new"

    def __enter__(self) -> Transaction:
        conversation = self._conversation
        if self._state != "new":
            raise errors.Misuse(
                "A transaction block was entered twice",
                hint="call `connection.transaction()` for each block",
            )
        conversation.settle()
        blocks = conversation.transactions
        if not conversation.handle.in_transaction:
            conversation.handle.session.begin()
            self._state = "transaction"
        else:
            self._state = "savepoint"
            # The same name at the same depth: statements are kept by their text.
            self.savepoint_name = self.savepoint_name or f"engineroom_{len(blocks) + 1}"
        if self.savepoint_name is not None:
            self._run("SAVEPOINT {0}")
        blocks.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        is_innermost = self._leave()
        if error is not None:
            # The reason why the block is left says more than one why it could not be
            # undone: a connection that was lost, or closed, tells that itself.
            with suppress(errors.Error):
                self._undo()
            return isinstance(error, Rollback) and error.transaction in (None, self)
        try:
            if not is_innermost:
                raise errors.Misuse(
                    "A transaction block ended before one inside it",
                    hint="end blocks in the opposite order of their beginning",
                )
            self._conversation.settle()
            self._keep()
        except BaseException:
            with suppress(errors.Error):
                self._undo()
            raise
        return False

    def _leave(self) -> bool:
        """Take the block and those inside it away; whether there were none."""
        blocks = self._conversation.transactions
        is_innermost = bool(blocks) and blocks[-1] is self
        if self in blocks:
            del blocks[blocks.index(self) :]
        return is_innermost

    def _keep(self) -> None:
        handle = self._conversation.handle
        if self._state == "transaction":
            handle.session.commit()
        # The whole transaction may be gone: some failures undo it all.
        elif handle.in_transaction:
            self._run("RELEASE {0}")
        self._state = "ended"

    def _undo(self) -> None:
        state, self._state = self._state, "ended"
        handle = self._conversation.handle
        if handle.is_closed or not handle.in_transaction:
            return
        if state == "transaction":
            handle.session.rollback()
        elif state == "savepoint":
            self._run("ROLLBACK TO {0}; RELEASE {0}")

    def _run(self, sql: str) -> None:
        name = (self.savepoint_name or "").replace('"', '""')
        self._conversation.handle.session.executescript(sql.format(f'"{name}"'))

    def __repr__(self) -> str:
        name = f" {self.savepoint_name}" if self.savepoint_name else ""
        return f"<engineroom.Transaction{name} {self._state}>"


def _check_name(name: str) -> None:
    if name and "\0" not in name and len(name.encode()) <= _NAME_MAX:
        return
    raise errors.Misuse(
        f"A savepoint cannot be named `{name[:_NAME_MAX]}`",
        hint=f"names have 1 to {_NAME_MAX} bytes; without one, one is made",
    )


def read_isolation_level(text: str) -> str:
    """Return the level as SQL writes it.

    Raises:
        Misuse: there is no such level.
    """
    level = " ".join(text.upper().replace("_", " ").replace("-", " ").split())
    if level in ISOLATION_LEVELS:
        return level
    raise errors.Misuse(
        f"There is no isolation level `{text}`",
        hint=f"take one of {', '.join(ISOLATION_LEVELS)}, or None",
    )


def begin_statement(
    isolation_level: str | None, read_only: bool | None, deferrable: bool | None
) -> str:
    """Return the BEGIN of PostgreSQL for these; None leaves each to the server."""
    words = ["BEGIN"]
    if isolation_level is not None:
        words.append(f"ISOLATION LEVEL {isolation_level}")
    if read_only is not None:
        words.append("READ ONLY" if read_only else "READ WRITE")
    if deferrable is not None:
        words.append("DEFERRABLE" if deferrable else "NOT DEFERRABLE")
    return " ".join(words)
