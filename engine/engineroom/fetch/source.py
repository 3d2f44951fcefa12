"""Sources of wheels: a folder that holds a store or an index, or an index on the web.

Each gives the page of one project and opens what the page points to. Which of several
is asked, and what the bytes are worth, is decided elsewhere.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from engineroom.errors import (
    SourceAddressInvalid,
    SourceFailed,
    SourceNotAnIndex,
    SourceNotFound,
)
from engineroom.fetch.address import shown, split_index

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager
    from typing import Callable

__all__ = ["PAGE_BYTES_MAX", "Body", "FolderSource", "Page", "Source", "open_source"]

PAGE_BYTES_MAX = 64 << 20


class Page(NamedTuple):
    """The page of a project, as it came.

    Attributes:
        url: where it came from in the end; what it points to is relative to that.
        media_type: what the source calls it; empty where it does not say.
        data: its bytes.
    """

    url: str
    media_type: str
    data: bytes


class Body(NamedTuple):
    """Bytes on their way.

    Attributes:
        read: gives the next bytes, at most so many; none at the end.
        size_bytes: how many there are in all, or None where that is not said.
    """

    read: Callable[[int], bytes]
    size_bytes: int | None


class Source(Protocol):
    """A place that offers wheels."""

    @property
    def shown(self) -> str:
        """Its address as it may be shown."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether it can be read without a network."""
        ...

    def page(self, project: str) -> Page:
        """Read the page of a project."""
        ...

    def open(self, url: str) -> AbstractContextManager[Body]:
        """Open what a page points to."""
        ...

    @property
    def place(self) -> str:
        """Where in its store the index is: empty, or `channels/NAME/`."""
        ...

    def read(self, key: str) -> bytes | None:
        """Read a small object of the store; None when it is absent."""
        ...


def open_source(address: str, *, timeout_seconds: float = 30.0) -> Source:
    """Return the source of this address; nothing is read yet.

    Args:
        address: a folder, or a `file://`, `http://` or `https://` address.
        timeout_seconds: how long a silence of the web is borne.

    Raises:
        SourceAddressInvalid: it is none of these.
    """
    if not address or not address.isprintable():
        raise SourceAddressInvalid("", "it is empty or has control characters in it")
    if "://" not in address:
        return FolderSource(os.path.abspath(os.path.expanduser(address)))
    try:
        parts = urlsplit(address)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise SourceAddressInvalid(shown(address), str(error)) from None
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
            raise SourceAddressInvalid(
                shown(address), "a file address has a path and nothing else"
            )
        return FolderSource(url2pathname(parts.path))
    if parts.scheme not in ("http", "https"):
        raise SourceAddressInvalid(
            shown(address), f"`{parts.scheme}://` is no kind of source"
        )
    if not is_whole or parts.query or parts.fragment:
        raise SourceAddressInvalid(
            shown(address), "an index has a host and a path, no query or fragment"
        )
    from engineroom.fetch.web import WebSource

    return WebSource(address, timeout_seconds=timeout_seconds)


class FolderSource:
    """A folder that holds a store, or pages as a store writes them."""

    is_local = True

    def __init__(self, root: str) -> None:
        self._root = root
        split = split_index(root.replace(os.sep, "/"))
        is_store = os.path.isdir(os.path.join(root, "simple"))
        self._store, self.place = (root, "") if is_store else split

    @property
    def shown(self) -> str:
        """The folder."""
        return self._root

    def page(self, project: str) -> Page:
        """Read the page of a project: below `simple/` in a store, else below itself."""
        simple = os.path.join(self._root, "simple")
        folder = simple if os.path.isdir(simple) else self._root
        path = os.path.join(folder, project, "index.html")
        with self._open(path) as file:
            return Page(Path(path).as_uri(), "text/html", file.read(PAGE_BYTES_MAX))

    @contextmanager
    def open(self, url: str) -> Generator[Body, None, None]:
        """Open a file that a page points to."""
        parts = urlsplit(url)
        if parts.scheme != "file" or parts.netloc:
            raise SourceNotAnIndex(
                self._root, f"its page points out of the folder, to `{shown(url)}`"
            )
        path = url2pathname(parts.path)
        with self._open(path) as file:
            yield Body(file.read, os.fstat(file.fileno()).st_size)

    def read(self, key: str) -> bytes | None:
        """Read a file of the store."""
        try:
            with self._open(os.path.join(self._store, *key.split("/"))) as file:
                return file.read(PAGE_BYTES_MAX)
        except SourceNotFound:
            return None

    @contextmanager
    def _open(self, path: str) -> Generator[BinaryIO, None, None]:
        try:
            with open(path, "rb") as file:
                yield file
        except (FileNotFoundError, NotADirectoryError):
            raise SourceNotFound(path, "there is no such file") from None
        except OSError as error:
            raise SourceFailed(path, error.strerror or str(error)) from error
