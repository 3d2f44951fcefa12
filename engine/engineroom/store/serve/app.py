"""The application: one request in, one answer out, as ASGI has it.

The way of a request: its method, its path (route.py), its token (access.py), then the
thing it asks for. Whatever fails on the store's side becomes a 503, which installers
try again, and the reason goes to the log, never to the reader.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from engineroom.errors import StoreError
from engineroom.store import keys
from engineroom.store.media import content_headers
from engineroom.store.serve import conditions, route
from engineroom.store.serve.access import CHALLENGES
from engineroom.store.serve.answer import (
    SECURITY_HEADERS,
    BytesAnswer,
    FileAnswer,
    text_answer,
)
from engineroom.store.serve.browse import Browser
from engineroom.store.serve.cache import PageCache, PageTooBig
from engineroom.store.serve.negotiate import FORMS, choose_form, takes_gzip

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Message, Receive, Scope, Send

    from engineroom.store.serve.access import Access
    from engineroom.store.serve.cache import Page
    from engineroom.store.transport import Transport

__all__ = ["App"]

log = logging.getLogger("engineroom.store.serve")

_METHODS = ("GET", "HEAD")
_GZIP_FROM_BYTES = 1024
_LINK_SECONDS = 900
_YEAR = "max-age=31536000, immutable"
_JSON_INDEX = tuple(form for form in FORMS if form.is_json)
_FILE_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)


class App:
    """Serves one store, read-only.

    Args:
        transport: where the store is.
        access: who may read.
        redirects: whether wheels are fetched from the store's place itself, by an
            address that it signs for a while.
        public_url: the address that readers use, where a proxy stands before this.
    """

    def __init__(
        self,
        transport: Transport,
        access: Access,
        *,
        redirects: bool = False,
        public_url: str | None = None,
    ) -> None:
        self._transport = transport
        self._access = access
        self._redirects = redirects
        self._public_url = public_url
        self._pages = PageCache(transport)
        self._browser = Browser(self._pages, needs_token=not access.is_open)
        # A shared cache must not give to everybody what one reader had a token for.
        self._sharing = "public" if access.is_open else "private"
        self._revalidated = "no-cache" if access.is_open else "private, no-cache"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and write one line about it."""
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        request = Request(scope, receive)
        started = time.perf_counter()
        status, sent_bytes = 0, 0

        async def watched(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            answer = await self._answer(request)
            await answer(scope, receive, watched)
        except Exception:
            log.exception("failed: %s %s", request.method, _shown(scope["raw_path"]))
            if not status:
                await text_answer(500, "Internal error.")(scope, receive, watched)
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            level = logging.WARNING if status >= 500 or not status else logging.INFO
            log.log(
                level,
                "%s %s %s %d %d %.1f ms",
                request.client.host if request.client else "-",
                request.method,
                _shown(scope["raw_path"]),
                status,
                0 if request.method == "HEAD" else sent_bytes,
                milliseconds,
            )

    async def _answer(self, request: Request) -> Response:
        if request.method not in _METHODS:
            text = "This server is read-only."
            return text_answer(405, text, {"allow": ", ".join(_METHODS)})
        raw_path: bytes = request.scope["raw_path"]
        if len(raw_path) > route.PATH_BYTES_MAX:
            return text_answer(414, "No address here is as long as that.")
        try:
            found = route.find_route(raw_path)
        except route.PathMalformed as error:
            return text_answer(400, f"The path cannot be read: {error}.")
        try:
            return await self._answer_route(request, found)
        except StoreError as error:
            log.error("%s: %s", error.code, error.message)
            text = "The store cannot be read at the moment."
            return text_answer(503, text, {"retry-after": "5"})

    async def _answer_route(
        self, request: Request, found: route.Route | None
    ) -> Response:
        if isinstance(found, route.Word) and found.name in ("healthz", "readyz"):
            return await self._answer_probe(found.name)
        if not self._access.admits(request.headers.get("authorization")):
            answer = text_answer(401, "A token is needed to read this store.")
            for challenge in CHALLENGES:
                answer.headers.append("www-authenticate", challenge)
            return answer
        if isinstance(found, route.Index):
            return await self._answer_index(request, found)
        if isinstance(found, route.Blob):
            return await self._answer_blob(request, found)
        if isinstance(found, route.Record):
            return await self._answer_record(request, found)
        if isinstance(found, route.People):
            return await self._answer_people(request, found)
        if isinstance(found, route.Word):
            return await self._answer_file(request, found.name)
        if isinstance(found, route.Moved):
            return _moved(request, found)
        return _missing()

    async def _answer_probe(self, name: str) -> Response:
        if name == "healthz":
            return text_answer(200, "alive")
        if await self._pages.find(keys.IDENTITY) is None:
            return text_answer(503, "There is no store.", {"retry-after": "5"})
        return text_answer(200, "ready")

    async def _answer_people(self, request: Request, found: route.People) -> Response:
        query = request.query_params
        number = int(query["page"]) if _NUMBER.fullmatch(query.get("page", "")) else 1
        if found.project is None:
            text = await self._browser.projects(query.get("q", ""), number)
            return self._page_for_people(200, text)
        page = await self._browser.project(
            found.project, found.version, self._base_url(request), number
        )
        if page is not None:
            return self._page_for_people(200, page)
        up = "../../" if found.version is None else "../../../"
        return self._page_for_people(404, await self._browser.missing(up))

    def _page_for_people(self, status: int, text: str) -> Response:
        headers = {"cache-control": self._revalidated}
        return BytesAnswer(text, status, headers, media_type="text/html")

    def _base_url(self, request: Request) -> str:
        """Give the address that the reader uses for this server; ends in `/`."""
        if self._public_url is not None:
            return self._public_url
        host = request.headers.get("host", "")
        if not _HOST.fullmatch(host):
            name, port = request.scope["server"]
            host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        return f"http://{host}/"

    async def _answer_file(self, request: Request, name: str) -> Response:
        """Answer with one of the files that come with the server."""
        path = Path(__file__).with_name("page") / name
        data = await to_thread.run_sync(path.read_bytes)
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers = {
            "cache-control": self._revalidated,
            "content-type": _FILE_TYPES[path.suffix],
            "etag": tag,
        }
        if conditions.is_known(request.headers.get("if-none-match"), tag):
            return _not_modified(headers)
        return BytesAnswer(data, 200, headers)

    async def _answer_index(self, request: Request, found: route.Index) -> Response:
        forms = _JSON_INDEX if found.is_json_only else FORMS
        accept = request.headers.get("accept")
        form = choose_form(accept, request.query_params.get("format"), forms)
        if form is None:
            offered = ", ".join(form.media_type for form in forms)
            return text_answer(406, f"This page is there as {offered}.")
        key = found.json_key if form.is_json else found.html_key
        headers = {"content-type": form.content_type, "vary": "accept, accept-encoding"}
        return await self._answer_page(request, key, headers, form.mark)

    async def _answer_record(self, request: Request, found: route.Record) -> Response:
        content_type, _ = content_headers(found.key)
        headers = {"content-type": content_type, "vary": "accept-encoding"}
        if found.is_final:
            headers["cache-control"] = f"{self._sharing}, {_YEAR}"
        # Of two servers one must not show an older head than the other has shown: who
        # checks signatures would take it for an attack.
        is_head = found.key.startswith((keys.HEADS, keys.HEAD_ROOT))
        return await self._answer_page(request, found.key, headers, is_fresh=is_head)

    async def _answer_page(
        self,
        request: Request,
        key: str,
        headers: dict[str, str],
        mark: str = "",
        *,
        is_fresh: bool = False,
    ) -> Response:
        """Answer with an object that fits into memory; `mark` is its form's."""
        headers.setdefault("cache-control", self._revalidated)
        try:
            page = await self._pages.find(key, is_fresh=is_fresh)
        except PageTooBig as big:
            return await self._answer_big_page(request, key, big.size_bytes, headers)
        if page is None:
            return _missing()
        body, coding = await self._body(request, page)
        tag = f'"{page.sha256[:32]}-{mark}{coding[:1]}"'
        headers["etag"] = tag
        if conditions.is_known(request.headers.get("if-none-match"), tag):
            return _not_modified(headers)
        if coding:
            headers["content-encoding"] = coding
        return BytesAnswer(body, 200, headers)

    async def _body(self, request: Request, page: Page) -> tuple[bytes, str]:
        """Choose between a page's bytes and their compressed form."""
        is_worth_it = len(page.data) >= _GZIP_FROM_BYTES
        if is_worth_it and takes_gzip(request.headers.get("accept-encoding")):
            return await self._pages.compressed(page), "gzip"
        return page.data, ""

    async def _answer_big_page(
        self, request: Request, key: str, size_bytes: int, headers: dict[str, str]
    ) -> Response:
        """Send a page that is not kept in memory, as it is and without a tag."""
        if request.method == "HEAD":
            return BytesAnswer(b"", 200, {**headers, "content-length": str(size_bytes)})
        file = await to_thread.run_sync(self._transport.open, key)
        return (
            _missing() if file is None else FileAnswer(file, size_bytes, 200, headers)
        )

    async def _answer_blob(self, request: Request, found: route.Blob) -> Response:
        headers = {
            "accept-ranges": "bytes",
            "cache-control": f"{self._sharing}, {_YEAR}",
            "content-type": content_headers(found.key)[0],
            "etag": found.tag,
        }
        if conditions.is_known(request.headers.get("if-none-match"), found.tag):
            return _not_modified(headers)
        # An address that is signed for GET answers no HEAD.
        if self._redirects and request.method == "GET":
            return await self._answer_elsewhere(found.key)
        return await to_thread.run_sync(self._open_blob, request, found, headers)

    async def _answer_elsewhere(self, key: str) -> Response:
        link = await to_thread.run_sync(
            lambda: self._transport.link(key, seconds=_LINK_SECONDS)
        )
        if link is None:
            return _missing()
        headers = {"cache-control": "no-store", "location": link}
        return text_answer(302, "The file is elsewhere.", headers)

    def _open_blob(
        self, request: Request, found: route.Blob, headers: dict[str, str]
    ) -> Response:
        """Open a blob, or the part of it that is asked for; called in a thread."""
        size_bytes = self._transport.size(found.key)
        if size_bytes is None:
            return _missing()
        if request.method == "HEAD":
            length = {"content-length": str(size_bytes)}
            return BytesAnswer(b"", 200, {**headers, **length})
        try:
            part = _part(request, found.tag, size_bytes)
        except conditions.Unsatisfiable:
            text = "The file ends before that range."
            return text_answer(416, text, {"content-range": f"bytes */{size_bytes}"})
        status, (start, stop) = 200, part or (0, size_bytes)
        if part is not None:
            status = 206
            headers["content-range"] = f"bytes {start}-{stop - 1}/{size_bytes}"
        file = self._transport.open(found.key, start=start, stop=stop)
        if file is None:
            return _missing()
        return FileAnswer(file, stop - start, status, headers)


def _part(request: Request, tag: str, size_bytes: int) -> tuple[int, int] | None:
    if not conditions.is_still(request.headers.get("if-range"), tag):
        return None
    return conditions.parse_range(request.headers.get("range"), size_bytes)


def _missing() -> Response:
    return text_answer(404, "There is no such thing in this store.")


def _moved(request: Request, found: route.Moved) -> Response:
    location = found.location
    asked = request.query_params.get("format")
    if asked is not None:
        location = f"{location}?format={quote(asked, safe='')}"
    return text_answer(301, f"Moved to {location}", {"location": location})


def _not_modified(headers: dict[str, str]) -> Response:
    kept = {k: v for k, v in headers.items() if k != "content-type"}
    return BytesAnswer(b"", 304, kept)


def _shown(raw_path: bytes) -> str:
    """Give a path as it may stand in a log: no controls, and of bounded length."""
    text = raw_path[: route.PATH_BYTES_MAX].decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
