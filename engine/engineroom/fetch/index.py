"""Reads the page of a project: PEP 691's JSON or PEP 503's HTML.

Only wheels with a SHA-256 count. The page comes from a stranger: every value is held
against the form that it must have.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from engineroom.errors import SourceNotAnIndex
from engineroom.store.names import NameRefused, WheelName, parse_wheel_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.fetch.source import Page

__all__ = ["Offer", "read_offers"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Offer(NamedTuple):
    """A wheel that a page offers.

    Attributes:
        name: its file name, taken apart.
        url: where it is.
        sha256: the hash that the page promises.
        size_bytes: its size, or None where the page does not say.
    """

    name: WheelName
    url: str
    sha256: str
    size_bytes: int | None


def read_offers(page: Page, shown: str) -> tuple[Offer, ...]:
    """Return the wheels that a page offers; those that were yanked are left out.

    Raises:
        SourceNotAnIndex: the page is none of an index.
    """
    try:
        text = page.data.decode()
    except UnicodeDecodeError as error:
        raise SourceNotAnIndex(shown, f"its page is not UTF-8: {error}") from error
    is_json = page.media_type.endswith("json") or text.lstrip()[:1] == "{"
    try:
        found = _from_json(page.url, text) if is_json else _from_html(page.url, text)
        return tuple(found)
    except (ValueError, RecursionError) as error:
        raise SourceNotAnIndex(shown, f"its page cannot be read: {error}") from error


def _from_json(base: str, text: str) -> Iterator[Offer]:
    value: Any = json.loads(text)
    version = _within(_within(value, "meta", dict), "api-version", str)
    if not version.startswith("1."):
        raise ValueError(f"api-version `{version[:20]}` is not 1.x")
    for item in _within(value, "files", list):
        name = _within(item, "filename", str)
        hashes = _within(item, "hashes", dict)
        size = item.get("size")
        if not item.get("yanked"):
            yield from _offer(
                name,
                urljoin(base, _within(item, "url", str)),
                str(hashes.get("sha256", "")),
                size if isinstance(size, int) and size >= 0 else None,
            )


def _within(value: Any, key: str, kind: type[Any]) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"what should hold `{key}` is no object")
    mapping = cast("dict[str, Any]", value)
    if not isinstance(mapping.get(key), kind):
        raise ValueError(f"`{key}` is missing or no {kind.__name__}")
    return mapping[key]


class _Links(HTMLParser):
    """Collects the links of a page."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.links: list[str] = []
        self.is_page = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_page = True
        values = dict(attrs)
        target = values.get("href")
        if target and tag == "base":
            self.base = urljoin(self.base, target)
        elif target and tag == "a" and "data-yanked" not in values:
            self.links.append(urljoin(self.base, target))


def _from_html(base: str, text: str) -> Iterator[Offer]:
    parser = _Links(base)
    parser.feed(text)
    parser.close()
    if not parser.is_page:
        raise ValueError("it is neither HTML nor JSON")
    for link in parser.links:
        url, fragment = urldefrag(link)
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        algorithm, _, value = fragment.partition("=")
        yield from _offer(name, url, value if algorithm == "sha256" else "", None)


def _offer(name: str, url: str, sha256: str, size: int | None) -> Iterator[Offer]:
    try:
        parsed = parse_wheel_name(name)
    except NameRefused:  # an sdist, or a name that no store of ours publishes
        return
    if _SHA256.fullmatch(sha256):
        yield Offer(parsed, url, sha256, size)
