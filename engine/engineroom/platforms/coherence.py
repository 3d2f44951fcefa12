"""What cannot be true of a target at once, or of two targets together.

Each check yields objections: which field, what was found, why it cannot be, what
could stand there. `manifest` raises the first one with its place in the file. Words
and types have been checked before; here a row is held against what wheels, compilers
and C libraries mean.
"""

from __future__ import annotations

import re

from engineroom.errors import (
    ManifestContradiction,
    ManifestDuplicate,
    ManifestImpossibleFloor,
    ManifestUnknownWord,
    ManifestWrongType,
)
from engineroom.platforms.target import EVERY, NATIVE, Target, version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engineroom.errors import ManifestError

__all__ = ["Objection", "either", "objections", "objections_among"]

LIBCS = {"darwin": ("libSystem",), "linux": ("glibc", "musl")}
# How each party spells a CPU.
ZIG_CPUS = {"x86_64": "x86_64", "arm64": "aarch64"}
ZIG_SYSTEMS = {"libSystem": "macos", "glibc": "linux-gnu", "musl": "linux-musl"}
WHEEL_CPUS = {
    ("darwin", "x86_64"): "x86_64",
    ("darwin", "arm64"): "arm64",
    ("linux", "x86_64"): "x86_64",
    ("linux", "arm64"): "aarch64",
}
WHEEL_NAMES = {"libSystem": "macosx", "glibc": "manylinux", "musl": "musllinux"}
WHEEL_TAG = re.compile(r"(macosx|manylinux|musllinux)_(\d+)_(\d+)_([a-z0-9_]+)")
RUNNERS = {"darwin": "macos-", "linux": "ubuntu-"}
# Nothing of ours can run below these: the first macOS for the CPU, the first glibc
# that the compiler links for and the first with the CPU, the first 1.2 of musl.
OLDEST = {
    ("libSystem", "x86_64"): "10.13",
    ("libSystem", "arm64"): "11.0",
    ("glibc", "x86_64"): "2.17",
    ("glibc", "arm64"): "2.17",
    ("musl", "x86_64"): "1.2.0",
    ("musl", "arm64"): "1.2.0",
}
# The file that holds the libc itself: an engine that may not need it cannot exist.
LIBC_LIBRARIES = {
    ("libSystem", "x86_64"): "/usr/lib/libSystem.B.dylib",
    ("libSystem", "arm64"): "/usr/lib/libSystem.B.dylib",
    ("glibc", "x86_64"): "libc.so.6",
    ("glibc", "arm64"): "libc.so.6",
    ("musl", "x86_64"): "libc.musl-x86_64.so.1",
    ("musl", "arm64"): "libc.musl-aarch64.so.1",
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Objection:
    """Something that cannot be.

    Attributes:
        kind: the error it is.
        target: the target's id.
        field: the field at fault; empty for the target's name itself.
        value: what was found.
        problem: why it cannot be.
        allowed: what could stand there.
    """

    def __init__(
        self,
        kind: type[ManifestError],
        target: Target,
        field: str,
        value: object,
        problem: str,
        *,
        allowed: str,
    ) -> None:
        self.kind = kind
        self.target = target.id
        self.field = field
        self.value = value
        self.problem = problem
        self.allowed = allowed


def either(words: Iterable[str]) -> str:
    """Return `a, b or c`."""
    *some, last = words
    return f"{', '.join(some)} or {last}" if some else last


def objections(target: Target) -> Iterator[Objection]:
    """Yield what cannot be true of one target, the plainest first.

    Later checks rely on earlier ones: stop at the first objection.
    """
    yield from _name(target)
    yield from _system(target)
    yield from _floor(target)
    yield from _triple(target)
    yield from _libraries(target)


def objections_among(targets: Sequence[Target]) -> Iterator[Objection]:
    """Yield what cannot be true of several targets together."""
    yield from _names(targets)
    first: dict[str, Target] = {}
    for target in targets:
        other = first.setdefault(target.wheel_tag, target)
        if other.runner != target.runner:
            problem = f"shares the wheel {target.wheel_tag} with {other.id}"
            yield Objection(
                ManifestContradiction,
                target,
                "runner",
                target.runner,
                problem,
                allowed=other.runner,
            )


def _name(target: Target) -> Iterator[Objection]:
    names = [("", target.id), ("family", target.family)]
    names += [("aliases", alias) for alias in target.aliases]
    for field, name in names:
        if not NAME.fullmatch(name):
            allowed = "letters, digits, `.`, `_` and `-`"
            yield Objection(
                ManifestUnknownWord, target, field, name, "not a name", allowed=allowed
            )
        if name == EVERY or name in NATIVE:
            problem = "means something else already"
            allowed = f"any name but {either((EVERY, *NATIVE))}"
            yield Objection(
                ManifestDuplicate, target, field, name, problem, allowed=allowed
            )
    if target.id not in (target.family, f"{target.family}-{target.cpu}"):
        problem = f"does not fit the name `{target.id}`"
        allowed = "the target's name, with or without its CPU"
        yield Objection(
            ManifestContradiction,
            target,
            "family",
            target.family,
            problem,
            allowed=allowed,
        )


def _system(target: Target) -> Iterator[Objection]:
    def contradiction(field: str, problem: str, allowed: str) -> Objection:
        value = getattr(target, field)
        return Objection(
            ManifestContradiction, target, field, value, problem, allowed=allowed
        )

    if target.libc not in LIBCS[target.os]:
        yield contradiction(
            "libc", f"{target.os} has no such libc", either(LIBCS[target.os])
        )
    cpu = WHEEL_CPUS[target.os, target.cpu]
    name = WHEEL_NAMES[target.libc]
    tag = WHEEL_TAG.fullmatch(target.wheel_tag)
    if not tag or tag.group(1) != name or tag.group(4) != cpu:
        problem = f"no tag for {target.libc} on {target.cpu}"
        yield contradiction("wheel_tag", problem, f"{name}_MAJOR_MINOR_{cpu}")
    identifier = f"cp39-{name}_{cpu}"
    if target.cibuildwheel != identifier:
        problem = "builds another wheel than `wheel_tag`"
        yield contradiction("cibuildwheel", problem, identifier)
    runner = RUNNERS[target.os]
    if not target.runner.startswith(runner):
        problem = f"does not run {target.os}"
        yield contradiction("runner", problem, f"a name that starts with {runner}")


def _floor(target: Target) -> Iterator[Objection]:
    def impossible(problem: str, allowed: str) -> Objection:
        value = target.libc_floor
        kind = ManifestImpossibleFloor
        return Objection(kind, target, "libc_floor", value, problem, allowed=allowed)

    if not re.fullmatch(r"\d+(\.\d+)+", target.libc_floor):
        yield Objection(
            ManifestWrongType,
            target,
            "libc_floor",
            target.libc_floor,
            "not a version",
            allowed="a version such as 2.28",
        )
    floor = version_numbers(target.libc_floor)
    oldest = OLDEST[target.libc, target.cpu]
    if floor < version_numbers(oldest):
        problem = f"there is nothing older than {oldest} to build for"
        yield impossible(problem, f"{oldest} or newer")
    tag = WHEEL_TAG.fullmatch(target.wheel_tag)
    assert tag is not None  # _system has seen to it
    promised = f"{tag.group(2)}.{tag.group(3)}"
    # What pip installs must load. On Linux an older floor breaks no promise; on macOS
    # the tag is the floor, because pip knows no other measure.
    if floor[:2] > version_numbers(promised):
        yield impossible(f"`wheel_tag` promises {promised}", f"{promised} or older")
    if target.os == "darwin" and floor[:2] != version_numbers(promised):
        yield impossible(f"`wheel_tag` promises {promised}", promised)


def _triple(target: Target) -> Iterator[Objection]:
    system = f"{ZIG_CPUS[target.cpu]}-{ZIG_SYSTEMS[target.libc]}"
    # zig takes the musl it carries; the floor is the audit's business there.
    floor = "" if target.libc == "musl" else f".{target.libc_floor}"
    if target.zig_triple == system + floor:
        return
    if target.zig_triple.startswith(f"{system}."):
        kind: type[ManifestError] = ManifestImpossibleFloor
        problem = f"`libc_floor` is {target.libc_floor}"
    else:
        kind = ManifestContradiction
        problem = f"no triple for {target.libc} on {target.cpu}"
    value = target.zig_triple
    yield Objection(kind, target, "zig_triple", value, problem, allowed=system + floor)


def _libraries(target: Target) -> Iterator[Objection]:
    def contradiction(
        field: str, value: object, problem: str, allowed: str
    ) -> Objection:
        kind = ManifestContradiction
        return Objection(kind, target, field, value, problem, allowed=allowed)

    libc = LIBC_LIBRARIES[target.libc, target.cpu]
    if libc not in target.libraries:
        problem = "the libc itself is missing"
        yield contradiction(
            "libraries", target.libraries, problem, f"a list with {libc}"
        )
    for field in ("libraries", "tls_libraries"):
        for name in getattr(target, field):
            if name.startswith("/") != (target.os == "darwin"):
                allowed = "full paths on darwin, bare file names on linux"
                problem = "no library's name on this system"
                yield contradiction(field, name, problem, allowed)
    if bool(target.tls_libraries) != (target.tls == "system-openssl-3"):
        problem = f"`tls` is {target.tls}"
        allowed = "libraries for system-openssl-3, else none"
        yield contradiction("tls_libraries", target.tls_libraries, problem, allowed)


def _names(targets: Sequence[Target]) -> Iterator[Objection]:
    """Yield the names that would select two different things."""
    owners = {target.id: f"the target {target.id}" for target in targets}
    for target in targets:
        owner = f"the family {target.family}"
        # A family of one may be called like its target.
        taken = owners.setdefault(target.family, owner)
        if taken != owner and target.family != target.id:
            yield _taken(target, "family", target.family, taken)
    for target in targets:
        for alias in target.aliases:
            if alias in owners:
                yield _taken(target, "aliases", alias, owners[alias])
            owners[alias] = f"an alias of {target.id}"


def _taken(target: Target, field: str, name: str, owner: str) -> Objection:
    allowed = "a name that nothing else has"
    problem = f"is {owner} already"
    return Objection(ManifestDuplicate, target, field, name, problem, allowed=allowed)
