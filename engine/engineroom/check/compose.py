"""Reads what a compose file says of each service: its image, or what it is built from.

It takes `image`, `platform` and `build` with its parts, also where they come from an
anchor or from another service of the file.
"""

from __future__ import annotations

from typing import NamedTuple

from engineroom.check.dockerfile import substitute
from engineroom.check.yaml_keys import read_keys

__all__ = ["Entry", "read_entries"]

_INLINE = ("build", "dockerfile_inline")
_NAMES: dict[tuple[str, ...], str] = {
    ("image",): "image",
    ("platform",): "platform",
    ("build",): "context",
    ("build", "context"): "context",
    ("build", "dockerfile"): "dockerfile",
    ("build", "target"): "target",
    _INLINE: "inline",
}


class Entry(NamedTuple):
    """A service of a compose file.

    Attributes:
        name: what it is called.
        line: the line of its image or inline Dockerfile, or of itself.
        image: the image it runs, or an empty string.
        platform: such as `linux/arm64`, or an empty string.
        context: the folder it is built from; empty if it is not built.
        dockerfile: the Dockerfile, below the context; empty for the usual one.
        target: the stage that is built; empty for the last.
        inline: the Dockerfile itself, where it stands in the compose file.
        arguments: the build arguments.
    """

    name: str
    line: int
    image: str = ""
    platform: str = ""
    context: str = ""
    dockerfile: str = ""
    target: str = ""
    inline: str = ""
    arguments: tuple[tuple[str, str], ...] = ()


def read_entries(text: str) -> list[Entry]:
    """Return the services of a compose file in order."""
    entries: dict[str, Entry] = {}
    based: dict[str, str] = {}
    for path, text_of, line in read_keys(text):
        if path[0] != "services" or len(path) < 2:
            continue
        name, key = path[1], path[2:]
        value = text_of if key == _INLINE else substitute(text_of, {})
        entry = entries.setdefault(name, Entry(name, line))
        field = _NAMES.get(key)
        if field and value:
            # The fields are those of the table above.
            entry = entry._replace(**{field: value})  # type: ignore[arg-type]
            is_place = field in ("image", "inline")
            entry = entry._replace(line=line) if is_place else entry
        elif key[:2] == ("build", "args") and len(key) == 3:
            entry = entry._replace(arguments=(*entry.arguments, (key[2], value)))
        elif key in (("extends",), ("extends", "service")) and value:
            based[name] = value
        if key == ("build",) and not value:
            entry = entry._replace(context=".")
        entries[name] = entry
    for name, base in based.items():
        if base in entries:
            entries[name] = _extended(entries[name], entries[base])
    return list(entries.values())


def _extended(entry: Entry, base: Entry) -> Entry:
    """Return a service with what it takes over from another one of the file."""
    return Entry(
        entry.name,
        entry.line,
        entry.image or base.image,
        entry.platform or base.platform,
        entry.context or base.context,
        entry.dockerfile or base.dockerfile,
        entry.target or base.target,
        entry.inline or base.inline,
        entry.arguments or base.arguments,
    )
