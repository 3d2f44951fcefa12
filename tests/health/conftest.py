"""Clients of both faces and both backends, and a web application for each."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from typing import TYPE_CHECKING

import pytest
from postgres.cluster import started_cluster
from postgres.programs import MissingProgram, find, find_postgres
from postgres.proxy import started_proxy

import engineroom
import engineroom.aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path
    from typing import Any

    from postgres.cluster import Cluster
    from postgres.proxy import Proxy


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, each in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    given = {name: pyfuncitem.funcargs[name] for name in names}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**given), 60))
    return True


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server without TLS, which a test may stop and start."""
    try:
        find_postgres()
        find("setpriv", "util-linux")
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with started_cluster("health") as started:
        yield started


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    """A proxy before the server, which passes on everything until it is told."""
    with started_proxy(cluster.port) as started:
        yield started


@pytest.fixture(params=["postgres", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of each backend in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db?mode=rwc"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.url()


@pytest.fixture(params=["blocking", "awaited"])
def opened(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return what opens a client of each face in turn, as `async with`."""

    @contextlib.asynccontextmanager
    async def opened(url: str, **options: Any) -> AsyncIterator[Any]:
        options.setdefault("health_cache_seconds", 0.0)
        if request.param == "awaited":
            async with await engineroom.aio.open(url, **options) as client:
                yield client
        else:
            with engineroom.open(url, **options) as client:
                yield client

    return opened
