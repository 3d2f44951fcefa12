"""Heads and pages: each way to show a reader something else is refused and named."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import (
    HeadRolledBack,
    HeadSwapped,
    KeySetWrong,
    MemoryUnusable,
    PageNotSigned,
    SignatureExpired,
    SignatureMissing,
)
from engineroom.store.document import encode
from engineroom.store.head import (
    Head,
    Memory,
    check_head,
    check_page,
    check_root_head,
    read_signed_page,
    unsigned_part,
)
from engineroom.store.signing import sign_document
from engineroom.store.trust import Trust, add_key, first_keys, follow, retire_key

from .signatures import (
    DAY,
    FIRST,
    NOW,
    PAGE,
    PAGE_KEY,
    SECOND,
    STORE,
    head_bytes,
    root_bytes,
    signed_store,
    without,
)

if TYPE_CHECKING:
    from pathlib import Path

ONE = first_keys(STORE, [], FIRST, now=NOW)
PINS = (f"sha256:{ONE.sha256}",)
TRUST = follow(signed_store(ONE).get, PINS)


def read(objects: dict[str, bytes], memory: Memory | None = None) -> Head:
    return check_head(
        objects.get, "widget", follow(objects.get, PINS), now=NOW, memory=memory
    )


def test_a_good_head_gives_the_journals_end_and_its_pages() -> None:
    head = read(signed_store())

    assert (head.key, head.number) == ("heads/widget.json", 7)
    assert head.pages == {PAGE_KEY: hashlib.sha256(PAGE).hexdigest()}
    check_page(head, PAGE_KEY, PAGE)


def test_a_missing_head_is_no_unsigned_store() -> None:
    with pytest.raises(SignatureMissing) as caught:
        read(without(signed_store(), "heads/widget.json"))

    assert caught.value.key == "heads/widget.json"


def test_another_projects_head_is_named() -> None:
    with pytest.raises(HeadSwapped) as caught:
        read(signed_store(head=head_bytes(project="gadget")))

    assert (caught.value.field, caught.value.wanted, caught.value.found) == (
        "project",
        "widget",
        "gadget",
    )


def test_another_stores_head_by_the_same_key_is_named() -> None:
    with pytest.raises(HeadSwapped) as caught:
        read(signed_store(head=head_bytes(store="0" * 32)))

    assert caught.value.field == "store"


def test_the_head_of_the_store_is_no_projects_head() -> None:
    with pytest.raises(HeadSwapped):
        read(signed_store(head=root_bytes(["widget"])))


def test_a_frozen_store_is_noticed_when_its_head_expires() -> None:
    with pytest.raises(SignatureExpired):
        check_head(signed_store().get, "widget", TRUST, now=NOW + 31 * DAY)


@pytest.mark.parametrize("page", [PAGE[:-2], PAGE.replace(b"7", b"8"), b""])
def test_another_page_is_named_with_both_hashes(page: bytes) -> None:
    with pytest.raises(PageNotSigned) as caught:
        check_page(read(signed_store()), PAGE_KEY, page)

    assert caught.value.key == PAGE_KEY
    assert caught.value.wanted == hashlib.sha256(PAGE).hexdigest()
    assert caught.value.found == hashlib.sha256(page).hexdigest()


def test_a_page_the_head_does_not_list_is_named() -> None:
    with pytest.raises(PageNotSigned) as caught:
        check_page(read(signed_store()), "simple/gadget/index.html", PAGE)

    assert caught.value.wanted == ""


def test_a_page_ahead_of_its_head_is_read_again_until_the_head_is_there() -> None:
    newer = PAGE.replace(b"journal 7", b"journal 8")
    heads = iter([head_bytes(), head_bytes(), head_bytes(number=8, page=newer)])
    pauses: list[float] = []

    head, data = read_signed_page(
        lambda: read(signed_store(head=next(heads))),
        lambda: (PAGE_KEY, newer),
        pause=pauses.append,
    )

    assert (head.number, data) == (8, newer)
    assert pauses == [0.1, 0.2]


def test_a_page_that_stays_ahead_of_its_head_is_named_in_the_end() -> None:
    newer = PAGE.replace(b"journal 7", b"journal 8")
    pauses: list[float] = []

    with pytest.raises(PageNotSigned) as caught:
        read_signed_page(
            lambda: read(signed_store()),
            lambda: (PAGE_KEY, newer),
            pause=pauses.append,
        )

    assert (caught.value.number, caught.value.page_number) == (7, 8)
    assert sum(pauses) == pytest.approx(3.1)


def _memory(path: Path, *heads: bytes) -> Memory:
    """Give what a reader remembers who saw these heads, each in a run of its own."""
    for data in heads:
        memory = Memory(str(path))
        read(signed_store(head=data), memory)
        memory.save()
    return Memory(str(path))


def test_an_older_head_is_refused_by_who_has_seen_a_later_one(tmp_path: Path) -> None:
    memory = _memory(tmp_path / "seen" / "heads.json", head_bytes(number=9))

    with pytest.raises(HeadRolledBack) as caught:
        read(signed_store(head=head_bytes(number=8)), memory)

    assert (caught.value.remembered[0], caught.value.found[0]) == (9, 8)


def test_another_head_of_the_same_number_is_refused(tmp_path: Path) -> None:
    memory = _memory(tmp_path / "heads.json", head_bytes(number=9))
    document = json.loads(head_bytes(number=9))
    document["sha256"] = "0" * 64
    forked = sign_document(
        unsigned_part(document), FIRST, now=NOW, lifetime_seconds=DAY
    )

    with pytest.raises(HeadRolledBack):
        read(signed_store(head=encode(forked)), memory)


def test_the_same_and_later_heads_are_accepted_and_remembered(tmp_path: Path) -> None:
    path = tmp_path / "heads.json"

    again = _memory(
        path, head_bytes(number=8), head_bytes(number=8), head_bytes(number=9)
    )

    with pytest.raises(HeadRolledBack):
        read(signed_store(head=head_bytes(number=8)), again)


def test_what_two_processes_remember_at_once_only_moves_on(tmp_path: Path) -> None:
    path = tmp_path / "heads.json"
    slow = Memory(str(path))
    read(signed_store(head=head_bytes(number=8)), slow)
    _memory(path, head_bytes(number=9))
    slow.save()

    with pytest.raises(HeadRolledBack):
        read(signed_store(head=head_bytes(number=8)), Memory(str(path)))


def test_hiding_the_set_that_retires_a_key_is_noticed(tmp_path: Path) -> None:
    two = add_key(ONE, SECOND.public, "", FIRST, now=NOW)
    three = retire_key(two, FIRST.key_id, NOW, SECOND, now=NOW)
    memory = Memory(str(tmp_path / "heads.json"))
    read(signed_store(ONE, two, three, head=head_bytes(SECOND)), memory)

    with pytest.raises(KeySetWrong, match="set 3"):
        read(signed_store(ONE, two, head=head_bytes(FIRST, number=8)), memory)


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "seen": [{"name": 1}]}'])
def test_a_damaged_memory_is_named_and_not_begun_anew(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "heads.json"
    path.write_text(text)

    with pytest.raises(MemoryUnusable) as caught:
        Memory(str(path))

    assert caught.value.path == str(path)


def test_a_memory_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(str(tmp_path / "other.json"))
    memory.path = str(tmp_path / "file" / "heads.json")

    with pytest.raises(MemoryUnusable):
        memory.save()


def test_the_head_of_the_store_names_all_projects(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "heads.json"))

    def check_root(names: list[str]) -> Head:
        root = {"head.json": root_bytes(names)}
        return check_root_head(root.get, TRUST, now=NOW, memory=memory)

    assert check_root(["widget", "gadget"]).projects == ("gadget", "widget")
    with pytest.raises(HeadRolledBack):
        check_root(["widget"])
    with pytest.raises(HeadRolledBack):
        check_root(["gadget", "other"])


def test_trust_in_one_store_is_no_trust_in_another() -> None:
    other = Trust("0" * 32, TRUST.keys, 1, TRUST.sha256)

    with pytest.raises(HeadSwapped):
        check_head(signed_store().get, "widget", other, now=NOW)
