"""A web application that tells a client's health: ASGI 3, written by hand.

    app = engineroom.health.health_app(client)

It takes a client of either face. `/livez` says that the process lives, and never asks
the database; `/healthz` asks, and waits in a warm-up as long as any check may take;
`/readyz` asks too, but says at once that a warm-up is going on. `/metrics` and
`/metrics.json` tell what was measured.

However many probes come at once, the client asks once for all of them. A blocking
client is asked on threads of the application's own, because those that all share may be
just the ones that wait for the database.
"""

from __future__ import annotations

from engineroom import errors
from engineroom.health.value import Health, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any, Protocol, Union

    from engineroom.metrics import Metrics

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Content = Union[str, dict[str, Any]]
    Answer = tuple[int, Content]

    class State(Protocol):
        """The state of a client."""

        @property
        def name(self) -> str:
            """The word for it."""
            ...

        @property
        def cause(self) -> errors.Error | None:
            """What led to it."""
            ...

    class Client(Protocol):
        """What both faces of a client have."""

        @property
        def state(self) -> State:
            """Where it is in its life."""
            ...

        @property
        def metrics(self) -> Metrics:
            """What was counted."""
            ...

        def snapshot(self) -> dict[str, Any]:
            """What was counted, for JSON."""
            ...

        def health(self) -> Health | Awaitable[Health]:
            """Ask whether it works."""
            ...


__all__ = ["HealthApp", "health_app"]

_PAGES = ("/livez", "/readyz", "/healthz", "/metrics", "/metrics.json")
# So that a probe need not wait for one that came a moment before it.
_THREADS = 4


def health_app(client: Client) -> HealthApp:
    """Return the application for a client, to be served or mounted.

    The client stays its owner's, who closes it.
    """
    return HealthApp(client)


class HealthApp:
    """See `health_app()`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._threads: ThreadPoolExecutor | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await _respond(scope, send, *await self._answer(scope))
        else:
            await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            what = (await receive())["type"]
            if what == "lifespan.shutdown" and self._threads is not None:
                self._threads.shutdown(wait=False)
                self._threads = None
            await send({"type": f"{what}.complete"})
            if what == "lifespan.shutdown":
                return

    async def _answer(self, scope: Scope) -> Answer:
        # Where the application is mounted, the path has the mount's before it.
        path, root = scope["path"], scope.get("root_path", "")
        if root and path.startswith(root + "/"):
            path = path[len(root) :]
        if path not in _PAGES:
            return 404, {"message": "There is no such page", "pages": [*_PAGES]}
        if scope["method"] not in ("GET", "HEAD"):
            return 405, {"message": "Only GET and HEAD are served"}
        if path == "/livez":
            # A process that can say so is alive, whatever became of its database: to
            # start it anew would mend nothing, and cut off what it still does.
            return 200, {"is_alive": True, "state": self._client.state.name}
        if path == "/metrics":
            from engineroom.metrics import prometheus

            return 200, prometheus(self._client.metrics)
        if path == "/metrics.json":
            return 200, self._client.snapshot()
        state = self._client.state
        if path == "/readyz" and state.name in ("connecting", "warming"):
            problem = Problem(state.cause or errors.NotConnected(state.name))
            return 503, {**problem.as_dict(), "state": state.name}
        # In every other state it is asked, and mends itself by that: who is sent no
        # requests before he is ready would else never be.
        return _told(await self._ask())

    async def _ask(self) -> Health:
        import asyncio
        import inspect

        health: Callable[[], Any] = self._client.health
        answer: Awaitable[Health]
        if inspect.iscoroutinefunction(health):
            answer = health()
        else:
            loop = asyncio.get_running_loop()
            answer = loop.run_in_executor(self._own_threads(), health)
        return await answer

    def _own_threads(self) -> ThreadPoolExecutor:
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(_THREADS, "engineroom-health")
        return self._threads


def _told(health: Health) -> Answer:
    told = health.as_dict()
    if health.error is None:
        return 200, told
    del told["error"]
    return 503, {**health.error.as_dict(), **told}


async def _respond(scope: Scope, send: Send, status: int, content: Content) -> None:
    kind, body = _encoded(content)
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    if scope["method"] == "HEAD":
        body = b""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _encoded(content: Content) -> tuple[str, bytes]:
    if isinstance(content, str):
        from engineroom.metrics import CONTENT_TYPE

        return CONTENT_TYPE, content.encode()
    import json

    return "application/json", json.dumps(content).encode()
