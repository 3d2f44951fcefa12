"""`engineroom store key` and `store sign` as they are typed, on a real store."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from engineroom.store import FolderTransport, keys, publish
from engineroom.store.head import check_head, check_root_head
from engineroom.store.renew import reader_of
from engineroom.store.trust import follow, parse_pins

from .signatures import DAY
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path


class Store:
    """A store with one project, its heads not signed, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "store"
        self.transport = FolderTransport(self.path)
        publish(self.transport, [make_wheel(folder)])

    def run(
        self, *words: object, key: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the store, signing with the key of a file."""
        environment = {**os.environ, "ENGINEROOM_SIGNING_KEY": str(key or "")}
        return subprocess.run(
            [sys.executable, "-m", "engineroom", "store", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**environment, "ENGINEROOM_STORE_KEY": ""},
        )

    def json(self, *words: object, key: Path | None = None) -> dict[str, Any]:
        """Run a command that must succeed, and give what it tells programs."""
        done = self.run(*words, "--json", key=key)
        assert done.returncode == 0, done.stdout + done.stderr
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    def new_key(self, name: str) -> Path:
        """Make a private key; its pin is in a file beside it."""
        path = self.folder / name
        pin: str = self.json("key", "new", path)["pin"]
        path.with_suffix(".pin").write_text(pin)
        return path

    def check(self, pin: str, *, after: float = 0.0) -> None:
        """Read the heads as somebody does who has this pin."""
        get, now = reader_of(self.transport), time.time() + after
        trust = follow(get, parse_pins(pin))
        check_head(get, "widget", trust, now=now)
        check_root_head(get, trust, now=now)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def pin_of(key: Path) -> str:
    return key.with_suffix(".pin").read_text()


def codes(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Give the codes of what a command says went wrong."""
    value = json.loads(done.stdout)
    if "error" in value:
        return [value["error"]["code"]]
    return [problem["code"] for problem in value["problems"]]


def test_a_new_key_is_for_its_owner_alone_and_never_overwritten(store: Store) -> None:
    path = store.new_key("key.pem")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    again = store.run("key", "new", path, "--json")
    assert (again.returncode, codes(again)) == (6, ["ER3419"])
    assert path.read_text() == text


def test_a_store_is_signed_from_then_on(store: Store) -> None:
    key = store.new_key("key.pem")
    made = store.json("key", "init", "--store", store.path, key=key)
    refused = store.run("sign", "--store", store.path, "--json", key=key)
    signed = store.json("sign", "--store", store.path, "--adopt", key=key)

    assert (refused.returncode, codes(refused)) == (6, ["ER3418", "ER3418"])
    assert [head["is_new"] for head in signed["heads"]] == [True, True]
    assert [head["key"] for head in signed["heads"]] == [
        "heads/widget.json",
        "head.json",
    ]
    store.check(made["pin"])
    store.check(pin_of(key), after=29 * DAY)


def test_heads_are_signed_again_in_the_second_half_of_their_life(store: Store) -> None:
    key = store.new_key("key.pem")
    store.json("key", "init", "--store", store.path, key=key)
    words = ("sign", "--store", store.path)
    store.json(*words, "--adopt", "--lifetime", "10d", key=key)

    fresh = store.json(*words, "--lifetime", "10d", key=key)
    assert [head["is_new"] for head in fresh["heads"]] == [False, False]
    planned = store.json(*words, "--lifetime", "30d", "--dry-run", key=key)
    assert [head["is_new"] for head in planned["heads"]] == [True, True]
    with pytest.raises(Exception, match="ER3403"):
        store.check(pin_of(key), after=11 * DAY)
    store.json(*words, "--lifetime", "30d", key=key)
    store.check(pin_of(key), after=11 * DAY)


def test_one_projects_head_can_be_signed_alone(store: Store) -> None:
    key = store.new_key("key.pem")
    store.json("key", "init", "--store", store.path, key=key)
    words = ("sign", "--store", store.path, "--adopt", "--project", "Widget")

    assert [head["key"] for head in store.json(*words, key=key)["heads"]] == [
        "heads/widget.json"
    ]


@pytest.mark.parametrize(
    "tamper",
    [keys.html_page("widget"), keys.journal_entry("widget", 1), "heads/widget.json"],
)
def test_a_round_of_signing_signs_nothing_that_was_tampered_with(
    store: Store, tamper: str
) -> None:
    key = store.new_key("key.pem")
    store.json("key", "init", "--store", store.path, key=key)
    words = ("sign", "--store", store.path, "--lifetime")
    store.json(*words, "1d", "--adopt", key=key)
    path = store.path / tamper
    path.write_bytes(path.read_bytes().replace(b"widget", b"wIdget", 1))
    before = (store.path / "heads/widget.json").read_bytes()

    done = store.run(*words, "30d", "--json", key=key)

    assert (done.returncode, codes(done)) == (6, ["ER3418"])
    assert (store.path / "heads/widget.json").read_bytes() == before


def test_a_round_of_signing_does_not_freshen_an_old_head(store: Store) -> None:
    key = store.new_key("key.pem")
    store.json("key", "init", "--store", store.path, key=key)
    words = ("sign", "--store", store.path, "--remember", store.folder / "seen")
    old = store.json(*words, "--adopt", key=key)
    kept = {p: p.read_bytes() for p in store.path.rglob("*.*") if p.is_file()}
    publish(store.transport, [make_wheel(store.folder, version="2.0")])
    store.json(*words, "--adopt", key=key)
    assert old["problems"] == []

    # Somebody puts everything back as it was, signatures and all.
    (store.path / keys.journal_entry("widget", 2)).unlink()
    for path, data in kept.items():
        path.write_bytes(data)
    done = store.run(*words, "--lifetime", "90d", "--json", key=key)

    assert done.returncode == 6
    assert "ER3414" in codes(done)


def test_a_signed_store_is_published_to_with_a_key_or_not_at_all(store: Store) -> None:
    key = store.new_key("key.pem")
    at = ("--store", store.path)
    made = store.json("key", "init", *at, key=key)
    store.json("sign", "--adopt", *at, key=key)
    wheel = make_wheel(store.folder, version="2.0")

    refused = store.run("publish", wheel, *at, "--json")
    stranger = store.new_key("stranger.pem")
    unknown = store.run("publish", wheel, *at, "--json", key=stranger)
    assert (refused.returncode, codes(refused)) == (6, ["ER3413"])
    assert (unknown.returncode, codes(unknown)) == (6, ["ER3405"])
    store.json("publish", wheel, *at, key=key)
    store.check(made["pin"])
    store.json("yank", "widget", "1.0", *at, key=key)
    store.check(made["pin"])


def test_a_key_that_is_set_for_a_store_without_keys_is_named(store: Store) -> None:
    wheel = make_wheel(store.folder, version="2.0")
    words = ("publish", wheel, "--store", store.path, "--json")

    done = store.run(*words, key=store.new_key("key.pem"))

    assert (done.returncode, codes(done)) == (6, ["ER3408"])


def test_keys_are_rotated_with_a_spare(store: Store) -> None:
    """The guide's way when a key is lost or stolen, and its heads are refused."""
    first, spare = store.new_key("first.pem"), store.new_key("spare.pem")
    at = ("--store", store.path)
    pin = store.json("key", "init", "--also", pin_of(spare), *at, key=first)["pin"]
    store.json("sign", "--adopt", *at, key=first)
    store.check(pin)
    first_id: str = store.json("key", "show", *at)["keys"][0]["key_id"]

    # The spare has signed no set yet, so it must be told what to believe.
    alone = store.run("key", "retire", first_id, *at, "--json", key=spare)
    assert (alone.returncode, codes(alone)) == (6, ["ER3407"])
    words = ("key", "retire", first_id, *at, "--key", pin)
    gone = "2026-01-01T00:00:00Z"
    made = store.json(*words, "--until", gone, key=spare)
    assert [one["until"] for one in made["keys"]] == [gone, None]

    with pytest.raises(Exception, match="ER3406"):
        store.check(pin)
    store.json("sign", "--adopt", *at, "--key", pin, key=spare)
    store.check(pin)
    store.check(pin_of(first))
    refused = store.run("sign", *at, "--json", key=first)
    assert codes(refused) == ["ER3406"]


def test_a_key_is_added_and_shown(store: Store) -> None:
    first, second = store.new_key("first.pem"), store.new_key("second.pem")
    at = ("--store", store.path)
    pin = store.json("key", "init", *at, key=first)["pin"]
    words = ("key", "add", pin_of(second), "--note", "of CI", *at)
    planned = store.json(*words, "--dry-run", key=first)
    assert store.json("key", "show", *at)["number"] == 1
    store.json(*words, key=first)

    shown = store.run("key", "show", *at, "--key", pin)
    assert planned["dry_run"]
    assert shown.returncode == 0
    assert "of CI" in shown.stdout
    assert pin_of(second) in shown.stdout
    assert f"The newest follows from {pin}" in shown.stdout


def test_starting_over_needs_a_new_pin(store: Store) -> None:
    """The guide's way when every key is lost."""
    first, second = store.new_key("first.pem"), store.new_key("second.pem")
    at = ("--store", store.path)
    old = store.json("key", "init", *at, key=first)["pin"]
    taken = store.run("key", "init", *at, "--json", key=second)
    new = store.json("key", "init", "--start-over", *at, key=second)["pin"]
    store.json("sign", "--adopt", *at, key=second)

    assert (taken.returncode, codes(taken)) == (6, ["ER3409"])
    store.check(new)
    with pytest.raises(Exception, match="ER3407"):
        store.check(old)


def test_without_a_key_signing_says_which_setting_names_it(store: Store) -> None:
    done = store.run("sign", "--store", store.path, "--json")

    assert (done.returncode, codes(done)) == (6, ["ER3412"])
    assert "ENGINEROOM_SIGNING_KEY" in done.stdout


@pytest.mark.parametrize("text", ["30", "0d", "400d", "d", "-1d"])
def test_a_lifetime_that_is_none_is_a_wrong_use(store: Store, text: str) -> None:
    done = store.run("sign", "--store", store.path, f"--lifetime={text}")

    assert done.returncode == 2


def test_no_command_shows_the_private_key(store: Store) -> None:
    key = store.new_key("key.pem")
    secret = key.read_text().splitlines()[1]
    at = ("--store", store.path)
    said = [
        store.run("key", "init", *at, key=key),
        store.run("sign", "--adopt", *at, key=key),
        store.run("key", "show", *at, key=key),
        store.run("key", "add", "secret", *at, key=key),
    ]

    for done in said:
        assert secret[:24] not in done.stdout + done.stderr
