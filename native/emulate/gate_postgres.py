"""What the PostgreSQL engine has to do under emulation.

Without a server that is little: it says what it is and refuses what it must. With one
it shakes hands over TLS and proves a password, which are OpenSSL's own computations
from the first byte on, and asks for values.
"""

from __future__ import annotations

import datetime
import re
import socket
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Callable

from native.emulate.calls import EngineError
from native.emulate.errors import CheckFailed
from native.emulate.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from native.emulate.calls import Calls
    from native.emulate.cffi_module import CffiModule

__all__ = ["PostgresSteps"]

QE_ERR_DATABASE, QE_ERR_CONNECTION = 13, 16
# A hand-shake takes seconds here, where a Mac takes milliseconds.
_PATIENCE = {"connect_timeout": "300", "autocommit": "on"}
_ROOTS = "/etc/ssl/cert.pem"
_UTC = datetime.timezone.utc
VALUES = """
SELECT 42::int2, -7::int4, 1::int8 << 62, true, 1.5::float4, -0.1::float8, 'Zürich',
  '\\x00ff'::bytea, date '2024-02-29', time '23:59:58.000001',
  timestamp '2024-02-29 12:30:00.25', timestamptz '2024-02-29 12:30:00+02',
  1234.50::numeric(10, 2), '5f3c1f0e-2b0f-4d0b-9a55-3f3f3f3f3f3f'::uuid,
  '{"a": [1]}'::jsonb, NULL::text
"""
ROW: tuple[object, ...] = (
    *(42, -7, 1 << 62, True, 1.5, -0.1, "Zürich", b"\x00\xff"),
    datetime.date(2024, 2, 29),
    datetime.time(23, 59, 58, 1),
    datetime.datetime(2024, 2, 29, 12, 30, 0, 250000),
    datetime.datetime(2024, 2, 29, 10, 30, tzinfo=_UTC),
    Decimal("1234.50"),
    uuid.UUID("5f3c1f0e-2b0f-4d0b-9a55-3f3f3f3f3f3f"),
    {"a": [1]},
    None,
)


class PostgresSteps:
    """The steps of this backend.

    Args:
        calls: the engine.
        server: how a server is reached, as libpq's connection strings say it; or empty.
        remember: is called once all is made that a process makes once.
    """

    def __init__(self, calls: Calls, server: str, remember: Callable[[], None]) -> None:
        self._calls = calls
        self._module: CffiModule = calls.module
        self._server = server
        self._remember = remember

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Give each step's name and the step."""
        yield "TLS library", self.library
        yield "refusals", self.refusals
        if not self._server:
            self._remember()
            yield "refusals again", self.refusals
            return
        self._rows = Rows(self._calls)
        yield "TLS and password", self.hand_shake
        yield "an unknown authority", self.unknown_authority
        yield "values as rows", self.values
        self._remember()
        yield "an unknown authority again", self.unknown_authority
        yield "values again", self.values
        yield "errors", self.errors

    def library(self) -> str:
        """See that OpenSSL is in the engine."""
        text = self._calls.text
        name, version, file = (
            text(f"qe_backend_tls_{what}") for what in ("library", "version", "file")
        )
        found = f"{name} {version}, {file}"
        _require(bool(re.fullmatch(r"OpenSSL 3\.5\.\d+, \(built in\)", found)), found)
        return found

    def refusals(self) -> str:
        """Ask for what cannot be: an option that is none, a port where nobody is."""
        bad = self._refusal({"nonsense": "1"})
        _require('invalid connection option "nonsense"' in bad.message, bad)
        with socket.socket() as taken:  # bound and not listening: nobody can be there
            taken.bind(("127.0.0.1", 0))
            port = str(taken.getsockname()[1])
            nobody = self._refusal({"host": "127.0.0.1", "port": port, "user": "x"})
        _require(nobody.status == QE_ERR_CONNECTION, nobody)
        _require(f"port {port} failed: error 61" in nobody.message, nobody)
        return "an option, and a connection"

    def _settings(self, more: dict[str, str]) -> dict[str, str]:
        return {"dbname": self._server, **_PATIENCE, **more}

    def _refusal(self, settings: dict[str, str]) -> EngineError:
        try:
            with self._calls.connection({**_PATIENCE, **settings}):
                pass
        except EngineError as error:
            return error
        raise CheckFailed(f"{sorted(settings)} were not refused")

    def hand_shake(self) -> str:
        """Connect, and ask the server how the connection is kept safe."""
        with self._calls.connection(self._settings({})) as connection:
            found = self._calls.rows(connection, "SELECT 1")
            _require(found == [(1,)], found)
            ((version, cipher),) = self._calls.rows(
                connection,
                "SELECT version, cipher FROM pg_stat_ssl"
                " WHERE pid = pg_backend_pid() AND ssl",
            )
        _require(version == "TLSv1.3", version)
        return f"{version}, {cipher}, SELECT 1 is 1"

    def values(self) -> str:
        """Ask for values of many types, and send some."""
        with self._calls.connection(self._settings({})) as connection:
            session = self._rows.session(connection)
            reader = session.call("reader")
            reader.call("execute", VALUES, None)
            found = reader.call("fetchall")
            reader.call("execute", "SELECT ?::int8, ?::text, ?::bytea", (7, "é", b"\0"))
            echoed = reader.call("fetchmany", 5)
            reader.release()
            session.release()
        _require(found == [ROW], found)
        _require([type(v) for v in found[0]] == [type(v) for v in ROW], found)
        _require(echoed == [(7, "é", b"\0")], echoed)
        return f"{len(ROW)} values of as many types, three sent and received"

    def unknown_authority(self) -> str:
        """Trust those that the system trusts, among which ours is not."""
        opened = self._module.streams.asked
        opened.clear()
        system = {"sslrootcert": "system", "sslmode": "verify-full"}
        found = self._refusal(self._settings(system))
        _require("certificate verify failed" in found.message, found)
        _require(_ROOTS in opened, f"looked into {opened}, not into {_ROOTS}")
        return f"refused, after a look into {_ROOTS}"

    def errors(self) -> str:
        """Send what the server refuses."""
        with self._calls.connection(self._settings({})) as connection:
            try:
                self._calls.rows(connection, "SELECT 1 FORM x y")
            except EngineError as error:
                found = error
            else:
                raise CheckFailed("a statement without sense was not refused")
            again = self._calls.rows(connection, "SELECT 2")
        _require((found.status, found.sqlstate) == (QE_ERR_DATABASE, "42601"), found)
        _require(again == [(2,)], again)
        return str(found)


def _require(is_right: bool, found: Any) -> None:
    if not is_right:
        raise CheckFailed(str(found))
