"""The settings of `engineroom store serve`; the reference page lists them from here."""

from __future__ import annotations

__all__ = ["SETTINGS", "TOKENS"]

TOKENS = "ENGINEROOM_SERVE_TOKENS"

# (name, what it holds, what it does)
SETTINGS = (
    (
        TOKENS,
        "tokens with spaces between, each of 16 or more printable ASCII characters",
        (
            "`engineroom store serve` lets in only who has one of them, or one of the"
            " file named with `--token-file`."
        ),
    ),
)
