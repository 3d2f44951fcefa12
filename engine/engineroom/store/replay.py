"""A journal read from its first entry with every file it ever told of, kept on disk.

A publisher asks a journal for the few files it needs and reads their entries again. Who
looks at all pages would read every entry many times, or hold all files in memory. Here
each entry is read once and the files are in a temporary file of SQLite's.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from engineroom.store import keys
from engineroom.store.entry import File, admit
from engineroom.store.journal import Journal
from engineroom.store.ledger import scratch_database
from engineroom.store.names import version_key
from engineroom.store.outline import Outline, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engineroom.store.entry import Entry
    from engineroom.store.identity import Identity
    from engineroom.store.transport import Transport

__all__ = ["Replay"]

_SCHEMA = """
    CREATE TABLE entries(number INTEGER PRIMARY KEY, sha256 TEXT);
    CREATE TABLE files(
        place INTEGER PRIMARY KEY, identity TEXT UNIQUE, version TEXT, file BLOB
    );
    CREATE INDEX files_by_version ON files(version);
    CREATE TABLE commits("commit" TEXT, identity TEXT, PRIMARY KEY ("commit", identity))
        WITHOUT ROWID;
"""


class Replay(Journal):
    """A journal that is fed its entries in turn, and knows all files at each.

    Args:
        transport: where the store is; nothing is read from it here.
        identity: the store's name.
        project: the project's normalised name.
    """

    def __init__(self, transport: Transport, identity: Identity, project: str) -> None:
        super().__init__(transport, identity, project, Outline(project))
        self._database = scratch_database(_SCHEMA)
        self._last_commit: tuple[str, dict[str, File]] | None = None

    def take(self, entry: Entry) -> None:
        """Take in the next entry.

        Raises:
            StoreDamaged: when it contradicts those before it.
        """
        key = keys.journal_entry(self.project, entry.number)
        versions = entry.version_keys
        files = self.files_of(versions)
        admit(key, entry, files)
        self.outline.read_on(key, entry)
        self._last_commit = None
        self._keep(entry, files)

    def files_of(self, versions: Iterable[str]) -> dict[str, File]:
        """Give all files of some versions, as they are at the last entry taken."""
        rows: list[tuple[int, bytes]] = []
        for version in versions:
            rows += self._database.execute(
                "SELECT place, file FROM files WHERE version = ?", (version,)
            )
        return _by_identity(data for _, data in sorted(rows))

    def files(self) -> Iterator[File]:
        """Give all files, in the order they were published."""
        for row in self._database.execute("SELECT file FROM files ORDER BY place"):
            yield from _by_identity(row).values()

    def files_for(self, commit: str) -> dict[str, File]:
        """Give all files that were published for a source commit."""
        if self._last_commit is None or self._last_commit[0] != commit:
            rows = self._database.execute(
                "SELECT file FROM commits JOIN files USING (identity)"
                ' WHERE "commit" = ? ORDER BY place',
                (commit,),
            )
            # The three pages of a commit ask one after the other.
            self._last_commit = commit, _by_identity(row[0] for row in rows)
        return self._last_commit[1]

    def last_for(self, commit: str) -> Place:
        """Give the last entry that changed what was published for a source commit."""
        versions = {version_key(f.version) for f in self.files_for(commit).values()}
        last = max(self.outline.versions[version][-1] for version in versions)
        [sha256] = self._database.execute(
            "SELECT sha256 FROM entries WHERE number = ?", (last,)
        ).fetchone()
        return self.outline.later_than_status(Place(last, sha256))

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()

    def _keep(self, entry: Entry, files: dict[str, File]) -> None:
        names = frozenset(entry.names)
        changed = {i: file for i, file in files.items() if file.name in names}
        self._database.execute(
            "INSERT INTO entries VALUES (?, ?)", (entry.number, entry.sha256)
        )
        self._database.executemany(
            "INSERT INTO files(identity, version, file) VALUES (?, ?, ?)"
            " ON CONFLICT (identity) DO UPDATE SET file = excluded.file",
            [
                (identity, version_key(file.version), pickle.dumps(file, -1))
                for identity, file in changed.items()
            ],
        )
        self._database.executemany(
            "INSERT OR IGNORE INTO commits VALUES (?, ?)",
            [(c, identity) for identity, file in changed.items() for c in file.commits],
        )


def _by_identity(rows: Iterable[bytes]) -> dict[str, File]:
    files: dict[str, File] = {}
    for data in rows:
        # Nobody but this process has seen the file these bytes come from.
        file: File = pickle.loads(data)  # noqa: S301
        files[file.identity] = file
    return files
