"""What a server says unasked: notices, and notifications of NOTIFY.

The engine keeps such messages as they come, at most eight megabytes of them. They are
read when somebody asks, or after each statement where a handler waits for them.
"""

from __future__ import annotations

import time
from collections import deque

from engineroom import errors
from engineroom.core.postgres_failure import read_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engineroom.connection.conversation import Conversation

__all__ = ["Inbox", "Notice", "Notification"]

NOTICES_KEPT = 100
NOTIFICATIONS_KEPT = 65_536
# How long to wait before Python handles its signals.
_SLICE_SECONDS = 0.1


class Notice:
    """A server's remark that is no failure. Texts it did not give are empty.

    Attributes:
        severity: `WARNING`, `NOTICE`, `INFO`, `LOG` or `DEBUG`.
        sqlstate: five characters, `00000` where there is nothing special.
        message: one sentence.
        detail: more about it.
        hint: what the server advises.
        context: the calls that led there, the innermost first.
        schema_name: the schema of the object it is about.
        table_name: the table it is about.
        column_name: the column it is about.
        data_type_name: the type it is about.
        constraint_name: the constraint it is about.
    """

    __slots__ = {  # noqa: RUF023 - in the order of the class; the field's letter
        "severity": "V",
        "sqlstate": "C",
        "message": "M",
        "detail": "D",
        "hint": "H",
        "context": "W",
        "schema_name": "s",
        "table_name": "t",
        "column_name": "c",
        "data_type_name": "d",
        "constraint_name": "n",
    }
    severity: str
    sqlstate: str
    message: str
    detail: str
    hint: str
    context: str
    schema_name: str
    table_name: str
    column_name: str
    data_type_name: str
    constraint_name: str

    def __init__(self, fields: bytes) -> None:
        by_letter = read_fields(fields)
        for name, letter in self.__slots__.items():
            setattr(self, name, by_letter.get(letter, ""))
        self.severity = self.severity or by_letter.get("S", "")  # before 9.6

    def __repr__(self) -> str:
        return f"<engineroom.Notice {self.severity}: {self.message}>"


class Notification:
    """What another session, or this one, sent with NOTIFY.

    Attributes:
        channel: where.
        payload: what; empty where NOTIFY gave none.
        pid: the server's process of the session that sent it.
    """

    __slots__ = ("channel", "payload", "pid")

    def __init__(self, channel: str, payload: str, pid: int) -> None:
        self.channel = channel
        self.payload = payload
        self.pid = pid

    def __repr__(self) -> str:
        return (
            f"<engineroom.Notification {self.channel!r} {self.payload!r} "
            f"from {self.pid}>"
        )


class Inbox:
    """The messages of one connection.

    Attributes:
        notices: the last hundred, the oldest first.
        notice_handlers: called with each notice.
        notification_handlers: called with each notification.
    """

    __slots__ = (
        "_arrived",
        "_conversation",
        "notice_handlers",
        "notices",
        "notification_handlers",
    )

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._arrived: deque[Notification] = deque(maxlen=NOTIFICATIONS_KEPT)
        self.notices: deque[Notice] = deque(maxlen=NOTICES_KEPT)
        self.notice_handlers: list[Callable[[Notice], object]] = []
        self.notification_handlers: list[Callable[[Notification], object]] = []

    @property
    def is_watched(self) -> bool:
        """Whether there are handlers."""
        return bool(self.notice_handlers or self.notification_handlers)

    def drain(self, *, is_kept: bool = False) -> None:
        """Read what the engine has kept, and call the handlers.

        Args:
            is_kept: whether notifications are kept though a handler has seen them.
        """
        handle = self._conversation.handle
        while not handle.is_closed and (message := handle.next_message()):
            if message[:1] == b"N":
                notice = Notice(message[1:])
                self.notices.append(notice)
                for take_notice in self.notice_handlers:
                    take_notice(notice)
            else:
                self._take_notification(message, is_kept)

    def _take_notification(self, message: bytes, is_kept: bool) -> None:
        channel, payload = message[5:].split(b"\0")[:2]
        notification = Notification(
            channel.decode("utf-8", "replace"),
            payload.decode("utf-8", "replace"),
            int.from_bytes(message[1:5], "big"),
        )
        if is_kept or not self.notification_handlers:
            self._arrived.append(notification)
        for take_notification in self.notification_handlers:
            take_notification(notification)

    def take_arrived(self) -> Notification | None:
        """Return the oldest notification that is kept, None without any."""
        return self._arrived.popleft() if self._arrived else None

    def notifications(
        self, timeout: float | None, stop_after: int | None
    ) -> Iterator[Notification]:
        """Give notifications as they come; see `Connection.notifications()`."""
        until = None if timeout is None else time.monotonic() + timeout
        given = 0
        is_late = False
        while stop_after is None or given < stop_after:
            if not self._arrived:
                if is_late:
                    return
                is_late = self._read(until)
                continue
            yield self._arrived.popleft()
            given += 1

    def _read(self, until: float | None) -> bool:
        """Read what is there, or wait a moment for it; whether the time is up."""
        handle = self._conversation.handle
        handle.poll()
        self.drain(is_kept=True)
        if self._arrived:
            return False
        if handle.in_transaction:
            raise errors.Misuse(
                "Notifications do not come while a transaction is open",
                hint="commit first, or let the connection that listens have "
                "`autocommit=on`",
            )
        left = _SLICE_SECONDS if until is None else until - time.monotonic()
        if left > 0 and handle.wait(min(left, _SLICE_SECONDS)):
            return False
        return left <= _SLICE_SECONDS if until is not None else False
