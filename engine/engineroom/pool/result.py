"""What a call of the client returns: all rows of one statement, and facts about it."""

from __future__ import annotations

from engineroom.dbapi.cursor import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.core.handle import Reader
    from engineroom.dbapi.cursor import ColumnDescription, Row

__all__ = ["Result"]


class Result:
    """The rows of a statement that has ended, and what it did.

    Nothing of it needs the connection any more, which others use by then.

    Attributes:
        rows: all of them, as tuples; empty for a statement that gives none.
    """

    __slots__ = ("_reader", "rows")

    def __init__(self, rows: list[Row], reader: Reader) -> None:
        self.rows = rows
        self._reader = reader

    @property
    def rowcount(self) -> int:
        """Rows changed; of a statement that only reads, the rows it gave."""
        changes = self._reader.changes
        return len(self.rows) if changes < 0 else changes

    @property
    def lastrowid(self) -> int | None:
        """Row id of the last row inserted; None where there was none."""
        return self._reader.last_row_id or None

    @property
    def description(self) -> tuple[ColumnDescription, ...] | None:
        """The columns, as of `Cursor.description`; None where there are none."""
        return describe(self._reader)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        """Return one row, counted from 0."""
        return self.rows[index]

    def __repr__(self) -> str:
        return f"<engineroom.Result, {len(self.rows)} rows, rowcount {self.rowcount}>"
