"""Async tests, and a database of each backend for them."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest
from postgres.certificates import Certificates
from postgres.cluster import WITH_CERTIFICATE, started_cluster
from postgres.programs import MissingProgram, find, find_postgres
from postgres.proxy import started_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres.cluster import Cluster
    from postgres.proxy import Proxy

# What runs until it is stopped.
ENDLESS = {
    "postgres": "SELECT pg_sleep(60)",
    "sqlite": (
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        "SELECT count(*) FROM c"
    ),
}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, each in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    given = {name: pyfuncitem.funcargs[name] for name in names}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**given), 120))
    return True


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server with TLS and passwords."""
    try:
        find_postgres()
        find("setpriv", "util-linux")
    except MissingProgram as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("certificates")
    certificates = Certificates(folder, WITH_CERTIFICATE)
    with started_cluster("aio", certificates=certificates) as started:
        yield started


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    """A proxy before the server, which passes on everything until it is told."""
    with started_proxy(cluster.port) as started:
        yield started


@pytest.fixture(params=["postgres", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend in turn."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def database(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The URL of a database without tables."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db?mode=rwc"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    yield cluster.url()
    cluster.run("DROP OWNED BY engine; GRANT ALL ON DATABASE engine TO engine;")


@pytest.fixture
def endless(backend: str) -> str:
    """A query that runs until it is stopped."""
    return ENDLESS[backend]
