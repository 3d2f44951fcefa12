"""From the rows of platforms.toml to the legs of the workflows. Pure.

Two rows that share a wheel are one leg, because one build makes both engines. A leg
names its wheel by cibuildwheel's identifier, and the identifiers of the other Pythons
that the same wheel must serve: cibuildwheel builds for the first and tests on all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engineroom.platforms.rows import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engineroom.platforms.target import Target

__all__ = ["PYTHONS", "identifiers", "machine_legs", "target_legs", "wheel_legs"]

# The CPythons that each wheel is tested on, the one it is built for first. Those
# without the interpreter lock need engines of their own, which there are not yet.
PYTHONS = ("cp39", "cp310", "cp311", "cp312", "cp313", "cp314", "cp315")

Leg = dict[str, str]  # all GitHub can put into a matrix without trouble


def wheel_legs(targets: Sequence[Target] = TARGETS) -> list[Leg]:
    """Return one leg for each wheel, in the order of the rows."""
    return [
        {
            "wheel": tag,
            "targets": " ".join(row.id for row in rows),
            "runner": rows[0].runner,
            "cibuildwheel": rows[0].cibuildwheel,
            "identifiers": " ".join(identifiers(rows[0])),
        }
        for tag, rows in _grouped(targets, "wheel_tag")
    ]


def target_legs(targets: Sequence[Target] = TARGETS) -> list[Leg]:
    """Return one leg for each row."""
    return [
        {
            "target": row.id,
            "runner": row.runner,
            "wheel": row.wheel_tag,
            "cibuildwheel": row.cibuildwheel,
        }
        for row in targets
    ]


def machine_legs(targets: Sequence[Target] = TARGETS) -> list[Leg]:
    """Return one leg for each kind of machine that runs some of the targets."""
    return [
        {"runner": runner, "targets": " ".join(row.id for row in rows)}
        for runner, rows in _grouped(targets, "runner")
    ]


def identifiers(target: Target, pythons: Iterable[str] = PYTHONS) -> tuple[str, ...]:
    """Return cibuildwheel's identifiers of a target's wheel, one for each Python."""
    _, _, system = target.cibuildwheel.partition("-")
    return tuple(f"{python}-{system}" for python in pythons)


def _grouped(
    targets: Sequence[Target], field: str
) -> list[tuple[str, tuple[Target, ...]]]:
    """Return the rows that have the same value, in the order they come first."""
    values = dict.fromkeys(str(getattr(target, field)) for target in targets)
    return [
        (value, tuple(target for target in targets if getattr(target, field) == value))
        for value in values
    ]
