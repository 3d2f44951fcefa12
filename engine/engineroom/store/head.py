"""Heads: signed words on where a journal ends and which pages are right.

A hash in a page tells that a wheel is the one the page means. Only a signed head tells
that the page is the store's, that it is this project's, and that it is not an old one:
it holds the journal's last number, the sha256 of every page, and an expiry. What was
seen before is remembered in a small file, so that a head that was still in time cannot
be shown again to somebody who has seen a later one.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engineroom.errors import (
    HeadRolledBack,
    HeadSwapped,
    KeySetWrong,
    MemoryUnusable,
    PageNotSigned,
    SignatureMissing,
    StoreDamaged,
)
from engineroom.store import keys, pages
from engineroom.store.document import FORMAT, Reader, encode
from engineroom.store.signing import check_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from engineroom.store.signing import Signed
    from engineroom.store.trust import Trust

    Get = Callable[[str], "bytes | None"]

__all__ = [
    "Head",
    "Memory",
    "check_head",
    "check_page",
    "check_root_head",
    "listed_pages",
    "listed_projects",
    "place_of_root",
    "project_head",
    "read_signed_page",
    "root_head",
    "unsigned_part",
]

# A publisher at work is between a page and its head for well under a second; together
# the pauses are three.
_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)

_ADDED_BY_SIGNING = ("time", "expires", "signatures")


@dataclass(frozen=True)
class Head:
    """What a head says whose signature is good.

    Attributes:
        key: where it is in the store.
        number: the last entry of the journal; for the root the number of projects.
        sha256: that entry's hash; for the root that of the names.
        pages: the sha256 of each page by its key.
        signed: who signed, and from when until when that counts.
        projects: the names of all projects; only the root head has them.
    """

    key: str
    number: int
    sha256: str
    pages: Mapping[str, str]
    signed: Signed
    projects: tuple[str, ...] = ()


def project_head(
    store: str, project: str, number: int, sha256: str, page_hashes: Mapping[str, str]
) -> dict[str, Any]:
    """Make the head of a project, as yet unsigned.

    Args:
        store: the store's id.
        project: the project's normalised name.
        number: the last entry of its journal.
        sha256: that entry's hash.
        page_hashes: the sha256 of each of its pages by its key.
    """
    return {
        "format": FORMAT,
        "number": number,
        "pages": _page_items(page_hashes),
        "project": project,
        "sha256": sha256,
        "store": store,
    }


def root_head(
    store: str, projects: Iterable[str], page_hashes: Mapping[str, str]
) -> dict[str, Any]:
    """Make the head of the store, as yet unsigned: the names of all its projects."""
    return {
        "format": FORMAT,
        "pages": _page_items(page_hashes),
        "projects": [{"name": name} for name in sorted(projects)],
        "store": store,
    }


def unsigned_part(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a head says of the store, without what signing it has added."""
    return {n: v for n, v in document.items() if n not in _ADDED_BY_SIGNING}


def listed_pages(document: Reader) -> dict[str, str]:
    """Give the sha256 of each page that a head lists, by its key."""
    hashes = {
        item.text("key"): item.sha256("sha256") for item in document.objects("pages")
    }
    for key in hashes:
        # Some places keep a page also under its folder's name with a `/`.
        if not keys.is_safe(key[:-1] if key.endswith("/") else key):
            raise document.damage(f"`pages` lists {key!r}, which is no page's key")
    return hashes


def listed_projects(document: Reader) -> tuple[str, ...]:
    """Give the names that the store's head lists."""
    return tuple(item.text("name") for item in document.objects("projects"))


def place_of_root(names: Sequence[str]) -> tuple[int, str]:
    """Give what stands in for a journal's number and hash in the store's head."""
    return len(names), hashlib.sha256("\n".join(names).encode()).hexdigest()


def check_head(
    get: Get,
    project: str,
    trust: Trust,
    *,
    now: float,
    memory: Memory | None = None,
) -> Head:
    """Read the head of a project and check all that a head can be wrong in.

    Args:
        get: reads an object of the store by its key; None when it is absent.
        project: the project's normalised name.
        trust: whom to believe.
        now: seconds since 1970.
        memory: what was seen before; the head is noted there when it is good.

    Raises:
        SigningError: of the kind that says what is wrong.
    """
    key = keys.head(project)
    signed = _read_signed(get, key, trust, now)
    document = signed.document
    _expect(document, "project", project)
    number, sha256 = document.integer("number"), document.sha256("sha256")
    head = Head(key, number, sha256, listed_pages(document), signed)
    if memory is not None:
        memory.check(trust, head.key, head.number, head.sha256)
    return head


def check_root_head(
    get: Get, trust: Trust, *, now: float, memory: Memory | None = None
) -> Head:
    """Read the head of the store and check it likewise.

    Projects never leave a store, so their number takes the place of a journal's.
    """
    signed = _read_signed(get, keys.HEAD_ROOT, trust, now)
    names = listed_projects(signed.document)
    hashes = listed_pages(signed.document)
    head = Head(keys.HEAD_ROOT, *place_of_root(names), hashes, signed, names)
    if memory is not None:
        memory.check(trust, head.key, head.number, head.sha256)
    return head


def check_page(head: Head, key: str, data: bytes) -> None:
    """Check that a page is the one that a head vouches for.

    Raises:
        PageNotSigned: it is another.
    """
    found = hashlib.sha256(data).hexdigest()
    if head.pages.get(key) != found:
        raise PageNotSigned(
            key,
            wanted=head.pages.get(key, ""),
            found=found,
            number=head.number,
            page_number=pages.built_from(data),
        )


def read_signed_page(
    read_head: Callable[[], Head],
    read_page: Callable[[], tuple[str, bytes]],
    *,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[Head, bytes]:
    """Read a page and the head that vouches for it.

    A publisher writes pages first and the head after them, so for a moment the two may
    not be of one state. They are then read again, a few times.

    Args:
        read_head: reads and checks the head.
        read_page: reads the page; gives its key and its bytes.
        pause: waits for so many seconds.

    Raises:
        PageNotSigned: they are still not of one state at the last time.
    """
    for seconds in (*_PAUSES_SECONDS, None):
        head = read_head()
        key, data = read_page()
        try:
            check_page(head, key, data)
        except PageNotSigned:
            if seconds is None:
                raise
            pause(seconds)
        else:
            return head, data
    raise AssertionError("the last round returns or raises")


@dataclass
class Memory:
    """The heads and key sets that were seen, in a file that only ever moves on.

    Attributes:
        path: the file; it need not be there yet.
    """

    path: str
    _seen: dict[str, tuple[int, str]] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        self._seen = self._read()

    def check(self, trust: Trust, key: str, number: int, sha256: str) -> None:
        """Hold a head, and the keys it is believed by, against those seen before.

        Without the keys, somebody who has a retired one could hide the set that
        retires it. When nothing is older than before, both are noted.

        Raises:
            HeadRolledBack: the head is older, or another of the same number.
            KeySetWrong: so are the key sets.
        """
        keys_name, found_keys = f"{trust.store}/keys", (trust.number, trust.sha256)
        before_keys = self._seen.get(keys_name)
        if before_keys and _is_before(found_keys, before_keys):
            raise KeySetWrong(
                keys.key_set(max(1, trust.number)),
                f"set {before_keys[0]} ({before_keys[1][:16]}) was seen before, and now"
                f" {found_keys[0]} ({found_keys[1][:16]}) is the last that is trusted",
            )
        name, found = f"{trust.store}/{key}", (number, sha256)
        before = self._seen.get(name)
        if before and _is_before(found, before):
            raise HeadRolledBack(key, before, found)
        self._seen.update({keys_name: found_keys, name: found})

    def save(self) -> None:
        """Write what is remembered; what another process noted meanwhile is kept."""
        for name, found in self._read().items():
            if name not in self._seen or found[0] > self._seen[name][0]:
                self._seen[name] = found
        seen = [
            {"name": name, "number": number, "sha256": sha256}
            for name, (number, sha256) in sorted(self._seen.items())
        ]
        data = encode({"format": FORMAT, "seen": seen})
        folder = os.path.dirname(os.path.abspath(self.path))
        try:
            os.makedirs(folder, exist_ok=True)
            handle, scratch = tempfile.mkstemp(dir=folder, prefix=".engineroom-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(scratch, self.path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(scratch)
                raise
        except OSError as error:
            raise MemoryUnusable(self.path, error.strerror or str(error)) from error

    def _read(self) -> dict[str, tuple[int, str]]:
        try:
            with open(self.path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise MemoryUnusable(self.path, error.strerror or str(error)) from error
        try:
            items = Reader.of_bytes(self.path, data).objects("seen")
            return {
                item.text("name"): (item.integer("number"), item.text("sha256"))
                for item in items
            }
        except StoreDamaged as error:
            raise MemoryUnusable(self.path, error.reason) from error


def _read_signed(get: Get, key: str, trust: Trust, now: float) -> Signed:
    data = get(key)
    if data is None:
        raise SignatureMissing(key, "it is not there")
    signed = check_document(key, data, trust.keys, now=now)
    _expect(signed.document, "store", trust.store)
    return signed


def _expect(document: Reader, name: str, wanted: str) -> None:
    found = document.optional_text(name) or ""
    if found != wanted:
        raise HeadSwapped(document.key, name, wanted, found)


def _page_items(page_hashes: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"key": key, "sha256": sha256} for key, sha256 in sorted(page_hashes.items())
    ]


def _is_before(found: tuple[int, str], before: tuple[int, str]) -> bool:
    return found[0] < before[0] or (found[0] == before[0] and found[1] != before[1])
