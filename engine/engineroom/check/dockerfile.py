"""Reads the stages of a Dockerfile: on which image each of them stands in the end.

Only what decides that is read: `ARG` before the first stage, `FROM`, and where the
text of a here-document ends, because SQL in one has lines that begin with FROM.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Stage", "final_stage", "read_stages", "substitute"]

_ESCAPE = re.compile(r"#\s*escape\s*=\s*(\S)", re.IGNORECASE)
_FROM = re.compile(
    r"FROM\s+(?:--platform=(?P<platform>\S+)\s+)?(?P<image>\S+)"
    r"(?:\s+AS\s+(?P<name>\S+))?\s*$",
    re.IGNORECASE,
)
_ARG = re.compile(r"ARG\s+(.+)$", re.IGNORECASE)
_HEREDOC = re.compile(r"<<(-?)\s*([\"']?)([A-Za-z_]\w*)\2")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+?])([^}]*))?\})")


class Stage(NamedTuple):
    """A stage of a Dockerfile.

    Attributes:
        name: what it is called, or an empty string.
        image: the image it stands on, through other stages if need be.
        platform: what `--platform` says, or an empty string.
        line: its line, counted from 1.
    """

    name: str
    image: str
    platform: str
    line: int


def read_stages(text: str, arguments: Mapping[str, str] | None = None) -> list[Stage]:
    """Return the stages of a Dockerfile in order.

    Args:
        text: the file.
        arguments: build arguments, which go before the defaults in the file.
    """
    given = arguments or {}
    values: dict[str, str] = {}
    stages: list[Stage] = []
    for line, instruction in _instructions(text):
        argument = _ARG.match(instruction)
        if argument and not stages:
            for word in argument.group(1).split():
                name, _, default = word.partition("=")
                default = substitute(default.strip("\"'"), values)
                values[name] = given.get(name) or default
        found = _FROM.match(instruction)
        if found is None:
            continue
        written = found.group("image").strip("\"'")
        # What only a build argument tells is shown as it stands.
        image = substitute(written, values) or written
        platform = substitute(found.group("platform") or "", values)
        base = next((s for s in reversed(stages) if _is_called(s, image)), None)
        if base is not None:
            image, platform = base.image, platform or base.platform
        stages.append(Stage(found.group("name") or "", image, platform, line))
    return stages


def final_stage(stages: list[Stage], target: str = "") -> Stage | None:
    """Return the stage that becomes the image: the target if there is one, or the last.

    Earlier stages build; nothing of ours runs in them once the image is made.
    """
    named = [s for s in stages if target and _is_called(s, target)]
    if target.isdecimal() and int(target) < len(stages):
        named = named or [stages[int(target)]]
    return next(iter([*named, *stages[-1:]]), None)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of `$NAME`, `${NAME}` and `${NAME:-default}`."""

    def value(found: re.Match[str]) -> str:
        held = values.get(found.group(1) or found.group(2), "")
        how, other = found.group(3) or "", found.group(4) or ""
        if how.endswith("+"):
            return other if held else ""
        return held or (substitute(other, values) if how.endswith("-") else "")

    return _VARIABLE.sub(value, text)


def _is_called(stage: Stage, name: str) -> bool:
    return bool(stage.name) and stage.name.lower() == name.lower()


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """Yield each instruction on one line, with the line on which it begins."""
    lines = text.lstrip("\ufeff").splitlines()
    escape = _ESCAPE.match(lines[0]) if lines else None
    mark = escape.group(1) if escape else "\\"
    parts: list[str] = []
    start, ends = 0, list[str]()
    for number, whole in enumerate(lines, 1):
        line = whole.strip()
        if ends:
            if line == ends[0]:
                ends.pop(0)
            continue
        if not line or line.startswith("#"):
            continue  # within an instruction, too
        start = start if parts else number
        if line.endswith(mark):
            parts.append(line[:-1])
            continue
        instruction = " ".join([*parts, line])
        parts = []
        if re.match(r"(RUN|COPY|ADD)\s", instruction, re.IGNORECASE):
            ends = [found.group(3) for found in _HEREDOC.finditer(instruction)]
        yield start, instruction
