"""The half of an engine that speaks to the interpreter: Session and Reader.

`cffi/py_rows.c` makes the rows that the package hands out. Here its types are made and
its methods called, with hooks of our own in place of the package's.
"""

from __future__ import annotations

import datetime
import decimal
import json
import threading
import uuid
from typing import TYPE_CHECKING, Any

from native.emulate.calls import EngineError

if TYPE_CHECKING:
    from native.emulate.calls import Calls
    from native.emulate.python_types import GuestObject

__all__ = ["Rows"]


class Rows:
    """Makes sessions.

    Args:
        calls: the engine.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        is_typed = calls.text("qe_backend_name") == "postgres"
        self._hooks = (
            _make_error,
            _adapt,
            _convert,
            _MAKERS.get if is_typed else None,
            _load_types,
            threading.get_ident(),
        )
        objects = calls.module.python.objects
        address = objects.new(self._hooks)
        try:
            self._python = calls.made("qe_python *", "qe_python_new", address)
        finally:
            objects.release(address)

    def session(self, connection: Any) -> GuestObject:
        """Return a Session of a connection; the caller releases it."""
        objects = self._calls.module.python.objects
        made: list[Any] = []
        address = objects.new(made)
        try:
            self._calls.check("qe_python_attach", self._python, connection, address)
        finally:
            objects.release(address)
        session: GuestObject = made[0]
        return session


def _make_error(
    status: int,
    native_code: int,
    sqlstate: str,
    position: int,
    message: str,
    sql: str | None,
    row: int,
    diagnostics: bytes | None,
    was_sent: bool,
) -> EngineError:
    del sql, row, diagnostics, was_sent
    return EngineError(status, native_code, sqlstate, position, message)


def _adapt(value: object, native_type: int) -> str:
    del native_type
    return str(value)


def _convert(value: object, declared: int, column: str, row: int) -> object:
    del declared, column, row
    return decimal.Decimal(str(value))


def _load_types() -> tuple[object, ...]:
    utc = datetime.timezone.utc
    return datetime.datetime, datetime.date, datetime.time, utc, decimal.Decimal


def _uuid(value: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=value)


# By qe_type: numeric, uuid and json.
_MAKERS = {10: decimal.Decimal, 11: _uuid, 12: json.loads}
