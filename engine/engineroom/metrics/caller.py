"""Which line of the caller's code a query came from."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

__all__ = ["caller"]

# The context managers of a client are run by contextlib.
_PACKAGES = ("engineroom", "contextlib")


def caller() -> tuple[str, int]:
    """Return the file and the line of the first frame outside this package.

    Frames are walked rather than a traceback made, which would read source files.
    """
    # Documented, and `inspect`, which has another name for it, takes long to import.
    frame: FrameType | None
    frame = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _PACKAGES:
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "", 0
