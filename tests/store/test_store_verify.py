"""Verifying: each way to tamper with a store is found, named, and told from others."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from engineroom.store import FolderTransport, amend, publish
from engineroom.store.document import encode
from engineroom.store.head import Memory
from engineroom.store.journal import CHECKPOINT_ENTRIES
from engineroom.store.signing import Signer, new_private_key, sign_document
from engineroom.store.transport import BytesBody
from engineroom.store.trust import (
    add_key,
    first_keys,
    parse_pins,
    put_key_set,
    retire_key,
    show_public,
)
from engineroom.store.verify import verify

from .faults import Killed, KillingTransport, OvertakenTransport
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from engineroom.store import Transport
    from engineroom.store.verify import Verification

COMMIT = "a" * 40
SIGNER, OTHER = (Signer(new_private_key(), "a test") for _ in range(2))
DAY = 86_400.0

# What is decided does not depend on the place, but for what its listings tell.
on_folder_and_bucket = pytest.mark.parametrize(
    "make_transport", ["folder", "seaweedfs"], indirect=True
)
on_folder = pytest.mark.parametrize("make_transport", ["folder"], indirect=True)


@dataclass
class Store:
    """A small store of two projects, and what is where in it."""

    transport: Transport
    folder: Path
    sign: Any = None

    def publish(self, project: str, version: str, **more: Any) -> None:
        wheel = make_wheel(self.folder, project=project, version=version)
        if self.sign:
            more.setdefault("sign", self.sign)
        publish(self.transport, [wheel], **more)

    def get(self, key: str) -> bytes:
        stored = self.transport.get(key)
        assert stored is not None, key
        return stored.data

    def put(self, key: str, data: bytes) -> None:
        self.transport.delete(key)
        self.transport.put_if_absent(key, BytesBody(data))

    def edit(self, key: str, old: str, new: str) -> None:
        data = self.get(key)
        assert old.encode() in data, data
        self.put(key, data.replace(old.encode(), new.encode(), 1))

    def edit_json(self, key: str, **fields: object) -> None:
        self.put(key, encode({**json.loads(self.get(key)), **fields}))

    def listed(self, prefix: str = "", suffix: str = "") -> list[str]:
        found = self.transport.list(prefix)
        return sorted(key for key in found if key.endswith(suffix))

    def copy(self) -> dict[str, bytes]:
        return {key: self.get(key) for key in self.listed()}

    def blob(self, name: str, suffix: str = ".whl") -> str:
        [key] = [k for k in self.listed("blobs/", suffix) if f"/{name}" in k]
        return key


def entry_key(number: int, project: str = "widget") -> str:
    return f"journal/{project}/{number:012d}.json"


def fill(store: Store) -> Store:
    store.publish("widget", "1.0")
    store.publish("widget", "1.1")
    store.publish("widget", "1.2.dev1", channel="nightly", commit=COMMIT)
    store.publish("gadget", "2.0")
    more = {"sign": store.sign} if store.sign else {}
    amend(store.transport, "yank", "widget", "1.0", reason="too slow", **more)
    return store


def sign_with(signer: Signer, lifetime_seconds: float = 30 * DAY) -> Any:
    def sign(document: dict[str, Any]) -> dict[str, Any]:
        return sign_document(
            document, signer, now=time.time(), lifetime_seconds=lifetime_seconds
        )

    return sign


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Give the objects of a store, made once: they are the same in every place."""
    folder = tmp_path_factory.mktemp("template")
    return fill(Store(FolderTransport(folder / "store"), folder / "wheels")).copy()


@pytest.fixture(scope="module")
def signed_template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Give the objects of a store whose heads are signed."""
    folder = tmp_path_factory.mktemp("template")
    store = Store(
        FolderTransport(folder / "store"), folder / "wheels", sign_with(SIGNER)
    )
    fill(store)
    identity = json.loads(store.get("store.json"))["store"]
    put_key_set(store.transport, first_keys(identity, [], SIGNER, now=time.time()))
    return store.copy()


@pytest.fixture
def store(transport: Transport, template: dict[str, bytes], tmp_path: Path) -> Store:
    made = Store(transport, tmp_path / "wheels")
    for key, data in template.items():
        made.put(key, data)
    return made


@pytest.fixture
def signed(
    transport: Transport, signed_template: dict[str, bytes], tmp_path: Path
) -> Store:
    made = Store(transport, tmp_path / "wheels", sign_with(SIGNER))
    for key, data in signed_template.items():
        made.put(key, data)
    return made


PINS = parse_pins(show_public(SIGNER.public))


def found(outcome: Verification) -> set[tuple[str, str]]:
    return {(finding.kind, finding.key) for finding in outcome.findings}


def check(store: Store, **options: Any) -> set[tuple[str, str]]:
    return found(verify(store.transport, **options))


def test_a_sound_store_is_found_sound(store: Store) -> None:
    for full in (False, True):
        outcome = verify(store.transport, full=full)
        assert outcome.findings == []
        assert not outcome.is_damaged
        assert (outcome.projects, outcome.entries, outcome.blobs) == (2, 5, 8)
        assert outcome.pages > 10


@on_folder
def test_a_store_of_every_action_is_found_sound(store: Store) -> None:
    for version in ("1.3", "1.4", "1.5"):
        store.publish("widget", version, channel="nightly")
    amend(store.transport, "quarantine", "widget", "1.1", reason="odd")
    amend(store.transport, "lift", "widget", "1.1")
    amend(store.transport, "unyank", "widget", "1.0")
    store.publish("widget", "1.4")  # known bytes, in a further channel
    amend(store.transport, "withdraw", "widget", "1.5", reason="a key in it")
    amend(store.transport, "quarantine", "widget", None, reason="taken over")
    store.publish("gadget", "2.1")
    assert check(store, full=True) == set()


@on_folder
def test_a_withdrawn_wheel_may_be_gone_or_there(store: Store) -> None:
    amend(store.transport, "withdraw", "widget", "1.1")
    assert check(store, full=True) == set()
    store.transport.delete(store.blob("widget-1.1"))
    assert check(store, full=True) == set()


@on_folder
def test_a_store_with_checkpoints_is_found_sound_and_a_forged_one_is_not(
    transport: Transport, tmp_path: Path
) -> None:
    store = Store(transport, tmp_path / "wheels")
    for number in range(CHECKPOINT_ENTRIES + 1):
        store.publish("widget", f"1.{number}", channel="nightly")
    [key] = store.listed("checkpoints/")
    assert check(store) == set()
    store.edit(key, "widget-1.6", "widget-9.6")
    assert check(store) == {("checkpoint-wrong", key)}
    beyond = "checkpoints/widget/000000000128.json"
    store.put(beyond, b"{}")
    assert check(store) == {("checkpoint-wrong", key), ("checkpoint-wrong", beyond)}


@on_folder_and_bucket
@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        pytest.param(
            "simple/widget/index.html", "widget-1.1-py3", "widget-1.1-py4", id="HTML"
        ),
        pytest.param(
            "json/widget/index.json", '"size":', '"sise":', id="JSON"
        ),
        pytest.param(
            "simple/widget/index.html", ' data-yanked="too slow"', "",
            id="yanked mark removed from HTML only",
        ),
        pytest.param(
            f"commits/{COMMIT}/simple/widget/index.html", "widget", "gadget",
            id="page of a source commit",
        ),
        pytest.param(
            "channels/nightly/json/widget/index.json", "1.2.dev1", "1.2.dev2",
            id="page of a channel",
        ),
    ],
)  # fmt: skip
def test_a_changed_page_is_named(store: Store, key: str, old: str, new: str) -> None:
    store.edit(key, old, new)
    assert check(store) == {("page-changed", key)}


@on_folder
def test_a_changed_page_is_shown_where_it_differs(store: Store) -> None:
    store.edit("simple/widget/index.html", ' data-yanked="too slow"', "")
    [finding] = verify(store.transport).findings
    assert "line 11 has `" in finding.error.message
    assert 'data-yanked="too slow"' in finding.error.message


@on_folder
def test_a_withdrawn_wheel_still_on_a_page_is_named(store: Store) -> None:
    key = "simple/widget/index.html"
    before = store.get(key)
    amend(store.transport, "withdraw", "widget", "1.1", reason="a key in it")
    store.put(key, before)
    assert check(store) == {("page-rolled-back", key)}
    # With the end of the new page, as somebody who knows the form would leave it.
    amend(store.transport, "unyank", "widget", "1.0")
    end = store.get("json/widget/index.json").split(b'"sha256":"')[-1][:64]
    page = before.rpartition(b"<!--")[0] + b"<!-- journal 6 " + end + b" -->\n"
    store.put(key, page)
    assert check(store) == {("page-changed", key)}


@on_folder_and_bucket
def test_changed_bytes_are_named(store: Store) -> None:
    key = store.blob("widget-1.1")
    data = store.get(key)
    store.put(key, data[:-1] + bytes([data[-1] ^ 1]))
    assert check(store) == set()  # of the same size: a quick look cannot tell
    assert check(store, full=True) == {("blob-changed", key)}
    store.put(key, data[:-1])
    assert check(store) == {("blob-size-wrong", key)}
    assert check(store, full=True) == {("blob-size-wrong", key)}
    store.transport.delete(key)
    assert check(store) == {("blob-missing", key)}
    assert check(store, full=True) == {("blob-missing", key)}


@on_folder
def test_metadata_missing_or_altered_is_named(store: Store) -> None:
    key = store.blob("gadget-2.0", ".metadata")
    store.edit(key, "Name: gadget", "Name: widget")
    assert check(store, full=True) == {("blob-changed", key)}
    store.transport.delete(key)
    assert check(store) == {("blob-missing", key)}


@on_folder_and_bucket
def test_a_changed_journal_entry_is_named(store: Store) -> None:
    store.edit(entry_key(2), '"size": ', '"size": 1')
    assert ("entry-changed", entry_key(2)) in check(store)


@on_folder
def test_a_journal_entry_that_is_nothing_is_named(store: Store) -> None:
    store.put(entry_key(2), b"{")
    assert ("entry-wrong", entry_key(2)) in check(store)


@on_folder
def test_a_journal_entry_removed_in_the_middle_is_named(store: Store) -> None:
    store.transport.delete(entry_key(2))
    assert check(store) == {("entry-missing", entry_key(2))}


@on_folder_and_bucket
def test_a_journal_that_lost_its_last_entry_is_named(store: Store) -> None:
    store.transport.delete(entry_key(4))
    assert check(store) == {("journal-cut", entry_key(4))}


@on_folder
def test_a_changed_last_entry_is_named(store: Store) -> None:
    store.edit(entry_key(4), "too slow", "too fast")
    assert check(store) == {("journal-rewritten", entry_key(4))}


@on_folder
def test_an_entry_added_beyond_the_end_is_named(store: Store) -> None:
    store.put(entry_key(9), store.get(entry_key(4)))
    kinds = check(store)
    assert ("entry-missing", entry_key(5)) in kinds
    assert ("entry-wrong", entry_key(9)) in kinds


@on_folder
def test_an_entry_added_that_follows_nothing_is_named(store: Store) -> None:
    store.put(entry_key(5), store.get(entry_key(4)))
    store.edit_json(entry_key(5), number=5)
    assert ("entry-changed", entry_key(4)) in check(store)


@on_folder
def test_an_entry_from_another_store_is_named(store: Store, tmp_path: Path) -> None:
    other = fill(Store(FolderTransport(tmp_path / "other"), tmp_path / "wheels"))
    store.put(entry_key(2), other.get(entry_key(2)))
    kinds = check(store)
    assert ("entry-foreign", entry_key(2)) in kinds


@on_folder
def test_a_journal_copied_under_another_name_is_named(store: Store) -> None:
    for number in range(1, 5):
        store.put(entry_key(number, "gizmo"), store.get(entry_key(number)))
    kinds = check(store)
    assert {("entry-foreign", entry_key(n, "gizmo")) for n in range(1, 5)} <= kinds


@on_folder
def test_a_project_in_place_of_another_is_named(store: Store) -> None:
    for key in [k for k in store.listed() if "/widget" in k and "blobs" not in k]:
        twin = key.replace("widget", "gadget")
        store.put(twin, store.get(key).replace(b"widget", b"gadget"))
    kinds = {kind for kind, _ in check(store)}
    assert "entry-changed" in kinds
    assert "blob-missing" in kinds


@on_folder_and_bucket
def test_a_store_rolled_back_whole_is_found_by_who_remembers(
    store: Store, tmp_path: Path
) -> None:
    before = store.copy()
    store.publish("widget", "2.0")
    memory = Memory(str(tmp_path / "memory.json"))
    assert check(store, memory=memory) == set()
    memory.save()
    for key in store.listed():
        if key in before:
            store.put(key, before[key])
        else:
            store.transport.delete(key)
    assert check(store) == set()  # nothing in it tells
    memory = Memory(str(tmp_path / "memory.json"))
    assert check(store, memory=memory) == {("head-rolled-back", "heads/widget.json")}


@on_folder
def test_strays_are_named_and_are_no_damage(store: Store) -> None:
    strays = [
        "notes.txt",
        "simple/notes.txt",
        "journal/widget/notes.json",
        "journal/widget/000000000000.json",
        "journal/Widget/000000000001.json",
        "blobs/sha256/aa/short/widget-1.0-py3-none-any.whl",
        "keys/0007.json",
    ]
    for key in strays:
        store.put(key, b"x")
    outcome = verify(store.transport)
    assert found(outcome) == {("object-stray", key) for key in strays}
    assert not outcome.is_damaged


@on_folder
def test_bytes_that_no_journal_names_are_counted(store: Store) -> None:
    key = store.blob("widget-1.1").replace("widget-1.1", "widget-7.1")
    store.put(key, b"seven b")
    outcome = verify(store.transport, full=True)
    assert outcome.findings == []
    assert (outcome.unreferenced, outcome.unreferenced_bytes) == (1, 7)


@on_folder_and_bucket
def test_pages_of_no_project_are_named(store: Store) -> None:
    orphans = [
        "simple/gizmo/index.html",
        "heads/gizmo.json",
        "channels/odd/simple/widget/index.html",
        f"commits/{'b' * 40}/engines/widget.json",
    ]
    for key in orphans:
        store.put(key, store.get("simple/widget/index.html"))
    outcome = verify(store.transport)
    assert found(outcome) == {("page-orphaned", key) for key in orphans}
    assert outcome.is_damaged


@on_folder
def test_a_page_that_was_removed_is_named(store: Store) -> None:
    store.transport.delete("json/widget/index.json")
    store.transport.delete("simple/index.html")
    assert check(store) == {
        ("page-missing", "json/widget/index.json"),
        ("page-missing", "simple/index.html"),
    }


@on_folder
def test_a_root_page_that_lacks_a_project_is_named(store: Store) -> None:
    line = '    <a href="gadget/">gadget</a><br>\n'
    store.edit("simple/index.html", line, "")
    [finding] = verify(store.transport).findings
    assert finding.kind == "root-lacks-project"
    assert "`gadget`" in finding.error.message
    store.edit("json/index.json", "gadget", "gizmo")
    assert ("page-changed", "json/index.json") in check(store)


@on_folder
def test_a_head_that_was_changed_is_named(store: Store) -> None:
    store.edit_json("heads/widget.json", sha256="f" * 64)
    assert check(store) == {("head-changed", "heads/widget.json")}
    store.put("heads/widget.json", b"{")
    assert check(store) == {("head-changed", "heads/widget.json")}
    store.edit("head.json", "gadget", "gizmo")
    assert ("head-changed", "head.json") in check(store)


def test_signatures_are_checked_for_who_pins_a_key(signed: Store) -> None:
    outcome = verify(signed.transport, pins=PINS)
    assert outcome.findings == []
    assert outcome.key_set == 1
    stranger = parse_pins(show_public(OTHER.public))
    assert check(signed, pins=stranger) == {("pin-unmatched", "keys/0001.json")}


@on_folder
def test_a_head_nobody_signed_is_named(signed: Store) -> None:
    signed.sign = None
    signed.publish("widget", "3.0")
    assert check(signed) == set()
    assert check(signed, pins=PINS) == {("signature-missing", "heads/widget.json")}


@on_folder
def test_a_signed_head_that_is_gone_or_nothing_is_named(signed: Store) -> None:
    signed.transport.delete("heads/widget.json")
    signed.put("head.json", b"{")
    assert check(signed, pins=PINS) == {
        ("signature-missing", "heads/widget.json"),
        ("page-behind", "heads/widget.json"),
        ("signature-wrong", "head.json"),
        ("head-changed", "head.json"),
    }


@on_folder
def test_a_head_past_its_time_is_named(signed: Store) -> None:
    later = time.time() + 40 * DAY
    kinds = check(signed, pins=PINS, clock=lambda: later)
    expired = {"head.json", "heads/widget.json", "heads/gadget.json"}
    assert kinds == {("signature-expired", key) for key in expired}


@on_folder
def test_a_head_signed_by_a_retired_key_is_named(signed: Store) -> None:
    now = time.time()
    identity = json.loads(signed.get("store.json"))["store"]
    one = first_keys(identity, [], SIGNER, now=now)
    signed.put(one.key, one.data)
    two = add_key(one, OTHER.public, "the next", SIGNER, now=now)
    put_key_set(signed.transport, two)
    three = retire_key(two, SIGNER.key_id, now - DAY, OTHER, now=now)
    put_key_set(signed.transport, three)
    assert ("key-retired", "heads/widget.json") in check(signed, pins=PINS)
    # A store signed with the next key is sound for who still has the first pin.
    for key in ("heads/widget.json", "heads/gadget.json", "head.json"):
        said = json.loads(signed.get(key))
        signed.put(key, encode(sign_with(OTHER)(said)))
    assert check(signed, pins=PINS) == set()


@on_folder
def test_a_forged_key_set_is_named(signed: Store) -> None:
    now = time.time()
    identity = json.loads(signed.get("store.json"))["store"]
    one = first_keys(identity, [], SIGNER, now=now)
    signed.put(one.key, one.data)
    forged = first_keys(identity, [], OTHER, now=now)
    signed.put("keys/0002.json", forged.data)
    assert ("key-set-wrong", "keys/0002.json") in check(signed)
    # One that continues the chain and that no key of the first has signed.
    start = json.loads(forged.data)
    start.update(number=2, previous=one.sha256, stands_on="previous")
    signed.put("keys/0002.json", encode(start))
    assert ("key-set-wrong", "keys/0002.json") in check(signed, pins=PINS)


@on_folder
def test_a_signed_head_of_another_project_is_named(signed: Store) -> None:
    signed.put("heads/gadget.json", signed.get("heads/widget.json"))
    assert ("head-swapped", "heads/gadget.json") in check(signed, pins=PINS)


@on_folder
def test_all_that_is_wrong_is_found_at_once(store: Store) -> None:
    store.transport.delete(store.blob("gadget-2.0"))
    store.edit(entry_key(1), "widget-1.0", "widget-1.9")
    store.put("notes.txt", b"x")
    store.edit("json/gadget/index.json", "2.0", "2.1")
    kinds = {kind for kind, _ in check(store)}
    assert {"blob-missing", "entry-changed", "object-stray", "page-changed"} <= kinds


@on_folder
def test_a_publisher_that_died_is_told_from_tampering(
    store: Store, tmp_path: Path
) -> None:
    """Killed at every write: nothing of what it leaves is taken for damage."""
    wheel = make_wheel(tmp_path / "wheels", project="widget", version="5.0")
    write, is_done = 0, False
    severities: set[str] = set()
    while not is_done:
        write += 1
        dying = KillingTransport(store.transport, write=write, is_done=True)
        try:
            publish(dying, [wheel], channel="nightly", commit="c" * 40)
            is_done = True
        except Killed:
            pass
        outcome = verify(store.transport, full=True)
        assert not outcome.is_damaged, outcome.findings
        severities.update(finding.severity for finding in outcome.findings)
    assert severities == {"behind"}
    assert check(store, full=True) == set()


@on_folder
@pytest.mark.parametrize(
    "moment", ["entries", "get journal/widget/000000000005.json", "get head.json"]
)
def test_a_publisher_at_work_is_no_finding(store: Store, moment: str) -> None:
    def act() -> None:
        store.publish("widget", "6.0", commit="d" * 40)
        store.publish("gizmo", "6.0", channel="odd")

    overtaken = OvertakenTransport(store.transport, before=moment, act=act)
    assert found(verify(overtaken)) == set()
    assert store.listed("journal/gizmo/")
