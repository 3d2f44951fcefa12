"""Which lines of the caller's code a query came from."""

from __future__ import annotations

import contextlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["caller", "callers"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# The context managers of a client may be run by contextlib.
_CONTEXTLIB = contextlib.__file__


def callers(depth: int) -> list[tuple[CodeType, int]]:
    """Return code and line of the frames outside this package, the innermost first.

    Frames are walked rather than a traceback made, which would read source files; and
    code is kept rather than frames, which would keep the callers' variables alive.
    """
    # Documented, and `inspect`, which has another name for it, takes long to import.
    frame: FrameType | None
    frame = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    found: list[tuple[CodeType, int]] = []
    while frame is not None and len(found) < depth:
        code = frame.f_code
        name = code.co_filename
        if not name.startswith(_PACKAGE) and name != _CONTEXTLIB:
            found.append((code, frame.f_lineno))
        frame = frame.f_back
    return found


def caller() -> tuple[str, int]:
    """Return the file and the line of the first frame outside this package."""
    for code, line in callers(1):
        return code.co_filename, line
    return "", 0
