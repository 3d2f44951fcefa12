"""The order of a publish, from which everything else follows.

Check every wheel; tell what is coming; put the bytes under their hashes; read them
back; commit by creating one journal entry; bring up what is derived from it. Readers
start from pages, pages come from the journal, and the journal names only bytes that are
there: so a reader meets the old state or the new one wherever a publisher stops, and
any later publish or repair carries on.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engineroom.errors import (
    AttestationWrong,
    ChannelInvalid,
    FileNameTaken,
    PagesBehind,
    ProjectQuarantined,
    StoreDamaged,
    StoreError,
    UploadTooOld,
)
from engineroom.store import keys
from engineroom.store.attestations import read_attestations
from engineroom.store.derive import (
    as_it_is,
    open_journal,
    refresh_project,
    refresh_roots,
)
from engineroom.store.entry import PUBLISH, Entry, File, is_published
from engineroom.store.identity import Identity, ensure_store, find_store
from engineroom.store.journal import Journal
from engineroom.store.names import is_channel, is_commit, version_key
from engineroom.store.times import utc_text
from engineroom.store.transport import CHUNK_BYTES, BytesBody, FileBody
from engineroom.store.upload import UPLOAD_SECONDS_MAX, announce
from engineroom.store.wheel import inspect_wheel
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

    from engineroom.store.derive import Sign
    from engineroom.store.transport import Body, Transport

    Check = Callable[[Sequence[File], str], object]

__all__ = ["TOOL", "Commit", "Offer", "Published", "pages_behind", "publish", "put_up"]

TOOL = f"engineroom {__version__}"


@dataclass(frozen=True)
class Offer:
    """A wheel to be published: what the journal will say of it, and its bytes.

    Attributes:
        file: what the journal will say of it.
        project: its project's normalised name.
        bodies: by key, the wheel and what is kept beside it.
    """

    file: File
    project: str
    bodies: dict[str, Body]


@dataclass(frozen=True)
class Commit:
    """What became of one project's wheels.

    Attributes:
        project: its normalised name.
        number: the last journal entry; the new one, when there are new files.
        new: the files this publish added.
        known: the files that were published before with the same bytes.
    """

    project: str
    number: int
    new: tuple[File, ...]
    known: tuple[File, ...]


@dataclass(frozen=True)
class Published:
    """What a publish did, or, on a dry run, would do.

    Attributes:
        commits: one for each project.
        pages: the keys of the pages that were written.
        is_new_store: whether the store itself was made, or would be.
        is_dry_run: whether nothing was written.
    """

    commits: tuple[Commit, ...]
    pages: tuple[str, ...]
    is_new_store: bool
    is_dry_run: bool


@dataclass(frozen=True)
class _Where:
    """Where a publish shows its files."""

    channel: str
    commit: str | None


def publish(
    transport: Transport,
    paths: Sequence[Path],
    *,
    attestations: Sequence[Path] = (),
    channel: str = keys.RELEASE,
    commit: str | None = None,
    check: Check | None = None,
    dry_run: bool = False,
    sign: Sign = as_it_is,
    clock: Callable[[], float] = time.time,
    progress: Callable[[str], None] | None = None,
) -> Published:
    """Publish wheels; those of one project appear at one instant.

    Args:
        transport: where the store is; an empty place becomes a store.
        paths: wheel files.
        attestations: files of attestations (PEP 740), each named as its wheel with
            something after it, such as `.publish.attestation`.
        channel: the channel whose pages show them.
        commit: the source commit they were made from, in full; gives them pages of
            their own.
        check: given the files that a project's page will show, yanked ones left out,
            and a version that is published; raises when it cannot be released so.
        dry_run: check everything and write nothing.
        sign: given a head, gives it with a signature.
        clock: seconds since the epoch, for the upload time. It is the time of the
            publish and not of the build, so SOURCE_DATE_EPOCH does not set it: clients
            use it to leave out what is too new.
        progress: told the name of each step before it is begun.

    Raises:
        ChannelInvalid: when the channel or commit is not of the form it must have.
        WheelRefused: when a wheel fails a check; nothing was written.
        AttestationWrong: when an attestation is not about one of the wheels, or comes
            later than its wheel.
        FileNameTaken: when a name has other bytes already; nothing of its project was
            published.
        PagesBehind: when everything is committed but for the pages.
        StoreError: when the store cannot be read or written, or is damaged.
    """
    if not is_channel(channel):
        raise ChannelInvalid("channel", channel)
    if commit is not None and not is_commit(commit):
        raise ChannelInvalid("commit", commit)
    tell = progress or _silent
    offers = _inspect_all(paths, attestations, tell)
    return put_up(
        transport,
        offers,
        channel=channel,
        commit=commit,
        check=check,
        dry_run=dry_run,
        sign=sign,
        clock=clock,
        progress=tell,
    )


def put_up(
    transport: Transport,
    offers: Sequence[Offer],
    *,
    channel: str,
    commit: str | None,
    check: Check | None,
    dry_run: bool,
    sign: Sign,
    clock: Callable[[], float],
    progress: Callable[[str], None],
) -> Published:
    """Publish what was checked already; see `publish`."""
    where = _Where(channel, commit)
    identity = find_store(transport)
    is_new_store = identity is None
    projects = _by_project(offers)
    journals = {name: _journal(transport, identity, name) for name in projects}
    # Conflicts are refused here, before a byte is written; and again at the commit.
    plans = tuple(_plan(journals[name], projects[name], where) for name in projects)
    if check is not None:
        for name, files in projects.items():
            shown = _shown(journals[name], files, where)
            for version in dict.fromkeys(file.version for file in files):
                check(shown, version)
    if dry_run:
        return Published(plans, (), is_new_store, is_dry_run=True)
    if identity is None:
        identity, is_new_store = ensure_store(transport, utc_text(clock()))
        journals = {name: _journal(transport, identity, name) for name in projects}
    commits: list[Commit] = []
    pages: list[str] = []
    bodies = {key: body for offer in offers for key, body in offer.bodies.items()}
    with announce(transport, identity, bodies, clock) as upload:
        reused = _store_all(transport, bodies, progress)
        for name, group in projects.items():
            progress(f"publishing {name}")
            if upload.age_seconds() > UPLOAD_SECONDS_MAX:
                raise UploadTooOld(upload.key, UPLOAD_SECONDS_MAX)
            one = _commit(journals[name], group, where, clock)
            commits.append(one)
            with pages_behind(name, one.number):
                pages.extend(refresh_project(journals[name], sign, channel=channel))
        # A collector may have removed, before the commit, what was there already.
        _store_all(transport, {key: bodies[key] for key in reused}, _silent)
    if commits:
        with pages_behind(commits[-1].project, commits[-1].number):
            pages.extend(refresh_roots(transport, identity, (*projects,), sign))
    return Published(tuple(commits), tuple(pages), is_new_store, is_dry_run=False)


@contextmanager
def pages_behind(project: str, number: int) -> Generator[None, None, None]:
    """Say of what fails within that the commit itself stands."""
    try:
        yield
    except StoreError as error:
        raise PagesBehind(project, number, error.message) from error


def _silent(_step: str) -> None:
    pass


def _inspect_all(
    paths: Iterable[Path], attestations: Iterable[Path], tell: Callable[[str], None]
) -> tuple[Offer, ...]:
    """Check every wheel, and that no two of them want the same name."""
    offers: dict[str, Offer] = {}
    left = sorted(attestations)
    for path in paths:
        tell(f"checking {path.name}")
        own = [one for one in left if one.name.startswith(f"{path.name}.")]
        left = [one for one in left if one not in own]
        offer = _offer(path, own)
        other = offers.setdefault(offer.file.identity, offer).file
        if (other.name, other.sha256) != (offer.file.name, offer.file.sha256):
            raise FileNameTaken(
                offer.file.name,
                published_name=other.name,
                published_sha256=other.sha256,
                offered_sha256=offer.file.sha256,
            )
    for path in left:
        raise AttestationWrong(
            str(path), "none of the wheels has the name it begins with"
        )
    return tuple(offers.values())


def _offer(path: Path, attestations: Sequence[Path]) -> Offer:
    wheel = inspect_wheel(path)
    file = wheel.file
    body = FileBody(path, file.size_bytes, file.sha256)
    bodies: dict[str, Body] = {
        keys.blob(file.sha256, file.name): body,
        keys.metadata(file.sha256, file.name): BytesBody(wheel.metadata),
    }
    if attestations:
        provenance = read_attestations(attestations, file.name, file.sha256)
        beside = BytesBody(provenance)
        file = replace(file, provenance_sha256=beside.sha256)
        bodies[keys.provenance(file.sha256, file.name)] = beside
    return Offer(file, wheel.project, bodies)


def _by_project(offers: Iterable[Offer]) -> dict[str, list[File]]:
    projects: dict[str, list[File]] = {}
    for offer in offers:
        projects.setdefault(offer.project, []).append(offer.file)
    return projects


def _journal(transport: Transport, identity: Identity | None, name: str) -> Journal:
    if identity is None:
        return Journal(transport, Identity("", ""), name)  # of nothing, never read
    return open_journal(transport, identity, name)


def _plan(journal: Journal, files: Sequence[File], where: _Where) -> Commit:
    outline = journal.outline
    if outline.status != "active":
        raise ProjectQuarantined(outline.project, outline.status_reason)
    published = journal.files_of(version_key(file.version) for file in files)
    new: list[File] = []
    known: list[File] = []
    for file in files:
        if not is_published(file, published):
            new.append(file)
            continue
        there = published[file.identity]
        if file.provenance_sha256 not in (None, there.provenance_sha256):
            raise AttestationWrong(
                file.name, "it was published without these attestations"
            )
        shown = there.published_in(where.channel, where.commit)
        (known if shown == there else new).append(there)
    number = outline.number + 1 if new else outline.number
    return Commit(outline.project, number, tuple(new), tuple(known))


def _shown(journal: Journal, files: Iterable[File], where: _Where) -> list[File]:
    """Give what installers may take from a channel's page once files are published."""
    found = dict(journal.outline.files)
    for file in files:
        there = found.get(file.identity, file)
        found[file.identity] = there.published_in(where.channel, where.commit)
    return [
        file
        for file in found.values()
        if where.channel in file.channels and file.is_offered and file.yanked is None
    ]


def _store_all(
    transport: Transport, bodies: dict[str, Body], tell: Callable[[str], None]
) -> list[str]:
    """Put objects and read back what no one has checked, whoever put it there.

    Returns:
        The keys of those that were there before.
    """

    def store(key: str) -> bool:
        tell(f"storing {key.rpartition('/')[2]}")
        return _store(transport, key, bodies[key])

    with ThreadPoolExecutor(transport.parallel) as pool:
        is_new = dict(zip(bodies, pool.map(store, bodies)))
    return [key for key in bodies if not is_new[key]]


def _store(transport: Transport, key: str, body: Body) -> bool:
    is_new = transport.put_if_absent(key, body)
    if is_new and transport.checks_bytes:
        return True
    digest = hashlib.sha256()
    file = transport.open(key)
    if file is None:
        raise StoreDamaged(key, "it was written and is not there")
    with file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != body.sha256:
        raise StoreDamaged(
            key,
            f"it should have sha256 {body.sha256} and has {digest.hexdigest()}",
            hint="remove this one file, then publish the same wheel again",
        )
    return is_new


def _commit(
    journal: Journal,
    files: Sequence[File],
    where: _Where,
    clock: Callable[[], float],
) -> Commit:
    """Commit what is new as one journal entry.

    Each turn that fails was another publisher's success, so this ends. The first needs
    no look at what others did meanwhile: if they did anything, it fails.
    """
    publish_id = secrets.token_hex(16)
    while True:
        plan = _plan(journal, files, where)
        if not plan.new:
            return plan
        now = utc_text(clock())
        entry = Entry(
            action=PUBLISH,
            publish_id=publish_id,
            time=now,
            tool=TOOL,
            files=plan.new,
            names=tuple(file.name for file in plan.new),
            channel=where.channel,
            commit=where.commit,
        )
        if journal.append(entry):
            new = (f.published_in(where.channel, where.commit) for f in plan.new)
            times = (replace(f, upload_time=f.upload_time or now) for f in new)
            return replace(plan, new=tuple(times))
        journal.read_on()
