"""What every darwin engine has to do when it is executed under emulation.

A step raises if what it asked was not answered as it must be. Steps run in order, the
first failure ends the gate, and what was found in each is told.
"""

from __future__ import annotations

import datetime
import re
import sqlite3
import tempfile
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from native.emulate.calls import Calls, EngineError
from native.emulate.cffi_module import CffiModule
from native.emulate.errors import CheckFailed
from native.emulate.gate_postgres import PostgresSteps
from native.emulate.image import read_image, signature_of
from native.emulate.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Check", "Expected", "run_gate"]

OK, BAD = "ok", "BAD"
ROWS = 20_000
AHEAD_ROWS = 6_000  # past what makes a long read use a second thread
QE_ERR_CLOSED, QE_ERR_DATABASE = 4, 13
MEMORY = {"file": ":memory:", "autocommit": "on"}
_UTC = datetime.timezone.utc
KINDS = """
CREATE TABLE kinds (
  i INTEGER, f REAL, t TEXT, b BLOB, o BOOLEAN, d DATE, h TIME, s TIMESTAMP,
  z TIMESTAMPTZ, n DECIMAL(10, 2));
INSERT INTO kinds VALUES
  (42, 1.5, 'Zürich', x'00ff', 1, '2024-02-29', '23:59:58.000001',
   '2024-02-29 12:30:00.25', '2024-02-29 12:30:00+02:00', '1234.50'),
  (-9223372036854775808, -0.1, '', x'', 0, '0001-01-01', '00:00:00',
   '9999-12-31 23:59:59.999999', '1969-12-31 23:59:59Z', '-0.01'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""
VALUES: list[tuple[object, ...]] = [
    (
        *(42, 1.5, "Zürich", b"\x00\xff", True, datetime.date(2024, 2, 29)),
        datetime.time(23, 59, 58, 1),
        datetime.datetime(2024, 2, 29, 12, 30, 0, 250000),
        datetime.datetime(2024, 2, 29, 10, 30, tzinfo=_UTC),
        Decimal("1234.50"),
    ),
    (
        *(-(1 << 63), -0.1, "", b"", False, datetime.date(1, 1, 1)),
        datetime.time(0, 0),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
        datetime.datetime(1969, 12, 31, 23, 59, 59, tzinfo=_UTC),
        Decimal("-0.01"),
    ),
    (None,) * 10,
]


@dataclass(frozen=True)
class Check:
    """One step of the gate.

    Attributes:
        name: what was done.
        found: what came of it.
        verdict: `ok` or `BAD`.
    """

    name: str
    found: str
    verdict: str


@dataclass(frozen=True)
class Expected:
    """What an engine has to say of itself; what is empty may be anything.

    Attributes:
        cpu: the processor it is for.
        abi_version: the number of the contract that its package speaks.
        package_version: the release.
        build_id: what its manifest lists.
        backend: the same of its backend.
        server: how the PostgreSQL engine reaches a server to try it with.
    """

    cpu: str = ""
    abi_version: int = 0
    package_version: str = ""
    build_id: str = ""
    backend: str = ""
    server: str = ""

    def fields(self) -> Mapping[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def run_gate(
    path: Path, expected: Expected, trace: Callable[[str], None] | None = None
) -> Iterator[Check]:
    """Run an engine through the gate; the last check given is BAD if it fails.

    Args:
        path: the engine.
        expected: what it has to say of itself.
        trace: is told of each call out of the image.
    """
    gate = _Gate(path, expected, trace)
    for name, step in gate.steps():
        try:
            found = step()
        except Exception as error:  # whatever it is, the engine did not do it
            yield Check(name, _told(error), BAD)
            return
        yield Check(name, found, OK)


def _told(error: Exception) -> str:
    if isinstance(error, CheckFailed):
        return error.found
    text = str(error).partition("\n\nhint:")[0].strip()
    return f"{type(error).__name__}: {text}"


def require(is_right: bool, found: object) -> None:
    """Raise unless what was found is right."""
    if not is_right:
        raise CheckFailed(str(found))


class _Gate:
    """The steps, and what they leave for the next."""

    module: CffiModule
    calls: Calls
    rows: Rows

    def __init__(
        self, path: Path, expected: Expected, trace: Callable[[str], None] | None
    ) -> None:
        self._path = path
        self._expected = expected
        self._trace = trace
        self._blocks: set[int] = set()
        self._counts: dict[int, int] = {}

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "file", self.read
        yield "code signature", self.signature
        yield "symbols", self.symbols
        yield "loads", self.load
        yield "handshake", self.handshake
        if self.calls.text("qe_backend_name") == "postgres":
            server = self._expected.server
            yield from PostgresSteps(self.calls, server, self._remember).steps()
        else:
            yield from self.sqlite_steps()
        yield "nothing left", self.nothing_left

    def sqlite_steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "open :memory:", self.open
        # What is made once for a process is made in the steps before.
        yield "values as Arrow", self.arrow_values
        yield "values as rows", self.row_values
        self._remember()
        yield "values again", self.row_values
        yield "DDL, inserts, aggregate", self.inserts
        yield "rows in, rows out", self.many_rows
        yield "errors", self.errors
        yield "errors as exceptions", self.exceptions
        yield "a file", self.file

    def read(self) -> str:
        self._image = read_image(self._path)
        cpu, wanted = self._image.cpu.name, self._expected.cpu
        require(not wanted or cpu == wanted, f"for {cpu}, not for {wanted}")
        return f"Mach-O, {cpu}, {len(self._image.raw):,} bytes"

    def signature(self) -> str:
        found, is_right = signature_of(self._image)
        require(is_right, found)
        return found

    def symbols(self) -> str:
        loose = self._image.loose_symbols
        require(not loose, f"no library has {', '.join(loose)}")
        return "each is of a library or of the interpreter"

    def load(self) -> str:
        self.module = CffiModule(self._image, self._trace)
        self.calls = Calls(self.module)
        rebased, bound = self.module.machine.fixups
        missing = self.module.machine.missing
        lacking = f", not emulated: {', '.join(missing)}" if missing else ""
        return (
            f"PyInit_{self.module.name} accepted by _cffi_backend, {rebased} addresses"
            f" corrected, {bound} imports bound{lacking}"
        )

    def handshake(self) -> str:
        wanted = self._expected
        abi = self.module.call("qe_abi_version")
        if wanted.abi_version:
            require(abi == wanted.abi_version, f"ABI {abi}, not {wanted.abi_version}")
        told = {
            "package_version": self.calls.text("qe_package_version"),
            "build_id": self.calls.text("qe_build_id"),
            "backend": self.calls.text("qe_backend_name"),
        }
        for name, value in told.items():
            expected = wanted.fields()[name]
            require(not expected or value == expected, f"{name} {value}: {expected}")
        version = self.calls.text("qe_backend_version")
        require(bool(re.fullmatch(r"\d+(\.\d+)+", version)), version)
        return (
            f"ABI {abi}, release {told['package_version']}, build {told['build_id']},"
            f" {told['backend']} {version}"
        )

    def open(self) -> str:
        self.rows = Rows(self.calls)
        with self.calls.connection(MEMORY) as connection:
            found = self.calls.rows(connection, "SELECT 1")
            require(found == [(1,)], found)
        return "SELECT 1 is 1"

    def arrow_values(self) -> str:
        with self.calls.connection(MEMORY) as connection:
            self.calls.script(connection, KINDS)
            found = self.calls.rows(connection, "SELECT * FROM kinds")
        require(found == VALUES, found)
        return f"{sum(map(len, VALUES))} values of 10 types as stored"

    def row_values(self) -> str:
        with self.calls.connection(MEMORY) as connection:
            self.calls.script(connection, KINDS)
            session = self.rows.session(connection)
            reader = session.call("reader")
            reader.call("execute", "SELECT * FROM kinds", None)
            found = [reader.next()]
            names = [column[0] for column in reader.call("columns")]
            found += [reader.call("fetchone"), *reader.call("fetchall")]
            reader.call("execute", "SELECT ?, ?, ?, ?", (7, "é", 0.5, b"\0"))
            echoed = reader.call("fetchmany", 5)
            self.capsule(reader)
            reader.release()
            session.release()
        require(found == VALUES, found)
        require(names == list("iftbodhszn"), names)
        require(echoed == [(7, "é", 0.5, b"\0")], echoed)
        kinds = [[type(value) for value in row] for row in found]
        require(kinds == [[type(v) for v in row] for row in VALUES], kinds)
        return f"{sum(map(len, VALUES))} values of 10 types, parameters, a capsule"

    def capsule(self, reader: Any) -> None:
        reader.call("execute", "SELECT 5", None)
        stream = reader.call("arrow")
        require(stream.name == "arrow_array_stream", stream.name)
        stream.end()

    def inserts(self) -> str:
        with self.calls.connection(MEMORY) as connection:
            self.calls.script(
                connection,
                "CREATE TABLE sale (id INTEGER PRIMARY KEY, shop TEXT, price REAL);"
                "CREATE INDEX by_shop ON sale (shop); BEGIN",
            )
            values = [(i, f"shop {i % 7}", i * 0.25) for i in range(ROWS)]
            with self.calls.statement(
                connection, "INSERT INTO sale VALUES (?, ?, ?)"
            ) as insert:
                done = self.calls.run_many(insert, values)
            self.calls.check("qe_connection_commit", connection)
            require(done == ROWS, done)
            query = "SELECT count(*), sum(id), sum(price), max(shop) FROM sale"
            found = self.calls.rows(connection, query)
            grouped = self.calls.rows(
                connection, "SELECT shop, count(*) FROM sale GROUP BY shop ORDER BY 1"
            )
        require(found == [(20000, 199990000, 49997500.0, "shop 6")], found)
        counts = [2858, 2857, 2857, 2857, 2857, 2857, 2857]
        require(grouped == [(f"shop {i}", n) for i, n in enumerate(counts)], grouped)
        return f"{ROWS:,} rows through run_many, sums and groups right"

    def many_rows(self) -> str:
        before = self.module.threads.started
        rows = [(i, f"n{i}") for i in range(AHEAD_ROWS)]
        with self.calls.connection(MEMORY) as connection:
            session = self.rows.session(connection)
            session.call("executescript", "CREATE TABLE t (a INTEGER, b TEXT)")
            reader = session.call("reader")
            reader.call("executemany", "INSERT INTO t VALUES (?, ?)", rows)
            changes = reader.attribute("changes")
            reader.call("execute", "SELECT a, b FROM t ORDER BY a", None)
            found = reader.call("fetchall")
            reader.release()
            session.release()
        threads = self.module.threads.started - before
        require(changes == AHEAD_ROWS, changes)
        require(found == rows, f"{len(found)} rows that are not those put in")
        require(threads == 2, f"{threads} threads where 2 were to be")
        return f"{AHEAD_ROWS:,} rows, both ways with a second thread"

    def errors(self) -> str:
        with self.calls.connection(MEMORY) as connection:
            bad = self.refusal(connection, "SELECT 1 FORM x y")
            require(
                (bad.status, bad.native_code, bad.sqlstate, bad.position)
                == (QE_ERR_DATABASE, 1, "42000", 14),
                bad,
            )
            require(bad.message == 'near "x": syntax error', bad)
            self.calls.script(connection, "CREATE TABLE u (a UNIQUE)")
            self.calls.script(connection, "INSERT INTO u VALUES (1)")
            twice = self.refusal(connection, "INSERT INTO u VALUES (1)")
            require((twice.native_code, twice.sqlstate) == (2067, "23505"), twice)
            require(twice.message == "UNIQUE constraint failed: u.a", twice)
            self.calls.check("qe_connection_close", connection)
            closed = self.refusal(connection, "SELECT 1")
            require(closed.status == QE_ERR_CLOSED, closed)
        return str(bad)

    def refusal(self, connection: Any, sql: str) -> EngineError:
        try:
            with self.calls.statement(connection, sql) as statement:
                self.calls.start(statement)
        except EngineError as error:
            return error
        raise CheckFailed(f"`{sql}` was not refused")

    def exceptions(self) -> str:
        with self.calls.connection(MEMORY) as connection:
            session = self.rows.session(connection)
            reader = session.call("reader")
            found = _raised(lambda: reader.call("execute", "SELECT * FROM nil", None))
            require("no such table: nil" in str(found), found)
            found = _raised(lambda: reader.call("execute", "SELECT ?", (1 << 63,)))
            require("64 bits" in str(found), found)
            found = _raised(lambda: reader.call("fetchone"))
            require("no result" in str(found), found)
            reader.release()
            session.release()
        return "three refusals, each raised"

    def file(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "shop.db"))
            settings = {"file": path, "mode": "rwc", "autocommit": "on"}
            with self.calls.connection(settings) as connection:
                self.calls.script(
                    connection,
                    "CREATE TABLE t (a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
                    " SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT i FROM n",
                )
            with self.calls.connection({"file": path, "mode": "ro"}) as connection:
                found = self.calls.rows(connection, "SELECT sum(a) FROM t")
            require(found == [(125250,)], found)
            other = sqlite3.connect(path)
            try:
                sound = other.execute("PRAGMA integrity_check").fetchall()
                total = other.execute("SELECT sum(a) FROM t").fetchall()
            finally:
                other.close()
            require(sound == [("ok",)] and total == [(125250,)], (sound, total))
        return "written, read again, and found sound by the SQLite at hand"

    def _remember(self) -> None:
        self._blocks = set(self.module.machine.memory.blocks)
        self._counts = {
            at: count for at, (count, _) in self.module.python.objects.counts().items()
        }

    def nothing_left(self) -> str:
        memory = self.module.machine.memory
        memory.check_heap()
        require(self.module.threads.live == 0, f"{self.module.threads.live} threads")
        require(self.module.network.live == 0, f"{self.module.network.live} sockets")
        wrong = [
            f"{what}: {count - self._counts.get(at, 0):+} references"
            for at, (count, what) in self.module.python.objects.counts().items()
            if count != self._counts.get(at, 0)
        ]
        require(not wrong, "; ".join(wrong[:5]))
        stands = self.module.python.objects.is_for_ever
        left = {at for at in set(memory.blocks) - self._blocks if not stands(at)}
        size = sum(memory.size(at) for at in left)
        # What is kept for ever, as OpenSSL's list of errors, may have been reallocated.
        count = len(left) - len(self._blocks - set(memory.blocks))
        require(count <= 0, f"{count} blocks of {size} bytes are left on the heap")
        called = sum(self.module.machine.called.values())
        return f"no block, no reference, no thread; {called:,} imports called"


def _raised(work: Callable[[], object]) -> Exception:
    try:
        work()
    except EngineError as error:
        return error
    raise CheckFailed("nothing was raised")
