"""Turns the names that people type into targets.

A name is a target's id, a family, an alias, `all`, or `native` (also `host`): the
targets that fit this machine. Whoever runs another Python than CPython may still
build for the machine it stands on, so `native` looks at the system alone.
"""

from __future__ import annotations

from engineroom.errors import NoNativeTarget, UnknownTarget
from engineroom.platforms.choose import judge_system
from engineroom.platforms.probe import probe
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.target import EVERY, NATIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engineroom.platforms.probe import Facts
    from engineroom.platforms.target import Target

__all__ = [
    "built_for", "known_names", "native_targets", "select_targets",
    "targets_named",
]  # fmt: skip


def select_targets(
    names: Iterable[str],
    *,
    targets: Sequence[Target] = TARGETS,
    facts: Facts | None = None,
) -> tuple[Target, ...]:
    """Return the targets that any of the names selects, each once, in the rows' order.

    Args:
        names: ids, families, aliases, `all`, `native` or `host`.
        targets: the rows to select from.
        facts: what `native` goes by; this machine is asked if None.

    Raises:
        UnknownTarget: a name selects nothing.
        NoNativeTarget: `native` on a system that no target fits.
    """
    chosen: set[str] = set()
    for name in names:
        if name == EVERY:
            found = tuple(targets)
        elif name in NATIVE:
            found = native_targets(targets=targets, facts=facts)
        else:
            found = targets_named(name, targets=targets)
        chosen.update(target.id for target in found)
    return tuple(target for target in targets if target.id in chosen)


def targets_named(
    name: str, *, targets: Sequence[Target] = TARGETS
) -> tuple[Target, ...]:
    """Return the target of this id or alias, or the targets of this family.

    Raises:
        UnknownTarget: it is none of these.
    """
    found = tuple(t for t in targets if name in (t.id, t.family) or name in t.aliases)
    if found:
        return found
    import difflib

    known = known_names(targets)
    raise UnknownTarget(
        name,
        nearest=difflib.get_close_matches(name.strip().lower(), known, n=3),
        known=known,
        built_for=built_for(targets),
    )


def native_targets(
    *, targets: Sequence[Target] = TARGETS, facts: Facts | None = None
) -> tuple[Target, ...]:
    """Return the targets that fit the system this runs on.

    Raises:
        NoNativeTarget: there are none.
    """
    if facts is None:
        facts = probe()
    found = tuple(t for t in targets if judge_system(t, facts) is None)
    if not found:
        raise NoNativeTarget(system=str(facts), built_for=built_for(targets))
    return found


def known_names(targets: Sequence[Target] = TARGETS) -> tuple[str, ...]:
    """Return every name that selects something: ids, families, aliases, the words."""
    names = dict.fromkeys(target.id for target in targets)
    names.update(dict.fromkeys(target.family for target in targets))
    names.update(dict.fromkeys(a for target in targets for a in target.aliases))
    names.update(dict.fromkeys((EVERY, *NATIVE)))
    return tuple(names)


def built_for(targets: Sequence[Target] = TARGETS) -> str:
    """Say in one sentence what Engineroom is built for."""
    systems: dict[tuple[str, str], list[str]] = {}
    for target in targets:
        name = "macOS" if target.os == "darwin" else f"Linux with {target.libc}"
        cpus = systems.setdefault((name, target.libc_floor), [])
        if target.cpu not in cpus:
            cpus.append(target.cpu)
    parts = [
        f"{name} {floor} or newer on {' and '.join(cpus)}"
        for (name, floor), cpus in systems.items()
    ]
    return f"Engineroom is built for {'; '.join(parts)}."
