"""The settings of `engineroom fetch`; the reference page lists them from here."""

from __future__ import annotations

__all__ = ["FROM", "SETTINGS"]

FROM = "ENGINEROOM_FETCH_FROM"

# (name, what it holds, what it does)
SETTINGS = (
    (
        FROM,
        "sources with spaces between: store folders or addresses of indexes",
        (
            "`engineroom fetch` takes engines from these, in order, where `--from`"
            " names none."
        ),
    ),
)
