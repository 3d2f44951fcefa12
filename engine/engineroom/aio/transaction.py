"""A transaction as a block of asyncio: committed at its end, undone when it fails."""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from engineroom.aio.line import Line

__all__ = ["Transaction"]


class Transaction:
    """The context manager that `Connection.transaction()` returns. Used once."""

    __slots__ = ("_line", "_savepoint", "_state")

    def __init__(self, line: Line, depth: int) -> None:
        self._line = line
        self._savepoint = f"engineroom_{depth}"
        self._state = "new"

    async def __aenter__(self) -> None:
        if self._state != "new":
            raise errors.Misuse(
                "A transaction block was entered twice",
                hint="call `connection.transaction()` for each block",
            )
        handle = self._line.handle
        if handle.in_transaction:
            await self._run(f"SAVEPOINT {self._savepoint}")
            self._state = "savepoint"
        else:
            await self._line.run(handle.session.begin, handle.session.begin)
            self._state = "transaction"

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        state, self._state = self._state, "ended"
        if state == "transaction":
            await self._end_transaction(error is not None)
        else:
            await self._end_savepoint(error is not None)

    async def _end_transaction(self, has_failed: bool) -> None:
        session = self._line.handle.session
        if has_failed:
            await self._line.run(session.rollback, session.rollback)
            return
        try:
            await self._line.run(session.commit, session.commit)
        except errors.Error:
            # A commit that failed leaves the transaction open; the block is over.
            await self._line.run(session.rollback, session.rollback)
            raise

    async def _end_savepoint(self, has_failed: bool) -> None:
        # The whole transaction may be gone: some failures undo it all.
        if not self._line.handle.in_transaction:
            return
        if has_failed:
            await self._run(f"ROLLBACK TO {self._savepoint}")
        await self._run(f"RELEASE {self._savepoint}")

    async def _run(self, sql: str) -> None:
        reader = self._line.handle.session.reader()
        await self._line.run(reader.resume, reader.execute, sql, None)
        reader.close()
