"""Where engines may be beside the package: the user's folder and the system's.

`engineroom fetch` writes there and the loader looks there, each of them without
knowing the other. Both folders are those of exactly one version, and neither depends
on the working folder. Not imported where the package has its engine.
"""

from __future__ import annotations

import os
import stat

from engineroom.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SYSTEM", "USER", "engine_places", "unsafe_because", "user_folder"]

# Origins of a shelf, beside `package` and the names of settings.
USER = "user"
SYSTEM = "system"

_BELOW = os.path.join("engineroom", "engines", __version__)
_SYSTEM_ROOTS = {"darwin": "/Library/Application Support"}
_USER_ROOTS = {"darwin": "Library/Application Support"}


def engine_places(
    environment: Mapping[str, str], system: str
) -> tuple[tuple[str, str], ...]:
    """Return the places after the package, in order, as (origin, folder).

    Args:
        environment: where `XDG_DATA_HOME` and `HOME` are read.
        system: the operating system, as a target names it.
    """
    user = user_folder(environment, system)
    root = _SYSTEM_ROOTS.get(system, "/usr/lib")
    below_root = (SYSTEM, os.path.join(root, _BELOW))
    return ((USER, user), below_root) if user else (below_root,)


def user_folder(environment: Mapping[str, str], system: str) -> str:
    """Return the user's engine folder of this version; empty where there is none."""
    root = environment.get("XDG_DATA_HOME", "")
    # The XDG specification has relative paths ignored; they would be the working
    # folder's besides.
    if not os.path.isabs(root):
        home = environment.get("HOME", "")
        if not os.path.isabs(home):
            return ""
        root = os.path.join(home, _USER_ROOTS.get(system, ".local/share"))
    return os.path.join(root, _BELOW)


def unsafe_because(path: str) -> str:
    """Say why code from `path` must not be trusted, or return nothing.

    Whoever may write the file, its folder or a folder above could put anything in its
    place. A sticky folder above, such as /tmp, lets only owners do so.
    """
    # Where a link stands counts as well as where it leads.
    return _unsafe_way(os.path.realpath(path)) or _unsafe_way(os.path.abspath(path))


def _unsafe_way(here: str) -> str:
    is_above = False
    while True:
        try:
            status = os.stat(here)
        except OSError as error:
            return f"{here} cannot be looked at: {error.strerror}"
        is_sticky = is_above and status.st_mode & stat.S_ISVTX
        if status.st_mode & stat.S_IWOTH and not is_sticky:
            return f"every user may write {here}"
        if status.st_uid not in (0, os.geteuid()):
            return (
                f"{here} belongs to user {status.st_uid}, neither to root nor to this"
                f" process's user {os.geteuid()}"
            )
        above = os.path.dirname(here)
        if above == here:
            return ""
        # The folder of a file is part of the place; what is above that is not.
        is_above = is_above or stat.S_ISDIR(status.st_mode)
        here = above
