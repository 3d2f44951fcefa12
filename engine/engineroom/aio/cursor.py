"""Cursors for asyncio: statements in, rows out, each wait awaited."""

from __future__ import annotations

import sys

from engineroom import errors
from engineroom.dbapi import cursor as blocking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Any

    from engineroom.aio.connection import Connection
    from engineroom.aio.line import Line
    from engineroom.aio.pipeline import Pipeline
    from engineroom.dbapi.cursor import ColumnDescription, Parameters, Row

__all__ = ["Cursor"]

_ALL = sys.maxsize


class Cursor:
    """Runs statements and gives their rows. Made by `Connection.cursor()`.

    What `engineroom.Cursor` promises holds here, each method awaited. One task at a
    time uses a cursor; several cursors of one connection wait for each other.

    Attributes:
        arraysize: how many rows `fetchmany()` gives when not told.
        connection: the connection it belongs to.
    """

    # A mapping gives slots their descriptions, which `help()` shows.
    __slots__ = {  # noqa: RUF023 - in the order of the class
        "arraysize": "How many rows `fetchmany()` gives when not told.",
        "connection": "The connection it belongs to.",
        "_conversation": None,
        "_line": None,
        "_pipeline": None,
        "_reader": None,
        "__weakref__": None,
    }

    def __init__(self, connection: Connection, line: Line) -> None:
        self.connection = connection
        self.arraysize = 1
        self._conversation = line.conversation
        self._line = line
        # The one that answers for the reader's last run.
        self._pipeline: Pipeline | None = None
        self._reader = line.conversation.make_reader()

    async def execute(self, operation: str, parameters: Parameters = None) -> Cursor:
        """Run one statement.

        Args:
            operation: SQL, with `?` for parameters by place or `:name` by name.
            parameters: a sequence or a mapping to match.

        Returns:
            This cursor.

        Raises:
            SqlError: the statement is wrong; `line` and `column` say where.
            ParameterError: parameters do not fit it.
            DatabaseError: the database refused, each kind with its own class.
        """
        if not self._conversation.is_plain:
            return await self._execute_aside(operation, parameters)
        line = self._line
        if line.is_taken:
            await line.take_turn()
        line.is_taken = True
        try:
            reader = self._reader
            waiting = line.start(reader.resume, reader.execute, operation, parameters)
            if waiting is not None:
                await waiting
        finally:
            line.pass_on()
        return self

    async def _execute_aside(self, operation: str, parameters: Parameters) -> Cursor:
        """Run a statement in a pipeline, or with somebody listening."""
        self._leave_run()
        line, reader = self._line, self._reader
        try:
            await line.run(reader.resume, reader.execute, operation, parameters)
            if line.pipelines:
                self._pipeline = line.pipelines[-1]
                await self._pipeline.add(reader)
        finally:
            self._conversation.deliver()
        return self

    def _leave_run(self) -> None:
        """Leave a run that was only sent to its pipeline, which waits for its end."""
        if self._pipeline is not None:
            if self._pipeline.is_open:
                self._reader = self._conversation.make_reader()
            self._pipeline = None

    async def executemany(
        self, operation: str, seq_of_parameters: Iterable[Parameters]
    ) -> Cursor:
        """Run one statement for each row of parameters.

        The rows are read in another thread. With autocommit on, they are one
        transaction: all of them or none. A failure says which row it was.

        Raises:
            Misuse: the statement gives rows.
            DatabaseError: as `execute`.
        """
        self._leave_run()
        work = self._reader.executemany
        try:
            await self._line.run_in_thread(work, operation, seq_of_parameters)
        finally:
            self._conversation.deliver()
        return self

    async def callproc(
        self, procname: str, parameters: Sequence[Any] = ()
    ) -> list[Any]:
        """Call a function of the database; its rows are then there to be fetched.

        Args:
            procname: as of `engineroom.Cursor.callproc()`.
            parameters: what it is given, by place.

        Returns:
            The parameters: values that a function gives back are in its rows.

        Raises:
            NotSupportedError: the database has no functions that give rows.
            Misuse: that is no name.
        """
        from engineroom.dbapi.procedure import call_statement

        backend = self._conversation.handle.engine.backend
        given = list(parameters)
        await self.execute(call_statement(backend, procname, len(given)), given)
        return given

    async def fetchone(self) -> Row | None:
        """Return the next row, None when there are no more."""
        reader = self._reader
        rows = reader.take(1)
        if not rows and reader.is_running:
            await self._line.fetch(reader, rows, 1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int | None = None) -> list[Row]:
        """Return the next rows, at most size (`arraysize` when None)."""
        most = self.arraysize if size is None else size
        if most < 0:
            raise errors.Misuse(f"fetchmany() cannot give {most} rows")
        reader = self._reader
        rows = reader.take(most)
        if len(rows) < most and reader.is_running:
            await self._line.fetch(reader, rows, most)
        return rows

    async def fetchall(self) -> list[Row]:
        """Return all rows that are left."""
        reader = self._reader
        rows = reader.take(_ALL)
        if reader.is_running:
            await self._line.fetch(reader, rows, _ALL)
        return rows

    async def fetch_arrow_table(self) -> Any:
        """Return what is left of the result as a `pyarrow.Table`.

        Raises:
            MissingExtra: pyarrow is not installed.
            NotOfDeclaredType: a value does not fit its column's Arrow type.
        """
        return await self._line.run_in_thread(blocking.arrow_table, self._reader)

    @property
    def description(self) -> tuple[ColumnDescription, ...] | None:
        """The columns of the result, seven fields each as in PEP 249; None without one.

        The type code is a word such as `integer`, to be compared with `NUMBER` and
        the like; precision and scale are given for decimals that declare them.
        """
        return blocking.describe(self._reader)

    @property
    def rowcount(self) -> int:
        """Rows changed by the last statement; -1 for one that only reads.

        In a pipeline it is known when the run has been waited for.
        """
        return self._reader.changes

    @property
    def lastrowid(self) -> int | None:
        """Row id of the last row inserted by this cursor, None before any."""
        return self._reader.last_row_id or None

    def setinputsizes(self, sizes: object) -> None:
        """Do nothing: parameters carry their own types."""

    def setoutputsize(self, size: object, column: int | None = None) -> None:
        """Do nothing: values of any size are given whole."""

    async def close(self) -> None:
        """Give the result up. The cursor refuses everything afterwards."""
        if self._pipeline is None or not self._pipeline.is_open:
            self._reader.close()
        # Else the pipeline waits for the run, and then it goes.
        self._pipeline = None
        self._reader = blocking.CLOSED

    def __aiter__(self) -> Cursor:
        return self

    async def __anext__(self) -> Row:
        row = await self.fetchone()
        if row is None:
            raise StopAsyncIteration
        return row

    async def __aenter__(self) -> Cursor:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
