"""A fetch with a pinned key: what is signed comes, and whatever is not is named."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

import engineroom
from engineroom import doctor
from engineroom import store as api
from engineroom.store import FolderTransport, read_store
from engineroom.store.renew import signing
from engineroom.store.trust import first_keys, put_key_set, show_public
from tests.store.signatures import DAY, FIRST, SECOND, resign

from .conftest import ENGINE, make_wheel, publish

HEAD = "heads/engineroom.json"
PAGE = "simple/engineroom/index.html"


class Signed:
    """A copy of the store, signed, and the folder to fetch into."""

    def __init__(self, store, folder):
        self.path = folder / "signed"
        self.into = folder / "into"
        self.remember = folder / "seen.json"
        shutil.copytree(store, self.path)
        self.transport = FolderTransport(self.path)
        self.pin = show_public(FIRST.public)
        name = read_store(self.transport).store
        put_key_set(self.transport, first_keys(name, [], FIRST, now=time.time()))
        self.sign()

    def sign(self, signer=FIRST, at=0.0):
        sign = signing(signer, clock=lambda: time.time() + at)
        resign(self.transport, sign)

    def publish(self, wheel):
        api.publish(self.transport, [wheel], sign=signing(FIRST))

    def words(self, address=None):
        return (
            *("--target", "rhel-x86_64", "--into", self.into),
            *("--from", address or self.path, "--key", self.pin),
        )


@pytest.fixture
def signed(store, tmp_path):
    return Signed(store, tmp_path)


@pytest.mark.parametrize("kind", ["store", "folder", "html", "json"])
def test_signed_engines_come_from_any_kind_of_source(kind, fetch, serve, signed):
    url = serve(root=signed.path).url
    address = {
        "store": signed.path,
        "folder": signed.path / "simple",
        "html": url,
        "json": url.replace("/simple/", "/json/"),
    }[kind]

    done = fetch(*signed.words(address), "--remember", signed.remember)

    assert done.code == 0, done.text
    (row,) = done.value["engines"]
    assert (signed.into / row["file"]).read_bytes() == ENGINE
    assert signed.remember.exists()


def test_a_lock_is_made_from_signed_pages_alone(fetch, signed):
    words = ("--lock", "--target", "rhel-x86_64", "--from", signed.path)
    assert fetch(*words, "--key", signed.pin).code == 0
    done = fetch(*words, "--key", show_public(SECOND.public))

    assert (done.code, done.error["code"]) == (6, "ER3410")


@pytest.mark.parametrize("by", ["the environment", "pyproject.toml"])
def test_a_setting_pins_a_key_as_well(by, fetch, signed, tmp_path):
    words = [word for word in signed.words() if word not in ("--key", signed.pin)]
    (signed.path / HEAD).unlink()
    assert fetch(*words).code == 0
    shutil.rmtree(signed.into)

    settings = {"ENGINEROOM_STORE_KEY": signed.pin}
    if by == "pyproject.toml":
        text = f'[tool.engineroom.store]\nkey = "{signed.pin}"\n'
        (tmp_path / "here" / "pyproject.toml").write_text(text)
        settings = {}
    done = fetch(*words, **settings)

    assert (done.code, done.error["code"]) == (6, "ER3401")


def tamper(signed, key):
    path = signed.path / key
    data = path.read_bytes().replace(b'"store": "', b'"store": "0', 1)
    assert data != path.read_bytes()
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        pytest.param(lambda s: tamper(s, HEAD), "ER3402", id="head changed"),
        pytest.param(lambda s: (s.path / HEAD).unlink(), "ER3401", id="head removed"),
        pytest.param(lambda s: s.sign(signer=None), "ER3401", id="not signed"),
        pytest.param(lambda s: s.sign(SECOND), "ER3405", id="a stranger's key"),
        pytest.param(lambda s: s.sign(at=-31 * DAY), "ER3406", id="before its key"),
        pytest.param(lambda s: s.sign(at=DAY), "ER3404", id="from the future"),
        pytest.param(
            lambda s: shutil.rmtree(s.path / "keys"), "ER3408", id="no key sets"
        ),
        pytest.param(
            lambda s: tamper(s, "keys/0001.json"), "ER3407", id="keys changed"
        ),
    ],
)
def test_a_forged_head_is_named_and_nothing_comes(attack, code, fetch, signed):
    attack(signed)

    done = fetch(*signed.words())

    assert (done.code, done.error.get("code")) == (6, code), done.text
    assert not (signed.into / "manifest.csv").exists()


def test_a_page_with_another_wheel_is_named(fetch, signed):
    """The hash in a page is right for the wheel: both were put there by a stranger."""
    other = make_wheel(signed.path.parent / "other", data=b"another engine")
    publish(signed.path.parent / "strangers", other)
    strangers = signed.path.parent / "strangers"
    shutil.copy(strangers / PAGE, signed.path / PAGE)
    shutil.copytree(strangers / "blobs", signed.path / "blobs", dirs_exist_ok=True)

    done = fetch(*signed.words())

    assert (done.code, done.error["code"]) == (6, "ER3416")
    assert PAGE in done.error["message"]


def test_a_head_from_the_past_is_named_when_it_has_expired(fetch, signed):
    name = read_store(signed.transport).store
    shutil.rmtree(signed.path / "keys")
    made = first_keys(name, [], FIRST, now=time.time() - 90 * DAY)
    put_key_set(signed.transport, made)
    signed.sign(at=-31 * DAY)

    done = fetch(*signed.words())

    assert (done.code, done.error["code"]) == (6, "ER3403")


def test_an_old_state_is_refused_by_who_has_seen_a_later_one(fetch, signed):
    old = signed.path.parent / "old"
    shutil.copytree(signed.path, old)
    wheels = signed.path.parent / "wheels"
    signed.publish(make_wheel(wheels, data=ENGINE + b"1", build="1"))
    words = (*signed.words(), "--remember", signed.remember)
    assert fetch(*words).code == 0

    shutil.rmtree(signed.into)
    shutil.rmtree(signed.path)
    shutil.copytree(old, signed.path)
    done = fetch(*words)

    assert (done.code, done.error["code"]) == (6, "ER3414")


def test_a_forged_source_ends_the_fetch_before_the_next_is_asked(fetch, serve, signed):
    second = serve()
    tamper(signed, HEAD)

    done = fetch(*signed.words(), "--from", second.url)

    assert (done.code, done.error["code"]) == (6, "ER3402")
    assert second.asked == []


def test_a_page_that_is_ahead_of_its_head_is_asked_for_again(fetch, serve, signed):
    """A publisher writes its pages first and its head after them."""
    late = (signed.path / HEAD).read_bytes()
    early_page = (signed.path / PAGE).read_bytes()
    wheels = signed.path.parent / "wheels"
    signed.publish(make_wheel(wheels, data=ENGINE + b"1", build="1"))
    assert (signed.path / PAGE).read_bytes() != early_page
    heads = [late, late]

    def answer(handler):
        if handler.path != f"/{HEAD}" or not heads:
            return False
        return handler.say(200, heads.pop())

    done = fetch(*signed.words(serve(answer, root=signed.path).url))

    assert done.code == 0, done.text
    assert heads == []


def test_without_the_extra_a_pinned_key_is_no_less_wanted(fetch, signed, tmp_path):
    shadow = tmp_path / "shadow" / "cryptography"
    shadow.mkdir(parents=True)
    (shadow / "__init__.py").write_text("raise ImportError('not installed')\n")
    package = Path(engineroom.__file__).parents[1]
    path = os.pathsep.join(map(str, (shadow.parent, package)))

    done = fetch(*signed.words(), PYTHONPATH=path)

    assert (done.code, done.error["code"]) == (3, "ER1002")
    assert "engineroom[sign]" in done.error["hint"]


def test_what_is_no_pin_is_named(fetch, signed):
    done = fetch(*signed.words()[:-1], "secret")

    assert (done.code, done.error["code"]) == (6, "ER3411")


def examine(monkeypatch, *stores, pin=""):
    monkeypatch.setenv("ENGINEROOM_STORE_KEY", pin)
    value = doctor.examine(stores=stores).as_json()
    checks = {check["name"]: check for check in value["checks"]}
    return checks["store"], value["store"]


def test_the_doctor_says_until_when_a_store_is_signed(signed, monkeypatch):
    check, rows = examine(monkeypatch, str(signed.path), pin=signed.pin)

    assert check["state"] == "ok", check
    (row,) = rows
    assert (row["number"], row["key_id"]) == (1, FIRST.key_id)
    assert check["text"].endswith(
        f"signed by key {FIRST.key_id} until {row['expires']}"
    )
    assert set(row) == {"source", "is_signed", "number", "key_id", "expires"}


def test_the_doctor_names_a_signature_that_is_not_good(signed, monkeypatch):
    tamper(signed, HEAD)

    check, rows = examine(monkeypatch, str(signed.path), pin=signed.pin)

    assert (check["state"], rows) == ("problem", None)
    assert "ER3402" in check["text"]


def test_the_doctor_says_when_nothing_vouches_for_a_store(signed, monkeypatch):
    monkeypatch.setenv("ENGINEROOM_FETCH_FROM", str(signed.path))

    check, (row,) = examine(monkeypatch)

    assert (check["state"], row["is_signed"]) == ("ok", False)
    assert "no key is pinned" in check["text"]


def test_the_doctor_asks_no_store_by_itself(signed, serve, monkeypatch):
    server = serve(root=signed.path)
    monkeypatch.setenv("ENGINEROOM_FETCH_FROM", server.url)

    value = doctor.examine().as_json()

    assert value["store"] is None
    assert "store" not in {check["name"] for check in value["checks"]}
    assert server.asked == []
