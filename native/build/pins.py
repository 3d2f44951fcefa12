"""Reads sources.toml: which bytes of others Engineroom is built from."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from native.build.errors import PinsInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["PINS_PATH", "Origin", "Pin", "Source", "load_sources"]

PINS_PATH = Path(__file__).with_name("sources.toml")
_FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
# The keys of each kind of origin; those in the plural have one value for each file.
_KINDS = {
    "npm": ("package", "version", "folder"),
    "url": ("urls",),
    "apt": ("paths",),
}


@dataclass(frozen=True)
class Pin:
    """One file, by its bytes.

    Attributes:
        name: its name in our cache, and in a folder where it is put by hand.
        sha256: the hash of its bytes.
        size_bytes: how many there are.
    """

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Origin:
    """A place that may have the files.

    Attributes:
        kind: `npm`, `url` or `apt`.
        values: what the kind needs to know, by key.
    """

    kind: str
    values: Mapping[str, Any]

    def __str__(self) -> str:
        if self.kind == "npm":
            return f"npm package {self.values['package']} {self.values['version']}"
        if self.kind == "apt":
            return "the mirror that apt is set up with"
        return str(self.values["urls"][0])


@dataclass(frozen=True)
class Source:
    """Something others wrote.

    Attributes:
        name: what it is called here.
        version: its release.
        license: its licence, as SPDX names it.
        homepage: where people read about it.
        is_linked: whether its code ends up in the engines.
        files: what is fetched.
        origins: where from, in order.
        unpack: for an archive: the folder in it that is wanted; or empty.
        keep: for an archive: patterns of the paths in that folder; all if empty.
        tree_sha256: the hash of the files unpacked; or empty.
    """

    name: str
    version: str
    license: str
    homepage: str
    is_linked: bool
    files: tuple[Pin, ...]
    origins: tuple[Origin, ...]
    unpack: str = ""
    keep: tuple[str, ...] = ()
    tree_sha256: str = ""

    @property
    def title(self) -> str:
        """The name and version."""
        return f"{self.name} {self.version}"

    @property
    def digest(self) -> str:
        """A hash of what is pinned; the same bytes have the same, however fetched."""
        return self.tree_sha256 or "-".join(pin.sha256[:32] for pin in self.files)


def load_sources(path: Path = PINS_PATH) -> dict[str, Source]:
    """Return the pinned sources by name.

    Raises:
        PinsInvalid: the file is refused; the fields say why.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PinsInvalid(path, "", f"cannot be read: {error}") from error
    if document.get("format") != _FORMAT:
        raise PinsInvalid(path, "format", f"is not {_FORMAT}")
    tables = document.get("source", {})
    return {name: _source(path, name, table) for name, table in tables.items()}


def _source(path: Path, name: str, table: Mapping[str, Any]) -> Source:
    key = f"source.{name}"
    files = tuple(
        _pin(path, f"{key}.file", entry)
        for entry in _take(path, key, table, "file", list)
    )
    origins = tuple(
        _origin(path, f"{key}.origin", entry, len(files))
        for entry in _take(path, key, table, "origin", list)
    )
    if not files or not origins:
        raise PinsInvalid(path, key, "needs at least one file and one origin")
    tree_sha256 = table.get("tree_sha256", "")
    if ("unpack" in table) != bool(tree_sha256):
        raise PinsInvalid(path, key, "needs both of unpack and tree_sha256, or none")
    return Source(
        name=name,
        version=_take(path, key, table, "version", str),
        license=_take(path, key, table, "license", str),
        homepage=_take(path, key, table, "homepage", str),
        is_linked=_take(path, key, table, "is_linked", bool),
        files=files,
        origins=origins,
        unpack=table.get("unpack", ""),
        keep=tuple(table.get("keep", ())),
        tree_sha256=tree_sha256,
    )


def _pin(path: Path, key: str, entry: Mapping[str, Any]) -> Pin:
    name = _take(path, key, entry, "name", str)
    sha256 = _take(path, key, entry, "sha256", str)
    if not _SHA256.fullmatch(sha256):
        raise PinsInvalid(path, f"{key}.sha256", f"is no sha256 in hex: `{sha256}`")
    if Path(name).name != name:
        raise PinsInvalid(path, f"{key}.name", f"is no plain file name: `{name}`")
    return Pin(name, sha256, _take(path, key, entry, "size_bytes", int))


def _origin(path: Path, key: str, entry: Mapping[str, Any], files: int) -> Origin:
    kind = _take(path, key, entry, "kind", str)
    if kind not in _KINDS:
        known = ", ".join(_KINDS)
        raise PinsInvalid(path, f"{key}.kind", f"is `{kind}`; allowed: {known}")
    values: dict[str, Any] = {}
    for name in _KINDS[kind]:
        is_list = name.endswith("s")
        values[name] = _take(path, key, entry, name, list if is_list else str)
        if is_list and len(values[name]) != files:
            raise PinsInvalid(path, f"{key}.{name}", "needs one value for each file")
    return Origin(kind, values)


def _take(path: Path, key: str, table: Mapping[str, Any], name: str, kind: type) -> Any:
    value = table.get(name)
    if not isinstance(value, kind):
        problem = "is missing" if value is None else f"is no {kind.__name__}"
        raise PinsInvalid(path, f"{key}.{name}", problem)
    return value
