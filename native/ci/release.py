"""Says what belongs to a release, and refuses to publish anything else.

One wheel for each platform of platforms.toml, the wheel without engines, and the sdist:
all of this version. A missing wheel would have pip compile on somebody's machine; one
too many would be published without having been tested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engineroom.platforms.rows import TARGETS
from engineroom.version import __version__
from native.build.shelf import wheel_tag
from native.ci.errors import ReleaseRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from engineroom.platforms.target import Target

__all__ = ["faults", "files", "refuse_incomplete"]


def refuse_incomplete(folder: Path, tag: str | None = None) -> tuple[str, ...]:
    """Return the names of the files that are a release.

    Args:
        folder: holds them and nothing else.
        tag: the git tag that asked for the release.

    Raises:
        ReleaseRefused: a file is missing or too many, or the tag names another version.
    """
    found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    problems = faults(found, tag)
    if problems:
        raise ReleaseRefused(str(folder), problems)
    return tuple(sorted(found))


def files(
    version: str = __version__, targets: Sequence[Target] = TARGETS
) -> tuple[str, ...]:
    """Return the names of all files of a release."""
    groups = [
        [row for row in targets if row.wheel_tag == tag]
        for tag in dict.fromkeys(row.wheel_tag for row in targets)
    ]
    wheels = [f"engineroom-{version}-{wheel_tag(rows)}.whl" for rows in [*groups, []]]
    return (*wheels, f"engineroom-{version}.tar.gz")


def faults(
    found: Iterable[str], tag: str | None = None, version: str = __version__
) -> list[str]:
    """Return what is wrong with a set of files and the tag they are published under."""
    wanted, there = set(files(version)), set(found)
    problems = [f"`{name}` is missing" for name in sorted(wanted - there)]
    problems += [f"`{name}` does not belong to it" for name in sorted(there - wanted)]
    if tag is not None and tag != f"v{version}":
        problems.append(f"the tag is `{tag}`, and the version is `{version}`")
    return problems
