"""Fetching: what is missing, from which source, and into the folder all at once.

What is there already and right is not asked for again, so that a folder that is
complete needs no network. Sources are asked in order for each wheel; a source that
fails is noted and the next one is asked.
"""

from __future__ import annotations

import re
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from engineroom.errors import (
    EnginesMissing,
    LockDiffers,
    SourceFailed,
    SourceMissing,
    SourcesFailed,
    TargetNotOffered,
)
from engineroom.fetch.index import read_offers
from engineroom.fetch.shelf import ShelfFolder
from engineroom.fetch.wheel import download, read_rows, unpack
from engineroom.lockfile import LockedEngine, LockedWheel
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engineroom.fetch.index import Offer
    from engineroom.fetch.shelf import Row
    from engineroom.fetch.signed import Signatures
    from engineroom.fetch.source import Source
    from engineroom.fetch.wheel import Progress
    from engineroom.lockfile import Lock
    from engineroom.platforms.target import Target

__all__ = ["BUSY_SECONDS", "Fetched", "fetch", "make_lock", "offers_of"]

PROJECT = "engineroom"
BUSY_SECONDS = 600.0


class Fetched(NamedTuple):
    """What became of a fetch.

    Attributes:
        folder: the folder of the engines.
        rows: the engines of the wanted targets, as the folder's manifest lists them.
        new: the ids of the targets whose engines came just now.
        failures: the sources that failed before another one gave the engines.
    """

    folder: str
    rows: tuple[Row, ...]
    new: tuple[str, ...]
    failures: tuple[SourceFailed, ...]


def _no_progress(text: str, done: int, total: int) -> None:
    """Tell nobody."""


def fetch(
    targets: Sequence[Target],
    sources: Sequence[Source],
    folder: str,
    *,
    lock: Lock | None = None,
    signatures: Signatures | None = None,
    is_offline: bool = False,
    busy_seconds: float = BUSY_SECONDS,
    progress: Progress = _no_progress,
) -> Fetched:
    """Bring the engines of some targets into a folder, all of them or none.

    Args:
        targets: the targets.
        sources: where to ask, in order.
        folder: the folder; made if need be.
        lock: what alone may be fetched, or None for whatever the sources offer.
        signatures: whose signatures the pages need, or None to take them as they are.
        is_offline: whether the network is barred; folders may still be asked.
        busy_seconds: how long to wait for another process that fetches there.
        progress: called while bytes come.

    Raises:
        FetchError: of the kind that says what went wrong.
    """
    shelf = ShelfFolder(folder)
    if not _missing(shelf, targets, lock):
        return _fetched(shelf, targets, (), ())
    asked = [source for source in sources if source.is_local or not is_offline]
    if not asked:
        missing = _missing(shelf, targets, lock)
        if is_offline:
            pairs = [(target.id, reason) for target, reason in missing]
            raise EnginesMissing(folder, pairs)
        raise SourceMissing([target.id for target, _ in missing])
    with shelf.locked(busy_seconds):
        # Whoever held the lock before may have brought them.
        wanted = [target for target, _ in _missing(shelf, targets, lock)]
        if not wanted:
            return _fetched(shelf, targets, (), ())
        ask = _Ask(asked, lock, signatures, progress)
        new: list[Row] = []
        with shelf.scratch() as scratch:
            for group in _by_wheel(wanted):
                _, path, rows = ask.wheel(group, scratch)
                new += unpack(path, rows, {target.id for target in group}, scratch)
                path.unlink()
            shelf.commit(scratch, new)
        ids = tuple(target.id for target in wanted)
        return _fetched(shelf, targets, ids, tuple(ask.failures))


def make_lock(
    targets: Sequence[Target],
    sources: Sequence[Source],
    *,
    signatures: Signatures | None = None,
    progress: Progress = _no_progress,
) -> tuple[LockedWheel, ...]:
    """Return what the lock file is to record for these targets.

    Every wheel is downloaded and checked, because an index vouches for no engine.

    Raises:
        FetchError: of the kind that says what went wrong.
    """
    if not sources:
        raise SourceMissing([target.id for target in targets])
    ask = _Ask(sources, None, signatures, progress)
    wheels: list[LockedWheel] = []
    with tempfile.TemporaryDirectory(prefix="engineroom-lock-") as scratch:
        for group in _by_wheel(targets):
            offer, path, rows = ask.wheel(group, scratch)
            ids = {target.id for target in group}
            engines = tuple(
                LockedEngine(row.target, row.backend, row.size_bytes, row.sha256)
                for row in rows
                if row.target in ids
            )
            size = path.stat().st_size
            wheels.append(LockedWheel(path.name, size, offer.sha256, engines))
            path.unlink()
    return tuple(wheels)


def offers_of(
    source: Source, signatures: Signatures | None = None
) -> tuple[Offer, ...]:
    """Return the wheels of engineroom that a source offers.

    Args:
        source: where to ask.
        signatures: whose signatures its page needs, or None to take it as it is.

    Raises:
        SourceFailed: of the kind that says what went wrong.
        SigningError: the signature is not good. This is no failure after which the
            next source would be asked.
    """
    if signatures is None:
        return read_offers(source.page(PROJECT), source.shown)
    return read_offers(signatures.page(source, PROJECT), source.shown)


def _fetched(
    shelf: ShelfFolder,
    targets: Sequence[Target],
    new: tuple[str, ...],
    failures: tuple[SourceFailed, ...],
) -> Fetched:
    ids = {target.id for target in targets}
    rows = tuple(row for row in shelf.rows() if row.target in ids)
    return Fetched(shelf.path, rows, new, failures)


def _missing(
    shelf: ShelfFolder, targets: Sequence[Target], lock: Lock | None
) -> list[tuple[Target, str]]:
    """Return the targets whose engines are not there and right, with the reason."""
    listed = shelf.rows()
    found: list[tuple[Target, str]] = []
    locked = {t.id: lock.engines_for(t.id) for t in targets} if lock else {}
    for target in targets:
        rows = [row for row in listed if row.target == target.id]
        problems = [shelf.problem(row) for row in rows]
        there = {(row.backend, row.size_bytes, row.sha256) for row in rows}
        if not rows:
            found.append((target, f"no engine {__version__} for it is there"))
        elif any(problems):
            found.append((target, next(filter(None, problems))))
        elif lock and there != locked[target.id]:
            found.append((target, f"its engines are not those of {lock.path}"))
    return found


def _by_wheel(targets: Sequence[Target]) -> list[list[Target]]:
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.wheel_tag, []).append(target)
    return list(groups.values())


class _Ask:
    """Asks the sources in order; remembers their pages and their failures."""

    def __init__(
        self,
        sources: Sequence[Source],
        lock: Lock | None,
        signatures: Signatures | None,
        progress: Progress,
    ) -> None:
        self._sources = sources
        self._lock = lock
        self._signatures = signatures
        self._progress = progress
        self._pages: dict[int, tuple[Offer, ...] | SourceFailed] = {}
        self.failures: list[SourceFailed] = []

    def wheel(
        self, group: Sequence[Target], scratch: str
    ) -> tuple[Offer, Path, tuple[Row, ...]]:
        """Download the wheel that a group of targets shares; return it, checked."""
        failures: list[SourceFailed] = []
        for number, source in enumerate(self._sources):
            try:
                found = self._from(number, source, group, scratch)
            except SourceFailed as error:
                failures.append(error)
                continue
            self.failures += [one for one in failures if one not in self.failures]
            return found
        if len(failures) == 1:
            raise failures[0]
        names = ", ".join(target.id for target in group)
        raise SourcesFailed(names, failures)

    def _from(
        self, number: int, source: Source, group: Sequence[Target], scratch: str
    ) -> tuple[Offer, Path, tuple[Row, ...]]:
        offer = self._choose(source, self._offers(number, source), group[0])
        path = download(source, offer, scratch, self._progress)
        try:
            rows = read_rows(path, offer.url)
            for target in group:
                self._check(source, offer, target, rows)
        except Exception:
            path.unlink()
            raise
        return offer, path, rows

    def _offers(self, number: int, source: Source) -> tuple[Offer, ...]:
        page = self._pages.get(number)
        if page is None:
            self._progress(source.shown, 0, 0)
            try:
                page = offers_of(source, self._signatures)
            except SourceFailed as error:
                page = error
            self._pages[number] = page
        if isinstance(page, SourceFailed):
            raise page
        return page

    def _choose(self, source: Source, offers: Sequence[Offer], target: Target) -> Offer:
        fitting = [
            offer
            for offer in offers
            if (offer.name.project, offer.name.version) == (PROJECT, __version__)
            and target.wheel_tag in offer.name.platforms
        ]
        if self._lock is not None:
            return self._choose_locked(source, offers, target)
        if not fitting:
            versions = sorted({offer.name.version for offer in offers})
            there = f"it has {', '.join(versions[-5:])}" if versions else "it has none"
            reason = f"no wheel `{target.wheel_tag}` of that version; {there}"
            raise TargetNotOffered(source.shown, target.id, __version__, reason)
        return max(fitting, key=lambda offer: _build_order(offer.name.build))

    def _choose_locked(
        self, source: Source, offers: Sequence[Offer], target: Target
    ) -> Offer:
        assert self._lock is not None
        wheel = self._lock.wheel_for(target.id)
        for offer in offers:
            if offer.name.text != wheel.file:
                continue
            if offer.sha256 != wheel.sha256:
                raise LockDiffers(
                    self._lock.path,
                    f"the sha256 of `{wheel.file}`",
                    locked=wheel.sha256,
                    found=f"{offer.sha256} at {source.shown}",
                )
            return offer._replace(size_bytes=wheel.size_bytes)
        reason = f"it does not have the locked `{wheel.file}`"
        raise TargetNotOffered(source.shown, target.id, __version__, reason)

    def _check(
        self, source: Source, offer: Offer, target: Target, rows: Sequence[Row]
    ) -> None:
        own = {
            (r.backend, r.size_bytes, r.sha256) for r in rows if r.target == target.id
        }
        if not own:
            there = ", ".join(sorted({row.target for row in rows}))
            reason = f"`{offer.name.text}` has engines for {there}"
            raise TargetNotOffered(source.shown, target.id, __version__, reason)
        if self._lock is not None and own != self._lock.engines_for(target.id):
            raise LockDiffers(
                self._lock.path,
                f"the engines of `{target.id}`",
                locked=_spell(self._lock.engines_for(target.id)),
                found=_spell(own),
            )


def _spell(engines: set[tuple[str, int, str]]) -> str:
    return ", ".join(f"{backend} {sha256}" for backend, _, sha256 in sorted(engines))


def _build_order(build: str) -> tuple[int, str]:
    match = re.match(r"\d*", build)
    digits = match[0] if match else ""
    return int(digits or -1), build[len(digits) :]
