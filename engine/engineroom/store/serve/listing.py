"""A project as its JSON page tells it, in the shape that people are shown.

People are shown what installers see, so it is read from the same page and from nothing
else. A page may be damaged or come from a hostile hand: what becomes an address here is
made anew from parts that were checked, and the rest is text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from engineroom.errors import StoreDamaged
from engineroom.store import keys
from engineroom.store.document import Reader
from engineroom.store.names import (
    NameRefused,
    normalise_project,
    parse_wheel_name,
    version_key,
)
from engineroom.store.versions import is_prerelease, version_order

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Listing", "Release", "ShownWheel", "read_listing", "read_names"]


@dataclass(frozen=True)
class ShownWheel:
    """One wheel of a release.

    Attributes:
        name: its file name.
        version: its version.
        pythons: its Python tags.
        platforms: its platform tags.
        sha256: its hash.
        size_bytes: its size.
        requires_python: the Pythons it is for, or None for all.
        upload_time: when it was published, as UTC text, or empty.
        yanked: why it was yanked; empty without a reason; None when it was not.
        has_provenance: whether there are attestations beside it.
    """

    name: str
    version: str
    pythons: tuple[str, ...]
    platforms: tuple[str, ...]
    sha256: str
    size_bytes: int
    requires_python: str | None
    upload_time: str
    yanked: str | None
    has_provenance: bool

    @property
    def address(self) -> str:
        """Where its bytes are, relative to the store."""
        return quote(keys.blob(self.sha256, self.name))


@dataclass(frozen=True)
class Release:
    """One version of a project.

    Attributes:
        version: the version, in normal form.
        wheels: its wheels, in the order of their names.
        is_preview: whether installers pass it over unless told otherwise.
    """

    version: str
    wheels: tuple[ShownWheel, ...]
    is_preview: bool

    @property
    def is_yanked(self) -> bool:
        """Whether all of it was yanked."""
        return all(wheel.yanked is not None for wheel in self.wheels)

    @property
    def upload_time(self) -> str:
        """When the first of its wheels was published."""
        return min(wheel.upload_time for wheel in self.wheels)

    @property
    def size_bytes(self) -> int:
        """What its wheels take together."""
        return sum(wheel.size_bytes for wheel in self.wheels)


@dataclass(frozen=True)
class Listing:
    """A project.

    Attributes:
        name: its normalised name.
        status: its status (PEP 792); `active` for most.
        reason: why it has that status, or empty.
        releases: its versions, the newest first.
    """

    name: str
    status: str
    reason: str
    releases: tuple[Release, ...]

    @property
    def newest(self) -> Release | None:
        """The version that an installer takes when it is told none."""
        standing = [release for release in self.releases if not release.is_yanked]
        final = [release for release in standing if not release.is_preview]
        return next(iter(final or standing or self.releases), None)


def read_names(data: bytes) -> tuple[str, ...]:
    """Read the names of all projects from their JSON page.

    Raises:
        StoreDamaged: when it is no such page.
    """
    page = Reader(keys.JSON_ROOT, _parse(keys.JSON_ROOT, data))
    names = tuple(item.text("name") for item in page.objects("projects"))
    for name in names:
        if not _is_normal(name):
            raise page.damage(f"`{name}` is no project's normal name")
    return names


def read_listing(project: str, data: bytes) -> Listing:
    """Read a project's JSON page.

    Raises:
        StoreDamaged: when it is no such page.
    """
    key = keys.json_page(project)
    value = _parse(key, data)
    page = Reader(key, value)
    if page.text("name") != project:
        raise page.damage(f"it is the page of `{page.text('name')}`")
    page.objects("files")
    status = Reader(key, value.get("project-status") or {}, "project-status")
    return Listing(
        name=project,
        status=status.optional_text("status") or "active",
        reason=status.optional_text("reason") or "",
        releases=_releases(_wheel_of(key, item) for item in value["files"]),
    )


def _is_normal(name: str) -> bool:
    try:
        return normalise_project(name) == name
    except NameRefused:
        return False


def _parse(key: str, data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise StoreDamaged(key, f"it is no JSON: {error}") from error


def _wheel_of(key: str, value: dict[str, Any]) -> ShownWheel:
    item = Reader(key, value, "files[]")
    try:
        name = parse_wheel_name(item.text("filename"))
    except NameRefused as error:
        raise item.damage(str(error)) from error
    yanked = value.get("yanked")
    return ShownWheel(
        name=name.text,
        version=name.version,
        pythons=name.pythons,
        platforms=name.platforms,
        sha256=Reader(key, value.get("hashes"), "files[].hashes").sha256("sha256"),
        size_bytes=item.integer("size"),
        requires_python=item.optional_text("requires-python"),
        upload_time=item.optional_text("upload-time") or "",
        yanked=yanked if isinstance(yanked, str) else ("" if yanked else None),
        has_provenance=value.get("provenance") is not None,
    )


def _releases(wheels: Iterable[ShownWheel]) -> tuple[Release, ...]:
    by_version: dict[str, list[ShownWheel]] = {}
    for wheel in wheels:
        by_version.setdefault(version_key(wheel.version), []).append(wheel)
    return tuple(
        Release(
            version=by_version[version][0].version,
            wheels=tuple(sorted(by_version[version], key=lambda wheel: wheel.name)),
            is_preview=is_prerelease(version),
        )
        for version in sorted(by_version, key=version_order, reverse=True)
    )
