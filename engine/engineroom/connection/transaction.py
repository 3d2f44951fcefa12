"""A transaction as a block: committed at its end, undone when it fails.

Blocks nest: an inner one is a savepoint of the outer.
"""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from engineroom.core import Handle

__all__ = ["Transaction"]


class Transaction:
    """The context manager that `Connection.transaction()` returns. Used once."""

    __slots__ = ("_handle", "_savepoint", "_state")

    def __init__(self, handle: Handle, depth: int) -> None:
        self._handle = handle
        self._savepoint = f"engineroom_{depth}"
        self._state = "new"

    def __enter__(self) -> None:
        if self._state != "new":
            raise errors.Misuse(
                "A transaction block was entered twice",
                hint="call `connection.transaction()` for each block",
            )
        if self._handle.in_transaction:
            self._run(f"SAVEPOINT {self._savepoint}")
            self._state = "savepoint"
        else:
            self._handle.session.begin()
            self._state = "transaction"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        state, self._state = self._state, "ended"
        if state == "transaction":
            self._end_transaction(error is not None)
        else:
            self._end_savepoint(error is not None)

    def _end_transaction(self, has_failed: bool) -> None:
        if has_failed:
            self._handle.session.rollback()
            return
        try:
            self._handle.session.commit()
        except errors.Error:
            # A commit that failed leaves the transaction open; the block is over.
            self._handle.session.rollback()
            raise

    def _end_savepoint(self, has_failed: bool) -> None:
        # The whole transaction may be gone: some failures undo it all.
        if not self._handle.in_transaction:
            return
        if has_failed:
            self._run(f"ROLLBACK TO {self._savepoint}")
        self._run(f"RELEASE {self._savepoint}")

    def _run(self, sql: str) -> None:
        reader = self._handle.session.reader()
        reader.execute(sql, None)
        reader.close()
