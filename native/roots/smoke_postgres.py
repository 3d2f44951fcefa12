"""Asks the PostgreSQL engine what a root can show; run by the Python of the root.

    python smoke_postgres.py EXPECTED.json FOLDER ORDER

ORDER is `after` or `before`: Python's own ssl is imported after the engine, or before
it, as programs happen to do. FOLDER has the certificates. The rest is as in smoke.py,
which lies beside it: nothing but the standard library and what engineroom brings.
"""

from __future__ import annotations

import datetime
import decimal
import json
import os
import signal
import sys
import threading
import traceback
import uuid
from importlib import import_module
from typing import Any

# Beside this file, where a root has no package of ours but the one on trial.
smoke: Any = import_module("smoke")
same, refused, errors = smoke.same, smoke.refused, smoke.errors

TYPES = (
    "int2, int8, float4, float8, numeric, text, bytea, bool, date, time, timestamp,"
    " timestamptz, uuid, jsonb, int4[], interval, int4range"
)
ASLEEP = "SELECT pg_sleep(120)"
IN_USE = "SELECT version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
LONG = "SELECT i, 'text ' || i FROM generate_series(1, 50000) i"


def connect(case: Any, **options: Any) -> Any:
    """Connect to the server that the trial has started."""
    package = import_module("engineroom")
    return package.connect(case.expected["url"], **options)


def engine_of(case: Any) -> Any:
    """Return the loaded engine, having seen that it is the target's."""
    engine = import_module("engineroom.loader").load_engine("postgres")
    same(engine.target, case.expected["target"])
    return engine


def mapped() -> list[str]:
    """Return every libssl that this process has loaded, with its real path."""
    with open("/proc/self/maps", encoding="utf-8") as file:
        words = [line.split(maxsplit=5) for line in file]
    paths = {line[5].strip() for line in words if len(line) > 5}
    return sorted(
        {os.path.realpath(p) for p in paths if os.path.basename(p).startswith("libssl")}
    )


def only_libssl(case: Any) -> str:
    """Return the one libssl of this process, which is the one of the table."""
    same(mapped(), [case.expected["tls_file"]])
    return str(case.expected["tls_file"])


def check_nothing_bound(case: Any) -> str:
    """Neither Python's ssl nor a libssl is there before the engine is loaded."""
    del case
    same([name for name in ("_ssl", "ssl") if name in sys.modules], [])
    same(mapped(), [])
    return "no ssl, no libssl"


def check_tls_bound(case: Any) -> str:
    """The engine has bound the OpenSSL of the table, from the file of the table."""
    tls_facts = import_module("engineroom.loader.handshake").tls_facts
    library, version, file = tls_facts(engine_of(case))
    same(library, "OpenSSL")
    if not version.startswith(case.expected["tls"]):
        raise AssertionError(f"it is {version}, not {case.expected['tls']}")
    same(os.path.realpath(file), case.expected["tls_file"])
    return f"OpenSSL {version} from {only_libssl(case)}"


def check_connection(case: Any) -> str:
    """Certificate and name are verified, SCRAM is bound to the channel."""
    with connect(case) as connection:
        info = connection.info
        served = connection.execute(IN_USE).fetchone()
        same(served, (info.tls_version, info.tls_cipher))
        same(info.tls_version, "TLSv1.3")
        told = f"PostgreSQL {info.server_version}, {' '.join(served)}"
    only_libssl(case)
    return told


def check_not_trusted(case: Any) -> str:
    """Another name, another authority and a wrong password are refused."""
    connect_to = import_module("engineroom").connect
    url, folder = case.expected["url"], case.folder
    elsewhere = url.replace("@localhost:", "@elsewhere.example:")
    stranger = url.replace("authority.crt", "stranger.crt")
    wrong = url.replace(case.expected["secret"], "wrong")
    assert len({url, elsewhere, stranger, wrong}) == 4, folder
    tls, password = errors().TlsFailed, errors().InvalidPassword
    for kind, other, word in (
        (tls, elsewhere, "elsewhere.example"),
        (tls, stranger, "certificate verify failed"),
        (password, wrong, "password authentication failed"),
    ):
        error = refused(kind, connect_to, other)
        if word not in str(error) or case.expected["secret"] in str(error):
            raise AssertionError(f"it says {str(error)!r}, not {word!r}")
    return "name, authority, password"


def check_types(case: Any) -> str:
    """Values of many types come back as they went in, and so does NULL."""
    package = import_module("engineroom")
    day = datetime.date(2024, 2, 29)
    at = datetime.datetime(2024, 1, 2, 3, 4, 5, 6)
    row = (
        -(2**15),
        -(2**63),
        0.5,
        0.1,
        decimal.Decimal("-12345678901234567890.50"),
        "drei \N{SNOWMAN} \U0001f6a2",
        b"\x00four\xff",
        True,
        day,
        datetime.time(1, 2, 3, 4),
        at,
        at.replace(tzinfo=datetime.timezone.utc),
        uuid.UUID(int=2**127),
        {"a": [1, None, "z"]},
        [1, None, -3],
        package.Interval(14, 3, 5_000_000),
        package.Range(1, 5),
    )
    names = TYPES.split(", ")
    given = ", ".join(f"?::{name}" for name in names)
    values = [*row]
    values[names.index("jsonb")] = json.dumps(row[names.index("jsonb")])
    with connect(case) as connection:
        found = connection.execute(f"SELECT {given}", values).fetchone()
        for value, wanted in zip(found, row):
            same(value, wanted)
        nothing = (None,) * len(row)
        same(connection.execute(f"SELECT {given}", nothing).fetchone(), nothing)
        connection.execute("CREATE TYPE pg_temp.mood AS ENUM ('low', 'high')")
        same(connection.execute("SELECT 'high'::pg_temp.mood").fetchone(), ("high",))
    return f"{len(names)} types and NULL, and an enum"


def check_many_rows(case: Any) -> str:
    """A long result comes whole, a part of it too, and long lists go in."""
    rows = [(number, f"text {number}") for number in range(1, 50_001)]
    with connect(case) as connection:
        same(connection.execute(LONG).fetchall(), rows)
        part = connection.execute(LONG)
        same(part.fetchmany(3), rows[:3])
        part.close()
        connection.execute("CREATE TEMP TABLE n (x int, t text)")
        connection.executemany("INSERT INTO n VALUES (?, ?)", rows[:20_000])
        sql = "SELECT * FROM n ORDER BY x"
        same(connection.execute(sql).fetchall(), rows[:20_000])
        text = "x" * 3_000_000
        same(connection.execute("SELECT ?::text", (text,)).fetchone(), (text,))
    return f"{len(rows):,} rows out, 20,000 in, a text of 3 MB"


def check_transactions(case: Any) -> str:
    """What is committed stays, what is rolled back goes, savepoints included."""
    with connect(case) as connection:
        connection.execute("CREATE TEMP TABLE account (name text UNIQUE, amount int)")
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
        found = connection.execute("SELECT * FROM account").fetchall()
        same(found, [("ann", 10)])
    return "commit, rollback, savepoint"


def check_errors(case: Any) -> str:
    """Failures have their class, their SQLSTATE and what the server tells of them."""
    classes = errors()
    connection = connect(case, autocommit=True)
    error = refused(classes.SqlSyntaxError, connection.execute, "SELEC 1")
    same((error.sqlstate, error.severity), ("42601", "ERROR"))
    connection.execute("CREATE TEMP TABLE u (x int CONSTRAINT once UNIQUE)")
    connection.execute("INSERT INTO u VALUES (1)")
    insert = "INSERT INTO u VALUES (1)"
    error = refused(classes.UniqueViolation, connection.execute, insert)
    same(
        (error.sqlstate, error.constraint_name, error.table_name),
        ("23505", "once", "u"),
    )
    same(connection.execute("SELECT 1").fetchone(), (1,))
    connection.close()
    refused(classes.ConnectionClosed, connection.execute, "SELECT 1")
    return "3 classes"


def check_cancel(case: Any) -> str:
    """Another thread, or a signal, stops a query through TLS; the connection lives."""
    with connect(case, autocommit=True) as connection:
        timer = threading.Timer(0.3, connection.interrupt)
        timer.start()
        refused(errors().Interrupted, connection.execute, ASLEEP)
        timer.join()
        same(connection.execute("SELECT 42").fetchone(), (42,))

        def stop(*_: object) -> None:
            raise smoke.Stop

        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        refused(smoke.Stop, connection.execute, ASLEEP)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        same(connection.execute("SELECT 42").fetchone(), (42,))
    return "by a thread, by a signal"


def check_asyncio(case: Any) -> str:
    """Several connections are awaited at once, and a task that is cancelled stops."""
    asyncio: Any = import_module("asyncio")
    connect_to = import_module("engineroom.aio").connect

    async def ask(number: int) -> int:
        async with connect_to(case.expected["url"]) as connection:
            sql = "SELECT sum(i + ?::int) FROM generate_series(1, 1000) i"
            cursor = await connection.execute(sql, (number,))
            (found,) = await cursor.fetchone()
            return int(found)

    async def stopped() -> None:
        async with connect_to(case.expected["url"], autocommit=True) as connection:
            try:
                await asyncio.wait_for(connection.execute(ASLEEP), 0.3)
            except asyncio.TimeoutError:
                cursor = await connection.execute("SELECT 42")
                same(await cursor.fetchone(), (42,))
                return
            raise AssertionError("it was not stopped")

    async def main() -> list[int]:
        await stopped()
        return list(await asyncio.gather(*(ask(number) for number in range(4))))

    same(asyncio.run(main()), [500_500 + 1000 * number for number in range(4)])
    return "4 connections at once, one stopped"


def check_own_ssl(case: Any) -> str:
    """Python's own ssl at work in threads beside the engine's TLS does no harm."""
    ssl: Any = import_module("ssl")
    problems: list[str] = []

    def guarded(work: Any) -> threading.Thread:
        def run() -> None:
            try:
                for _ in range(5):
                    work()
            except BaseException:
                problems.append(traceback.format_exc())

        return threading.Thread(target=run)

    def ours() -> None:
        with connect(case) as connection:
            served = connection.execute(IN_USE).fetchone()
            same(served[0], "TLSv1.3")

    threads = [guarded(work) for work in (ours, lambda: converse(ssl, case)) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(problems, [])
    return f"{ssl.OPENSSL_VERSION}, {only_libssl(case)} alone"


def converse(ssl: Any, case: Any) -> None:
    """Have a client and a server of Python's own ssl talk to each other in memory."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(case.path("server.crt"), case.path("server.key"))
    client = ssl.create_default_context(cafile=case.path("authority.crt"))
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up, server_hostname="localhost")
    serving = server.wrap_bio(up, down, server_side=True)

    def step(call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except ssl.SSLWantReadError:
            return None

    for _ in range(4):
        step(asking.do_handshake)
        step(serving.do_handshake)
    asking.write(b"hello" * 1000)
    same(step(serving.read, 5000), b"hello" * 1000)


def check_no_ssl(case: Any) -> str:
    """This Python has no ssl of its own, as the table says."""
    refused(ModuleNotFoundError, import_module, "_ssl")
    return f"none; {only_libssl(case)} alone"


def check_no_openssl(case: Any) -> str:
    """Without OpenSSL the error names the file, the command and the target."""
    same(mapped(), [])
    error = refused(errors().OpensslMissing, connect, case)
    same(error.code, "ER1032")
    package = case.expected["package"]
    for word in ("libssl.so.3", case.expected["target"], package):
        if word not in str(error):
            raise AssertionError(f"{word!r} is not in {str(error)!r}")
    if package not in error.hint or case.expected["secret"] in str(error):
        raise AssertionError(f"the hint is {error.hint!r}")
    with import_module("engineroom").connect("sqlite://:memory:") as connection:
        same(connection.execute("SELECT 6 * 7").fetchone(), (42,))
    return f"`{package}`; SQLite serves"


def checks(expected: dict[str, Any], order: str) -> list[Any]:
    """Return the checks for what is expected; the order of the first ones matters."""
    if not expected["tls"]:
        return [check_nothing_bound, check_no_openssl]
    if order == "before":
        return [check_own_ssl, check_tls_bound, check_connection]
    return [
        check_nothing_bound,
        check_tls_bound,
        check_connection,
        check_not_trusted,
        check_types,
        check_many_rows,
        check_transactions,
        check_errors,
        check_cancel,
        check_own_ssl if expected["has_ssl"] else check_no_ssl,
        check_asyncio,
    ]


def main() -> None:
    """Make every check and print what was found."""
    with open(sys.argv[1], encoding="utf-8") as file:
        case = smoke.Case(json.load(file), sys.argv[2])
    order = sys.argv[3]
    if order == "before":
        import_module("ssl")
    smoke.answer(case, checks(case.expected, order))


if __name__ == "__main__":
    main()
