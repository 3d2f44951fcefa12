"""Which mount a file lies on, and what that mount forbids; Linux alone tells.

Read only once something has failed, or by the doctor.
"""

from __future__ import annotations

import os

__all__ = ["Mount", "mount_of"]

_MOUNTS = "/proc/self/mountinfo"


class Mount:
    """A file system at its place.

    Attributes:
        point: the folder it is mounted on.
        options: the options of the mount, such as `ro` and `noexec`.
    """

    __slots__ = ("options", "point")

    def __init__(self, point: str, options: tuple[str, ...]) -> None:
        self.point = point
        self.options = options

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written there."""
        return "ro" in self.options

    @property
    def is_noexec(self) -> bool:
        """Whether no code can be loaded from there."""
        return "noexec" in self.options

    def as_json(self) -> dict[str, object]:
        """Return it as the doctor's report has it."""
        return {
            "point": self.point,
            "read_only": self.is_read_only,
            "noexec": self.is_noexec,
        }


def mount_of(path: str) -> Mount | None:
    """Return the mount that a file or folder lies on; None where that is not told."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.readlines()
    except OSError:
        return None
    real = os.path.realpath(path)
    found: Mount | None = None
    for line in lines:
        # Number, parent, device, root, mount point, options, and more.
        point, options = line.split(" ", 6)[4:6]
        mount = Mount(_unescaped(point), tuple(options.split(",")))
        # Of two at one place the later one lies on top.
        if _is_below(real, mount.point) and (
            found is None or len(mount.point) >= len(found.point)
        ):
            found = mount
    return found


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _unescaped(text: str) -> str:
    """Undo the kernel's octal numbers for blanks, tabs, line ends and backslashes."""
    first, *rest = text.split("\\")
    return first + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)
