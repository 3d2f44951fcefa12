"""What the artifact store can fail with: ER3000 to ER3110."""

from __future__ import annotations

from engineroom.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class StoreError(Error):
    """The artifact store failed, or holds what it should not."""

    code = "ER3000"


class StoreAddressInvalid(StoreError):
    """The text given as a store's address leads to no kind of store.

    Attributes:
        address: the text as it was given.
        reason: why it cannot be used.
    """

    code = "ER3001"

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(
            f"Store address `{address}` cannot be used: {reason}",
            hint="give a folder, such as `--store ./wheels`, or a bucket, such as"
            " `--store s3://bucket/prefix`",
        )


class StoreMissing(StoreError):
    """Where a store was looked for there is none.

    Attributes:
        store: the address that was looked at.
        reason: what is there instead.
    """

    code = "ER3002"

    def __init__(self, store: str, reason: str) -> None:
        self.store = store
        self.reason = reason
        super().__init__(
            f"No store at `{store}`: {reason}",
            hint="give the folder that holds `store.json`, or a missing or empty"
            " folder to `engineroom store publish`, which makes a new store there",
        )


class StoreUnreadable(StoreError):
    """Something in the store, or on the way to it, could not be read.

    Attributes:
        path: what could not be read.
        reason: the operating system's words.
    """

    code = "ER3003"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"Cannot read `{path}` in the store: {reason}",
            hint="check that this user may read the folder and that its disk is there",
        )


class StoreUnwritable(StoreError):
    """The store refused a write; nothing a reader sees has changed by it.

    Attributes:
        path: what could not be written.
        reason: the operating system's words.
        is_full: whether room was what was missing.
    """

    code = "ER3004"

    def __init__(self, path: str, reason: str, *, is_full: bool = False) -> None:
        self.path = path
        self.reason = reason
        self.is_full = is_full
        super().__init__(
            f"Cannot write `{path}` in the store: {reason}",
            hint="make room and run the same command again; what is already there"
            " is used"
            if is_full
            else "check that this user may write there, then run the same command"
            " again; what is already there is used",
        )


class StoreBusy(StoreError):
    """Another process held the store's page lock for too long.

    Attributes:
        path: the lock file.
        waited_seconds: how long this process waited.
    """

    code = "ER3005"

    def __init__(self, path: str, waited_seconds: float) -> None:
        self.path = path
        self.waited_seconds = waited_seconds
        super().__init__(
            f"Another process has held `{path}` for {waited_seconds:g} seconds",
            hint="a publisher is stopped or its disk hangs: end it, then run"
            " `engineroom store repair`; leave the file itself where it is",
        )


class StoreDamaged(StoreError):
    """What the store holds contradicts itself.

    Attributes:
        key: the object at fault.
        reason: the contradiction, with the values that show it.
    """

    code = "ER3006"

    def __init__(self, key: str, reason: str, *, hint: str = "") -> None:
        self.key = key
        self.reason = reason
        super().__init__(
            f"The store is damaged at `{key}`: {reason}",
            hint=hint or "restore this object from a copy of the store",
        )


class StoreTooNew(StoreError):
    """An object was written by a newer Engineroom in a form this one cannot read.

    Attributes:
        key: the object.
        found: the format or action it names.
        known: what this version reads.
    """

    code = "ER3007"

    def __init__(self, key: str, found: str, known: str) -> None:
        self.key = key
        self.found = found
        self.known = known
        super().__init__(
            f"`{key}` in the store says {found}, and this version reads {known}",
            hint="publish with a newer engineroom: `pip install -U engineroom`",
        )


class ProjectMissing(StoreError):
    """The store holds no project, or no version, of that name.

    Attributes:
        project: the name, with the version when that is what is missing.
        available: the names that are there.
    """

    code = "ER3008"

    def __init__(self, project: str, available: tuple[str, ...]) -> None:
        self.project = project
        self.available = available
        there = ", ".join(f"`{name}`" for name in available[:10]) or "nothing"
        more = f" and {len(available) - 10} more" if len(available) > 10 else ""
        super().__init__(
            f"The store holds no `{project}`",
            hint=f"it holds {there}{more}",
        )


class PagesBehind(StoreError):
    """A publish is committed, but the pages could not be brought up to it.

    Attributes:
        project: the project whose pages still show the state before.
        number: the journal entry that is committed.
        reason: what stopped the pages.
    """

    code = "ER3009"

    def __init__(self, project: str, number: int, reason: str) -> None:
        self.project = project
        self.number = number
        self.reason = reason
        super().__init__(
            f"`{project}` is published as journal entry {number}, but its pages still"
            f" show the state before: {reason}",
            hint="remove the cause, then run `engineroom store repair`",
        )


class PublishError(StoreError):
    """A publish was refused; the store is as it was."""

    code = "ER3100"


class WheelRefused(PublishError):
    """A file offered for publishing failed a check before anything was written.

    Attributes:
        path: the file.
        reason: what is wrong with it, with the values that show it.
    """

    code = "ER3101"
    advice: ClassVar[str] = "build the wheel again and publish that"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"Cannot publish `{path}`: {reason}", hint=self.advice)


class WheelUnreadable(WheelRefused):
    """The file is not there, is no regular file, or may not be read."""

    code = "ER3102"
    advice = "check the path; a pattern that matches nothing is passed on as it stands"


class WheelNameRefused(WheelRefused):
    """The file's name is not a wheel's, or not one that every client can fetch."""

    code = "ER3103"
    advice = (
        "a wheel is called NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl; let the"
        " build tool name it, and use `.devN` in place of a local version"
    )


class WheelBroken(WheelRefused):
    """The file is no zip archive, is cut off or damaged, or unpacks to too much."""

    code = "ER3104"


class WheelUnsafe(WheelRefused):
    """An archive member would be written outside its folder, or is no plain file."""

    code = "ER3105"


class WheelRecordWrong(WheelRefused):
    """RECORD is missing, malformed, or disagrees with the files in the archive."""

    code = "ER3106"
    advice = (
        "the wheel was changed after it was built: repack it with"
        " `python -m wheel unpack` and `pack`, or build it again"
    )


class WheelMetadataWrong(WheelRefused):
    """METADATA or WHEEL is missing, malformed, or disagrees with the file's name."""

    code = "ER3107"
    advice = (
        "do not rename wheels by hand; use `python -m wheel tags`, or build the wheel"
        " again"
    )


class WheelEngineWrong(WheelRefused):
    """An engine in the wheel is not the one that its manifest lists."""

    code = "ER3108"
    advice = "build the wheel again; the manifest is written by the build"


class WheelChanged(WheelRefused):
    """The file changed between its check and its upload."""

    code = "ER3109"
    advice = "wait until the build that writes it has ended, then publish again"


class FileNameTaken(PublishError):
    """The name was published before with other bytes, and a name never changes.

    Attributes:
        name: the file name offered.
        published_name: the name it was published under, equal but for its spelling.
        published_sha256: the bytes that own the name.
        offered_sha256: the bytes that were refused.
    """

    code = "ER3110"

    def __init__(
        self,
        name: str,
        *,
        published_name: str,
        published_sha256: str,
        offered_sha256: str,
    ) -> None:
        self.name = name
        self.published_name = published_name
        self.published_sha256 = published_sha256
        self.offered_sha256 = offered_sha256
        spelling = f" (as `{published_name}`)" if published_name != name else ""
        super().__init__(
            f"`{name}` is already published{spelling} with sha256 {published_sha256};"
            f" the file offered now has {offered_sha256}",
            hint="published names never change their bytes: raise the version, use the"
            " next `.devN`, or give the wheel a build tag such as `-1-`",
        )


class FileWithdrawn(PublishError):
    """The name belongs to a file that was withdrawn, and is never given again.

    Attributes:
        name: the file name.
        reason: why it was withdrawn.
    """

    code = "ER3112"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        why = f": {reason}" if reason else ""
        super().__init__(
            f"`{name}` was withdrawn{why}",
            hint="raise the version, or give the wheel a build tag such as `-1-`",
        )


class ProjectQuarantined(PublishError):
    """The project is held back as a whole, and takes no files until that is lifted.

    Attributes:
        project: its normalised name.
        reason: why it is held back.
    """

    code = "ER3113"

    def __init__(self, project: str, reason: str) -> None:
        self.project = project
        self.reason = reason
        why = f": {reason}" if reason else ""
        super().__init__(
            f"Project `{project}` is quarantined{why}",
            hint=f"when the matter is settled: `engineroom store quarantine {project}"
            " --lift`",
        )


class ChannelInvalid(PublishError):
    """The text given as a channel or as a source commit has not the form of one.

    Attributes:
        kind: `channel` or `commit`.
        text: the text as it was given.
    """

    code = "ER3114"

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text
        super().__init__(
            f"`{text}` is no {kind}",
            hint="a channel's name has small letters, digits, `.` and `-`, such as"
            " `nightly`"
            if kind == "channel"
            else "give the full id, as `git rev-parse HEAD` prints it",
        )


class UploadTooOld(PublishError):
    """Bringing the bytes took so long that a collector may soon remove them.

    Attributes:
        key: the list of what was being brought.
        seconds_max: how long it may take.
    """

    code = "ER3115"

    def __init__(self, key: str, seconds_max: float) -> None:
        self.key = key
        self.seconds_max = seconds_max
        super().__init__(
            f"The upload `{key}` has taken more than {seconds_max / 3600:g} hours, and"
            " was not committed",
            hint="run the same command again; what is already there is used",
        )


class NothingToChange(StoreError):
    """What was asked to be said of a project or its files is said already.

    Attributes:
        action: the action, such as `yank`.
        what: the project, version or file.
    """

    code = "ER3116"

    def __init__(self, action: str, what: str) -> None:
        self.action = action
        self.what = what
        super().__init__(
            f"There is nothing to {action} in `{what}`",
            hint="`engineroom store show PROJECT` lists the state of each file",
        )


class ReasonRefused(StoreError):
    """A reason is too long, or not one line of printable text.

    Attributes:
        reason: the text as it was given.
        characters_max: how long it may be.
    """

    code = "ER3117"

    def __init__(self, reason: str, characters_max: int) -> None:
        self.reason = reason
        self.characters_max = characters_max
        super().__init__(
            f"The reason {reason[:40]!r} has {len(reason)} characters or is not one"
            " printable line",
            hint=f"give at most {characters_max} characters; pages and installers show"
            " them",
        )
