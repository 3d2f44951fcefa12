"""The pages for people: what is here, what fits which system, how to install it.

What is shown is read from the stored JSON pages, so people see what installers see.
Templates escape everything they are given, and links are made here from parts that were
checked: no project can put markup or an address of its own into a page.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections import OrderedDict
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlsplit

import anyio
from anyio import to_thread
from jinja2 import Environment, PackageLoader, StrictUndefined

from engineroom.errors import StoreDamaged
from engineroom.store import keys
from engineroom.store.names import version_key
from engineroom.store.serve.access import USER
from engineroom.store.serve.cache import PageTooBig
from engineroom.store.serve.fits import TARGETS, fits, platform_words, target_words
from engineroom.store.serve.listing import read_listing, read_names
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from email.message import Message

    from engineroom.platforms.target import Target
    from engineroom.store.serve.cache import Page, PageCache
    from engineroom.store.serve.listing import Listing, Release, ShownWheel

__all__ = ["Browser", "Card", "Summary"]

_Item = TypeVar("_Item")

log = logging.getLogger("engineroom.store.serve")

_PROJECTS_A_PAGE = 50
_RELEASES_A_PAGE = 100

_CARDS_MAX = 4096
_LISTING_WHEELS_MAX = 20_000
_QUERY_CHARACTERS_MAX = 100
_TEXT_CHARACTERS_MAX = 20_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Card:
    """A project in one line."""

    name: str
    version: str = ""
    upload_time: str = ""
    releases: int = 0
    wheels: int = 0
    status: str = "active"


@dataclass(frozen=True)
class Summary:
    """What a wheel's METADATA says that people want to read."""

    text: str = ""
    licence: str = ""
    requires: tuple[str, ...] = ()
    description: str = ""


class _Kept(Generic[_Item]):
    """What was made of pages, by name, for as long as the pages stay the same.

    Args:
        weight_max: how much is kept; what was not asked for longest goes first.
        weigh: how much one weighs.
    """

    def __init__(self, weight_max: int, weigh: Callable[[_Item], int]) -> None:
        self._weight_max = weight_max
        self._weigh = weigh
        self._weight = 0
        self._items: OrderedDict[str, tuple[str, _Item]] = OrderedDict()

    def find(self, name: str, sha256: str) -> _Item | None:
        """Give what was made of a page of this hash."""
        known = self._items.get(name)
        if known is None or known[0] != sha256:
            return None
        self._items.move_to_end(name)
        return known[1]

    def keep(self, name: str, sha256: str, item: _Item) -> None:
        """Keep what was made of a page, in place of what was made of one before."""
        self._drop(name)
        self._items[name] = (sha256, item)
        self._weight += self._weigh(item)
        while self._weight > self._weight_max:
            self._drop(next(iter(self._items)))

    def _drop(self, name: str) -> None:
        if name in self._items:
            self._weight -= self._weigh(self._items.pop(name)[1])


class Browser:
    """Makes the pages for people from the pages for installers.

    Args:
        pages: where those come from.
        needs_token: whether installers must be given a token.
    """

    def __init__(self, pages: PageCache, *, needs_token: bool) -> None:
        self._pages = pages
        self._needs_token = needs_token
        self._cards: _Kept[Card] = _Kept(_CARDS_MAX, lambda _: 1)
        self._listings: _Kept[Listing] = _Kept(_LISTING_WHEELS_MAX, _wheel_count)
        self._names: tuple[str, tuple[str, ...]] = ("", ())
        # One page at a time is taken apart: it holds the interpreter's lock, which the
        # requests of installers need too.
        self._reading = anyio.Lock()
        self._templates = Environment(
            loader=PackageLoader("engineroom.store.serve", "page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            platform_words=platform_words,
            size_words=_size_words,
            target_words=target_words,
        )

    async def projects(self, query: str, number: int) -> str:
        """Make the page of all projects, or of those whose name holds a text."""
        names = await self._all_names()
        text = _normalise_text(query)
        found = [name for name in names if text in name]
        shown, pages = _slice(found, number, _PROJECTS_A_PAGE)
        cards = await asyncio.gather(*(self._card(name) for name in shown))
        return await self._render(
            "projects.html",
            up="",
            query=query[:_QUERY_CHARACTERS_MAX],
            cards=cards,
            found=len(found),
            total=len(names),
            number=min(max(number, 1), pages),
            pages=pages,
        )

    async def project(
        self, name: str, version: str | None, base_url: str, number: int
    ) -> str | None:
        """Make the page of a project at one of its versions; None when it has none.

        Args:
            name: the project's normalised name.
            version: one version, or None for the one that installers take.
            base_url: the address that readers use for this server.
            number: which part of the list of versions, from 1.
        """
        up = "../../" if version is None else "../../../"
        try:
            listing = await self._listing(name)
        except PageTooBig:
            return await self._render("too_big.html", up=up, name=name)
        if listing is None:
            return None
        release = listing.newest
        if version is not None:
            release = _release_of(listing, version)
            if release is None:
                return None
        summary = Summary() if release is None else await self._summary(release)
        releases, pages = _slice(listing.releases, number, _RELEASES_A_PAGE)
        return await self._render(
            "project.html",
            up=up,
            listing=listing,
            release=release,
            is_newest=release is listing.newest,
            summary=summary,
            rows=[] if release is None else _rows(release),
            releases=releases,
            number=min(max(number, 1), pages),
            pages=pages,
            lines=_install_lines(
                listing, release, f"{base_url}simple/", needs_token=self._needs_token
            ),
        )

    async def missing(self, up: str) -> str:
        """Make the page that says there is nothing at an address."""
        return await self._render("missing.html", up=up)

    async def _render(self, template: str, **values: object) -> str:
        page = self._templates.get_template(template)
        tool = f"engineroom {__version__}"
        return await to_thread.run_sync(lambda: page.render(values, tool=tool))

    async def _all_names(self) -> tuple[str, ...]:
        page = await self._pages.find(keys.JSON_ROOT)
        if page is None:
            return ()
        if self._names[0] != page.sha256:
            async with self._reading:
                names = await to_thread.run_sync(read_names, page.data)
            self._names = (page.sha256, names)
        return self._names[1]

    async def _card(self, name: str) -> Card:
        """Give a project's line; what cannot be read hides no other project's."""
        try:
            page = await self._pages.find(keys.json_page(name))
            if page is not None:
                card = self._cards.find(name, page.sha256)
                if card is None:
                    card = _card_of(await self._read(name, page))
                    self._cards.keep(name, page.sha256, card)
                return card
        except (PageTooBig, StoreDamaged) as error:
            log.warning("no line for project %s: %s", name, error)
        return Card(name)

    async def _listing(self, name: str) -> Listing | None:
        page = await self._pages.find(keys.json_page(name))
        if page is None:
            return None
        listing = self._listings.find(name, page.sha256)
        if listing is None:
            listing = await self._read(name, page)
            self._listings.keep(name, page.sha256, listing)
        return listing

    async def _read(self, name: str, page: Page) -> Listing:
        async with self._reading:
            return await to_thread.run_sync(read_listing, name, page.data)

    async def _summary(self, release: Release) -> Summary:
        wheel = release.wheels[0]
        try:
            page = await self._pages.find(keys.metadata(wheel.sha256, wheel.name))
        except PageTooBig:
            page = None
        if page is None:
            return Summary()
        return await to_thread.run_sync(_read_summary, page.data)


def _normalise_text(query: str) -> str:
    """Spell a text that is searched for as project names are spelled."""
    text = query[:_QUERY_CHARACTERS_MAX].strip().lower()
    return text.replace("_", "-").replace(".", "-").replace(" ", "-")


def _read_summary(data: bytes) -> Summary:
    message: Message = HeaderParser().parsestr(data.decode("utf-8", "replace"))

    def field(name: str) -> str:
        value = message.get(name)
        return "" if value is None else str(value)[:_TEXT_CHARACTERS_MAX]

    body = message.get_payload()
    return Summary(
        text=field("Summary"),
        licence=field("License-Expression") or field("License").partition("\n")[0],
        requires=tuple(str(item) for item in message.get_all("Requires-Dist") or ()),
        description=body[:_TEXT_CHARACTERS_MAX].strip()
        if isinstance(body, str)
        else "",
    )


def _card_of(listing: Listing) -> Card:
    newest = listing.newest
    return Card(
        name=listing.name,
        version=newest.version if newest else "",
        upload_time=newest.upload_time if newest else "",
        releases=len(listing.releases),
        wheels=_wheel_count(listing),
        status=listing.status,
    )


def _wheel_count(listing: Listing) -> int:
    return sum(len(release.wheels) for release in listing.releases)


def _release_of(listing: Listing, version: str) -> Release | None:
    wanted = version_key(version)
    found = (r for r in listing.releases if version_key(r.version) == wanted)
    return next(found, None)


def _rows(release: Release) -> list[tuple[Target, ShownWheel | None]]:
    """Give each target with the wheel that an installer takes for it."""
    # One for a narrower set of systems is preferred to one for all.
    wheels = sorted(release.wheels, key=lambda wheel: "any" in wheel.platforms)
    return [
        (target, next((w for w in wheels if fits(w.platforms, target)), None))
        for target in TARGETS
    ]


def _install_lines(
    listing: Listing, release: Release | None, index: str, *, needs_token: bool
) -> tuple[str, ...]:
    if release is None:
        return ()
    what = listing.name
    if release is not listing.newest or release.is_preview or release.is_yanked:
        what = f"{what}=={release.version}"
    parts = urlsplit(index)
    host = parts.hostname or ""
    # pip takes plain http from this machine only, unless the host is named.
    is_trusted = parts.scheme == "https" or host in _LOOPBACK
    trust = "" if is_trusted else f" --trusted-host {shlex.quote(host)}"
    if needs_token:
        index = f"{parts.scheme}://{USER}:TOKEN@{parts.netloc}{parts.path}"
    index, what = shlex.quote(index), shlex.quote(what)
    return (
        f"pip install --index-url {index}{trust} {what}",
        f"uv pip install --default-index {index} {what}",
    )


def _slice(
    items: Sequence[_Item], number: int, length: int
) -> tuple[Sequence[_Item], int]:
    """Give one part of a list, and how many parts there are."""
    pages = max(-(-len(items) // length), 1)
    start = (min(max(number, 1), pages) - 1) * length
    return items[start : start + length], pages


def _size_words(size_bytes: int) -> str:
    """Say a size as people do, in powers of 1000 as disks and downloads are sold."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
