"""`engineroom query`: runs one statement and shows what it gives.

Rows stream through: only a table is held in memory whole, because its columns must be
as wide as their widest cell. What a statement changes is committed when it is done.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from engineroom import connect, errors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

    from engineroom.cli.render import Render
    from engineroom.dbapi import Cursor

__all__ = ["HELP", "configure", "read_parameters", "run"]

HELP = "run one SQL statement and show its rows"

_ROWS_AT_ONCE = 1000

_PARAMETER_HELP = (
    "a value for the next `?`, or `:name=VALUE` for a named parameter; what reads as a "
    "JSON number, string, true, false or null is that, anything else is text; may be "
    "given again"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("url", metavar="URL", help="such as sqlite:///file.db")
    parser.add_argument("sql", metavar="SQL", help="one statement, or - to read it")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="VALUE",
        dest="parameters",
        help=_PARAMETER_HELP,
    )
    parser.add_argument(
        "--format",
        choices=("table", "csv", "json", "arrow"),
        default="table",
        help="how to show rows; arrow writes an Arrow IPC stream (default: table)",
    )


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Run the statement."""
    sql = sys.stdin.read() if arguments.sql == "-" else arguments.sql
    parameters = read_parameters(arguments.parameters)
    with connect(arguments.url, autocommit=True) as connection:
        with render.progress("Running the statement"):
            cursor = connection.execute(sql, parameters)
        if cursor.description is None:
            if cursor.rowcount >= 0:
                noun = "row" if cursor.rowcount == 1 else "rows"
                render.note(f"{cursor.rowcount} {noun} changed")
        else:
            _WRITERS[arguments.format](cursor, render)
    return 0


def read_parameters(texts: list[str]) -> list[Any] | dict[str, Any]:
    """Return the parameters as they were meant.

    Raises:
        ParameterError: named and nameless ones are mixed, or a name stands twice.
    """
    named = [text for text in texts if text.startswith(":") and "=" in text]
    if not named:
        return [_read_value(text) for text in texts]
    if len(named) < len(texts):
        raise errors.ParameterError(
            "Parameters with a name and without one cannot be mixed",
            hint="write each as `--param :name=VALUE`",
        )
    values: dict[str, Any] = {}
    for text in named:
        name, _, value = text[1:].partition("=")
        if name in values:
            raise errors.ParameterError(
                f"The parameter `{name}` is given twice", hint="give it once"
            )
        values[name] = _read_value(value)
    return values


def _read_value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, (list, dict)) else value


def _names(cursor: Cursor) -> list[str]:
    return [column[0] for column in cursor.description or ()]


def _batches(cursor: Cursor) -> Iterator[list[tuple[Any, ...]]]:
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield rows


def _text(value: object) -> str | None:
    """A value as text, with bytes in hexadecimal; None stays None."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return None if value is None else str(value)


def _write_table(cursor: Cursor, render: Render) -> None:
    rows = [
        [_text(value) for value in row] for rows in _batches(cursor) for row in rows
    ]
    render.table(_names(cursor), rows)


def _write_csv(cursor: Cursor, render: Render) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_names(cursor))
    for rows in _batches(cursor):
        writer.writerows([_text(value) for value in row] for row in rows)
        render.raw(buffer.getvalue().encode())
        buffer.seek(0)
        buffer.truncate()
    render.raw(buffer.getvalue().encode())


def _json_form(value: object) -> object:
    # JSON has no infinity.
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (int, float, str, type(None))) else _text(value)


def _keys(cursor: Cursor) -> list[str]:
    """The columns' names, told apart where two are the same: an object has one each."""
    keys: list[str] = []
    for name in _names(cursor):
        key, count = name, 1
        while key in keys:
            count += 1
            key = f"{name}_{count}"
        keys.append(key)
    return keys


def _write_json(cursor: Cursor, render: Render) -> None:
    names = _keys(cursor)
    opening = b"["
    for rows in _batches(cursor):
        lines = [
            json.dumps(dict(zip(names, map(_json_form, row))), ensure_ascii=False)
            for row in rows
        ]
        render.raw(opening + b"\n" + ",\n".join(lines).encode())
        opening = b","
    render.raw(b"[]\n" if opening == b"[" else b"\n]\n")


def _write_arrow(cursor: Cursor, render: Render) -> None:
    try:
        pyarrow: Any = import_module("pyarrow")
        ipc: Any = import_module("pyarrow.ipc")
    except ImportError:
        raise errors.MissingExtra("`--format arrow`", "pyarrow", "arrow") from None
    buffer = io.BytesIO()
    reader = pyarrow.RecordBatchReader.from_stream(cursor)
    with ipc.new_stream(buffer, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            render.raw(buffer.getvalue())
            buffer.seek(0)
            buffer.truncate()
    render.raw(buffer.getvalue())


_WRITERS = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
    "arrow": _write_arrow,
}
