"""Asks an installed engineroom what a root can show; run by the Python of the root.

    python smoke.py EXPECTED.json FOLDER

It is one file and needs the standard library and what engineroom brings (cffi), so that
it runs wherever engineroom does. It prints one JSON object: facts, and each check with
what was found. That the interpreter then ends well is for the caller to see.
"""

from __future__ import annotations

import datetime
import decimal
import json
import os
import platform
import signal
import sys
import threading
import traceback
from importlib import import_module, metadata
from typing import Any

UTC = datetime.timezone.utc
ENDLESS = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
    " SELECT count(*) FROM c"
)
TYPES = (
    "a INTEGER, b REAL, c TEXT, d BLOB, e BOOLEAN, f DATE, g TIME, h TIMESTAMP,"
    " i TIMESTAMPTZ, j DECIMAL(10, 2)"
)
INSERT = "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ROW = (
    -(2**63),
    2.5,
    "drei \N{SNOWMAN} \U0001f6a2",
    b"\x00four\xff",
    True,
    datetime.date(2024, 2, 29),
    datetime.time(1, 2, 3, 4),
    datetime.datetime(2024, 1, 2, 3, 4, 5, 6),
    datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    decimal.Decimal("-12.50"),
)
# How Arrow writes these types, and what a schema and an array are.
FORMATS = ["l", "g", "u", "z", "b", "tdD", "ttu", "tsu:", "tsu:UTC", "d:10,2"]
ARROW = """
struct schema {
  const char *format, *name, *metadata;
  int64_t flags, n_children;
  struct schema **children, *dictionary;
  void (*release)(struct schema *);
  void *private_data;
};
struct array {
  int64_t length, null_count, offset, n_buffers, n_children;
  const void **buffers;
  struct array **children, *dictionary;
  void (*release)(struct array *);
  void *private_data;
};
struct stream {
  int (*get_schema)(struct stream *, struct schema *);
  int (*get_next)(struct stream *, struct array *);
  const char *(*get_last_error)(struct stream *);
  void (*release)(struct stream *);
  void *private_data;
};
int PyCapsule_IsValid(void *capsule, const char *name);
void *PyCapsule_GetPointer(void *capsule, const char *name);
"""


class Stop(Exception):
    """What the signal's handler raises."""


class Case:
    """What is expected, and where files may be written."""

    def __init__(self, expected: dict[str, Any], folder: str) -> None:
        self.expected = expected
        self.folder = folder

    def url(self, name: str) -> str:
        """Return the URL of a database in the folder."""
        return f"sqlite:///{self.path(name)}?mode=rwc"

    def path(self, name: str) -> str:
        """Return the path of a file in the folder."""
        return os.path.join(self.folder, name)


def same(found: object, wanted: object) -> None:
    """Raise unless both are the same, telling both."""
    if found != wanted or type(found) is not type(wanted):
        raise AssertionError(f"found {found!r}, wanted {wanted!r}")


def refused(kind: type[BaseException], call: Any, *arguments: Any) -> Any:
    """Return the error of exactly this class that a call raises."""
    try:
        found = call(*arguments)
    except BaseException as error:
        if type(error) is not kind:
            raise
        return error
    raise AssertionError(f"gave {found!r} where {kind.__name__} was wanted")


def connect(url: str = "sqlite://:memory:", **options: Any) -> Any:
    """Connect as a program does."""
    return import_module("engineroom").connect(url, **options)


def check_system(case: Case) -> str:
    """The system is the one that the table names."""
    facts = system()
    name = facts["libc"].split()[0]
    wanted = case.expected["libc"]
    same(facts["libc"] if " " in wanted else name, wanted)
    if case.expected["python"]:
        same(".".join(facts["python"].split(".")[:2]), case.expected["python"])
    return f"{facts['libc']}, Python {facts['python']}"


def check_wheel(case: Case) -> str:
    """The wheel that pip took is the one with the platform tag of the table."""
    text = metadata.distribution("engineroom").read_text("WHEEL") or ""
    tags = [line[5:] for line in text.splitlines() if line.startswith("Tag: ")]
    same([tag.rsplit("-", 1)[1] for tag in tags], [case.expected["wheel_tag"]])
    return ", ".join(tags)


def check_import(case: Case) -> str:
    """Importing the package loads no engine."""
    del case
    package = import_module("engineroom")
    loaded = [name for name in sys.modules if name.startswith("_qe_")]
    same(loaded, [])
    return f"engineroom {package.__version__}"


def check_engine(case: Case) -> str:
    """The engine is the one of the target in the table."""
    engine = import_module("engineroom.loader").load_engine("sqlite")
    same(engine.target, case.expected["target"])
    return f"{engine.target}, SQLite {engine.backend_version}"


def check_types(case: Case) -> str:
    """Every declared type comes back as it went in, and so does NULL."""
    del case
    connection = connect()
    connection.execute(f"CREATE TABLE t ({TYPES})")
    rows = [ROW, (None,) * len(ROW), ROW]
    connection.executemany(INSERT, rows)
    found = connection.execute("SELECT * FROM t ORDER BY rowid").fetchall()
    same(found, rows)
    for value, wanted in zip(found[0], ROW):
        same(value, wanted)
    same(connection.execute("SELECT sqrt(2.0)").fetchone(), (2**0.5,))
    connection.close()
    return f"{len(ROW)} types and NULL"


def check_many_rows(case: Case) -> str:
    """A long result and a long list pass through the engine's second thread."""
    del case
    connection = connect()
    connection.execute("CREATE TABLE n (x INTEGER, t TEXT)")
    rows = [(number, f"text {number}") for number in range(50_000)]
    connection.executemany("INSERT INTO n VALUES (?, ?)", rows)
    same(connection.execute("SELECT * FROM n ORDER BY x").fetchall(), rows)
    connection.close()
    return f"{len(rows):,} rows in and out"


def check_transactions(case: Case) -> str:
    """What is committed stays, what is rolled back goes, savepoints included."""
    url = case.url("transactions.db")
    connection = connect(url)
    connection.execute("CREATE TABLE account (name TEXT UNIQUE, amount INTEGER)")
    connection.commit()
    connection.execute("INSERT INTO account VALUES ('gone', 1)")
    connection.rollback()
    with connection.transaction():
        connection.execute("INSERT INTO account VALUES ('ann', 10)")

        def again() -> None:
            with connection.transaction():
                connection.execute("INSERT INTO account VALUES ('bob', 5)")
                connection.execute("INSERT INTO account VALUES ('ann', 20)")

        refused(errors().UniqueViolation, again)
    connection.execute("INSERT INTO account VALUES ('never', 1)")
    connection.close()
    with connect(url) as reader:
        same(reader.execute("SELECT * FROM account").fetchall(), [("ann", 10)])
    return "commit, rollback, savepoint, close without commit"


def check_errors(case: Case) -> str:
    """Failures have their class, code and SQLSTATE."""
    classes = errors()
    connection = connect()
    error = refused(classes.SqlError, connection.execute, "SELEC 1")
    same(error.code, "ER2201")
    connection.execute("CREATE TABLE u (x INTEGER UNIQUE, d DATE)")
    connection.execute("INSERT INTO u VALUES (1, 'never')")
    insert = "INSERT INTO u VALUES (1, NULL)"
    error = refused(classes.UniqueViolation, connection.execute, insert)
    same(error.sqlstate, "23505")
    cursor = connection.execute("SELECT d FROM u")
    refused(classes.NotOfDeclaredType, cursor.fetchall)
    refused(classes.OutOfRange, connection.execute, "SELECT ?", (2**63,))
    connection.close()
    refused(classes.ConnectionClosed, connection.execute, "SELECT 1")
    refused(classes.FileMissing, connect, f"sqlite:///{case.path('none.db')}")
    with open(case.path("text.db"), "w", encoding="utf-8") as file:
        file.write("this is no database, and long enough to be looked at\n" * 40)

    def read() -> None:
        with connect(f"sqlite:///{case.path('text.db')}") as other:
            other.execute("SELECT * FROM sqlite_schema").fetchall()

    refused(classes.NotADatabase, read)
    return "7 classes"


def check_files(case: Case) -> str:
    """Files go both ways between the engine and this Python's own SQLite."""
    sqlite3 = import_module("sqlite3")
    path = case.path("exchange.db")
    own = sqlite3.connect(path)
    own.execute("CREATE TABLE boiler (name TEXT, pressure DECIMAL(5, 2), since DATE)")
    own.execute("INSERT INTO boiler VALUES ('port', 10.25, '2024-05-06')")
    own.commit()
    own.close()
    with connect(f"sqlite:///{path}") as connection:
        wanted = ("port", decimal.Decimal("10.25"), datetime.date(2024, 5, 6))
        same(connection.execute("SELECT * FROM boiler").fetchall(), [wanted])
        connection.execute("INSERT INTO boiler VALUES ('starboard', 11, NULL)")
        connection.commit()
    own = sqlite3.connect(path)
    same(own.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
    same(
        own.execute("SELECT count(*), max(name) FROM boiler").fetchone(),
        (2, "starboard"),
    )
    own.close()
    return f"with SQLite {sqlite3.sqlite_version}"


def check_no_sqlite3(case: Case) -> str:
    """This Python has no SQLite of its own, as the table says."""
    del case
    refused(ModuleNotFoundError, import_module, "_sqlite3")
    return "none to exchange files with"


def check_arrow(case: Case) -> str:
    """An Arrow stream has the right schema and batches, and every part is released."""
    del case
    connection = connect()
    connection.execute(f"CREATE TABLE t ({TYPES})")
    rows = [(number, *ROW[1:]) for number in range(70_000)]
    connection.executemany(INSERT, rows)
    formats, lengths, total = consume(connection.execute("SELECT * FROM t"))
    same(formats, FORMATS)
    same((sum(lengths), total), (70_000, sum(range(70_000))))
    # A batch ends by its rows or by its bytes; both are the engine's affair.
    if not 2 <= len(lengths) <= 20 or max(lengths) > 65_536:
        raise AssertionError(f"the batches have {lengths} rows")
    connection.close()
    told = " and ".join(f"{length:,}" for length in lengths)
    return f"{len(formats)} columns, batches of {told}"


def consume(cursor: Any) -> tuple[list[str], list[int], int]:
    """Read an Arrow stream to its end, with nothing but cffi.

    Returns:
        The formats of the columns, the length of each batch, and the sum of the first
        column, which must hold integers.
    """
    ffi = import_module("cffi").FFI()
    ffi.cdef(ARROW)
    python = ffi.dlopen(None)
    capsule = cursor.__arrow_c_stream__()
    # cffi lets go of the GIL; a capsule that is valid is only read, nothing is raised.
    address, name = ffi.cast("void *", id(capsule)), b"arrow_array_stream"
    same(python.PyCapsule_IsValid(address, name), 1)
    stream = ffi.cast("struct stream *", python.PyCapsule_GetPointer(address, name))
    schema = ffi.new("struct schema *")
    same(stream.get_schema(stream, schema), 0)
    formats = [
        ffi.string(schema.children[index].format).decode()
        for index in range(schema.n_children)
    ]
    schema.release(schema)
    lengths: list[int] = []
    total = 0
    while True:
        batch = ffi.new("struct array *")
        same(stream.get_next(stream, batch), 0)
        if not batch.release:
            break
        first = batch.children[0]
        values = ffi.cast("int64_t *", first.buffers[1])[0 : first.length]
        total += sum(values)
        lengths.append(batch.length)
        batch.release(batch)
        same(bool(batch.release), False)
    stream.release(stream)
    same(bool(stream.release), False)
    return formats, lengths, total


def check_threads(case: Case) -> str:
    """Threads with a connection each write and read the same file."""
    url = case.url("threads.db")
    with connect(url) as connection:
        connection.execute("CREATE TABLE seen (thread INTEGER, number INTEGER)")
        connection.commit()
    problems: list[str] = []

    def work(thread: int) -> None:
        try:
            with connect(f"{url}&timeout_seconds=60", autocommit=True) as own:
                for number in range(20):
                    own.execute("INSERT INTO seen VALUES (?, ?)", (thread, number))
                question = "SELECT count(*) FROM seen WHERE thread = ?"
                same(own.execute(question, (thread,)).fetchone(), (20,))
        except BaseException:
            problems.append(traceback.format_exc())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(problems, [])
    with connect(url) as connection:
        same(connection.execute("SELECT count(*) FROM seen").fetchone(), (80,))
    return "4 threads, 80 rows"


def check_interrupt(case: Case) -> str:
    """Another thread, or a signal, stops an endless query; the connection lives on."""
    del case
    connection = connect()
    timer = threading.Timer(0.2, connection.interrupt)
    timer.start()
    refused(errors().Interrupted, connection.execute, ENDLESS)
    timer.join()
    same(connection.execute("SELECT 42").fetchone(), (42,))

    def stop(*_: object) -> None:
        raise Stop

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    refused(Stop, connection.execute, ENDLESS)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    same(connection.execute("SELECT 42").fetchone(), (42,))
    connection.close()
    return "by a thread, by a signal"


def check_no_engine(case: Case) -> str:
    """Without an engine, connecting says what was looked for and what to do."""
    code = case.expected["code"]
    kinds = {"ER1005": "EngineListMissing", "ER1011": "PythonIs32Bit"}
    error = refused(getattr(errors(), kinds[code]), connect)
    same(error.code, code)
    tried = {attempt.target for attempt in error.attempts if attempt.target}
    targets = {t.id for t in import_module("engineroom.platforms.rows").TARGETS}
    same(tried, targets)
    unsaid = sorted(target for target in targets if target not in str(error))
    same(unsaid, [])
    same(isinstance(error, ImportError), True)
    if "engineroom doctor" not in error.hint:
        raise AssertionError(f"the hint is {error.hint!r}")
    return f"{code} names all {len(targets)} targets"


def errors() -> Any:
    """Return the module of errors."""
    return import_module("engineroom.errors")


def system() -> dict[str, str]:
    """Tell what this system is, without asking engineroom."""
    name, version = "", ""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        name, version = "musl", ""
    if name == "musl" and not os.path.exists(f"/lib/ld-musl-{platform.machine()}.so.1"):
        name = "unknown"
    try:
        openssl = import_module("ssl").OPENSSL_VERSION
    except ImportError:
        openssl = ""
    return {
        "libc": f"{name} {version}".strip(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "openssl": openssl,
    }


def checks(expected: dict[str, Any]) -> list[Any]:
    """Return the checks for what is expected."""
    first = [check_system, check_wheel, check_import]
    if not expected["target"]:
        return [*first, check_no_engine]
    return [
        *first,
        check_engine,
        check_types,
        check_many_rows,
        check_transactions,
        check_errors,
        check_files if expected["has_sqlite3"] else check_no_sqlite3,
        check_arrow,
        check_threads,
        check_interrupt,
    ]


def answer(case: Case, checks: list[Any]) -> None:
    """Make every check and print what was found."""
    found: list[dict[str, Any]] = []
    for check in checks:
        try:
            text, is_passed = check(case), True
        except Exception:  # whatever it is, it is this check's
            text, is_passed = traceback.format_exc(), False
        name = check.__name__[len("check_") :].replace("_", " ")
        found.append({"name": name, "is_passed": is_passed, "text": text})
    sys.stdout.write(json.dumps({"system": system(), "checks": found}) + "\n")


def main() -> None:
    """Read what is expected, and answer for the SQLite engine."""
    with open(sys.argv[1], encoding="utf-8") as file:
        case = Case(json.load(file), sys.argv[2])
    answer(case, checks(case.expected))


if __name__ == "__main__":
    main()
