"""What the answers of the store's commands have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engineroom.errors import StoreError

__all__ = ["EXIT_STORE", "FORMAT", "problem_items"]

# The number of their JSON's form.
FORMAT = 1
EXIT_STORE = 6


def problem_items(problems: Iterable[StoreError]) -> list[dict[str, str]]:
    """Write problems as JSON has them."""
    return [
        {
            "code": problem.code,
            "class": type(problem).__name__,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in problems
    ]
