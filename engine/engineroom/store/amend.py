"""Changing what is thought of files that are published: yank, quarantine, withdraw.

Nothing published is ever changed or taken back; a further entry in the journal says
what is to be thought of it from now on.

- Yanked files stay on the pages; installers take them only where they are asked for by
  their exact version (PEP 592).
- Quarantined files leave the pages until they are lifted; a project can be quarantined
  as a whole (PEP 792).
- Withdrawn files leave the pages for good, and a collector may remove their bytes;
  their names are never given again.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engineroom.errors import NothingToChange, ProjectMissing, ReasonRefused
from engineroom.store.derive import (
    as_it_is,
    find_project,
    open_journal,
    refresh_project,
)
from engineroom.store.entry import Entry, File
from engineroom.store.identity import read_store
from engineroom.store.names import NameRefused, normalise_version, version_key
from engineroom.store.publish import TOOL, pages_behind
from engineroom.store.times import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from engineroom.store.derive import Sign
    from engineroom.store.journal import Journal
    from engineroom.store.transport import Transport

__all__ = ["Amended", "amend"]

_REASON_CHARACTERS_MAX = 500


@dataclass(frozen=True)
class Amended:
    """What an action changed, or, on a dry run, would change.

    Attributes:
        project: the project's normalised name.
        action: the action.
        number: the entry it is; on a dry run the one it would be.
        files: the files it is about; none when it is about the whole project.
        pages: the keys of the pages that were written.
        is_dry_run: whether nothing was written.
    """

    project: str
    action: str
    number: int
    files: tuple[File, ...]
    pages: tuple[str, ...]
    is_dry_run: bool


def amend(
    transport: Transport,
    action: str,
    project: str,
    version: str | None,
    *,
    file_name: str | None = None,
    reason: str = "",
    dry_run: bool = False,
    sign: Sign = as_it_is,
    clock: Callable[[], float] = time.time,
) -> Amended:
    """Say from now on something else of files, or of a project.

    Args:
        transport: where the store is.
        action: `yank`, `unyank`, `quarantine`, `lift` or `withdraw`.
        project: the project's name.
        version: a version; None, for `quarantine` and `lift`, is the whole project.
        file_name: one file of the version; None is all of them.
        reason: why, for people; installers show it.
        dry_run: find out what it would be, and write nothing.
        sign: given a head, gives it with a signature.
        clock: seconds since the epoch.

    Raises:
        ProjectMissing: when there is no such project, version or file.
        NothingToChange: when all of it is so already.
        PagesBehind: when it is committed but for the pages.
    """
    if len(reason) > _REASON_CHARACTERS_MAX or not reason.isprintable():
        raise ReasonRefused(reason, _REASON_CHARACTERS_MAX)
    identity = read_store(transport)
    name = find_project(transport, project)
    journal = open_journal(transport, identity, name)
    publish_id = secrets.token_hex(16)
    while True:
        try:
            files = _wanted(journal, action, version, file_name)
        except NothingToChange:
            # Perhaps whoever did it died before the pages told of it.
            if not dry_run:
                refresh_project(journal, sign)
            raise
        number = journal.outline.number + 1
        if dry_run:
            return Amended(name, action, number, files, (), is_dry_run=True)
        entry = Entry(
            action=action,
            publish_id=publish_id,
            time=utc_text(clock()),
            tool=TOOL,
            names=tuple(file.name for file in files),
            reason=reason,
        )
        if journal.append(entry):
            break
        journal.read_on()
    with pages_behind(name, number):
        pages = refresh_project(journal, sign)
    return Amended(name, action, number, files, pages, is_dry_run=False)


def _wanted(
    journal: Journal, action: str, version: str | None, file_name: str | None
) -> tuple[File, ...]:
    """Give the files that an action is to change; none means the whole project."""
    name = journal.project
    if version is None:
        assert action in ("quarantine", "lift")
        if (journal.outline.status == "quarantined") == (action == "quarantine"):
            raise NothingToChange(action, name)
        return ()
    published = _files_of(journal, version)
    chosen = [f for f in published if file_name is None or f.name == file_name]
    if not chosen:
        what = f"{name} {version}" if file_name is None else file_name
        raise ProjectMissing(what, tuple(file.name for file in published))
    files = tuple(file for file in chosen if _would_change(file, action))
    if not files:
        raise NothingToChange(action, file_name or f"{name} {version}")
    return files


def _files_of(journal: Journal, version: str) -> tuple[File, ...]:
    try:
        key = version_key(normalise_version(version))
    except NameRefused as error:
        raise ProjectMissing(f"{journal.project} {version}", ()) from error
    return tuple(journal.files_of((key,)).values())


def _would_change(file: File, action: str) -> bool:
    if file.withdrawn is not None:
        return False
    if action == "yank":
        return file.yanked is None
    if action == "unyank":
        return file.yanked is not None
    if action == "quarantine":
        return file.quarantined is None
    if action == "lift":
        return file.quarantined is not None
    assert action == "withdraw"
    return True
