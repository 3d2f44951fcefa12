"""Reads what a compose file says of each service: its image, or what it is built from.

No reader of YAML: it follows indentation below `services:` and takes `image`,
`platform` and `build` with its parts, which people write as plain lines. What is
written in another way, such as in braces, asks for nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from engineroom.check.dockerfile import substitute

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Entry", "read_entries"]

_LINE = re.compile(r"""( *)(?:"([^"]+)"|'([^']+)'|([\w./-]+))\s*:(?:\s+(.*))?$""")
_NAMES: dict[tuple[str, ...], str] = {
    ("image",): "image",
    ("platform",): "platform",
    ("build",): "context",
    ("build", "context"): "context",
    ("build", "dockerfile"): "dockerfile",
    ("build", "target"): "target",
}


class Entry(NamedTuple):
    """A service of a compose file.

    Attributes:
        name: what it is called.
        line: the line of its image, or of itself.
        image: the image it runs, or an empty string.
        platform: such as `linux/arm64`, or an empty string.
        context: the folder it is built from; empty if it is not built.
        dockerfile: the Dockerfile, below the context; empty for the usual one.
        target: the stage that is built; empty for the last.
        arguments: the build arguments.
    """

    name: str
    line: int
    image: str = ""
    platform: str = ""
    context: str = ""
    dockerfile: str = ""
    target: str = ""
    arguments: tuple[tuple[str, str], ...] = ()


def read_entries(text: str) -> list[Entry]:
    """Return the services of a compose file in order."""
    entries: dict[str, Entry] = {}
    for line, key, value in _keys(text):
        if key[0] != "services" or len(key) < 2:
            continue
        name = key[1]
        entry = entries.setdefault(name, Entry(name, line))
        field = _NAMES.get(key[2:])
        if field and value:
            # The fields are those of the table above.
            entry = entry._replace(**{field: value})  # type: ignore[arg-type]
            entry = entry._replace(line=line) if field == "image" else entry
        elif key[2:4] == ("build", "args") and len(key) == 5:
            entry = entry._replace(arguments=(*entry.arguments, (key[4], value)))
        if key[2:] == ("build",) and not value:
            entry = entry._replace(context=".")
        entries[name] = entry
    return list(entries.values())


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """Yield each key with the keys above it, its line and its value."""
    above: list[tuple[int, str]] = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        found = _LINE.match(line.replace("\t", "  "))
        argument = re.match(r"( *)- *[\"']?(\w+)=([^\"'#]*)", line)
        if found:
            depth = len(found.group(1))
            key = found.group(2) or found.group(3) or found.group(4)
            value = _scalar(found.group(5) or "")
        elif argument:  # `- NAME=value`, a list of build arguments
            depth = len(argument.group(1)) + 1
            key, value = argument.group(2), _scalar(argument.group(3))
        else:
            continue
        while above and above[-1][0] >= depth:
            above.pop()
        above.append((depth, key))
        yield number, tuple(name for _, name in above), value


def _scalar(text: str) -> str:
    text = re.sub(r"(?:^|\s)#.*$", "", text.strip()).strip()
    text = re.sub(r"^[&!]\S+\s*", "", text)
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1]
    return substitute(text, {})
