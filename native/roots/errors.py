"""What can go wrong before a wheel is tried in a root: ER6070 to ER6079.

    native.build.errors.BuildError       ER6000
    └── RootError                        ER6070
        ├── RootUnknown                  ER6071
        ├── RootToolMissing              ER6072
        ├── MirrorLacks                  ER6073  apt's mirrors have no such suite
        ├── RootUnmade                   ER6074  a step of making a tree failed
        └── WheelsMissing                ER6075  nothing to install

What a trial finds wrong is no exception but a failed check in the table.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from native.build.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "MirrorLacks",
    "RootError",
    "RootToolMissing",
    "RootUnknown",
    "RootUnmade",
    "WheelsMissing",
]


class RootError(BuildError):
    """The wheels could not be tried in a root."""

    code = "ER6070"


class RootUnknown(RootError):
    """There is no such root.

    Attributes:
        name: the name given.
        known: the roots there are.
    """

    code = "ER6071"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        near = difflib.get_close_matches(name, self.known, 1)
        meant = f"did you mean `{near[0]}`? " if near else ""
        super().__init__(
            f"No root is called `{name}`",
            hint=f"{meant}the roots are {', '.join(self.known)}",
        )


class RootToolMissing(RootError):
    """A program is missing, or this user may not do what it does.

    Attributes:
        tools: the programs.
        problem: what is wrong.
    """

    code = "ER6072"

    def __init__(self, tools: Sequence[str], problem: str, *, hint: str) -> None:
        self.tools = tuple(tools)
        self.problem = problem
        names = ", ".join(f"`{tool}`" for tool in self.tools)
        super().__init__(f"{names} cannot be used: {problem}", hint=hint)


class MirrorLacks(RootError):
    """None of the mirrors that apt is set up with has a suite.

    Attributes:
        suite: the suite.
        attempts: the mirrors, each with what it answered.
    """

    code = "ER6073"

    def __init__(self, suite: str, attempts: Sequence[tuple[str, str]]) -> None:
        self.suite = suite
        self.attempts = tuple(attempts)
        tried = "".join(f"\n  {mirror}: {reason}" for mirror, reason in self.attempts)
        super().__init__(
            f"No mirror of this machine's apt has Debian's `{suite}`:"
            f"{tried or ' it has no mirror at all'}",
            hint="set apt up with a mirror of Debian, or name one with --mirror",
        )


class RootUnmade(RootError):
    """A tree could not be made.

    Attributes:
        tree: its name.
        step: what failed.
        log_path: the whole output.
        output: the end of it.
    """

    code = "ER6074"

    def __init__(self, tree: str, step: str, *, log_path: Path, output: str) -> None:
        self.tree = tree
        self.step = step
        self.log_path = log_path
        self.output = output
        super().__init__(
            f"The root `{tree}` could not be made: {step}\n\n{output}\n",
            hint=f"the whole output: {log_path}",
        )


class WheelsMissing(RootError):
    """A wheel that a row needs is not there.

    Attributes:
        folder: where wheels were looked for.
        wanted: which one was.
    """

    code = "ER6075"

    def __init__(self, folder: Path, wanted: str) -> None:
        self.folder = folder
        self.wanted = wanted
        super().__init__(
            f"`{folder}` has no {wanted}",
            hint="make the wheels with `nox -s build -- all`, or name another folder"
            " with --wheels",
        )
