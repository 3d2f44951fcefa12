"""Decides which targets fit a process, and in which order its engines are tried.

Pure: facts, rows and engines go in, candidates with verdicts come out. No file is
read here, so every odd system is a row of a table test. An unknown fact never passes
for a fitting one; the one thing a user's choice of target lifts is an unknown.

Of two targets that fit, the one that can bind the OpenSSL at hand comes first: that
which the process has loaded, else that which the system has. Next counts the family of
the distribution, then the order of the rows, in which the newest OpenSSL is first. All
that is a preference and no verdict, because SQLite's engines need no OpenSSL; for one
that does, `with_tls` makes verdicts of it.
"""

from __future__ import annotations

from engineroom.platforms.openssl import SERVED
from engineroom.platforms.release import kin_family
from engineroom.platforms.target import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol, TypeVar

    from engineroom.platforms.facts import Fact, Facts
    from engineroom.platforms.target import Target

    class EngineLike(Protocol):
        """What must be known of an engine to choose it."""

        @property
        def target(self) -> str: ...
        @property
        def backend(self) -> str: ...

    AnyEngine = TypeVar("AnyEngine", bound=EngineLike)

__all__ = ["VERDICTS", "Verdict", "candidates", "judge", "preferred"]

# Every verdict on a target, with what it means; the loader has more on files.
VERDICTS = {
    "fits": "the target is made for this process",
    "other-os": "the target is for another operating system",
    "other-cpu": "the target is for another CPU, or for a 64-bit process",
    "other-libc": "the target is for another C library",
    "libc-too-old": "the C library of this process is older than the target's floor",
    "libc-unknown": "it cannot be known whether the C library of this process fits",
    "openssl-missing": "the target needs OpenSSL, and none is found on this system",
    "openssl-not-served": "the target cannot use the OpenSSL of this system",
    "needs-cpython": "this Python cannot load engines made for CPython",
    "needs-gil": "this Python was built without the GIL, and no engine is",
    "excluded": "a setting restricts the choice to other targets",
    "no-engine": "the target fits, and this installation has no engine for it",
}


class Verdict:
    """A word of `VERDICTS` and the sentence that gives the reason."""

    __slots__ = ("reason", "word")

    def __init__(self, word: str, reason: str) -> None:
        self.word = word
        self.reason = reason

    def __repr__(self) -> str:
        return f"<Verdict {self.word}: {self.reason}>"


# Which OpenSSLs each kind of target can bind; a static one brings its own.
BINDS = {
    "system-openssl-3": ("3",),
    "system-openssl-1.1-or-3": ("3", "1.1"),
}
# What cannot be known is the user's to say.
UNKNOWNS = ("libc-unknown", "openssl-missing")


def judge(target: Target, facts: Facts, *, with_tls: bool = False) -> Verdict:
    """Say whether a target fits a process, and why.

    Args:
        target: the target.
        facts: what the process is.
        with_tls: whether the engine needs OpenSSL, which SQLite's does not.
    """
    return (
        judge_system(target, facts)
        or (judge_openssl(target, facts) if with_tls else None)
        or judge_python(facts)
        or _fits(target, facts)
    )


def judge_system(target: Target, facts: Facts) -> Verdict | None:
    """Say what of the system speaks against a target, or None if nothing does."""
    if facts.os.value != target.os:
        return Verdict("other-os", f"it is for {target.os}, this is {facts.os}")
    if facts.cpu.value != target.cpu:
        if facts.pointer_bits.value == 32:
            reason = (
                f"it is for 64-bit processes, this Python has 32 bits ({facts.cpu})"
            )
        else:
            reason = f"it is for {target.cpu}, this process runs as {facts.cpu}"
        return Verdict("other-cpu", reason)
    if facts.libc.value is None:
        return Verdict(
            "libc-unknown",
            f"it needs {target.libc}, and the C library of this process is unknown"
            f" ({facts.libc.source})",
        )
    if facts.libc.value != target.libc:
        return Verdict(
            "other-libc", f"it is for {target.libc}, this process uses {facts.libc}"
        )
    version = facts.libc_version.value
    if isinstance(version, str) and _older(version, target.libc_floor):
        return Verdict(
            "libc-too-old",
            f"it needs {_libc_name(target)} {target.libc_floor} or newer,"
            f" this process has {version}",
        )
    return None


def judge_openssl(target: Target, facts: Facts) -> Verdict | None:
    """Say why a target finds no OpenSSL to bind, or None where it does."""
    binds = BINDS.get(target.tls)
    here = _openssl(facts)
    if binds is None or here.value in binds:
        return None
    needs = f"it needs OpenSSL {' or '.join(binds)}"
    if here.value is None:
        return Verdict("openssl-missing", f"{needs}; {here.source}")
    return Verdict("openssl-not-served", f"{needs}, here is {here} ({here.source})")


def judge_python(facts: Facts) -> Verdict | None:
    """Say why no engine loads into this Python, or None where they do."""
    if facts.implementation.value != "cpython":
        return Verdict(
            "needs-cpython",
            f"engines load into CPython, this is {facts.implementation}",
        )
    if facts.free_threaded.value:
        return Verdict(
            "needs-gil", "engines need the GIL, this Python was built without it"
        )
    return None


def _fits(target: Target, facts: Facts) -> Verdict:
    name = _libc_name(target)
    if facts.libc_version.value is None:
        has = f"the version of {name} here is unknown; {target.libc_floor} is needed"
    else:
        has = f"{name} {facts.libc_version} is {target.libc_floor} or newer"
    here = _openssl(facts)
    binds = BINDS.get(target.tls)
    if binds and here.value is not None and here.value not in binds:
        has += f"; it is for OpenSSL {' or '.join(binds)}, here is {here}"
    return Verdict("fits", f"{target.os} {target.cpu}, {has}")


def _openssl(facts: Facts) -> Fact:
    """Return the OpenSSL that an engine would bind.

    The dynamic loader gives out what is mapped already before it looks for files; one
    that no target can bind goes by another name and stands in nobody's way.
    """
    mapped = facts.openssl_mapped
    return mapped if mapped.value in SERVED else facts.openssl


def preferred(targets: Iterable[Target], facts: Facts) -> list[Target]:
    """Return the targets in the order in which this process would have them."""
    here, kin = _openssl(facts).value, kin_family(facts)

    def rank(target: Target) -> tuple[bool, bool]:
        binds = BINDS.get(target.tls)
        cannot_bind = binds is not None and here in SERVED and here not in binds
        return cannot_bind, bool(kin) and target.family != kin

    return sorted(targets, key=rank)


def _libc_name(target: Target) -> str:
    return "macOS" if target.libc == "libSystem" else target.libc


def _older(version: str, floor: str) -> bool:
    have, need = version_numbers(version), version_numbers(floor)
    width = max(len(have), len(need))
    return have + (0,) * (width - len(have)) < need + (0,) * (width - len(need))


def candidates(
    facts: Facts,
    engines: Iterable[AnyEngine],
    targets: Sequence[Target],
    *,
    backend: str,
    chosen: Sequence[Target] | None = None,
    with_tls: bool = False,
) -> list[tuple[Target, Verdict, AnyEngine | None]]:
    """Order the targets: engines to try first, then what cannot be tried, with reasons.

    Args:
        facts: what this process is.
        engines: the engines at hand, in the order of preference for one target.
        targets: the rows, in the order of preference among equals.
        backend: the backend an engine must be for.
        chosen: the targets a setting restricts the choice to, or None.
        with_tls: whether engines of this backend need OpenSSL.

    Returns:
        Each target with the verdict on it and the engine to try, which is there only
        if the verdict is `fits`.
    """
    by_target: dict[str, list[AnyEngine]] = {}
    for engine in engines:
        if engine.backend == backend:
            by_target.setdefault(engine.target, []).append(engine)

    first: list[tuple[Target, Verdict, AnyEngine | None]] = []
    rest: list[tuple[Target, Verdict, AnyEngine | None]] = []
    for target in preferred(targets, facts):
        verdict = judge(target, facts, with_tls=with_tls)
        if chosen is not None and target not in chosen:
            verdict = Verdict("excluded", "a setting restricts the choice")
        elif chosen is not None and verdict.word in UNKNOWNS:
            # The file itself is still read before it is loaded.
            verdict = Verdict("fits", f"a setting names it, although {verdict.reason}")
        if verdict.word != "fits":
            rest.append((target, verdict, None))
            continue
        mine = by_target.get(target.id, [])
        first += [(target, verdict, engine) for engine in mine]
        if not mine:
            none = f"this installation has no {backend} engine for it"
            first.append((target, Verdict("no-engine", none), None))
    return first + rest
