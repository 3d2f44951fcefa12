"""A connection's life: where it goes, how it is opened, its transactions."""

from __future__ import annotations

from engineroom.connection.opening import open_connection
from engineroom.connection.url import Location, hide_secrets, parse_url

__all__ = ["Location", "hide_secrets", "open_connection", "parse_url"]
