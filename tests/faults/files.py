"""SQLite in trouble: a file locked by another process, a statement without end."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SLOW_STATEMENT", "Locker"]

# Runs for some minutes unless it is stopped.
SLOW_STATEMENT = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000000) "
    "SELECT count(*) FROM c"
)

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for _ in sys.stdin:
    connection.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.readline()
    connection.execute("ROLLBACK")
    print("free", flush=True)
"""


class Locker:
    """Another process, which can keep all others from writing to a file."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _tell(self, expected: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == f"{expected}\n"

    def hold(self) -> None:
        """Take the lock; it is held when this returns."""
        self._tell("held")

    def let_go(self) -> None:
        """Give the lock back."""
        self._tell("free")

    def __enter__(self) -> Locker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
