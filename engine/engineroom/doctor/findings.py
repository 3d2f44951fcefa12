"""A finding: the answer to one question about this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["OK", "PROBLEM", "SKIPPED", "UNKNOWN", "Finding"]

OK = "ok"
PROBLEM = "problem"
UNKNOWN = "unknown"
SKIPPED = "skipped"  # an earlier problem left nothing to look at


class Finding:
    """What a check found.

    Attributes:
        name: the check.
        state: `ok`, `problem`, `unknown` or `skipped`.
        text: a sentence with the values in it.
        remedy: what mends it; empty where nothing needs mending.
        details: the values by name, as JSON has them.
    """

    def __init__(
        self,
        name: str,
        state: str,
        text: str,
        *,
        remedy: str = "",
        details: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.state = state
        self.text = text
        self.remedy = remedy
        self.details = details or {}
