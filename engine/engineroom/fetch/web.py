"""An index on the web, over urllib, and what goes wrong there by kind.

The proxies of the environment are honoured, because urllib does so. Credentials go
only to the origin that they were given for, and nothing leads from https to http.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    Request,
    build_opener,
    getproxies,
    proxy_bypass,
)

from engineroom.errors import (
    DownloadTruncated,
    SourceFailed,
    SourceForbidden,
    SourceNotAnIndex,
    SourceNotFound,
    SourceProxyFailed,
    SourceServerFailed,
    SourceTimedOut,
    SourceTlsFailed,
    SourceUnreachable,
)
from engineroom.fetch.address import (
    authorization_of,
    origin,
    shown,
    split_index,
    without_credentials,
)
from engineroom.fetch.source import PAGE_BYTES_MAX, Body, Page
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["WebSource"]

_ACCEPT = (
    "application/vnd.pypi.simple.v1+json,"
    " application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
_STATUS_KINDS: dict[int, type[SourceFailed]] = {
    401: SourceForbidden,
    403: SourceForbidden,
    404: SourceNotFound,
    407: SourceProxyFailed,
    410: SourceNotFound,
}


class _RedirectRefused(Exception):
    """A redirect led where it must not."""


class _Redirects(HTTPRedirectHandler):
    """Follows redirects, with credentials only within the origin."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new not in ("http", "https") or (old, new) == ("https", "http"):
            raise _RedirectRefused(f"it redirects from {old} to {shown(newurl)}")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and origin(req.full_url) == origin(newurl):
            request.unredirected_hdrs.update(req.unredirected_hdrs)
        return request


class WebSource:
    """An index of wheels on the web, PEP 503 or PEP 691.

    Args:
        address: the address that installers take, with credentials if need be.
        timeout_seconds: how long a silence is borne.
    """

    is_local = False

    def __init__(self, address: str, *, timeout_seconds: float) -> None:
        self._root = without_credentials(address).rstrip("/") + "/"
        self._store, self.place = split_index(self._root)
        self._authorization = authorization_of(address)
        self._timeout_seconds = timeout_seconds
        self._opener = build_opener(_Redirects())

    @property
    def shown(self) -> str:
        """The address without credentials."""
        return shown(self._root)

    def page(self, project: str) -> Page:
        """Ask for the page of a project."""
        url = f"{self._root}{quote(project)}/"
        return self._whole(url)

    def read(self, key: str) -> bytes | None:
        """Ask for a small object of the store."""
        try:
            return self._whole(f"{self._store}{quote(key)}").data
        except SourceNotFound:
            return None

    @contextmanager
    def open(self, url: str) -> Generator[Body, None, None]:
        """Ask for what a page points to."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise SourceNotAnIndex(self.shown, f"its page points to `{shown(url)}`")
        with self._answer(url) as (_, body):
            yield body

    def _whole(self, url: str) -> Page:
        with self._answer(url) as (answer, body):
            data = b"".join(iter(lambda: body.read(1 << 16), b""))
            if body.size_bytes is not None and len(data) < body.size_bytes:
                raise DownloadTruncated(shown(url), body.size_bytes, len(data))
            if len(data) > PAGE_BYTES_MAX:
                raise SourceNotAnIndex(shown(url), f"its page has {len(data)} bytes")
            return Page(answer.url, answer.headers.get_content_type(), data)

    @contextmanager
    def _answer(self, url: str) -> Generator[tuple[Any, Body], None, None]:
        headers = {
            "Accept": f"{_ACCEPT}, */*;q=0.05",
            "Accept-Encoding": "identity",
            "User-Agent": f"engineroom/{__version__}",
        }
        request = Request(without_credentials(url), headers=headers)  # noqa: S310 - checked
        if self._authorization and origin(url) == origin(self._root):
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as answer:
                length = str(answer.headers.get("Content-Length", ""))
                size = int(length) if length.isascii() and length.isdigit() else None
                yield answer, Body(answer.read, size)
        except HTTPError as error:
            with error:
                failure = _by_status(url, error)
            raise failure from None
        except http.client.IncompleteRead as error:
            raise DownloadTruncated(shown(url), 0, len(error.partial)) from None
        except _RedirectRefused as error:
            raise SourceUnreachable(shown(url), str(error)) from None
        except (OSError, http.client.HTTPException) as error:
            raise _by_cause(url, error) from None


def _by_status(url: str, error: HTTPError) -> SourceFailed:
    """Turn a status into the kind of failure it is."""
    proxy = _proxy_of(url)
    through = f", through the proxy {proxy}" if proxy else ""
    reason = f"the server answered {error.code} {error.reason}{through}"
    kind = _STATUS_KINDS.get(error.code, SourceNotAnIndex)
    return (SourceServerFailed if error.code >= 500 else kind)(shown(url), reason)


def _by_cause(url: str, error: Exception) -> SourceFailed:
    """Turn what urllib and sockets raise into the kind of failure it is."""
    cause = error.reason if isinstance(error, URLError) else error
    proxy = _proxy_of(url)
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    if isinstance(cause, (socket.timeout, TimeoutError)):
        return SourceTimedOut(shown(url), "no answer came in time")
    if isinstance(cause, ssl.SSLError):
        detail = getattr(cause, "verify_message", "") or cause.reason or text
        return SourceTlsFailed(shown(url), f"TLS failed: {detail}")
    # http.client has no class for a proxy that refuses a tunnel, only these words.
    if "Tunnel connection failed" in str(cause):
        return SourceProxyFailed(shown(url), f"the proxy {proxy} answered: {cause}")
    if proxy and not isinstance(cause, ConnectionResetError):
        return SourceProxyFailed(
            shown(url), f"the proxy {proxy} cannot be reached: {text}"
        )
    return SourceUnreachable(shown(url), f"there is no connection: {text}")


def _proxy_of(url: str) -> str:
    """Return the proxy that urllib uses for an address, as it may be shown."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    return shown(proxy if "://" in proxy else f"http://{proxy}")
