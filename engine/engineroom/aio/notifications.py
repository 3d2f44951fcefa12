"""Notifications as they come, for `async for`."""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engineroom.aio.line import Line
    from engineroom.connection.messages import Notification

__all__ = ["notifications"]


async def notifications(
    line: Line, timeout: float | None, stop_after: int | None
) -> AsyncIterator[Notification]:
    """Give notifications; see `Connection.notifications()`."""
    inbox = line.conversation.inbox
    clock = line.loop.time
    until = None if timeout is None else clock() + timeout
    given = 0
    is_last = False
    while stop_after is None or given < stop_after:
        _read(line)
        arrived = inbox.take_arrived()
        if arrived is not None:
            yield arrived
            given += 1
            continue
        if is_last:
            return
        left = None if until is None else max(0.0, until - clock())
        is_last = left == 0
        await line.listen(left)
        is_last = is_last or (until is not None and clock() >= until)


def _read(line: Line) -> None:
    """Read what is there, unless an operation is at it, which reads it too."""
    line.check_loop()
    if line.is_taken:
        return
    line.handle.poll()
    line.conversation.inbox.drain(is_kept=True)
    if line.handle.in_transaction:
        raise errors.Misuse(
            "Notifications do not come while a transaction is open",
            hint="commit first, or let the connection that listens have "
            "`autocommit=on`",
        )
