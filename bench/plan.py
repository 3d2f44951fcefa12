"""What is compared with what, and the ratios that are aimed at: data, and no work."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Server and client on one core or on two makes more than half of what a short question
# takes, so where it matters the bench decides and not the system.
ONE_CORE, TWO_CORES = "one_core", "two_cores"
OPTIONS = {"nogc": "no gc", ONE_CORE: "one core", TWO_CORES: "two cores"}


class Comparison:
    """One line of the table.

    Attributes:
        title: what is compared.
        task: the task, as in bench/task.py.
        ours: our driver.
        peers: theirs, with the ratio that is aimed at for each; None where none is.
        measure: the key of what is compared.
        options: further words for the task.
        limit: an absolute limit instead of a ratio, in the measure's unit.
        rounds: how many rounds at the most.
        backend: the database that is measured on.
    """

    def __init__(
        self,
        title: str,
        task: str,
        ours: str,
        peers: dict[str, float | None],
        *,
        measure: str = "seconds",
        options: tuple[str, ...] = (),
        limit: float | None = None,
        rounds: int = 99,
        backend: str = "sqlite",
    ) -> None:
        self.title = title
        self.task = task
        self.ours = ours
        self.peers = peers
        self.measure = measure
        self.options = options
        self.limit = limit
        self.rounds = rounds
        self.backend = backend

    def full_title(self) -> str:
        """Return the title with what sets it apart from others of its kind."""
        words = [f"{self.backend}: {self.title}"]
        words += [f"({OPTIONS[option]})" for option in self.options]
        return " ".join(words)

    def name_of(self, driver: str) -> str:
        """Return what the driver's runs are filed under."""
        return " ".join((self.backend, self.task, driver, *self.options))

    def runs(self) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
        """Yield each driver's run: its name, the task, the driver and the options."""
        for driver in (self.ours, *self.peers):
            yield self.name_of(driver), self.task, driver, self.options


ROWS: dict[str, float | None] = {"apsw": 0.75, "sqlite3": 0.48}
OFF = ("nogc",)
SQLITE = (
    Comparison("mixed rows, values as declared", "mixed", "engineroom", ROWS),
    Comparison(
        "mixed rows, values as declared", "mixed", "engineroom", ROWS, options=OFF
    ),
    Comparison("mixed rows, values as stored", "mixed", "engineroom-stored", ROWS),
    Comparison(
        "mixed rows, values as stored", "mixed", "engineroom-stored", ROWS, options=OFF
    ),
    Comparison(
        "mixed rows, all convert bool and datetime", "converted", "engineroom", ROWS
    ),
    Comparison("rows of integers", "integers", "engineroom", ROWS),
    Comparison("rows of integers", "integers", "engineroom", ROWS, options=OFF),
    Comparison(
        "Arrow table", "arrow", "engineroom", {"adbc": 0.55, "connectorx": 0.55}
    ),
    Comparison("one-row select", "point", "engineroom", {"apsw": 1.0, "sqlite3": None}),
    Comparison(
        "one-row select in a transaction",
        "point_in_transaction",
        "engineroom",
        {"apsw": None, "sqlite3": None},
    ),
    Comparison(
        "executemany of 200,000", "insert", "engineroom", {"apsw": 0.7, "sqlite3": None}
    ),
    Comparison(
        "import and first answer",
        "first_answer",
        "engineroom",
        {"sqlite3": 3.0, "apsw": None},
    ),
    Comparison(
        "peak memory of fetchall, mixed",
        "mixed",
        "engineroom",
        {"apsw": 1.0},
        measure="peak_bytes",
    ),
    Comparison(
        "peak memory of fetchall, integers",
        "integers",
        "engineroom",
        {"apsw": 1.0},
        measure="peak_bytes",
    ),
    Comparison("import alone", "import_alone", "engineroom", {}, limit=0.010),
    Comparison(
        "memory for a scan of 10,000,000 rows",
        "scan",
        "engineroom",
        {},
        measure="growth_bytes",
        limit=64 * 1024 * 1024,
        rounds=1,
    ),
    Comparison("Ctrl-C to KeyboardInterrupt", "interrupt", "engineroom", {}, limit=0.1),
)


def _overhead(backend: str) -> tuple[Comparison, ...]:
    """What a query costs more through our client than on a bare connection."""
    tasks = (("", "overhead", 3e-6), (", asyncio", "overhead_awaited", 8e-6))
    every = (("client", "overhead_seconds", None), ("counting", "counting_share", 0.01))
    return tuple(
        Comparison(
            f"pool: {what} around a one-row select{face}",
            task,
            "engineroom",
            {},
            measure=measure,
            limit=aim or most,
            backend=backend,
        )
        for face, task, most in tasks
        for what, measure, aim in every
    )


def _postgres(
    title: str,
    task: str,
    peers: dict[str, float | None],
    *,
    ours: str = "engineroom",
    measure: str = "seconds",
    options: tuple[str, ...] = (),
    limit: float | None = None,
    rounds: int = 99,
) -> Comparison:
    return Comparison(
        title,
        task,
        ours,
        peers,
        measure=measure,
        options=options,
        limit=limit,
        rounds=rounds,
        backend="postgres",
    )


def _all(aim: float) -> dict[str, float | None]:
    return dict.fromkeys(("psycopg", "psycopg-stream", "asyncpg", "psycopg2"), aim)


_PARSED: dict[str, float | None] = {"asyncpg": 0.5, "psycopg": None, "psycopg2": None}
_PASSED: dict[str, float | None] = {"psycopg": 0.75, "asyncpg": 0.75, "psycopg2": 0.75}
_POINT: dict[str, float | None] = {
    "asyncpg": 1.0,
    "asyncpg-uvloop": None,
    "psycopg": None,
    "psycopg2": None,
}
_LOOPS: dict[str, float | None] = {"asyncpg-uvloop": 0.75, "psycopg-uvloop": 0.75}
POSTGRES = (
    _postgres("mixed rows", "mixed", _all(0.75)),
    _postgres("mixed rows", "mixed", _all(0.75), options=OFF),
    _postgres("mixed rows, none kept", "passed_by", _PASSED),
    _postgres("rows of integers", "integers", _all(0.8)),
    _postgres("rows of integers", "integers", _all(0.8), options=OFF),
    _postgres("rows of long texts", "texts", _all(0.9)),
    _postgres("rows of long texts", "texts", _all(0.9), options=OFF),
    _postgres("rows of numeric, uuid, jsonb", "parsed", _PARSED),
    _postgres("rows of numeric, uuid, jsonb", "parsed", _PARSED, options=OFF),
    _postgres("Arrow table", "arrow", {"adbc": 0.8, "connectorx": 0.45}),
    _postgres("one-row select", "point", _POINT, options=(ONE_CORE,)),
    _postgres("one-row select", "point", _POINT, options=(TWO_CORES,)),
    _postgres("pipelined selects", "pipelined", {"psycopg": 0.35}, options=(ONE_CORE,)),
    _postgres(
        "pipelined selects", "pipelined", {"psycopg": 0.35}, options=(TWO_CORES,)
    ),
    _postgres(
        "64 concurrent selects, uvloop", "concurrent", _LOOPS, ours="engineroom-uvloop"
    ),
    _postgres(
        "64 concurrent selects", "concurrent", {"asyncpg": 0.75, "psycopg": 0.75}
    ),
    _postgres(
        "executemany of 100,000",
        "insert",
        {"asyncpg": 1.0, "psycopg": None, "psycopg2": None},
    ),
    _postgres("bulk load of rows", "load_rows", {"psycopg": 1.0, "asyncpg": None}),
    _postgres("bulk load of Arrow", "load_arrow", {"adbc": 0.6}),
    _postgres(
        "import and first answer",
        "first_answer",
        {"psycopg2": 1.2, "asyncpg": None, "psycopg": None},
    ),
    _postgres(
        "longest step of a loop with 1,000 tasks",
        "loop_block",
        {"asyncpg": None, "psycopg": None},
        measure="longest_seconds",
        limit=0.005,
    ),
    _postgres(
        "longest step of a loop with 1,000 tasks, of CPU",
        "loop_block",
        {"asyncpg": None, "psycopg": None},
        measure="longest_cpu_seconds",
        limit=0.005,
    ),
    _postgres(
        "memory for a scan of 10,000,000 rows",
        "scan",
        {},
        measure="growth_bytes",
        limit=64 * 1024 * 1024,
        rounds=1,
    ),
    _postgres("Ctrl-C to KeyboardInterrupt", "interrupt", {}, limit=0.1),
)
# 1.15 times the queries of the same time.
_POOLS: dict[str, float | None] = {"asyncpg": 0.87, "psycopg": 0.87}
_LEASES: dict[str, float | None] = {"asyncpg": 1.0, "psycopg": 1.0}
_LOOPED_POOLS = {f"{name}-uvloop": aim for name, aim in _POOLS.items()}
POOL = (
    _postgres("pool: 64 clients on 10 connections", "pooled", _POOLS),
    _postgres(
        "pool: 64 clients on 10 connections, uvloop",
        "pooled",
        _LOOPED_POOLS,
        ours="engineroom-uvloop",
    ),
    _postgres("pool: take and give back", "lease", {"psycopg": 1.0}),
    _postgres("pool: take and give back, asyncio", "lease_awaited", _LEASES),
    *_overhead("postgres"),
    *_overhead("sqlite"),
    _postgres(
        "pool: longest of 10,000 waits to their median",
        "waiters",
        {"asyncpg": None, "psycopg": None},
        measure="longest_to_median",
        limit=3.0,
    ),
)
COMPARISONS = (*SQLITE, *POSTGRES, *POOL)
