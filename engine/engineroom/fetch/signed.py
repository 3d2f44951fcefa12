"""Pages that a store's keys vouch for.

Where a key is pinned, a page counts only when a signed head lists it: the newest state
of this project in this store, and not too old. What is wrong with a signature is an
error of its own and ends the fetch.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engineroom.store import keys
from engineroom.store.head import Head, Memory, check_head, read_signed_page
from engineroom.store.trust import follow, parse_pins

if TYPE_CHECKING:
    from typing import Callable

    from engineroom.fetch.source import Page, Source

__all__ = ["Signatures"]


class Signatures:
    """Reads the pages of sources and checks that they are signed.

    Args:
        pins: the keys or key sets to believe, with spaces between.
        memory_path: the file of heads that were seen before; None to remember none.
        clock: gives the time.
        pause: waits for so many seconds.

    Raises:
        PinInvalid: one of the pins is none.
        MemoryUnusable: the file is none of remembered heads.
    """

    def __init__(
        self,
        pins: str,
        memory_path: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pins = parse_pins(pins)
        self._memory = Memory(memory_path) if memory_path else None
        self._clock = clock
        self._pause = pause

    def page(self, source: Source, project: str) -> Page:
        """Read the page of a project; see `check`."""
        return self.check(source, project)[1]

    def check(self, source: Source, project: str) -> tuple[Head, Page]:
        """Read the page of a project and the head that vouches for it.

        Raises:
            SigningError: of the kind that says what is wrong with its signature.
            SourceFailed: the source could not be read.
        """
        trust = follow(source.read, self._pins)
        found: list[Page] = []

        def read_head() -> Head:
            return check_head(
                source.read, project, trust, now=self._clock(), memory=self._memory
            )

        def read_page() -> tuple[str, bytes]:
            page = source.page(project)
            found[:] = [page]
            return _key_of(page, project, source.place), page.data

        head, _ = read_signed_page(read_head, read_page, pause=self._pause)
        if self._memory is not None:
            self._memory.save()
        return head, found[0]


def _key_of(page: Page, project: str, place: str) -> str:
    """Name the object that a page must be: one address may give HTML or JSON."""
    is_json = page.data.lstrip()[:1] == b"{"
    make = keys.json_page if is_json else keys.html_page
    return f"{place}{make(project)}"
