"""Which content type each object has, and for how long a cache may keep it.

Pages are asked for anew each time: without a word a client guesses from the age of a
page how long it stays true. Bytes stand under their own hash and never change.
"""

from __future__ import annotations

import re

__all__ = ["HTML", "JSON_INDEX", "content_headers"]

HTML = "text/html; charset=utf-8"
JSON_INDEX = "application/vnd.pypi.simple.v1+json"

_NO_CACHE = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"

_PAGE = re.compile(
    r"(?:channels/[^/]+/|commits/[^/]+/)?"
    r"(?:(?P<html>simple)|json)/(?:[^/]+/)?(?:index\.(?:html|json))?"
)
_BLOB_TYPES = {
    ".metadata": "text/plain; charset=utf-8",
    ".provenance": "application/vnd.pypi.integrity.v1+json",
}


def content_headers(key: str) -> tuple[str, str]:
    """Give an object's Content-Type and Cache-Control."""
    if key.startswith("blobs/"):
        _, dot, ending = key.rpartition(".")
        return _BLOB_TYPES.get(dot + ending, "application/octet-stream"), _FOR_EVER
    page = _PAGE.fullmatch(key)
    if page:
        return HTML if page["html"] else JSON_INDEX, _NO_CACHE
    return "application/json", _NO_CACHE
