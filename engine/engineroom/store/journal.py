"""A project's journal: the only truth in a store.

Each commit is one numbered object, created only if absent; that creation is the one
instant at which a publish happens. Entries hold the sha256 of the one before them and
the store's name, so one that was changed, dropped or carried over from elsewhere shows.
State is what replaying the entries gives: nothing else is ever consulted about what was
published. Pages are made in pages.py, the order of a publish in publish.py.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engineroom.errors import FileNameTaken, StoreDamaged, StoreTooNew
from engineroom.store import keys
from engineroom.store.document import FORMAT, Reader, encode
from engineroom.store.names import NameRefused, parse_wheel_name
from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engineroom.store.identity import Identity
    from engineroom.store.transport import Transport

__all__ = ["Engine", "File", "Project", "append", "read_project"]


@dataclass(frozen=True)
class Engine:
    """One engine in a wheel, as the wheel's own manifest lists it."""

    target: str
    backend: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class File:
    """One wheel of a project.

    Attributes:
        name: its file name.
        identity: one spelling for all names that installers take for the same wheel.
        version: its normalised version.
        size_bytes: its size.
        sha256: its hash.
        metadata_sha256: the hash of its METADATA.
        requires_python: the Python versions it is for, or None for all.
        engines: the engines it carries.
        upload_time: when it was committed, as UTC text; empty before that.
    """

    name: str
    identity: str
    version: str
    size_bytes: int
    sha256: str
    metadata_sha256: str
    requires_python: str | None
    engines: tuple[Engine, ...] = ()
    upload_time: str = ""


@dataclass(frozen=True)
class Project:
    """A project as its journal tells it.

    Attributes:
        name: its normalised name.
        number: the last entry's number; 0 before the first.
        sha256: the last entry's hash; empty before the first.
        by_identity: its wheels, in the order they were published.
    """

    name: str
    number: int = 0
    sha256: str = ""
    by_identity: Mapping[str, File] = field(default_factory=dict[str, File])

    @property
    def files(self) -> tuple[File, ...]:
        """Its wheels, in the order they were published."""
        return tuple(self.by_identity.values())

    @property
    def versions(self) -> tuple[str, ...]:
        """Its versions, each once, in the order they were first published."""
        return tuple(dict.fromkeys(file.version for file in self.files))

    def without_published(self, files: Iterable[File]) -> tuple[File, ...]:
        """Drop the files that are published already.

        Raises:
            FileNameTaken: when one of them is published with other bytes.
        """
        return tuple(f for f in files if not _is_published(f, self.by_identity))


def read_project(
    transport: Transport, identity: Identity, name: str, since: Project | None = None
) -> Project:
    """Read a journal to its end and replay it.

    Args:
        transport: where the store is.
        identity: the store's name, which every entry must carry.
        name: the project's normalised name.
        since: an earlier state of the same project, to read on from.
    """
    start = since or Project(name)
    number, sha256, files = start.number, start.sha256, dict(start.by_identity)
    while True:
        key = keys.journal_entry(name, number + 1)
        stored = transport.get(key)
        if stored is None:
            return Project(name, number, sha256, files)
        entry = Reader.of_bytes(key, stored.data)
        _check_place(entry, identity, Project(name, number, sha256))
        _admit(entry, name, files)
        number += 1
        sha256 = hashlib.sha256(stored.data).hexdigest()


def append(
    transport: Transport,
    identity: Identity,
    project: Project,
    files: Iterable[File],
    *,
    publish_id: str,
    time: str,
    tool: str,
) -> bool:
    """Commit files as the entry after a project's last.

    A transport's own retry may find its first try's entry in place: the publish id
    tells that from another publisher's.

    Returns:
        False when another publisher has taken the number; read on, then try again.
    """
    key = keys.journal_entry(project.name, project.number + 1)
    entry = {
        "action": "publish",
        "files": [_document_of(file) for file in files],
        "format": FORMAT,
        "number": project.number + 1,
        "previous": project.sha256,
        "project": project.name,
        "publish_id": publish_id,
        "store": identity.store,
        "time": time,
        "tool": tool,
    }
    if transport.put_if_absent(key, BytesBody(encode(entry))):
        return True
    stored = transport.get(key)
    if stored is None:
        raise StoreDamaged(
            key,
            "the store refused to create it and does not have it",
            hint="the store's server or disk does not keep its promises; use another",
        )
    return Reader.of_bytes(key, stored.data).text("publish_id") == publish_id


def _is_published(file: File, by_identity: Mapping[str, File]) -> bool:
    owner = by_identity.get(file.identity)
    if owner is None:
        return False
    if (owner.name, owner.sha256) != (file.name, file.sha256):
        raise FileNameTaken(
            file.name,
            published_name=owner.name,
            published_sha256=owner.sha256,
            offered_sha256=file.sha256,
        )
    return True


def _check_place(entry: Reader, identity: Identity, before: Project) -> None:
    """Check that an entry belongs in this store, journal and place."""
    action = entry.text("action")
    if action != "publish":
        raise StoreTooNew(entry.key, f"action `{action}`", "action `publish`")
    _expect(entry, "store", identity.store)
    _expect(entry, "project", before.name)
    _expect(entry, "previous", before.sha256)
    if entry.integer("number") != before.number + 1:
        raise entry.damage(f"it says it is number {entry.integer('number')}")


def _admit(entry: Reader, project: str, files: dict[str, File]) -> None:
    """Add an entry's files to those before it, in place."""
    time = entry.text("time")
    for item in entry.objects("files"):
        file = _file_of(item, project, time)
        try:
            if not _is_published(file, files):
                files[file.identity] = file
        except FileNameTaken as error:
            raise entry.damage(error.message) from error


def _expect(entry: Reader, name: str, wanted: str) -> None:
    found = entry.text(name)
    if found != wanted:
        raise entry.damage(f"its `{name}` is `{found}`, and `{wanted}` was expected")


def _document_of(file: File) -> dict[str, Any]:
    return {
        "engines": [
            {
                "backend": engine.backend,
                "sha256": engine.sha256,
                "size": engine.size_bytes,
                "target": engine.target,
            }
            for engine in file.engines
        ],
        "metadata_sha256": file.metadata_sha256,
        "name": file.name,
        "requires_python": file.requires_python,
        "sha256": file.sha256,
        "size": file.size_bytes,
    }


def _file_of(item: Reader, project: str, time: str) -> File:
    try:
        name = parse_wheel_name(item.text("name"))
    except NameRefused as error:
        raise item.damage(str(error)) from error
    if name.project != project:
        raise item.damage(f"`{name.text}` is no file of project `{project}`")
    return File(
        name=name.text,
        identity=name.identity,
        version=name.version,
        size_bytes=item.integer("size"),
        sha256=item.sha256("sha256"),
        metadata_sha256=item.sha256("metadata_sha256"),
        requires_python=item.optional_text("requires_python"),
        engines=tuple(
            Engine(
                target=engine.text("target"),
                backend=engine.text("backend"),
                sha256=engine.sha256("sha256"),
                size_bytes=engine.integer("size"),
            )
            for engine in item.objects("engines")
        ),
        upload_time=time,
    )
