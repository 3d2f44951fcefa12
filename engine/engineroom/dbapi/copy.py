"""COPY: data in bulk, as blocks in which nothing else is done with the connection.

Only PostgreSQL has it. Bytes pass as they are; rows and Arrow are written and read by
the engine, by the types that the server says the columns have.
"""

from __future__ import annotations

import sys

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import Any, BinaryIO, Protocol, Union

    from engineroom.connection.conversation import Conversation
    from engineroom.connection.copy_statement import CopyStatement
    from engineroom.core.adapters import Adapters
    from engineroom.core.handle import Copier

    Bytes = Union[bytes, bytearray, memoryview]

    class ArrowStream(Protocol):
        """Whatever gives rows in Arrow: a table of pyarrow or polars, a result."""

        def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


__all__ = ["CopyIn", "CopyOut"]

# A buffer is handed over in pieces of bytes, of which one at a time exists twice.
_PIECE_BYTES = 1 << 20


class _Copy:
    """The block: begins the COPY when entered, and ends it when left."""

    __slots__ = ("_conversation", "_copier", "_count", "_read", "_sql")
    _is_in = False

    def __init__(self, conversation: Conversation, sql: str) -> None:
        if not conversation.is_server:
            raise errors.NotSupportedError(
                "Only PostgreSQL has COPY",
                hint="write rows with `executemany()`, read them as Arrow",
            )
        self._conversation = conversation
        self._sql = sql
        self._copier: Copier | None = None
        self._count = -1
        self._read: CopyStatement | None = None

    @property
    def rowcount(self) -> int:
        """How many rows passed, as the server says at the end; -1 before."""
        return self._count

    def _begin(self) -> None:
        from engineroom.connection.copy_statement import read_copy

        handle = self._conversation.handle
        if handle.is_closed:
            raise errors.ConnectionClosed(
                "The connection is closed",
                hint="open a new connection with `engineroom.connect()`",
            )
        if self._copier is not None or self._count >= 0:
            raise errors.Misuse(
                "The COPY has begun already", hint="make another for each block"
            )
        self._conversation.settle()
        read = self._read = read_copy(self._sql)
        self._copier = handle.session.copy(
            self._sql, read.shape, self._is_in, read.format
        )

    def _open(self) -> Copier:
        if self._copier is None:
            raise errors.Misuse(
                "The COPY is not under way",
                hint="use it inside `with connection.copy_in(...) as copy:`",
            )
        return self._copier

    def _check_plain(self) -> Copier:
        """Refuse what the engine would write or read in another way than the server."""
        copier = self._open()
        if self._read is None or not self._read.is_plain:
            raise errors.NotSupportedError(
                "Rows cannot pass through a COPY with options that change how values "
                "are written",
                hint="leave `FORMAT` alone among the options, or pass bytes",
            )
        return copier

    def _adapters(self) -> Adapters | None:
        """What users have registered, None where nobody has."""
        if "engineroom.core.adapters" not in sys.modules:
            return None
        return self._conversation.own_adapters()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end(error)
        if error is None:
            self._conversation.deliver()

    def end(self, error: BaseException | None) -> None:
        """End the COPY, if it is under way; with an error what it wrote is undone."""
        copier, self._copier = self._copier, None
        if copier is None:
            return
        if error is None:
            copier.end(None)
            self._count = copier.count
            return
        try:
            copier.end(f"{type(error).__name__} in the client")
        except errors.Error:
            # What has failed already is what the block's failure tells of.
            return


class CopyIn(_Copy):
    """Data on its way into the database. Made by `Connection.copy_in()`.

    Where the block fails, the server undoes what was written in it.
    """

    __slots__ = ()
    _is_in = True

    def __enter__(self) -> CopyIn:
        self._begin()
        return self

    def write(self, data: Bytes) -> None:
        """Send bytes in the format of the statement, cut anywhere.

        Raises:
            DatabaseError: the server has refused what was sent before.
        """
        copier = self._open()
        if isinstance(data, bytes) and len(data) <= _PIECE_BYTES:
            copier.write(data)
            return
        with memoryview(data) as view, view.cast("B") as given:
            for start in range(0, len(given), _PIECE_BYTES):
                copier.write(bytes(given[start : start + _PIECE_BYTES]))

    def write_rows(self, rows: Iterable[Sequence[Any]]) -> int:
        """Send rows of values, one for each column.

        Args:
            rows: sequences of what `execute()` takes as parameters.

        Returns:
            How many they were.

        Raises:
            DataError: a value does not fit its column; the message names both.
            DatabaseError: the server has refused what was sent before.
        """
        copier = self._check_plain()
        adapters = self._adapters()
        if adapters is not None and adapters.has_adapters:
            rows = adapters.adapt_all(rows)  # type: ignore[assignment] # rows of tuples
        return copier.write_rows(rows)

    def write_arrow(self, data: ArrowStream) -> int:
        """Send the rows of an Arrow stream: a table, a frame, a reader, a result.

        Its columns are found by name where each of the table's has one so named, else
        by place.

        Returns:
            How many rows they were.

        Raises:
            DataError: a column's type cannot go into the table's, told before
                anything is sent; or a value would lose something.
            DatabaseError: the server has refused what was sent before.
        """
        copier = self._check_plain()
        give = getattr(data, "__arrow_c_stream__", None)
        if give is None:
            raise errors.ParameterTypeUnsupported(
                type(data).__name__,
                hint="send something with `__arrow_c_stream__`, such as an Arrow table",
            )
        return copier.write_arrow(give())


class CopyOut(_Copy):
    """Data on its way out of the database. Made by `Connection.copy_out()`.

    Iterating gives bytes. What was not read when the block is left is dropped.
    """

    __slots__ = ()

    def __enter__(self) -> CopyOut:
        self._begin()
        return self

    def read(self) -> bytes:
        """Return the next bytes, as many as have come; empty at the end."""
        return self._open().read()

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read():
            yield block

    def write_to(self, file: BinaryIO) -> int:
        """Write all bytes to a file, and return how many they were."""
        size = 0
        for block in self:
            file.write(block)
            size += len(block)
        return size

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a binary COPY as `Cursor.fetchone()` would.

        Raises:
            NotSupportedError: the format is another.
        """
        from engineroom.connection.copy_statement import BINARY

        copier = self._check_plain()
        if self._read is None or self._read.format != BINARY:
            raise errors.NotSupportedError(
                "Only the binary format can be read as rows",
                hint="write `COPY ... TO STDOUT (FORMAT binary)`, or read bytes",
            )
        adapters = self._adapters()
        convert = None
        if adapters is not None and adapters.has_converters:
            convert = adapters.row_converter([name for _, name, *_ in copier.columns()])
        while rows := copier.rows():
            yield from rows if convert is None else map(convert, rows)
