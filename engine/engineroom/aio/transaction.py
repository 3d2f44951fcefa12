"""A transaction as a block of asyncio: committed at its end, undone when it fails.

As `engineroom.connection.transaction`, with its waits awaited. A block belongs to the
connection, not to the task: what other tasks run on it meanwhile is inside too.
"""

from __future__ import annotations

from contextlib import suppress

from engineroom import errors
from engineroom.connection.transaction import Rollback
from engineroom.connection.transaction import Transaction as Block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Literal

    from engineroom.aio.line import Line

__all__ = ["Transaction"]


class Transaction:
    """The context manager that `Connection.transaction()` returns. Used once."""

    __slots__ = ("_block", "_line", "_state")
    _state: Literal["new", "transaction", "savepoint", "ended"]

    def __init__(self, line: Line, savepoint_name: str | None) -> None:
        self._line = line
        # What stands for this one among the connection's blocks, and in a `Rollback`.
        self._block = Block(line.conversation, savepoint_name)
        self._state = "new"

    @property
    def savepoint_name(self) -> str | None:
        """Of the savepoint that the block is, None where it is a transaction."""
        return self._block.savepoint_name

    async def __aenter__(self) -> Block:
        line, block = self._line, self._block
        if self._state != "new":
            raise errors.Misuse(
                "A transaction block was entered twice",
                hint="call `connection.transaction()` for each block",
            )
        await line.settle()
        blocks = line.conversation.transactions
        if line.handle.in_transaction:
            name = f"engineroom_{len(blocks) + 1}"
            block.savepoint_name = block.savepoint_name or name
            await self._run("SAVEPOINT {0}")
            self._state = "savepoint"
        else:
            self._state = "transaction"
            try:
                await self._begin()
            except BaseException:
                # A task that was cancelled may hear of it when all was done.
                await self._undo()
                raise
        blocks.append(block)
        return block

    async def _begin(self) -> None:
        session = self._line.handle.session
        await self._line.run(session.begin, session.begin)
        if self._block.savepoint_name is not None:
            await self._run("SAVEPOINT {0}")

    async def __aexit__(
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
                await self._undo()
            return isinstance(error, Rollback) and error.transaction in (
                None,
                self._block,
            )
        try:
            if not is_innermost:
                raise errors.Misuse(
                    "A transaction block ended before one inside it",
                    hint="end blocks in the opposite order of their beginning",
                )
            await self._line.settle()
            await self._keep()
        except BaseException:
            with suppress(errors.Error):
                await self._undo()
            raise
        return False

    def _leave(self) -> bool:
        """Take the block and those inside it away; whether there were none."""
        blocks, block = self._line.conversation.transactions, self._block
        is_innermost = bool(blocks) and blocks[-1] is block
        if block in blocks:
            del blocks[blocks.index(block) :]
        return is_innermost

    async def _keep(self) -> None:
        handle = self._line.handle
        if self._state == "transaction":
            await self._line.run(handle.session.commit, handle.session.commit)
        # The whole transaction may be gone: some failures undo it all.
        elif handle.in_transaction:
            await self._run("RELEASE {0}")
        self._state = "ended"

    async def _undo(self) -> None:
        state, self._state = self._state, "ended"
        handle = self._line.handle
        if handle.is_closed or not handle.in_transaction:
            return
        if state == "transaction":
            await self._line.run(handle.session.rollback, handle.session.rollback)
        elif state == "savepoint":
            await self._run("ROLLBACK TO {0}; RELEASE {0}")

    async def _run(self, sql: str) -> None:
        name = (self._block.savepoint_name or "").replace('"', '""')
        await self._line.run_script(sql.format(f'"{name}"'))

    def __repr__(self) -> str:
        name = f" {self.savepoint_name}" if self.savepoint_name else ""
        return f"<engineroom.aio.Transaction{name} {self._state}>"
