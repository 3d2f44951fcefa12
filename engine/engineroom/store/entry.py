"""One commit in a journal: what it says, as text and as values.

An entry publishes files or changes what is to be thought of files published before.
What a row of entries amounts to is told in outline.py and journal.py.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engineroom.errors import (
    FileNameTaken,
    FileWithdrawn,
    StoreDamaged,
    StoreTooNew,
)
from engineroom.store import keys
from engineroom.store.document import FORMAT, Reader, encode
from engineroom.store.names import (
    NameRefused,
    is_channel,
    is_commit,
    parse_wheel_name,
    version_key,
)

if TYPE_CHECKING:
    from engineroom.store.identity import Identity

__all__ = [
    "ACTIONS",
    "PUBLISH",
    "Engine",
    "Entry",
    "File",
    "admit",
    "blobs_of",
    "decode_entry",
    "decode_file",
    "encode_entry",
    "encode_file",
    "is_published",
]

PUBLISH = "publish"
ACTIONS = (PUBLISH, "yank", "unyank", "quarantine", "lift", "withdraw")


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
        provenance_sha256: the hash of its attestations, or None where it has none.
        upload_time: when it was committed, as UTC text; empty before that.
        channels: the channels it was published to.
        commits: the source commits it was published for.
        yanked: the reason it was yanked for, which may be empty; None when it is not.
        quarantined: the reason it is held back for, likewise.
        withdrawn: the reason it was withdrawn for, likewise.
    """

    name: str
    identity: str
    version: str
    size_bytes: int
    sha256: str
    metadata_sha256: str
    requires_python: str | None
    engines: tuple[Engine, ...] = ()
    provenance_sha256: str | None = None
    upload_time: str = ""
    channels: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    yanked: str | None = None
    quarantined: str | None = None
    withdrawn: str | None = None

    @property
    def is_offered(self) -> bool:
        """Whether pages may show it."""
        return self.quarantined is None and self.withdrawn is None

    def published_in(self, channel: str, commit: str | None) -> File:
        """Give the file as it is once it is published there too."""
        return replace(
            self,
            channels=tuple(dict.fromkeys((*self.channels, channel))),
            commits=tuple(dict.fromkeys((*self.commits, *filter(None, (commit,))))),
        )


@dataclass(frozen=True)
class Entry:
    """One commit.

    Attributes:
        action: one of `ACTIONS`.
        publish_id: random, so that a publisher knows its own entry when it meets it.
        time: when it was made, as UTC text.
        tool: what made it.
        number: its place in the journal, from 1; 0 before it has one.
        previous: the hash of the entry before it; empty for the first.
        files: what a publish brings; nothing for other actions.
        names: the names of all files it is about; none means the whole project.
        channel: where a publish shows its files; empty for other actions.
        commit: the source commit a publish is for, or None.
        reason: why, for people.
        sha256: the hash of its bytes; empty before it has any.
    """

    action: str
    publish_id: str
    time: str
    tool: str
    number: int = 0
    previous: str = ""
    files: tuple[File, ...] = ()
    names: tuple[str, ...] = ()
    channel: str = ""
    commit: str | None = None
    reason: str = ""
    sha256: str = ""

    @property
    def version_keys(self) -> tuple[str, ...]:
        """The versions it is about, each once, as `version_key` spells them."""
        versions = (parse_wheel_name(name).version for name in self.names)
        return tuple(dict.fromkeys(version_key(version) for version in versions))


def encode_entry(entry: Entry, identity: Identity, project: str) -> bytes:
    """Write an entry as it is stored."""
    value: dict[str, Any] = {
        "action": entry.action,
        "format": FORMAT,
        "number": entry.number,
        "previous": entry.previous,
        "project": project,
        "publish_id": entry.publish_id,
        "store": identity.store,
        "time": entry.time,
        "tool": entry.tool,
    }
    if entry.action == PUBLISH:
        value["channel"] = entry.channel
        value["commit"] = entry.commit
        value["files"] = [encode_file(file) for file in entry.files]
    else:
        value["files"] = [{"name": name} for name in entry.names]
        value["reason"] = entry.reason
    return encode(value)


def decode_entry(key: str, data: bytes, identity: Identity, project: str) -> Entry:
    """Read an entry and check that it belongs to this store and project.

    Raises:
        StoreDamaged: when it does not, or is no entry.
        StoreTooNew: when a newer version wrote something unknown here.
    """
    reader = Reader.of_bytes(key, data)
    action = reader.text("action")
    if action not in ACTIONS:
        known = ", ".join(f"`{known}`" for known in ACTIONS)
        raise StoreTooNew(key, f"action `{action}`", f"the actions {known}")
    _expect(reader, "store", identity.store)
    _expect(reader, "project", project)
    is_publish = action == PUBLISH
    time = reader.text("time")
    channel = reader.text("channel") if is_publish else ""
    commit = reader.optional_text("commit") if is_publish else None
    if is_publish and not is_channel(channel):
        raise reader.damage(f"`{channel}` is no name of a channel")
    if commit is not None and not is_commit(commit):
        raise reader.damage(f"`{commit}` is no id of a source commit")
    items = reader.objects("files")
    files = tuple(decode_file(item, project) for item in items) if is_publish else ()
    return Entry(
        number=reader.integer("number"),
        previous=reader.text("previous"),
        action=action,
        publish_id=reader.text("publish_id"),
        time=time,
        tool=reader.text("tool"),
        files=files,
        names=tuple(_name_of(item, project) for item in items),
        channel=channel,
        commit=commit,
        reason="" if is_publish else reader.text("reason"),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def admit(key: str, entry: Entry, files: dict[str, File]) -> None:
    """Bring files up to an entry, in place.

    Args:
        key: the entry's, for messages.
        entry: the entry.
        files: by identity, all that entries before this one tell of its versions.

    Raises:
        StoreDamaged: when the entry contradicts those before it.
    """
    for file in entry.files:
        try:
            known = files[file.identity] if is_published(file, files) else file
        except (FileNameTaken, FileWithdrawn) as error:
            raise StoreDamaged(key, error.message) from error
        shown = known.published_in(entry.channel, entry.commit)
        files[file.identity] = replace(
            shown, upload_time=shown.upload_time or entry.time
        )
    if entry.action == PUBLISH:
        return
    for name in entry.names:
        identity = parse_wheel_name(name).identity
        if identity not in files or files[identity].name != name:
            raise StoreDamaged(key, f"`{name}` was never published before it")
        files[identity] = _changed(files[identity], entry)


def is_published(file: File, by_identity: dict[str, File]) -> bool:
    """Tell whether a file is published already.

    Raises:
        FileNameTaken: when its name has other bytes.
        FileWithdrawn: when it was withdrawn.
    """
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
    if owner.withdrawn is not None:
        raise FileWithdrawn(file.name, owner.withdrawn)
    return True


def encode_file(file: File) -> dict[str, Any]:
    """Write a file as it is when it is published.

    A file that was published before, and is now published in a further channel, brings
    along what became of it: who reads on from a checkpoint may not know it any more.
    """
    value: dict[str, Any] = {
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
        "provenance_sha256": file.provenance_sha256,
        "requires_python": file.requires_python,
        "sha256": file.sha256,
        "size": file.size_bytes,
    }
    if file.upload_time:
        value["published"] = {
            "channels": list(file.channels),
            "commits": list(file.commits),
            "quarantined": file.quarantined,
            "time": file.upload_time,
            "withdrawn": file.withdrawn,
            "yanked": file.yanked,
        }
    return value


def decode_file(item: Reader, project: str) -> File:
    """Read a file as it was when it was published."""
    name = parse_wheel_name(_name_of(item, project))
    file = File(
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
        provenance_sha256=item.optional_sha256("provenance_sha256"),
    )
    if not item.has("published"):
        return file
    before = item.member("published")
    return replace(
        file,
        channels=tuple(before.texts("channels")),
        commits=tuple(before.texts("commits")),
        quarantined=before.optional_text("quarantined"),
        upload_time=before.text("time"),
        withdrawn=before.optional_text("withdrawn"),
        yanked=before.optional_text("yanked"),
    )


def _changed(file: File, entry: Entry) -> File:
    """Give a file as it is after an entry that is no publish."""
    if entry.action == "yank":
        return replace(file, yanked=entry.reason)
    if entry.action == "unyank":
        return replace(file, yanked=None)
    if entry.action == "quarantine":
        return replace(file, quarantined=entry.reason)
    if entry.action == "lift":
        return replace(file, quarantined=None)
    assert entry.action == "withdraw"
    return replace(file, withdrawn=entry.reason)


def _name_of(item: Reader, project: str) -> str:
    try:
        name = parse_wheel_name(item.text("name"))
    except NameRefused as error:
        raise item.damage(str(error)) from error
    if name.project != project:
        raise item.damage(f"`{name.text}` is no file of project `{project}`")
    return name.text


def _expect(reader: Reader, name: str, wanted: str) -> None:
    found = reader.text(name)
    if found != wanted:
        raise reader.damage(f"its `{name}` is `{found}`, and `{wanted}` was expected")


def blobs_of(file: File) -> dict[str, tuple[str, int | None]]:
    """Give the keys of a file's bytes, with the sha256 and, where told, the size."""
    blobs: dict[str, tuple[str, int | None]] = {
        keys.blob(file.sha256, file.name): (file.sha256, file.size_bytes),
        keys.metadata(file.sha256, file.name): (file.metadata_sha256, None),
    }
    if file.provenance_sha256 is not None:
        key = keys.provenance(file.sha256, file.name)
        blobs[key] = (file.provenance_sha256, None)
    return blobs
