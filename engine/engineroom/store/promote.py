"""Releasing what was tested: the same bytes, from a staging store or another channel.

What is promoted is taken from the source's journal and never built or unpacked again,
so that what users get is what was tested, byte for byte. Inside one store only the
journal says something new.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from engineroom.errors import ChannelInvalid, ProjectMissing, PromotionRefused
from engineroom.store import keys
from engineroom.store.amend import amend
from engineroom.store.carry import bodies_of
from engineroom.store.derive import as_it_is, find_project, open_journal
from engineroom.store.entry import is_published
from engineroom.store.identity import find_store, read_store
from engineroom.store.names import (
    NameRefused,
    is_channel,
    normalise_version,
    version_key,
)
from engineroom.store.publish import Offer, put_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engineroom.store.derive import Sign
    from engineroom.store.entry import File
    from engineroom.store.journal import Journal
    from engineroom.store.publish import Check, Published
    from engineroom.store.transport import Body, Transport

__all__ = ["promote"]


def promote(
    source: Transport,
    target: Transport,
    project: str,
    version: str,
    *,
    from_channel: str | None = None,
    channel: str = keys.RELEASE,
    yanked: bool = False,
    check: Check | None = None,
    dry_run: bool = False,
    sign: Sign = as_it_is,
    clock: Callable[[], float] = time.time,
    progress: Callable[[str], None] = lambda _step: None,
) -> Published:
    """Publish a version of one store, or channel, in another, with the same bytes.

    Args:
        source: where it was published.
        target: where it is to be; may be the same store.
        project: the project's name.
        version: the version.
        from_channel: only its files in this channel; None is all.
        channel: the channel that is to show it.
        yanked: promote it although it is yanked; it stays so.
        check: as for `publish`.
        dry_run: check everything and write nothing.
        sign: given a head, gives it with a signature.
        clock: seconds since 1970.
        progress: told the name of each step before it is begun.

    Raises:
        ProjectMissing: when there is no such version.
        PromotionRefused: when it is held back, withdrawn or yanked.
        BlobMissing: when its bytes are not there.
        BlobChanged: when its bytes are not those that were published.
        StoreError: as `publish` does.
    """
    if not is_channel(channel):
        raise ChannelInvalid("channel", channel)
    identity = read_store(source)
    name = find_project(source, project)
    journal = open_journal(source, identity, name)
    files = _files_of(journal, version, from_channel)
    _check_state(journal, version, files, yanked=yanked)
    commits = {commit for file in files for commit in file.commits}
    published = put_up(
        target,
        _offers(source, target, name, files),
        channel=channel,
        # Told on where it is one; which of several it is released for nobody knows.
        commit=next(iter(commits)) if len(commits) == 1 else None,
        check=check,
        dry_run=dry_run,
        sign=sign,
        clock=clock,
        progress=progress,
    )
    if not dry_run:
        new = {file.name for commit in published.commits for file in commit.new}
        _yank(target, name, version, [f for f in files if f.name in new], sign, clock)
    return published


def _files_of(
    journal: Journal, version: str, from_channel: str | None
) -> tuple[File, ...]:
    try:
        wanted = version_key(normalise_version(version))
    except NameRefused as error:
        raise ProjectMissing(f"{journal.project} {version}", ()) from error
    found = journal.files_of((wanted,)).values()
    files = tuple(
        f for f in found if from_channel is None or from_channel in f.channels
    )
    if not files:
        where = f" in channel {from_channel}" if from_channel and found else ""
        versions = tuple(reversed(journal.outline.versions))
        raise ProjectMissing(f"{journal.project} {version}{where}", versions)
    return files


def _check_state(
    journal: Journal, version: str, files: Sequence[File], *, yanked: bool
) -> None:
    """Refuse what the source itself does not stand by."""
    name, outline = journal.project, journal.outline
    if outline.status != "active":
        raise PromotionRefused(
            name,
            version,
            f"the project is {outline.status}: {outline.status_reason or 'no reason'}",
            hint="lift the quarantine where it was made, once its reason is gone",
        )
    for file in files:
        for state, reason in (
            ("withdrawn", file.withdrawn),
            ("quarantined", file.quarantined),
            ("yanked", None if yanked else file.yanked),
        ):
            if reason is not None:
                raise PromotionRefused(
                    name,
                    version,
                    f"`{file.name}` is {state}: {reason or 'no reason'}",
                    hint="promote another version"
                    if state != "yanked"
                    else "promote another version, or this one with `--yanked`",
                )


def _offers(
    source: Transport, target: Transport, name: str, files: Sequence[File]
) -> list[Offer]:
    """Make offers; bytes are brought only of what the target has not published."""
    known: dict[str, File] = {}
    identity = find_store(target)
    if identity is not None:
        versions = {version_key(file.version) for file in files}
        known = open_journal(target, identity, name).files_of(versions)
    offers: list[Offer] = []
    for file in files:
        bodies: dict[str, Body] = {}
        if not is_published(file, known):
            bodies.update(bodies_of(source, file))
        as_new = replace(file, upload_time="", channels=(), commits=(), yanked=None)
        offers.append(Offer(as_new, name, bodies))
    return offers


def _yank(
    target: Transport,
    name: str,
    version: str,
    files: Sequence[File],
    sign: Sign,
    clock: Callable[[], float],
) -> None:
    """Say of what is new in a store that it is yanked, as it was where it is from."""
    identity = read_store(target)
    there = open_journal(target, identity, name).files_of(
        {version_key(file.version) for file in files}
    )
    for file in files:
        if file.yanked is not None and there[file.identity].yanked is None:
            amend(
                target,
                "yank",
                name,
                version,
                file_name=file.name,
                reason=file.yanked,
                sign=sign,
                clock=clock,
            )
