"""Mirroring: the same store in a second place, whatever happens on the way."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest

from engineroom.errors import (
    BlobChanged,
    MirrorAhead,
    MirrorDiverged,
    MirrorMismatch,
    StoreDamaged,
    StoreMissing,
)
from engineroom.store import FolderTransport, amend, publish
from engineroom.store.mirror import mirror
from engineroom.store.signing import Signer, new_private_key, sign_document
from engineroom.store.transport import BytesBody
from engineroom.store.trust import (
    first_keys,
    parse_pins,
    put_key_set,
    show_public,
)
from engineroom.store.verify import verify

from .conftest import s3_transport
from .faults import Killed, KillingTransport, OvertakenTransport
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store import Transport

COMMIT = "c" * 40
SIGNER = Signer(new_private_key(), "a test")
PINS = parse_pins(show_public(SIGNER.public))


def sign(document: dict[str, Any], days: float = 1.0) -> dict[str, Any]:
    return sign_document(
        document, SIGNER, now=time.time(), lifetime_seconds=days * 86_400.0
    )


def fill(store: Transport, folder: Path, **options: Any) -> None:
    for version in ("1.0", "1.1"):
        publish(store, [make_wheel(folder, version=version)], **options)
    nightly = make_wheel(folder, version="1.2.dev1")
    publish(store, [nightly], channel="nightly", commit=COMMIT, **options)
    publish(store, [make_wheel(folder, project="gadget")], **options)
    amend(store, "yank", "widget", "1.0", reason="too slow", **options)


@pytest.fixture
def source(tmp_path: Path) -> FolderTransport:
    made = FolderTransport(tmp_path / "source")
    fill(made, tmp_path / "wheels")
    return made


@pytest.fixture
def target(tmp_path: Path) -> FolderTransport:
    return FolderTransport(tmp_path / "target")


def objects(store: Transport) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for key in store.list(""):
        stored = store.get(key)
        assert stored is not None
        found[key] = stored.data
    return found


def test_a_mirror_is_the_same_in_every_object(
    source: FolderTransport, transport: Transport
) -> None:
    done = mirror(source, transport)
    assert (done.projects, done.entries, done.blobs) == (2, 5, 8)
    assert done.problems == []
    assert objects(transport) == objects(source)
    assert verify(transport, full=True).findings == []


def test_a_bucket_is_mirrored_to_a_folder(
    seaweedfs: str, target: FolderTransport, tmp_path: Path
) -> None:
    source = s3_transport(seaweedfs, f"{secrets.token_hex(8)}/")
    fill(source, tmp_path / "wheels")
    assert mirror(source, target).problems == []
    assert objects(target) == objects(source)


def test_nothing_is_copied_twice(
    source: FolderTransport, target: FolderTransport, tmp_path: Path
) -> None:
    mirror(source, target)
    again = mirror(source, target)
    assert (again.entries, again.blobs, again.pages) == (0, 0, 0)
    publish(source, [make_wheel(tmp_path / "wheels", version="2.0")])
    more = mirror(source, target)
    assert (more.entries, more.blobs) == (1, 2)
    assert objects(target) == objects(source)


def test_a_dry_run_counts_and_writes_nothing(
    source: FolderTransport, target: FolderTransport
) -> None:
    done = mirror(source, target, dry_run=True)
    assert (done.entries, done.blobs) == (5, 8)
    assert done.size_bytes > 0
    assert objects(target) == {}


def test_killed_at_any_write_it_is_an_older_state_and_goes_on(
    source: FolderTransport, tmp_path: Path
) -> None:
    write, is_done = 0, False
    while not is_done:
        write += 1
        target = FolderTransport(tmp_path / f"target {write}")
        try:
            mirror(source, KillingTransport(target, write=write, is_done=True))
            is_done = True
        except Killed:
            assert not verify(target, full=True).is_damaged
        assert mirror(source, target).problems == []
        # What was announced when it was killed is left to be collected.
        found = {k: v for k, v in objects(target).items() if "uploads/" not in k}
        assert found == objects(source)
    assert write > 20


def test_a_publisher_at_work_leaves_the_mirror_a_state_that_was(
    source: FolderTransport, target: FolderTransport, tmp_path: Path
) -> None:
    def act() -> None:
        publish(source, [make_wheel(tmp_path / "wheels", version="3.0")])
        publish(source, [make_wheel(tmp_path / "wheels", project="gizmo")])

    moment = "get journal/widget/000000000002.json"
    overtaken = OvertakenTransport(source, before=moment, act=act)
    assert mirror(overtaken, target).problems == []
    assert verify(target, full=True).findings == []
    assert mirror(source, target).problems == []
    assert objects(target) == objects(source)


def test_signed_heads_are_good_in_the_mirror(
    target: FolderTransport, tmp_path: Path
) -> None:
    source = FolderTransport(tmp_path / "signed")
    fill(source, tmp_path / "wheels", sign=sign)
    stored = source.get("store.json")
    assert stored is not None
    identity = json.loads(stored.data)["store"]
    put_key_set(source, first_keys(identity, [], SIGNER, now=time.time()))
    assert mirror(source, target).problems == []
    assert verify(target, pins=PINS).findings == []
    assert objects(target) == objects(source)


def test_a_head_signed_anew_is_brought_over(
    target: FolderTransport, tmp_path: Path
) -> None:
    source = FolderTransport(tmp_path / "signed")
    fill(source, tmp_path / "wheels", sign=sign)
    mirror(source, target)
    for key in ("head.json", "heads/widget.json"):
        stored = source.get(key)
        assert stored is not None
        document = sign(json.loads(stored.data), days=10.0)
        text = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
        source.replace(key, BytesBody(f"{text}\n".encode()), expected=stored.version)
    assert mirror(source, target).pages == 2
    assert objects(target) == objects(source)


def test_withdrawn_bytes_are_not_carried_on(
    source: FolderTransport, target: FolderTransport
) -> None:
    amend(source, "withdraw", "widget", "1.1", reason="a key in it")
    assert mirror(source, target).problems == []
    assert not [key for key in target.list("blobs/") if "widget-1.1" in key]
    assert verify(target, full=True).findings == []


def test_another_store_is_refused(
    source: FolderTransport, target: FolderTransport, tmp_path: Path
) -> None:
    publish(target, [make_wheel(tmp_path / "wheels")])
    with pytest.raises(MirrorMismatch):
        mirror(source, target)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(StoreMissing):
        mirror(source, FolderTransport(other))


def test_a_mirror_that_was_published_to_is_refused_by_name(
    source: FolderTransport, target: FolderTransport, tmp_path: Path
) -> None:
    mirror(source, target)
    publish(target, [make_wheel(tmp_path / "wheels", version="7.0")])
    [error] = mirror(source, target).problems
    assert isinstance(error, MirrorAhead)
    assert error.key == "journal/widget/000000000005.json"
    publish(source, [make_wheel(tmp_path / "wheels", version="8.0")])
    publish(source, [make_wheel(tmp_path / "wheels", project="gadget", version="9")])
    [error] = mirror(source, target).problems
    assert isinstance(error, MirrorDiverged)
    assert error.key == "journal/widget/000000000005.json"
    # The other project went on.
    assert "journal/gadget/000000000002.json" in set(target.list("journal/"))


def test_bytes_that_are_not_what_was_published_are_not_copied(
    source: FolderTransport, target: FolderTransport
) -> None:
    [key] = [
        k for k in source.list("blobs/") if k.endswith("widget-1.1-py3-none-any.whl")
    ]
    stored = source.get(key)
    assert stored is not None
    changed = stored.data[:-1] + b"!"
    source.replace(key, BytesBody(changed), expected=stored.version)
    [error] = mirror(source, target).problems
    assert isinstance(error, BlobChanged)
    assert error.key == key
    assert target.size(key) is None
    assert not list(target.list("journal/widget/"))


def test_a_damaged_journal_is_not_carried_on(
    source: FolderTransport, target: FolderTransport
) -> None:
    key = "journal/widget/000000000003.json"
    source.delete(key)
    [error] = mirror(source, target).problems
    assert isinstance(error, StoreDamaged)
    assert error.key == key
    assert not list(target.list("journal/widget/"))
