"""What looking after a store finds and refuses: ER3500 to ER3529.

A flaw is found rather than met: `engineroom store verify` gathers them and goes on. Its
class says what kind it is, and how grave.
"""

from __future__ import annotations

from engineroom.errors.store import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar

_RESTORE = "restore this object from a copy of the store"
_REPAIR = (
    "find out who changed it; `engineroom store repair` makes it again from the journal"
)
_UNKNOWN = (
    "restore it from a copy of the store; until then nobody can tell what the pages of"
    " this project should be, so they are not compared"
)


class Flaw(StoreError):
    """Something in a store is not as its journals give it.

    Attributes:
        key: the object at fault.
        severity: `damage`, `behind` (a publisher died or is at work) or `stray`.
    """

    code = "ER3500"
    severity: ClassVar[str] = "damage"

    def __init__(self, key: str, message: str, *, hint: str) -> None:
        self.key = key
        super().__init__(message, hint=hint)


class EntryMissing(Flaw):
    """A journal entry is not there, and a later one is.

    Attributes:
        later_key: the next entry that is there.
    """

    code = "ER3501"

    def __init__(self, key: str, later_key: str) -> None:
        self.later_key = later_key
        super().__init__(
            key,
            f"The journal entry `{key}` is missing, and `{later_key}` is there",
            hint=_UNKNOWN,
        )


class EntryChanged(Flaw):
    """A journal entry is not the one that the next one was made after.

    Attributes:
        found: its sha256.
        wanted: the sha256 that the next entry names.
        next_key: the next entry.
    """

    code = "ER3502"

    def __init__(self, key: str, *, found: str, wanted: str, next_key: str) -> None:
        self.found = found
        self.wanted = wanted
        self.next_key = next_key
        super().__init__(
            key,
            f"The journal entry `{key}` has sha256 {found}, and `{next_key}` was made"
            f" after one with `{wanted}`: one of the two was changed",
            hint=_UNKNOWN,
        )


class EntryForeign(Flaw):
    """A journal entry belongs to another store or another project.

    Attributes:
        name: the field that says so: `store` or `project`.
        wanted: what it should be.
        found: what it is.
    """

    code = "ER3503"

    def __init__(self, key: str, name: str, *, wanted: str, found: str) -> None:
        self.name = name
        self.wanted = wanted
        self.found = found
        super().__init__(
            key,
            f"The journal entry `{key}` is of {name} `{found}`, and this is {name}"
            f" `{wanted}`",
            hint=_UNKNOWN,
        )


class EntryWrong(Flaw):
    """A journal entry cannot be read, or contradicts those before it.

    Attributes:
        reason: what is wrong, with the values that show it.
    """

    code = "ER3504"

    def __init__(self, key: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            key, f"The journal entry `{key}` is wrong: {reason}", hint=_UNKNOWN
        )


class JournalCut(Flaw):
    """A journal ends before an entry that something was made from.

    Attributes:
        number: that entry.
        stated_by: what was made from it.
    """

    code = "ER3505"

    def __init__(self, key: str, number: int, stated_by: str) -> None:
        self.number = number
        self.stated_by = stated_by
        super().__init__(
            key,
            f"The journal ends before `{key}`, and `{stated_by}` was made from entry"
            f" {number}",
            hint=_UNKNOWN,
        )


class JournalRewritten(Flaw):
    """The last entry of a journal is not the one that everything was made from.

    Attributes:
        found: its sha256.
        wanted: the sha256 of the entry that the head names.
        stated_by: the head.
    """

    code = "ER3506"

    def __init__(self, key: str, *, found: str, wanted: str, stated_by: str) -> None:
        self.found = found
        self.wanted = wanted
        self.stated_by = stated_by
        super().__init__(
            key,
            f"The journal entry `{key}` has sha256 {found}, and `{stated_by}` was made"
            f" from one with {wanted}",
            hint=_UNKNOWN,
        )


class BlobMissing(Flaw):
    """Bytes that are published are not there."""

    code = "ER3507"

    def __init__(self, key: str) -> None:
        super().__init__(
            key,
            f"`{key}` is published and is missing",
            hint="publish the same wheel again, or restore the file from a copy of the"
            " store",
        )


class BlobSizeWrong(Flaw):
    """Published bytes have another size than they were published with.

    Attributes:
        wanted_bytes: the size they were published with.
        found_bytes: the size they have.
    """

    code = "ER3508"

    def __init__(self, key: str, *, wanted_bytes: int, found_bytes: int) -> None:
        self.wanted_bytes = wanted_bytes
        self.found_bytes = found_bytes
        super().__init__(
            key,
            f"`{key}` has {found_bytes} bytes and was published with {wanted_bytes}",
            hint=_RESTORE,
        )


class BlobChanged(Flaw):
    """Published bytes are others than were published.

    Attributes:
        wanted: the sha256 they were published with.
        found: the sha256 they have.
    """

    code = "ER3509"

    def __init__(self, key: str, *, wanted: str, found: str) -> None:
        self.wanted = wanted
        self.found = found
        super().__init__(
            key,
            f"`{key}` has sha256 {found} and was published with {wanted}",
            hint=_RESTORE,
        )


class PageMissing(Flaw):
    """A page is not there, and a head says that it was written."""

    code = "ER3510"

    def __init__(self, key: str) -> None:
        super().__init__(
            key,
            f"`{key}` is missing, and a head says that it was written",
            hint=_REPAIR,
        )


class PageChanged(Flaw):
    """A page is none that the journal ever gave.

    Attributes:
        reason: the first difference.
    """

    code = "ER3511"

    def __init__(self, key: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            key, f"`{key}` is not what the journal gives: {reason}", hint=_REPAIR
        )


class PageBehind(Flaw):
    """A page, or a head, has not been brought up to the journal yet.

    Attributes:
        number: the entry that it shows; 0 when it is not there.
        wanted: the entry that it should show.
    """

    code = "ER3512"
    severity = "behind"

    def __init__(self, key: str, *, number: int, wanted: int) -> None:
        self.number = number
        self.wanted = wanted
        super().__init__(
            key,
            f"`{key}` shows the state of entry {number}, and the journal goes on to"
            f" entry {wanted}",
            hint="a publisher is at work, or has died: the next one to this project"
            " brings it up, and so does `engineroom store repair`",
        )


class PageRolledBack(Flaw):
    """A page shows an older state than the head says was written.

    Attributes:
        number: the entry that it shows.
        wanted: the entry that it should show.
        head_number: the entry up to which the head says that all is written.
    """

    code = "ER3513"

    def __init__(self, key: str, *, number: int, wanted: int, head_number: int) -> None:
        self.number = number
        self.wanted = wanted
        self.head_number = head_number
        super().__init__(
            key,
            f"`{key}` shows the state of entry {number} and should show that of"
            f" {wanted}; the head says that all is written up to entry {head_number}",
            hint=_REPAIR,
        )


class CheckpointWrong(Flaw):
    """A checkpoint does not follow from its journal.

    Attributes:
        reason: how it differs.
    """

    code = "ER3514"

    def __init__(self, key: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            key,
            f"The checkpoint `{key}` does not follow from the journal: {reason}",
            hint="find out who changed it; `engineroom store repair` removes it",
        )


class PageOrphaned(Flaw):
    """There is a page, and no journal it could come from."""

    code = "ER3515"

    def __init__(self, key: str) -> None:
        super().__init__(
            key,
            f"`{key}` is there, and no journal that it could come from",
            hint="find out who put it there, then remove it; if the journal was lost,"
            " restore that from a copy of the store",
        )


class HeadChanged(Flaw):
    """A head is none that the journal ever gave.

    Attributes:
        reason: the first difference.
    """

    code = "ER3516"

    def __init__(self, key: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            key,
            f"The head `{key}` is not what the journal gives: {reason}",
            hint=_REPAIR,
        )


class RootLacksProject(Flaw):
    """A page of all projects lacks one that it had.

    Attributes:
        project: the project.
    """

    code = "ER3517"

    def __init__(self, key: str, project: str) -> None:
        self.project = project
        super().__init__(
            key, f"`{key}` does not list project `{project}`", hint=_REPAIR
        )


class RootBehind(Flaw):
    """What lists all projects does not list one yet.

    Attributes:
        projects: those it lacks.
    """

    code = "ER3518"
    severity = "behind"

    def __init__(self, key: str, projects: Sequence[str]) -> None:
        self.projects = tuple(projects)
        names = ", ".join(f"`{name}`" for name in self.projects[:10]) or "the last"
        super().__init__(
            key,
            f"`{key}` has not been brought up yet: it lacks {names}",
            hint="a publisher is at work, or has died: `engineroom store repair`"
            " brings it up",
        )


class ObjectStray(Flaw):
    """An object that nothing in the store explains."""

    code = "ER3519"
    severity = "stray"

    def __init__(self, key: str) -> None:
        super().__init__(
            key,
            f"`{key}` is there, and nothing in the store explains it",
            hint="if you do not know what it is, remove it; no reader looks at it",
        )


class MirrorMismatch(StoreError):
    """The place to mirror to holds another store.

    Attributes:
        source_id: the id of the store to be mirrored.
        target: the place.
        target_id: the id of the store that is there.
    """

    code = "ER3520"

    def __init__(self, source_id: str, target: str, target_id: str) -> None:
        self.source_id = source_id
        self.target = target
        self.target_id = target_id
        super().__init__(
            f"`{target}` holds store `{target_id}`, and store `{source_id}` is to be"
            " mirrored",
            hint="mirror into an empty place, or into a mirror of the same store",
        )


class MirrorDiverged(StoreError):
    """A mirror has an object that the store has with other bytes: it was written to.

    Attributes:
        key: the object.
        source_sha256: its hash in the store.
        target_sha256: its hash in the mirror.
    """

    code = "ER3521"

    def __init__(self, key: str, *, source_sha256: str, target_sha256: str) -> None:
        self.key = key
        self.source_sha256 = source_sha256
        self.target_sha256 = target_sha256
        super().__init__(
            f"The mirror has gone its own way at `{key}`: it has sha256"
            f" {target_sha256}, and the store has {source_sha256}",
            hint="nothing of this project was changed: find out who publishes to the"
            " mirror, and mirror into an empty place",
        )


class MirrorAhead(StoreError):
    """A mirror's journal goes on where the store's ends.

    Attributes:
        key: the entry that the mirror has and the store has not.
    """

    code = "ER3522"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"The mirror has `{key}`, and the store has not: one was written to, or the"
            " other has lost something",
            hint="run `engineroom store verify` on both; nothing of this project was"
            " changed",
        )


class PromotionRefused(StoreError):
    """A version is not to be promoted as it stands.

    Attributes:
        project: the project's normalised name.
        version: the version.
        reason: why not.
    """

    code = "ER3523"

    def __init__(self, project: str, version: str, reason: str, *, hint: str) -> None:
        self.project = project
        self.version = version
        self.reason = reason
        super().__init__(f"`{project}` {version} is not promoted: {reason}", hint=hint)
