"""Which lines of the caller's code a query came from."""

from __future__ import annotations

import contextlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["Place", "caller", "callers"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# The context managers of a client may be run by contextlib.
_CONTEXTLIB = contextlib.__file__
# Whether code is the package's own, by the file it is in. Programs have a few files.
_is_own: dict[str, bool] = {_CONTEXTLIB: True}


class Place:
    """A line of a program that called something.

    Code is kept and not a frame, which would keep the caller's variables alive; which
    line it is gets worked out when somebody asks.
    """

    __slots__ = ("_code", "_instruction")

    def __init__(self, code: CodeType, instruction: int) -> None:
        self._code = code
        self._instruction = instruction

    @property
    def file(self) -> str:
        """The file it is in."""
        return self._code.co_filename

    @property
    def line(self) -> int:
        """Its number."""
        import dis

        found = self._code.co_firstlineno
        for start, line in dis.findlinestarts(self._code):
            if start > self._instruction:
                break
            found = line or found
        return found

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self._code.co_name}"


def callers(depth: int, skip: int = 1) -> list[tuple[CodeType, int]]:
    """Return the places outside this package, the innermost first.

    Frames are walked rather than a traceback made, which would read source files.

    Args:
        depth: how many there are at most.
        skip: how many frames are known to be the package's own, this function's
            included.

    Returns:
        What makes a `Place` each, because most are never looked at.
    """
    # Documented, and `inspect`, which has another name for it, takes long to import.
    frame: FrameType | None
    frame = sys._getframe(skip)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    found: list[tuple[CodeType, int]] = []
    while frame is not None and depth:
        code = frame.f_code
        name = code.co_filename
        is_own = _is_own.get(name)
        if is_own is None:
            is_own = _is_own[name] = name.startswith(_PACKAGE)
        if not is_own:
            found.append((code, frame.f_lasti))
            depth -= 1
        frame = frame.f_back
    return found


def caller() -> tuple[str, int]:
    """Return the file and the line of the first frame outside this package."""
    for found in callers(1):
        place = Place(*found)
        return place.file, place.line
    return "", 0
