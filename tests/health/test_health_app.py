"""The web application over real clients, while the database comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING

import httpx
from postgres.programs import wait_until
from postgres.proxy import SERVER, Cut
from starlette.applications import Starlette
from starlette.routing import Mount

import engineroom
from engineroom.health import health_app

from .served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Any

    import pytest
    from postgres.cluster import Cluster
    from postgres.proxy import Proxy

PATHS = ["/livez", "/readyz", "/healthz", "/metrics", "/metrics.json"]


@contextlib.asynccontextmanager
async def probed(opening: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Give a browser of the application of a client that is being opened."""
    async with opening as client, browser(health_app(client)) as probe:
        yield probe


def browser(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://probe")


async def until(probe: httpx.AsyncClient, path: str, status: int) -> httpx.Response:
    """Ask until the answer has a status, at most ten seconds."""
    for _ in range(200):
        answer = await probe.get(path)
        if answer.status_code == status:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} gives {answer.status_code}: {answer.text}")


async def test_all_is_well(opened: Callable[..., Any], database: str) -> None:
    async with probed(opened(database)) as probe:
        answers = {path: await probe.get(path) for path in PATHS}
        for answer in answers.values():
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
        assert answers["/livez"].json() == {"is_alive": True, "state": "ready"}
        for path in ("/readyz", "/healthz"):
            told = answers[path].json()
            assert told["is_healthy"] is True
            assert told["state"] == "ready"
            assert told["error"] is None
            assert 0 < told["seconds"] < 1
        assert (
            "text/plain; version=0.0.4" in answers["/metrics"].headers["content-type"]
        )
        assert "\nengineroom_queries_total" in answers["/metrics"].text
        assert answers["/metrics.json"].json()["format"] == 1


async def test_head_is_get_without_a_body(opened: Callable[..., Any]) -> None:
    async with probed(opened("sqlite://:memory:")) as probe:
        for path in PATHS:
            answer = await probe.head(path)
            assert answer.status_code == 200
            assert answer.content == b""
            assert int(answer.headers["content-length"]) > 0


async def test_other_paths_and_methods_are_refused(opened: Callable[..., Any]) -> None:
    async with probed(opened("sqlite://:memory:")) as probe:
        answer = await probe.get("/")
        assert answer.status_code == 404
        assert answer.json()["pages"] == PATHS
        answer = await probe.post("/healthz")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"


async def test_a_database_that_goes_and_comes_back(
    opened: Callable[..., Any], cluster: Cluster
) -> None:
    async with probed(opened(cluster.url())) as probe:
        assert (await probe.get("/readyz")).status_code == 200
        cluster.stop()
        try:
            for path in ("/healthz", "/readyz"):
                answer = await until(probe, path, 503)
                told = answer.json()
                assert told["code"].startswith("ER2")
                assert told["fault"] in ("unreachable", "broken-reply", "timeout")
                assert told["message"]
                assert "hint" in told
                assert "s3cretEngine" not in answer.text
            assert (await probe.get("/livez")).status_code == 200
        finally:
            cluster.start()
        await until(probe, "/healthz", 200)
        assert (await until(probe, "/readyz", 200)).json()["state"] == "ready"


async def test_a_server_that_falls_silent_is_told_of_in_time(
    opened: Callable[..., Any], cluster: Cluster, proxy: Proxy
) -> None:
    url = cluster.url().replace(str(cluster.port), str(proxy.port))
    # Each connection says nothing more after so many messages.
    proxy.cut = Cut(SERVER, messages=60, how="stall")
    async with probed(opened(url, health_seconds=0.5)) as probe:
        for path in ("/healthz", "/readyz"):
            statuses = [await timed(probe, path)]
            while 503 not in statuses:
                statuses.append(await timed(probe, path))
            assert len(statuses) > 1
            await until(probe, path, 200)


async def timed(probe: httpx.AsyncClient, path: str) -> int:
    """Return the status of an answer, which must come soon."""
    began = time.monotonic()
    answer = await probe.get(path)
    assert time.monotonic() - began < 1.0
    if answer.status_code == 503:
        assert answer.json()["fault"] == "timeout"
    return answer.status_code


async def test_readiness_is_asked_for_before_anybody_else_asks(
    opened: Callable[..., Any], database: str
) -> None:
    """Who is sent requests only when he is ready would else never be."""
    async with probed(opened(database, start="first use")) as probe:
        assert (await probe.get("/livez")).json()["state"] == "new"
        assert (await probe.get("/readyz")).json()["state"] == "ready"


async def test_in_a_warm_up_readiness_says_so_at_once_and_health_waits(
    opened: Callable[..., Any], cluster: Cluster, proxy: Proxy
) -> None:
    url = cluster.url().replace(str(cluster.port), str(proxy.port))
    proxy.cut = Cut(SERVER, messages=1, how="stall")
    opening = opened(url, start="background", health_seconds=0.5)
    async with probed(opening) as probe:
        began = time.monotonic()
        answer = await probe.get("/readyz")
        assert time.monotonic() - began < 0.25
        assert answer.status_code == 503
        told = answer.json()
        assert (told["code"], told["fault"]) == ("ER2601", "not-connected")
        assert told["state"] in ("connecting", "warming")
        began = time.monotonic()
        answer = await probe.get("/healthz")
        assert 0.25 < time.monotonic() - began < 1.0
        assert answer.status_code == 503


async def test_a_closed_client_is_told_of(
    opened: Callable[..., Any], database: str
) -> None:
    async with opened(database) as client:
        app = health_app(client)
    async with browser(app) as probe:
        for path in ("/readyz", "/healthz"):
            answer = await probe.get(path)
            assert answer.status_code == 503
            assert answer.json()["fault"] == "not-connected"
            assert answer.json()["state"] == "closed"
        assert (await probe.get("/livez")).status_code == 200


async def test_a_hundred_probes_at_once_are_few_queries(
    opened: Callable[..., Any], database: str
) -> None:
    async with probed(opened(database, health_cache_seconds=1.0)) as probe:
        answers = await asyncio.gather(*(probe.get("/healthz") for _ in range(100)))
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["is_healthy"] for answer in answers} == {True}
        shapes = (await probe.get("/metrics.json")).json()["shapes"]
        assert sum(shape["count"] for shape in shapes) < 10


async def test_threads_that_all_wait_do_not_keep_a_probe_waiting(
    opened: Callable[..., Any], database: str
) -> None:
    """The threads that all share may wait for the very database that is asked after."""
    async with probed(opened(database)) as probe:
        loop = asyncio.get_running_loop()
        done = threading.Event()
        busy = [loop.run_in_executor(None, done.wait, 30) for _ in range(64)]
        try:
            began = time.monotonic()
            assert (await probe.get("/healthz")).status_code == 200
            assert time.monotonic() - began < 2
        finally:
            done.set()
            await asyncio.gather(*busy)


async def test_mounted_in_another_application(opened: Callable[..., Any]) -> None:
    async with opened("sqlite://:memory:") as client:
        app = Starlette(routes=[Mount("/health", health_app(client))])
        async with browser(app) as probe:
            assert (await probe.get("/health/readyz")).status_code == 200
            assert (await probe.get("/health/nothing")).status_code == 404


async def test_a_websocket_is_closed(opened: Callable[..., Any]) -> None:
    async with opened("sqlite://:memory:") as client:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            raise AssertionError("nothing is to be received")

        scope = {"type": "websocket", "path": "/healthz"}
        await health_app(client)(scope, receive, send)
        assert sent == [{"type": "websocket.close"}]


def test_served_by_uvicorn(database: str, caplog: pytest.LogCaptureFixture) -> None:
    before = set(threading.enumerate())
    with engineroom.open(database) as client:
        with served(health_app(client)) as url:
            answer = httpx.get(f"{url}/readyz", trust_env=False)
            assert answer.status_code == 200
            assert answer.json()["is_healthy"] is True
            head = httpx.head(f"{url}/metrics", trust_env=False)
            assert (head.status_code, head.content) == (200, b"")
        assert "Exception" not in caplog.text

        def are_gone() -> bool:
            left = set(threading.enumerate()) - before
            return not any(t.name.startswith("engineroom-health") for t in left)

        wait_until(are_gone, "the application's threads have ended")
