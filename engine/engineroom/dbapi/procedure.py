"""The statement behind `Cursor.callproc()`."""

from __future__ import annotations

import re

from engineroom import errors

__all__ = ["call_statement"]

_PART = r'(?:[^\W\d][\w$]*|"(?:[^"\0]|"")+")'
_NAME = re.compile(rf"{_PART}(?:\.{_PART}){{0,2}}")


def call_statement(backend: str, name: str, parameter_count: int) -> str:
    """Return the SELECT that calls a function.

    Raises:
        NotSupportedError: the database has no functions that give rows.
        Misuse: that is no name.
    """
    if backend == "sqlite":
        raise errors.NotSupportedError(
            "SQLite has no procedures", hint="call a function in a SELECT"
        )
    if not _NAME.fullmatch(name):
        raise errors.Misuse(
            f"No function can be named `{name}`",
            hint="put names with blanks or capitals into double quotes",
        )
    marks = ", ".join("?" * parameter_count)
    return f"SELECT * FROM {name}({marks})"  # noqa: S608 - a name and nothing else
