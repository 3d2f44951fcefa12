"""Holds the pages of the codes against the classes: none lacking, none left over.

A page is written by hand (engine/engineroom/errors/pages); what every one must have is
said here, so that `engineroom explain` gives an operator the same answers, in the same
order, for whatever code is in front of him. That the message on it is the one that is
printed is proven by the tests, which make the failure happen and compare.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from engineroom.errors import Error

__all__ = ["AREAS", "SECTIONS", "faults", "needs_page"]

# Loading, targets, settings and the check; and `engineroom fetch`.
AREAS = re.compile(r"ER(1\d|32)\d\d")
SECTIONS = (
    "As it is printed",
    "Usual causes",
    "How to tell which",
    "What mends it",
)
# A class that is only caught, never raised itself, tells what is below it.
SECTIONS_OF_BASES = ("Its kinds",)


def needs_page(kind: type[Error]) -> bool:
    """Say whether a class must have a page."""
    return AREAS.fullmatch(kind.code) is not None


def faults(kinds: Iterable[type[Error]], folder: Path) -> list[str]:
    """Return what is wrong with the pages, a sentence each."""
    by_code = {kind.code: kind for kind in kinds}
    there = {path.stem: path for path in sorted(folder.glob("*.md"))}
    found = [
        f"{folder.name}/{code}.md is lacking: {kind.__name__} has no page"
        for code, kind in sorted(by_code.items())
        if needs_page(kind) and code not in there
    ]
    for code, path in there.items():
        if code not in by_code:
            found.append(f"{folder.name}/{path.name}: no class has this code")
        else:
            text = path.read_text("utf-8")
            about = _faults_of(text, by_code[code])
            found += [f"{folder.name}/{path.name}: {fault}" for fault in about]
    return found


def _faults_of(text: str, kind: type[Error]) -> Iterator[str]:
    head = f"# {kind.code} {kind.__name__}"
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    if parts[0].splitlines()[:1] != [head]:
        yield f"it does not begin with `{head}`"
    if not parts[0].partition("\n")[2].strip():
        yield "it does not say what the code means"
    names, bodies = tuple(parts[1::2]), parts[2::2]
    allowed = [SECTIONS, *([SECTIONS_OF_BASES] if kind.__subclasses__() else [])]
    if names not in allowed:
        wanted = " or ".join(", ".join(sections) for sections in allowed)
        yield f"its sections are {', '.join(names) or 'none'}, and must be {wanted}"
    for name, body in zip(names, bodies):
        if not body.strip():
            yield f"`{name}` is empty"
    if names == SECTIONS and f"```text\nerror {kind.code}: " not in bodies[0]:
        yield f"`{SECTIONS[0]}` has no text that begins with `error {kind.code}: `"
