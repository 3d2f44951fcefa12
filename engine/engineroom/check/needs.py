"""Which targets a service needs, and why; and which names stand for which target.

Prisma's names mean one CPU: its `linux-musl` is that of x86_64, where the family of the
same name here has two. So in this package a family means its target for x86_64.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from engineroom.errors import UnknownTarget
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import targets_named
from engineroom.platforms.target import EVERY, NATIVE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engineroom.platforms.target import Target

__all__ = [
    "TEMPLATE", "Need", "covers", "is_known", "listed", "listed_targets", "needs_named",
    "target_of",
]  # fmt: skip

# The template for a service of whose surroundings nothing is known.
TEMPLATE = (
    ("native", "the machine that generates the client"),
    ("darwin-arm64", "developers on Apple silicon"),
    ("darwin", "developers on Macs with Intel CPUs"),
    ("linux-musl", "images based on Alpine"),
    ("debian-openssl-3.0.x", "images based on Debian 12 and newer"),
)
# What Prisma builds for and Engineroom does not: right there, no concern of ours.
_PRISMA_ONLY = re.compile(
    r"(debian|rhel|linux-arm64)-openssl-1\.0\.x|linux-musl-arm64-openssl-1\.1\.x"
    r"|linux-nixos|linux-static-(x64|arm64)|windows|arm|freebsd\d\d|(open|net)bsd"
)
_OPENSSL = re.compile(r"openssl-\d\.\d\.x$")


class Need(NamedTuple):
    """A target that is needed.

    Attributes:
        name: as Prisma calls it, which is also what `--fix` writes.
        target: the target of Engineroom, or an empty string.
        reason: why, in a few words.
        file: the file that says so, or an empty string.
        line: the line there, or 0.
    """

    name: str
    target: str
    reason: str
    file: str = ""
    line: int = 0


def target_of(name: str) -> str:
    """Return the id of the target that a name means, or an empty string."""
    try:
        found = targets_named(name)
    except UnknownTarget:
        return ""
    return next((t.id for t in found if t.cpu == "x86_64"), found[0].id)


def is_known(name: str) -> bool:
    """Say whether a name in a schema means anything, to us or to Prisma."""
    return bool(
        name in NATIVE or target_of(name) or _PRISMA_ONLY.fullmatch(name) is not None
    )


def covers(name: str, need: Need) -> bool:
    """Say whether a name that is configured serves a need.

    Two names of one target that tell of different OpenSSLs are different binaries to
    Prisma; a name that tells of none serves both.
    """
    if name == need.name or (name in NATIVE and need.name in NATIVE):
        return True
    if not need.target or target_of(name) != need.target:
        return False
    return not (_OPENSSL.search(name) and _OPENSSL.search(need.name))


def needs_named(names: Iterable[str], file: str, line: int) -> list[Need]:
    """Return the needs that a setting names.

    Raises:
        UnknownTarget: a name means nothing.
    """
    reason = "`[tool.engineroom.check]` names it"
    found: list[Need] = []
    for name in names:
        if name == EVERY:
            found += [Need(_prisma(t), t.id, reason, file, line) for t in TARGETS]
        elif name in NATIVE:
            found.append(Need("native", "", reason, file, line))
        elif _PRISMA_ONLY.fullmatch(name):
            found.append(Need(name, "", reason, file, line))
        else:
            targets_named(name)  # refuses what nothing is called
            of = next(t for t in TARGETS if t.id == target_of(name))
            is_ours = name in (of.id, of.family) and name != "linux-musl"
            found.append(
                Need(_prisma(of) if is_ours else name, of.id, reason, file, line)
            )
    return found


def listed(needs: Iterable[Need]) -> str:
    """Return the names that Prisma has for needs, each with its reason."""
    return ", ".join(f"`{need.name}` ({need.reason})" for need in needs)


def listed_targets(needs: Iterable[Need]) -> str:
    """Return the targets of Engineroom that are needed, each with its reason."""
    return ", ".join(f"`{need.target}` ({need.reason})" for need in needs)


def _prisma(target: Target) -> str:
    """Return Prisma's name of a target; that with the newest OpenSSL, if several."""
    if target.id == "linux-musl-x86_64":
        return target.family
    newest = [name for name in target.aliases if "openssl-3" in name]
    return (newest or [*target.aliases, target.id])[0]
