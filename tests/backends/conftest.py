"""What every backend's tests share: a backend and a database of its own for each test.

A test that asks for `backend`, `database` or `connection` runs once over each backend.
What is one backend's own is marked `only`; where backends differ in what a test has to
say, and not in what it is about, the backend's `Quirks` say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from postgres.cluster import started_cluster
from postgres.programs import MissingProgram, find, find_postgres

import engineroom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres.cluster import Cluster

    from engineroom import Connection


class Quirks(NamedTuple):
    """Where a backend is a matter of its own.

    Attributes:
        begins_for_reads: whether a statement that reads begins a transaction.
        has_row_ids: whether an inserted row has a number that the cursor tells.
        knows_expressions: whether the type of an expression is known before its values.
        is_spoiled: whether a statement that fails spoils the transaction it is in.
        has_procedures: whether functions of the database give rows.
    """

    begins_for_reads: bool
    has_row_ids: bool
    knows_expressions: bool
    is_spoiled: bool
    has_procedures: bool


QUIRKS = {
    "sqlite": Quirks(
        begins_for_reads=False,
        has_row_ids=True,
        knows_expressions=False,
        is_spoiled=False,
        has_procedures=False,
    ),
    "postgres": Quirks(
        begins_for_reads=True,
        has_row_ids=False,
        knows_expressions=True,
        is_spoiled=True,
        has_procedures=True,
    ),
}


class Backend:
    """A backend with a new, empty database."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.quirks = QUIRKS[name]
        self._url = url

    def url(self, **settings: object) -> str:
        """Return the URL of the database, with more settings."""
        more = "".join(f"&{name}={value}" for name, value in settings.items())
        return self._url + more


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "only(*names): run over these backends and no other"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("only")
        names = list(QUIRKS) if marked is None else list(marked.args)
        metafunc.parametrize("backend", names, indirect=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    """A PostgreSQL; what needs one is skipped where there is none."""
    try:
        find_postgres()
        find("setpriv", "util-linux")
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with started_cluster("backends") as started:
        yield started


@pytest.fixture
def sqlite(tmp_path: Path) -> Backend:
    """SQLite, with a file that can be made."""
    return Backend("sqlite", f"sqlite:///{tmp_path}/test.db?mode=rwc")


@pytest.fixture
def postgres(server: Cluster) -> Iterator[Backend]:
    """PostgreSQL, with an empty schema."""
    with engineroom.connect(server.url(), autocommit=True) as owner:
        owner.execute("CREATE SCHEMA test")
        yield Backend("postgres", server.url(options="-csearch_path=test"))
        # A test may have left a connection to the collector, with locks.
        owner.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE usename = current_user AND pid <> pg_backend_pid()"
        ).fetchall()
        owner.execute("DROP SCHEMA test CASCADE")


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn."""
    made: Backend = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def quirks(backend: Backend) -> Quirks:
    """What is its own matter."""
    return backend.quirks


@pytest.fixture
def database(backend: Backend) -> str:
    """The URL of an empty database; more settings can be put behind it."""
    return backend.url()


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    """An open connection to a new, empty database."""
    opened = engineroom.connect(database)
    yield opened
    opened.close()
