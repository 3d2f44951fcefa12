"""What a journal amounts to, in a size that does not grow with it.

To publish, to answer what pages show and to make those pages, it takes the files that
pages show now and, for everything older, only which entries told of it. That is an
outline. It follows from the entries alone, so its checkpoints can be computed again by
anyone, byte for byte, or be thrown away.

Files of the channel `release` are shown for ever. Any other channel shows its newest
`WINDOW_VERSIONS` versions, so that a build for every commit leaves the pages small.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from engineroom.store import keys
from engineroom.store.document import FORMAT, Reader, encode_tightly
from engineroom.store.entry import (
    File,
    admit,
    decode_file,
    encode_file,
)
from engineroom.store.names import version_key

if TYPE_CHECKING:
    from engineroom.store.entry import Entry
    from engineroom.store.identity import Identity

__all__ = ["WINDOW_VERSIONS", "Channel", "Outline", "Place"]

# As many nightly builds as PyTorch keeps on its page.
WINDOW_VERSIONS = 60


@dataclass(frozen=True)
class Place:
    """A place in a journal: the entry a page was made from.

    Attributes:
        number: the entry's number; 0 before the first.
        sha256: the entry's hash; empty before the first.
    """

    number: int = 0
    sha256: str = ""


@dataclass
class Channel:
    """What a channel shows.

    Attributes:
        place: the last entry that changed its pages.
        versions: the versions in its window, the oldest first, as `version_key` spells
            them; of the channel `release`, which has no window, none.
    """

    place: Place
    versions: list[str] = field(default_factory=list[str])


@dataclass
class Outline:
    """A project, without the files that no page shows. It changes as it reads on.

    Attributes:
        project: its normalised name.
        place: the last entry.
        status: `active` or `quarantined` (PEP 792).
        status_place: the entry that set the status; the start when none did.
        status_reason: why it is quarantined.
        updated: the time of the last entry.
        newest: the version published last.
        file_count: how many files were ever published.
        size_bytes: how many bytes these are.
        versions: for each version, as `version_key` spells it, the entries about it.
        commits: for each source commit the entries that published for it.
        channels: by name.
        files: by identity, the files in the window of a channel.
    """

    project: str
    place: Place = Place()
    status: str = "active"
    status_place: Place = Place()
    status_reason: str = ""
    updated: str = ""
    newest: str = ""
    file_count: int = 0
    size_bytes: int = 0
    versions: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    commits: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    channels: dict[str, Channel] = field(default_factory=dict[str, Channel])
    files: dict[str, File] = field(default_factory=dict[str, File])

    @property
    def number(self) -> int:
        """The last entry's number."""
        return self.place.number

    def shown(self, channel: str) -> tuple[File, ...]:
        """Give the files on a channel's pages, in the order they were published."""
        if self.status != "active":
            return ()
        return tuple(
            file
            for file in self.files.values()
            if file.is_offered and self._is_in(file, channel)
        )

    def later_than_status(self, place: Place) -> Place:
        """Give the later of a place and the one that set the project's status."""
        return max(place, self.status_place, key=lambda one: one.number)

    def read_on(self, key: str, entry: Entry) -> None:
        """Take in the next entry.

        Raises:
            StoreDamaged: when it contradicts those before it.
        """
        self.place = Place(entry.number, entry.sha256)
        self.updated = entry.time
        for version in entry.version_keys:
            self.versions.setdefault(version, []).append(entry.number)
        if entry.commit is not None:
            self.commits.setdefault(entry.commit, []).append(entry.number)
        if entry.action == "publish":
            self._take_files(key, entry)
        elif entry.names:
            self._change_files(key, entry)
        else:
            self._change_status(entry)

    def encode(self, identity: Identity) -> bytes:
        """Write a checkpoint; equal outlines give equal bytes."""
        value: dict[str, Any] = {
            "channels": {
                name: {**_encode_place(channel.place), "versions": channel.versions}
                for name, channel in self.channels.items()
            },
            "commits": self.commits,
            "file_count": self.file_count,
            "files": [encode_file(file) for file in self.files.values()],
            "format": FORMAT,
            "newest": self.newest,
            **_encode_place(self.place),
            "project": self.project,
            "size_bytes": self.size_bytes,
            "status": {
                **_encode_place(self.status_place),
                "reason": self.status_reason,
                "value": self.status,
            },
            "store": identity.store,
            "updated": self.updated,
            "versions": self.versions,
        }
        return encode_tightly(value)

    @classmethod
    def decode(cls, key: str, data: bytes, identity: Identity, project: str) -> Outline:
        """Read a checkpoint.

        Raises:
            StoreDamaged: when it is none, or none of this store and project.
        """
        reader = Reader.of_bytes(key, data)
        for name, wanted in (("store", identity.store), ("project", project)):
            if reader.text(name) != wanted:
                raise reader.damage(f"its `{name}` is not `{wanted}`")
        status = reader.member("status")
        files = [decode_file(item, project) for item in reader.objects("files")]
        return cls(
            project=project,
            place=_decode_place(reader),
            status=status.text("value"),
            status_place=_decode_place(status),
            status_reason=status.text("reason"),
            updated=reader.text("updated"),
            newest=reader.text("newest"),
            file_count=reader.integer("file_count"),
            size_bytes=reader.integer("size_bytes"),
            versions=reader.numbers_by_name("versions"),
            commits=reader.numbers_by_name("commits"),
            channels={
                name: Channel(_decode_place(channel), channel.texts("versions"))
                for name, channel in reader.objects_by_name("channels").items()
            },
            files={file.identity: file for file in files},
        )

    def _take_files(self, key: str, entry: Entry) -> None:
        admit(key, entry, self.files)
        new = [file for file in entry.files if not file.upload_time]
        self.file_count += len(new)
        self.size_bytes += sum(file.size_bytes for file in new)
        if entry.files:
            self.newest = entry.files[-1].version
        channel = self.channels.setdefault(entry.channel, Channel(self.place))
        channel.place = self.place
        if entry.channel != keys.RELEASE:
            for version in entry.version_keys:
                if version not in channel.versions:
                    channel.versions.append(version)
            left = channel.versions[:-WINDOW_VERSIONS]
            del channel.versions[:-WINDOW_VERSIONS]
            self._forget(left)

    def _change_files(self, key: str, entry: Entry) -> None:
        """Change the files that are shown; the others' state is in their entries."""
        known = {file.name for file in self.files.values()}
        shown = replace(
            entry, names=tuple(name for name in entry.names if name in known)
        )
        admit(key, shown, self.files)
        names = frozenset(shown.names)
        for name, channel in self.channels.items():
            if any(
                file.name in names and self._is_in(file, name)
                for file in self.files.values()
            ):
                channel.place = self.place

    def _change_status(self, entry: Entry) -> None:
        is_held = entry.action == "quarantine"
        self.status = "quarantined" if is_held else "active"
        self.status_reason = entry.reason if is_held else ""
        self.status_place = self.place
        for channel in self.channels.values():
            channel.place = self.place

    def _is_in(self, file: File, channel: str) -> bool:
        return channel in file.channels and (
            channel == keys.RELEASE
            or version_key(file.version) in self.channels[channel].versions
        )

    def _forget(self, versions: list[str]) -> None:
        """Drop the files of versions that leave a channel's window for good."""
        # An identity begins with the project and the version.
        begins = tuple(f"{self.project}-{version}-" for version in versions)
        for identity in [one for one in self.files if one.startswith(begins)]:
            file = self.files[identity]
            if not any(self._is_in(file, channel) for channel in file.channels):
                del self.files[identity]


def _encode_place(place: Place) -> dict[str, Any]:
    return {"number": place.number, "sha256": place.sha256}


def _decode_place(reader: Reader) -> Place:
    return Place(reader.integer("number"), reader.text("sha256"))
