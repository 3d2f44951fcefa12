"""What a client knows of the texts it was given: what each is, and how it has done."""

from __future__ import annotations

from engineroom import errors
from engineroom.statement import recognise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engineroom.metrics import Metrics
    from engineroom.metrics.shapes import ShapeStats
    from engineroom.statement import Statement

__all__ = ["Known", "KnownTexts"]

# Programs have some hundreds of texts. One that writes values into its statements has
# no end of them, and shall not fill the memory.
_MOST = 2000
_LONGEST = 20_000


class Known:
    """One text of SQL.

    Attributes:
        changes_session: whether it may leave something behind on its connection.
        statement: what it is.
        stats: how it has done, shared by all texts of its shape.
        is_plain: whether it leaves the session and its transaction as they are.
        is_read: whether it is certain that it changes nothing.
    """

    __slots__ = ("changes_session", "is_plain", "is_read", "statement", "stats")

    def __init__(self, statement: Statement, stats: ShapeStats) -> None:
        self.statement = statement
        self.stats = stats
        self.is_read = statement.is_read
        self.changes_session = statement.changes_session
        self.is_plain = not (self.changes_session or statement.controls_transaction)


class KnownTexts(dict[str, Known]):
    """Every text that was seen, as long as there are not too many.

    Args:
        backend: whose SQL it is.
        metrics: keeps the statistics.
    """

    def __init__(self, backend: str, metrics: Metrics) -> None:
        super().__init__()
        self._backend = backend
        self._metrics = metrics

    def __missing__(self, sql: Any) -> Known:
        if not isinstance(sql, str):
            raise errors.Misuse(
                f"A statement is a text, not `{type(sql).__name__}`",
                hint="give the SQL as a `str`",
            )
        statement = recognise(sql, self._backend)
        known = Known(statement, self._metrics.shapes.stats(statement))
        if len(sql) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[sql] = known
        return known
