"""The pages of the codes: what a code means, its usual causes, and what mends it.

One file for each code of loading, checking and fetching, written by hand and carried
in the package, because a machine on which nothing loads may have no browser either.
`native.build.error_pages` holds them against the classes.
"""

from __future__ import annotations

import os

__all__ = ["FOLDER", "has_page", "read_page"]

FOLDER = os.path.dirname(os.path.abspath(__file__))


def has_page(code: str) -> bool:
    """Say whether a code has a page."""
    return os.path.isfile(_path(code))


def read_page(code: str) -> str:
    """Return the page of a code, as Markdown."""
    with open(_path(code), encoding="utf-8") as file:
        return file.read()


def _path(code: str) -> str:
    return os.path.join(FOLDER, f"{code}.md")
