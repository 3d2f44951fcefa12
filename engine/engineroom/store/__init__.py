"""The artifact store: where wheels are published and pip installs them from.

This is the door; docs/concepts/store-and-index.md tells how a store works. Nothing here
knows engines, connections or databases: a broken binary cannot break publishing.
"""

from __future__ import annotations

from engineroom.store.address import open_store
from engineroom.store.amend import Amended, amend
from engineroom.store.derive import find_project, list_projects, open_journal
from engineroom.store.entry import Engine, File
from engineroom.store.folder import FolderTransport
from engineroom.store.identity import Identity, ensure_store, read_store
from engineroom.store.journal import Journal, Project, read_project
from engineroom.store.outline import Outline
from engineroom.store.probe import Probe, probe
from engineroom.store.publish import Commit, Published, publish
from engineroom.store.repair import Repair, repair
from engineroom.store.resolve import Row, check_release
from engineroom.store.settings import read_settings
from engineroom.store.times import utc_text
from engineroom.store.transport import Transport
from engineroom.store.wheel import Wheel, inspect_wheel

__all__ = [
    "Amended",
    "Commit",
    "Engine",
    "File",
    "FolderTransport",
    "Identity",
    "Journal",
    "Outline",
    "Probe",
    "Project",
    "Published",
    "Repair",
    "Row",
    "Transport",
    "Wheel",
    "amend",
    "check_release",
    "ensure_store",
    "find_project",
    "inspect_wheel",
    "list_projects",
    "open_journal",
    "open_store",
    "probe",
    "publish",
    "read_project",
    "read_settings",
    "read_store",
    "repair",
    "utc_text",
]
