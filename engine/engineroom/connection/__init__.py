"""A connection's life: where it goes, how it is opened, its transactions."""

from __future__ import annotations

from engineroom.connection.opening import (
    explain,
    locate,
    open_connection,
    open_location,
)
from engineroom.connection.url import Location, hide_secrets, parse_url

__all__ = [
    "Location",
    "explain",
    "hide_secrets",
    "locate",
    "open_connection",
    "open_location",
    "parse_url",
]
