"""The DB-API compliance suite over SQLite.

35 of its 36 tests hold. The one that does not is argued where it is overridden; two
that the suite leaves to each driver are written out.
"""

from __future__ import annotations

import os
import tempfile

import dbapi20
import pytest

import engineroom


class TestSqlite(dbapi20.DatabaseAPI20Test):
    driver = engineroom

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "dbapi20.db")
        self.connect_args = (f"sqlite:///{path}?mode=rwc",)
        self.opened: list[engineroom.Connection] = []

    def tearDown(self) -> None:
        # The suite leaves the connections of one of its tests to the collector.
        for connection in self.opened:
            connection.close()
        self.folder.cleanup()

    def _connect(self) -> engineroom.Connection:
        connection = super()._connect()
        self.opened.append(connection)
        return connection

    def test_non_idempotent_close(self) -> None:
        # The suite wants a second close() to raise. PEP 249 does not say so, sqlite3,
        # psycopg and every file object allow it, and code that cleans up in `finally`
        # relies on that.
        connection = self._connect()
        connection.close()
        connection.close()
        assert connection.closed

    def test_nextset(self) -> None:
        # SQLite gives one result for each statement, so the optional method is absent.
        connection = self._connect()
        assert not hasattr(connection.cursor(), "nextset")

    def test_setoutputsize(self) -> None:
        # It may be called and limits nothing.
        cursor = self._connect().cursor()
        cursor.setoutputsize(2)
        cursor.setoutputsize(2, 0)
        assert cursor.execute("SELECT 'longer than two'").fetchone() == (
            "longer than two",
        )


# Without this the suite's own class, which has no driver, would be collected too.
del dbapi20.DatabaseAPI20Test


def test_the_module_says_what_pep_249_wants() -> None:
    assert engineroom.apilevel == "2.0"
    assert engineroom.threadsafety == 1
    assert engineroom.paramstyle == "qmark"


def test_the_suite_is_the_whole_suite() -> None:
    names = [name for name in dir(TestSqlite) if name.startswith("test_")]
    assert len(names) == 36


@pytest.mark.parametrize(
    "name",
    [
        "Warning",
        "Error",
        "InterfaceError",
        "DatabaseError",
        "DataError",
        "OperationalError",
        "IntegrityError",
        "InternalError",
        "ProgrammingError",
        "NotSupportedError",
    ],
)
def test_exceptions_are_attributes_of_connections(name: str) -> None:
    assert getattr(engineroom.Connection, name) is getattr(engineroom, name)
