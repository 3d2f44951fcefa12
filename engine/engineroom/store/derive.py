"""Bringing everything derived up to the journal, and the order in which that is safe.

What is derived holds nothing of its own, so every writer does the same: read what is
there, then the journal to its end, then replace what was read if it is still the same.
Whoever is last has read the journal after everybody's commit, so nothing goes back and
the last state written has everything, without a writer waiting for another's work.

A project's head is written when all its pages are. It tells the next writer from which
entry on something may be missing: that writer makes up for one that died.
"""

from __future__ import annotations

import hashlib
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from engineroom.errors import ProjectMissing, StoreDamaged
from engineroom.store import keys, pages
from engineroom.store.document import Reader, encode
from engineroom.store.head import project_head, root_head, unsigned_part
from engineroom.store.journal import Journal
from engineroom.store.names import NameRefused, normalise_project
from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engineroom.store.entry import Entry
    from engineroom.store.identity import Identity
    from engineroom.store.transport import Stored, Transport

    Make = Callable[[], bytes]
    Sign = Callable[[dict[str, Any]], dict[str, Any]]

__all__ = [
    "as_it_is",
    "channel_pages",
    "check_reach",
    "commit_pages",
    "find_project",
    "head_document",
    "head_number",
    "list_projects",
    "open_journal",
    "refresh_project",
    "refresh_roots",
    "root_pages",
]

_BATCH_PAGES = 256


def as_it_is(document: dict[str, Any]) -> dict[str, Any]:
    """Leave a head unsigned."""
    return document


def list_projects(transport: Transport, known: Iterable[str] = ()) -> tuple[str, ...]:
    """Give the names of all projects that have something published, sorted.

    Args:
        transport: where the store is.
        known: names of which it is known, and need not be asked one by one.
    """
    known = frozenset(known)
    return tuple(
        name
        for name in sorted(filter(keys.is_safe, transport.folders(keys.JOURNALS)))
        # A publisher killed before its first commit may leave an empty folder.
        if name in known or transport.size(keys.journal_entry(name, 1)) is not None
    )


def find_project(transport: Transport, name: str) -> str:
    """Give the normalised name of a project that has something published.

    Raises:
        ProjectMissing: when there is none of that name.
    """
    try:
        project = normalise_project(name)
    except NameRefused as error:
        raise ProjectMissing(name, list_projects(transport)) from error
    if transport.size(keys.journal_entry(project, 1)) is None:
        raise ProjectMissing(name, list_projects(transport))
    return project


def open_journal(transport: Transport, identity: Identity, name: str) -> Journal:
    """Read a journal to its end and check that it reaches as far as its head.

    Without this a journal that lost its last entries would look merely short, and the
    next publish would take their numbers.
    """
    journal = Journal(transport, identity, name)
    journal.read_on()
    check_reach(keys.head(name), journal.head_number, journal)
    return journal


def refresh_project(
    journal: Journal,
    sign: Sign = as_it_is,
    *,
    channel: str | None = None,
    everything: bool = False,
) -> tuple[str, ...]:
    """Bring all that is derived from a journal up to where it was read to.

    It may have grown since: whoever added an entry comes here after that. So a journal
    is read on here only where something made from a later entry is met.

    Args:
        journal: the journal, read to the entry that is to be shown.
        sign: given a head, gives it with a signature.
        channel: compare this channel's pages whether or not they should have changed.
        everything: compare every page there is, and not only those that entries after
            the head have changed.

    Returns:
        The keys of the objects that had to be written.
    """
    transport, name = journal.transport, journal.project
    start = 0 if everything else journal.head_number
    may_leave = transport.replaces_conditionally and not everything
    is_last = True
    written: list[str] = []
    while True:
        number = journal.outline.number
        changed = _changed_pages(journal, start)
        if channel in journal.outline.channels:
            changed.update(channel_pages(journal, channel))
        for batch in _batches(changed, _BATCH_PAGES):
            is_last &= _bring_up(journal, batch, written, may_leave=may_leave)
            journal.forget(_BATCH_PAGES)
        if transport.replaces_conditionally:
            start = number
        else:
            # Another writer may have put an older page over a newer one meanwhile.
            journal.read_on()
        if journal.outline.number == number:
            break
    journal.keep_checkpoints()
    # Else it is for whoever is at work on later entries; should they die, the next one
    # begins from the head there is.
    if is_last and _bring_head_up(journal, sign):
        written.append(keys.head(name))
    return tuple(written)


def channel_pages(journal: Journal, channel: str) -> dict[str, Make]:
    """Give the pages of a channel, each with what makes it at the journal's end."""
    root = keys.channel_root(channel)

    def listing() -> pages.Listing:
        outline = journal.outline
        return pages.Listing(
            project=journal.project,
            place=outline.channels[channel].place,
            files=outline.shown(channel),
            root=root,
            status=outline.status,
            status_reason=outline.status_reason,
        )

    return _simple_pages(journal, root, listing)


def commit_pages(journal: Journal, commit: str) -> dict[str, Make]:
    """Give the pages of a source commit, likewise."""
    root = keys.commit_root(commit)

    def listing() -> pages.Listing:
        outline = journal.outline
        files = journal.files_for(commit)
        is_active = outline.status == "active"
        return pages.Listing(
            project=journal.project,
            place=journal.last_for(commit),
            files=tuple(f for f in files.values() if f.is_offered and is_active),
            root=root,
            status=outline.status,
            status_reason=outline.status_reason,
        )

    made = _simple_pages(journal, root, listing)
    made[keys.commit_engines(commit, journal.project)] = lambda: pages.commit_engines(
        listing(), commit
    )
    return made


def head_document(journal: Journal) -> dict[str, Any]:
    """Make the statement of where a journal ends and what its pages are."""
    outline = journal.outline
    hashes: dict[str, str] = {}
    for name, channel in outline.channels.items():
        for key, make in channel_pages(journal, name).items():
            # A page's entry tells all of it: what changes a page moves that on.
            number, sha256 = journal.hashes.get(key, (0, ""))
            if number != channel.place.number:
                sha256 = hashlib.sha256(make()).hexdigest()
            if not key.endswith("/"):
                hashes[key] = sha256
    return project_head(
        journal.identity.store,
        journal.project,
        outline.number,
        outline.place.sha256,
        hashes,
    )


def refresh_roots(
    transport: Transport,
    identity: Identity,
    projects: tuple[str, ...],
    sign: Sign = as_it_is,
    *,
    everything: bool = False,
) -> tuple[str, ...]:
    """See that what lists all projects lists these.

    Listing the journals costs time in proportion to their number, so it is done only
    when one of these projects is missing.

    Args:
        transport: where the store is.
        identity: the store's name.
        projects: names that must be listed.
        sign: given a head, gives it with a signature.
        everything: compare with the journals in any case.

    Returns:
        The keys of the objects that had to be written.
    """
    written: list[str] = []
    makers = root_pages(transport)
    while True:
        head, *found = _get_all(transport, (keys.HEAD_ROOT, *makers))
        known = _unsigned(head)
        projects_known: list[dict[str, str]] = known["projects"] if known else []
        named = {project["name"] for project in projects_known}
        is_stated = known is not None and _page_hashes(known) == _hashes(found)
        if not (written or everything) and is_stated and named.issuperset(projects):
            return ()
        # Listed after all was read, so it has every name that was on a page.
        names = list_projects(transport, () if everything else named)
        made = {key: make(names) for key, make in makers.items()}
        is_put = [
            _is_put(transport, key, stored, made[key], written)
            for key, stored in zip(makers, found)
        ]
        if not all(is_put):
            continue
        hashes = {key: hashlib.sha256(page).hexdigest() for key, page in made.items()}
        document = root_head(identity.store, names, hashes)
        if known == document:
            return tuple(written)
        is_stated = _is_put(
            transport, keys.HEAD_ROOT, head, encode(sign(document)), written
        )
        # Where nothing compares, another turn sees what others wrote meanwhile.
        if is_stated and transport.replaces_conditionally:
            return tuple(written)


def _get_all(transport: Transport, wanted: Iterable[str]) -> list[Stored | None]:
    with ThreadPoolExecutor(transport.parallel) as pool:
        return list(pool.map(transport.get, wanted))


def root_pages(transport: Transport) -> dict[str, Callable[[Iterable[str]], bytes]]:
    """Give the pages of all projects, each with what makes it from their names."""
    return {
        **dict.fromkeys(_with_slash(transport, keys.HTML_ROOT), pages.html_root),
        **dict.fromkeys(_with_slash(transport, keys.JSON_ROOT), pages.json_root),
    }


def _simple_pages(
    journal: Journal, root: str, listing: Callable[[], pages.Listing]
) -> dict[str, Make]:
    html = keys.html_page(journal.project, root)
    json = keys.json_page(journal.project, root)
    transport = journal.transport
    return {
        **{
            k: lambda: pages.project_html(listing())
            for k in _with_slash(transport, html)
        },
        **{
            k: lambda: pages.project_json(listing())
            for k in _with_slash(transport, json)
        },
    }


def _with_slash(transport: Transport, key: str) -> tuple[str, ...]:
    """Give a page's keys: also the bare folder, where the place can keep one."""
    return (key, f"{key.rpartition('/')[0]}/") if transport.slash_pages else (key,)


def _changed_pages(journal: Journal, since: int) -> dict[str, Make]:
    """Give the pages that entries after one number have changed."""
    outline = journal.outline
    changed: dict[str, Make] = {}
    for name, channel in outline.channels.items():
        if channel.place.number > since:
            changed.update(channel_pages(journal, name))
    for commit in _changed_commits(journal, since):
        changed.update(commit_pages(journal, commit))
    return changed


def _changed_commits(journal: Journal, since: int) -> Iterable[str]:
    outline = journal.outline
    if outline.status_place.number > since or since == 0:
        return outline.commits
    commits: dict[str, None] = {}
    for number in range(since + 1, outline.number + 1):
        commits.update(dict.fromkeys(_commits_of(journal, journal.entry(number))))
    return commits


def _commits_of(journal: Journal, entry: Entry) -> Iterable[str]:
    files = journal.files_of(entry.version_keys)
    return (c for f in files.values() if f.name in entry.names for c in f.commits)


def _batches(wanted: dict[str, Make], size: int) -> Iterator[dict[str, Make]]:
    items = iter(wanted.items())
    while batch := dict(itertools.islice(items, size)):
        yield batch


def _bring_up(
    journal: Journal, wanted: dict[str, Make], written: list[str], *, may_leave: bool
) -> bool:
    """Bring pages up to where the journal was read to, or further.

    A page is replaced only by one made from the same entry or a later one. So it never
    goes back, and a publisher is done when its own entry is on the page, however many
    others come after it.

    Args:
        journal: the journal.
        wanted: pages, each with what makes it.
        written: takes the keys of what had to be written.
        may_leave: leave a page that was made from a later entry as it is; otherwise
            read on to that entry, and compare.

    Returns:
        False when a page was left to somebody who is further on.
    """
    transport = journal.transport
    left: list[str] = list(wanted)
    is_last = True
    with ThreadPoolExecutor(transport.parallel) as pool:
        while left:
            found = dict(zip(left, pool.map(transport.get, left)))
            end = journal.outline.number
            ahead = {
                key: number for key in left if (number := _number(found[key])) > end
            }
            if ahead:
                key, number = max(ahead.items(), key=lambda item: item[1])
                entry = keys.journal_entry(journal.project, number)
                if not may_leave or transport.size(entry) is None:
                    journal.read_on()
                    check_reach(key, number, journal)
                    continue
                is_last = False
                left = [key for key in left if key not in ahead]
            made = {key: wanted[key]() for key in left}
            puts = [
                pool.submit(_is_put, transport, key, found[key], made[key], written)
                for key in left
            ]
            left = [key for key, put in zip(left, puts) if not put.result()]
            _note_hashes(journal, made)
    return is_last


def _note_hashes(journal: Journal, made: dict[str, bytes]) -> None:
    """Note what a head will state of pages, so that it need not make them again."""
    for key, page in made.items():
        if not key.startswith(keys.COMMITS):
            sha256 = hashlib.sha256(page).hexdigest()
            journal.hashes[key] = pages.built_from(page), sha256


def _bring_head_up(journal: Journal, sign: Sign) -> bool:
    transport, key = journal.transport, keys.head(journal.project)
    # Mostly nobody has written it since; where nothing compares it must be read again.
    stored = journal.head if transport.replaces_conditionally else None
    while True:
        stored = stored or transport.get(key)
        known = _unsigned(stored)
        # What is stated must have been brought up, so the journal is not read on here.
        if known and known.get("number", 0) > journal.outline.number:
            return False
        document = head_document(journal)
        if known == document:
            return False
        if _is_put(transport, key, stored, encode(sign(document)), []):
            return True
        stored = None


def _unsigned(stored: Stored | None) -> dict[str, Any] | None:
    """Give what a head says, without what signing it added."""
    if stored is None:
        return None
    return unsigned_part(Reader.of_bytes(keys.HEAD_ROOT, stored.data).value)


def head_number(transport: Transport, name: str) -> int:
    """Give the entry up to which a project's head says that all is derived."""
    stored = transport.get(keys.head(name))
    return (
        Reader.of_bytes(keys.head(name), stored.data).integer("number") if stored else 0
    )


def _number(stored: Stored | None) -> int:
    return pages.built_from(stored.data) if stored else 0


def _is_put(
    transport: Transport,
    key: str,
    stored: Stored | None,
    wanted: bytes,
    written: list[str],
) -> bool:
    """Replace an object; False when another writer was first, and all is read again."""
    if stored is not None and stored.data == wanted:
        return True
    expected = stored.version if stored else None
    if not transport.replace(key, BytesBody(wanted), expected=expected):
        return False
    written.append(key)
    return True


def check_reach(key: str, number: int, journal: Journal) -> None:
    """Refuse a journal that ends before the entry that something was made from."""
    if number > journal.outline.number:
        raise StoreDamaged(
            keys.journal_entry(journal.project, journal.outline.number + 1),
            f"it is missing, and `{key}` was made from entry {number}",
            hint="restore the missing journal entries from a copy of the store",
        )


def _page_hashes(head: dict[str, Any]) -> list[str]:
    return sorted(page["sha256"] for page in head["pages"])


def _hashes(found: Iterable[Stored | None]) -> list[str]:
    return sorted(hashlib.sha256(one.data).hexdigest() if one else "" for one in found)
