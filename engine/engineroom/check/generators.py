"""Judges the targets of a generator against those that are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engineroom.check.findings import Finding
from engineroom.check.needs import covers, is_known, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engineroom.check.needs import Need
    from engineroom.check.prisma import Generator

__all__ = ["judge_generator"]


def judge_generator(
    generator: Generator, index: int, file: str, text: str, needs: Iterable[Need]
) -> list[Finding]:
    """Return what is wrong with the targets of one generator."""
    value = generator.targets
    who = f"generator `{generator.name}`"
    if value is None:
        message = f"The {who} has no `binaryTargets`; needed: {listed(needs)}"
        hint = _fix_hint(file)
        lacking = tuple(needs)
        return [
            Finding(
                "targets-absent", file, generator.line, message, hint, lacking, index
            )
        ]
    line = text.count("\n", 0, value.key_start) + 1
    found: list[Finding] = []
    for name in value.texts:
        if not is_known(name):
            message = f"No target is called `{name}`"
            hint = "`engineroom targets` lists those of Engineroom"
            found.append(Finding("target-unknown", file, line, message, hint))
    lacking = tuple(n for n in needs if not any(covers(t, n) for t in value.texts))
    if lacking and value.variables:
        names = ", ".join(f"`{name}`" for name in value.variables)
        message = f"The {who} takes targets from {names}; needed: {listed(lacking)}"
        hint = "see that the variable holds them, or write the targets into the schema"
        found.append(
            Finding("targets-elsewhere", file, line, message, hint, lacking, -1)
        )
    elif lacking:
        message = f"The {who} lacks {listed(lacking)}"
        hint = _fix_hint(file)
        found.append(
            Finding("targets-missing", file, line, message, hint, lacking, index)
        )
    return found


def _fix_hint(file: str) -> str:
    return f"`engineroom check --fix` adds them, or add them by hand to `{file}`"
