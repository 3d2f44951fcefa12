"""Cursors: statements in, rows or Arrow out.

The engine's reader does the work; a cursor is its PEP 249 face. Each method is one
call and `fetchone` is the reader's own, because a select of one row is measured in
microseconds.
"""

from __future__ import annotations

from importlib import import_module

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Any, NoReturn, Union

    from engineroom.connection.conversation import Conversation
    from engineroom.connection.pipeline import Pipeline
    from engineroom.core.handle import Reader
    from engineroom.dbapi.connection import Connection

    Parameters = Union[Sequence[Any], Mapping[str, Any], None]
    Row = tuple[Any, ...]
    ColumnDescription = tuple[
        str, str, None, Union[int, None], Union[int, None], Union[int, None], None
    ]

__all__ = ["CLOSED", "ArrowResult", "Cursor", "arrow_table", "describe"]


class _ClosedReader:
    """Stands where a closed cursor's reader was and refuses everything."""

    __slots__ = ()
    changes = -1
    last_row_id = 0
    has_result = is_running = False

    def _refuse(self, *_: object) -> NoReturn:
        raise errors.CursorClosed(
            "The cursor is closed", hint="make another with `connection.cursor()`"
        )

    execute = executemany = fetchone = fetchmany = fetchall = _refuse
    prepare = resume = settle = load = take = _refuse
    arrow = __iter__ = __next__ = _refuse

    def columns(self) -> list[tuple[str, str | None, int, int, int]]:
        """Describe nothing."""
        return []

    def close(self) -> None:
        """Do nothing: closing twice is allowed."""


CLOSED = _ClosedReader()


def describe(reader: Reader) -> tuple[ColumnDescription, ...] | None:
    """Return PEP 249's description of what a reader gives."""
    from engineroom.dbapi.types import TYPE_WORDS

    columns = reader.columns()
    if not columns:
        return None
    return tuple(
        (name, TYPE_WORDS[kind], None, None, precision, scale, None)
        if precision
        else (name, TYPE_WORDS[kind], None, None, None, None, None)
        for name, _, kind, precision, scale in columns
    )


class ArrowResult:
    """The rest of a result as an Arrow stream, for pyarrow, polars and others.

    It can be read once, through the Arrow PyCapsule interface:
    https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
    """

    __slots__ = ("_capsule",)

    def __init__(self, capsule: object) -> None:
        self._capsule: object | None = capsule

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the stream as a capsule.

        Args:
            requested_schema: not looked at; the interface leaves that to the producer.

        Raises:
            Misuse: the stream was given away before.
        """
        del requested_schema
        capsule, self._capsule = self._capsule, None
        if capsule is None:
            raise errors.Misuse(
                "An Arrow stream can be read once, and was",
                hint="run the query again, or keep the table made of the first reading",
            )
        return capsule


def arrow_table(reader: Reader) -> Any:
    """Return what is left of a reader's result as a `pyarrow.Table`.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        # Not an import statement: type checkers need not have the package.
        pyarrow: Any = import_module("pyarrow")
    except ImportError:
        raise errors.MissingExtra("fetch_arrow_table()", "pyarrow", "arrow") from None
    return pyarrow.table(ArrowResult(reader.arrow()))


class Cursor:
    """Runs statements and gives their rows. Made by `Connection.cursor()`.

    A cursor is used by one thread at a time, and shares its connection's transaction.

    Attributes:
        arraysize: how many rows `fetchmany()` gives when not told.
        connection: the connection it belongs to.
    """

    # A mapping gives slots their descriptions, which `help()` shows.
    __slots__ = {  # noqa: RUF023 - in the order of the class
        "arraysize": "How many rows `fetchmany()` gives when not told.",
        "connection": "The connection it belongs to.",
        "fetchone": "Return the next row, None when there are no more.",
        "_conversation": None,
        "_pipeline": None,
        "_reader": None,
        "__weakref__": None,
    }
    fetchone: Callable[[], Row | None]

    def __init__(self, connection: Connection, conversation: Conversation) -> None:
        self.connection = connection
        self.arraysize = 1
        self._conversation = conversation
        # The one that answers for the reader's last run.
        self._pipeline: Pipeline | None = None
        self._use(conversation.make_reader())

    def _use(self, reader: Reader) -> None:
        self._reader = reader
        self.fetchone = reader.fetchone

    def execute(self, operation: str, parameters: Parameters = None) -> Cursor:
        """Run one statement.

        Args:
            operation: SQL, with `?` for parameters by place or `:name` by name.
            parameters: a sequence or a mapping to match.

        Returns:
            This cursor, so that `for row in cursor.execute(...)` reads well.

        Raises:
            SqlError: the statement is wrong; `line` and `column` say where.
            ParameterError: parameters do not fit it.
            DatabaseError: the database refused, each kind with its own class.
        """
        if self._conversation.is_plain:
            self._reader.execute(operation, parameters)
        else:
            self._execute_aside(operation, parameters)
        return self

    def _execute_aside(self, operation: str, parameters: Parameters) -> None:
        """Run a statement in a pipeline, or with somebody listening."""
        conversation = self._conversation
        self._leave_run()
        try:
            self._reader.execute(operation, parameters)
            if conversation.pipelines:
                self._pipeline = conversation.pipelines[-1]
                self._pipeline.add(self._reader)
        finally:
            conversation.deliver()

    def _leave_run(self) -> None:
        """Leave a run that was only sent to its pipeline, which waits for its end."""
        if self._pipeline is not None:
            if self._pipeline.is_open:
                self._use(self._conversation.make_reader())
            self._pipeline = None

    def executemany(
        self, operation: str, seq_of_parameters: Iterable[Parameters]
    ) -> Cursor:
        """Run one statement for each row of parameters.

        With autocommit on, the rows are one transaction: all of them or none. A
        failure says which row it was.

        Raises:
            Misuse: the statement gives rows.
            DatabaseError: as `execute`.
        """
        self._leave_run()
        try:
            self._reader.executemany(operation, seq_of_parameters)
        finally:
            self._conversation.deliver()
        return self

    def callproc(self, procname: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Call a function of the database; its rows are then there to be fetched.

        Args:
            procname: its name, perhaps with a schema before it. Parts with other
                characters than letters, digits and underscores stand in double quotes.
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
        self.execute(call_statement(backend, procname, len(given)), given)
        return given

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """Return the next rows, at most size (`arraysize` when None)."""
        return self._reader.fetchmany(self.arraysize if size is None else size)

    def fetchall(self) -> list[Row]:
        """Return all rows that are left."""
        return self._reader.fetchall()

    def fetch_arrow(self) -> ArrowResult:
        """Return what is left of the result as an Arrow stream, without copying.

        Raises:
            NotOfDeclaredType: a value does not fit its column's Arrow type.
        """
        return ArrowResult(self._reader.arrow())

    def fetch_arrow_table(self) -> Any:
        """Return what is left of the result as a `pyarrow.Table`.

        Raises:
            MissingExtra: pyarrow is not installed.
        """
        return arrow_table(self._reader)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return what is left of the result as a capsule with an Arrow stream."""
        return self.fetch_arrow().__arrow_c_stream__(requested_schema)

    @property
    def description(self) -> tuple[ColumnDescription, ...] | None:
        """The columns of the result, seven fields each as in PEP 249; None without one.

        The type code is a word such as `integer`, to be compared with `NUMBER` and
        the like; precision and scale are given for decimals that declare them.
        """
        return describe(self._reader)

    @property
    def rowcount(self) -> int:
        """Rows changed by the last statement; -1 for one that only reads."""
        if self._pipeline is not None and self._pipeline.is_open:
            self._reader.settle()
        return self._reader.changes

    @property
    def lastrowid(self) -> int | None:
        """Row id of the last row inserted by this cursor, None before any."""
        return self._reader.last_row_id or None

    def setinputsizes(self, sizes: object) -> None:
        """Do nothing: parameters carry their own types."""

    def setoutputsize(self, size: object, column: int | None = None) -> None:
        """Do nothing: values of any size are given whole."""

    def close(self) -> None:
        """Give the result up. The cursor refuses everything afterwards."""
        if self._pipeline is None or not self._pipeline.is_open:
            self._reader.close()
        # Else the pipeline waits for the run, and then it goes.
        self._pipeline = None
        self._use(CLOSED)

    def __iter__(self) -> Iterator[Row]:
        return self._reader

    def __next__(self) -> Row:
        return next(self._reader)

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
