"""What the compiler was told for each target and what it answered, kept to be read.

One file a target, begun anew by the first command of a build; a build that has nothing
to do leaves the last one where it is.
"""

from __future__ import annotations

import shlex
import threading
import time
from typing import TYPE_CHECKING

from native.build.errors import CacheUnwritable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from native.build.cache import Cache

__all__ = ["Logs"]


class Logs:
    """The logs of one build. Any thread may write.

    Args:
        cache: where they are kept.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._begun: set[str] = set()
        self._lock = threading.Lock()

    def path(self, target: str) -> Path:
        """Return where the log of a target is."""
        return self._cache.path("logs", f"{target}.log")

    def add(
        self,
        target: str,
        command: Sequence[str],
        *,
        exit_code: int,
        seconds: float,
        output: str,
    ) -> None:
        """Write down a command that has ended.

        Raises:
            CacheUnwritable: the disk did not take it.
        """
        path = self.path(target)
        clock = time.strftime("%Y-%m-%d %H:%M:%S")
        text = (
            f"{clock}  {seconds:.1f} s  exit {exit_code}\n"
            f"$ {shlex.join(command)}\n{output}\n"
        )
        with self._lock:
            mode = "a" if target in self._begun else "w"
            self._begun.add(target)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open(mode, encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                raise CacheUnwritable(path, error.strerror or str(error)) from error
