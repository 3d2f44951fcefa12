"""What a run measured: kept while it runs, then written as JSON and as a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Figures", "spread"]


def spread(seconds: list[float]) -> dict[str, float]:
    """Return the middle and the end of a series."""
    ordered = sorted(seconds)
    return {
        "median": ordered[len(ordered) // 2],
        "p99": ordered[len(ordered) * 99 // 100],
        "longest": ordered[-1],
    }


class Figures:
    """The figures of one run, by the name of what was measured."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._rows: dict[str, dict[str, float | str]] = {}

    def note(self, name: str, **values: float | str) -> None:
        """Keep figures; those of a name that is known are added to it."""
        self._rows.setdefault(name, {}).update(values)

    def note_longest(self, name: str, seconds: float) -> None:
        """Count one more under a name, and keep the longest time."""
        row = self._rows.setdefault(name, {"calls": 0, "longest": 0.0})
        row["calls"] = float(row["calls"]) + 1
        row["longest"] = max(float(row["longest"]), seconds)

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {"seed": self.seed, "figures": self._rows}
        path.write_text(json.dumps(whole, indent=2) + "\n", "utf-8")

    def lines(self) -> list[str]:
        """Return a table of everything."""
        width = max(map(len, self._rows), default=0)
        return [
            f"{name:{width}}  " + "  ".join(f"{k} {_shown(v)}" for k, v in row.items())
            for name, row in self._rows.items()
        ]


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"
