"""The DB-API compliance suite over every backend.

35 of its 36 tests hold. The one that does not is argued where it is overridden; two
that the suite leaves to each driver are written out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dbapi20
import pytest

import engineroom

if TYPE_CHECKING:
    from .conftest import Backend


class Compliance(dbapi20.DatabaseAPI20Test):
    driver = engineroom
    backend: Backend

    def setUp(self) -> None:
        self.connect_args = (self.backend.url(),)
        self.opened: list[engineroom.Connection] = []

    def tearDown(self) -> None:
        # The suite leaves the connections of one of its tests to the collector.
        for connection in self.opened:
            connection.close()

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
        # A statement gives one result, so the optional method is absent.
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


# Classes of unittest cannot be run once for each backend, so each has one.
class TestSqlite(Compliance):
    # SQLite has no procedures.
    lower_func = None

    @pytest.fixture(autouse=True)
    def _backend(self, sqlite: Backend) -> None:
        self.backend = sqlite


class TestPostgres(Compliance):
    # A function of the server, which the suite calls as a procedure.
    lower_func = "lower"

    @pytest.fixture(autouse=True)
    def _backend(self, postgres: Backend) -> None:
        self.backend = postgres


# Without this the two above, which have no database, would be collected too.
del Compliance, dbapi20.DatabaseAPI20Test


def test_the_module_says_what_pep_249_wants() -> None:
    assert engineroom.apilevel == "2.0"
    assert engineroom.threadsafety == 1
    assert engineroom.paramstyle == "qmark"


def test_the_suite_is_the_whole_suite() -> None:
    for suite in (TestSqlite, TestPostgres):
        names = [name for name in dir(suite) if name.startswith("test_")]
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
