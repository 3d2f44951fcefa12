"""The one door to C: open a connection, and from there sessions and readers.

Nothing outside this package names `ffi` or `lib`.
"""

from __future__ import annotations

from engineroom.core.handle import Handle, open_handle

__all__ = ["Handle", "open_handle"]
