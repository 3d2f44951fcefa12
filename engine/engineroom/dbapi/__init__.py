"""The Python Database API, PEP 249: connections, cursors, types."""

from __future__ import annotations

from engineroom.dbapi.connection import Connection, connect
from engineroom.dbapi.cursor import ArrowResult, Cursor

__all__ = ["ArrowResult", "Connection", "Cursor", "connect"]
