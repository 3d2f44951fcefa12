"""Engineroom: a native SQL query engine that installs, loads and explains itself.

    import engineroom

    with engineroom.connect("sqlite:///shop.db") as connection:
        for row in connection.execute("SELECT name, price FROM product"):
            print(row)

The module is a PEP 249 driver. Importing it loads no engine and next to nothing else:
names are bound when they are first used.
"""

from __future__ import annotations

from engineroom.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.connection.info import ConnectionInfo as ConnectionInfo
    from engineroom.connection.messages import Notice as Notice
    from engineroom.connection.messages import Notification as Notification
    from engineroom.connection.pipeline import Pipeline as Pipeline
    from engineroom.connection.transaction import Rollback as Rollback
    from engineroom.connection.transaction import Transaction as Transaction
    from engineroom.connection.xid import Xid as Xid
    from engineroom.core.adapters import register_adapter as register_adapter
    from engineroom.core.adapters import register_converter as register_converter
    from engineroom.core.interval import Interval as Interval
    from engineroom.core.nested import Array as Array
    from engineroom.core.nested import Multirange as Multirange
    from engineroom.core.nested import Range as Range
    from engineroom.dbapi import ArrowResult as ArrowResult
    from engineroom.dbapi import Connection as Connection
    from engineroom.dbapi import Cursor as Cursor
    from engineroom.dbapi import connect as connect
    from engineroom.dbapi.types import BINARY as BINARY
    from engineroom.dbapi.types import DATETIME as DATETIME
    from engineroom.dbapi.types import NUMBER as NUMBER
    from engineroom.dbapi.types import ROWID as ROWID
    from engineroom.dbapi.types import STRING as STRING
    from engineroom.dbapi.types import Binary as Binary
    from engineroom.dbapi.types import Date as Date
    from engineroom.dbapi.types import DateFromTicks as DateFromTicks
    from engineroom.dbapi.types import Time as Time
    from engineroom.dbapi.types import TimeFromTicks as TimeFromTicks
    from engineroom.dbapi.types import Timestamp as Timestamp
    from engineroom.dbapi.types import TimestampFromTicks as TimestampFromTicks
    from engineroom.errors import DatabaseError as DatabaseError
    from engineroom.errors import DataError as DataError
    from engineroom.errors import Error as Error
    from engineroom.errors import IntegrityError as IntegrityError
    from engineroom.errors import InterfaceError as InterfaceError
    from engineroom.errors import InternalError as InternalError
    from engineroom.errors import NotSupportedError as NotSupportedError
    from engineroom.errors import OperationalError as OperationalError
    from engineroom.errors import ProgrammingError as ProgrammingError
    from engineroom.errors import Warning as Warning  # noqa: A004 - PEP 249's
    from engineroom.health import Health as Health
    from engineroom.loader.preload import preload as preload
    from engineroom.pool import Client as Client
    from engineroom.pool import Result as Result
    from engineroom.pool import State as State
    from engineroom.pool import open as open  # noqa: A004 - as `connect`, of a module

# PEP 249.
apilevel = "2.0"
threadsafety = 1  # threads may share the module, not connections
paramstyle = "qmark"  # and `:name` with a mapping

_HOMES = {
    "engineroom.connection.info": ("ConnectionInfo",),
    "engineroom.connection.messages": (
        "Notice",
        "Notification",
    ),
    "engineroom.connection.pipeline": ("Pipeline",),
    "engineroom.connection.transaction": (
        "Rollback",
        "Transaction",
    ),
    "engineroom.connection.xid": ("Xid",),
    "engineroom.core.adapters": ("register_adapter", "register_converter"),
    "engineroom.core.interval": ("Interval",),
    "engineroom.core.nested": ("Array", "Multirange", "Range"),
    "engineroom.dbapi": ("ArrowResult", "Connection", "Cursor", "connect"),
    "engineroom.dbapi.types": (
        "BINARY",
        "Binary",
        "DATETIME",
        "Date",
        "DateFromTicks",
        "NUMBER",
        "ROWID",
        "STRING",
        "Time",
        "TimeFromTicks",
        "Timestamp",
        "TimestampFromTicks",
    ),
    "engineroom.errors": (
        "DataError",
        "DatabaseError",
        "Error",
        "IntegrityError",
        "InterfaceError",
        "InternalError",
        "NotSupportedError",
        "OperationalError",
        "ProgrammingError",
        "Warning",
    ),
    "engineroom.health": ("Health",),
    "engineroom.loader.preload": ("preload",),
    "engineroom.pool": ("Client", "Result", "State", "open"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Array",
    "ArrowResult",
    "Binary",
    "Client",
    "Connection",
    "ConnectionInfo",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "Health",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "Interval",
    "Multirange",
    "NotSupportedError",
    "Notice",
    "Notification",
    "OperationalError",
    "Pipeline",
    "ProgrammingError",
    "Range",
    "Result",
    "Rollback",
    "State",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Transaction",
    "Warning",
    "Xid",
    "__version__",
    "apilevel",
    "connect",
    "open",
    "paramstyle",
    "preload",
    "register_adapter",
    "register_converter",
    "threadsafety",
]


def __getattr__(name: str) -> object:
    if name == "aio":
        import engineroom.aio

        return engineroom.aio
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module `engineroom` has no attribute `{name}`")
    import sys

    __import__(home)
    value = globals()[name] = getattr(sys.modules[home], name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
