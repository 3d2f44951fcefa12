"""Clients of both faces, and a database of each backend for them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from faults.gate import started_gate
from faults.styles import Awaited, Blocking
from postgres.cluster import started_cluster
from postgres.programs import MissingProgram, find, find_postgres

from .plain import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults.gate import Gate
    from faults.styles import Style
    from postgres.cluster import Cluster

    Open = Callable[..., Any]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server on loopback, without TLS, that logs connections and ends deadlocks."""
    try:
        find_postgres()
        find("setpriv", "util-linux")
    except MissingProgram as missing:
        pytest.skip(str(missing))
    settings = {"log_connections": "on", "deadlock_timeout": "50ms"}
    with started_cluster("pool", settings=settings) as started:
        yield started


@pytest.fixture
def gate(cluster: Cluster) -> Iterator[Gate]:
    """A gate before the server, which passes on everything until it is told."""
    with started_gate(cluster.port) as started:
        yield started


@pytest.fixture
def gate_url(cluster: Cluster, gate: Gate) -> str:
    """The URL of the server through its gate."""
    return cluster.url(port=gate.port, sslmode="disable")


@pytest.fixture(params=[Blocking, Awaited], ids=["blocking", "asyncio"])
def style(request: pytest.FixtureRequest) -> Iterator[Style]:
    """Each face of a client in turn."""
    chosen: Style = request.param()
    yield chosen
    chosen.close()


@pytest.fixture
def open_client(style: Style) -> Iterator[Open]:
    """Open clients of the face, as `engineroom.open()`; they are closed at the end."""
    with contextlib.ExitStack() as clients:
        yield lambda url, **options: clients.enter_context(
            opened(style, url, **options)
        )


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend in turn."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that is made when it is first opened."""
    return f"sqlite:///{tmp_path}/test.db?mode=rwc"


@pytest.fixture
def server_url(cluster: Cluster) -> Iterator[str]:
    """The URL of a database on the server; its tables are dropped afterwards."""
    yield cluster.url()
    cluster.run("DROP OWNED BY engine; GRANT ALL ON DATABASE engine TO engine;")


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables."""
    name = "file_url" if backend == "sqlite" else "server_url"
    chosen: str = request.getfixturevalue(name)
    return chosen
