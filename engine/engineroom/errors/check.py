"""What keeps `engineroom check` from looking at all: ER1400 to ER1409.

What it finds when it looks is no exception; see `engineroom.check.findings`.
"""

from __future__ import annotations

from engineroom.errors import Error


class CheckError(Error):
    """A repository cannot be checked as it was asked."""

    code = "ER1400"


class CheckPathMissing(CheckError):
    """There is no such file or folder, and git knows of none that was deleted.

    Attributes:
        path: the path that was given.
    """

    code = "ER1401"

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"There is no file or folder `{path}`",
            hint="name a folder, or the files to look at",
        )


class CheckNeedsGit(CheckError):
    """The staged files were asked for, and git cannot tell which they are.

    Attributes:
        path: the folder that was asked about.
        reason: what git says, or why it could not be run.
    """

    code = "ER1402"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"git cannot tell what is staged in `{path}`: {reason}",
            hint="run it within a repository that git can read, or without `--staged`",
        )


class CheckUnwritable(CheckError):
    """A schema could not be written with its new targets; it is as it was.

    Attributes:
        path: the schema.
        reason: what the system says.
    """

    code = "ER1403"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"`{path}` cannot be written: {reason}",
            hint="make the file and its folder writable, or add the targets by hand",
        )
