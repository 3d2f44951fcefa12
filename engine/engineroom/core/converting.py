"""A reader that asks the users' adapters and converters about every value.

It stands before the engine's reader only where some are registered, so that everybody
else's rows come straight from the engine.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from engineroom.core.adapters import Adapters, Parameters, Row, RowConverter

__all__ = ["ConvertingReader"]


class ConvertingReader:
    """The engine's reader with adapters before it and converters behind it.

    Arrow streams are as the engine makes them.
    """

    __slots__ = ("_adapters", "_convert", "_is_asked", "_reader")

    def __init__(self, reader: Any, adapters: Adapters) -> None:
        self._reader = reader
        self._adapters = adapters
        self._convert: RowConverter | None = None
        self._is_asked = False  # whether the columns of this result were looked at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def execute(self, sql: str, parameters: Parameters, /) -> Any:
        """Run a statement."""
        self._is_asked = False
        return self._reader.execute(sql, self._adapters.adapt(parameters))

    def executemany(self, sql: str, rows: Iterable[Parameters], /) -> Any:
        """Run a statement for each row."""
        self._is_asked = False
        return self._reader.executemany(sql, self._adapters.adapt_all(rows))

    def _converter(self) -> RowConverter | None:
        if not self._is_asked:
            names = [column[1] for column in self._reader.columns()]
            self._convert = self._adapters.row_converter(names)
            self._is_asked = True
        return self._convert

    def fetchone(self) -> Row | None:
        """Return the next row."""
        row: Row | None = self._reader.fetchone()
        convert = self._converter()
        return row if convert is None or row is None else convert(row)

    def fetchmany(self, size: int, /) -> list[Row]:
        """Return the next rows."""
        return self._converted(self._reader.fetchmany(size))

    def fetchall(self) -> list[Row]:
        """Return the rows that are left."""
        return self._converted(self._reader.fetchall())

    def take(self, size: int, /) -> list[Row]:
        """Return rows that are at hand."""
        return self._converted(self._reader.take(size))

    def _converted(self, rows: list[Row]) -> list[Row]:
        convert = self._converter()
        return rows if convert is None else [convert(row) for row in rows]

    def __iter__(self) -> ConvertingReader:
        return self

    def __next__(self) -> Row:
        row: Row = next(self._reader)
        convert = self._converter()
        return row if convert is None else convert(row)
