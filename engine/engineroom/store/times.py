"""Times as a store's documents spell them: UTC text of whole seconds."""

from __future__ import annotations

import calendar
import time

__all__ = ["utc_seconds", "utc_text"]

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def utc_text(seconds: float) -> str:
    """Give a time as indexes and journals write it."""
    return time.strftime(_FORM, time.gmtime(seconds))


def utc_seconds(text: str) -> int:
    """Give the seconds since 1970 of what `utc_text` writes, and of nothing else.

    Raises:
        ValueError: when the text has another form.
    """
    seconds = calendar.timegm(time.strptime(text, _FORM))
    if utc_text(seconds) != text:
        raise ValueError(f"`{text}` is not spelled as {_FORM}")
    return seconds
