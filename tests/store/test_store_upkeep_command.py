"""`engineroom store verify`, `gc`, `mirror` and `promote` as they are typed."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from engineroom.store import FolderTransport, publish
from engineroom.store.signing import Signer, new_private_key
from engineroom.store.trust import show_public

from .test_store_command import engineroom
from .wheels import make_wheel

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    wheel = make_wheel(tmp_path)
    publish(FolderTransport(folder), [wheel], channel="nightly")
    return folder


def as_json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def test_verify_says_what_it_looked_at(store: Path) -> None:
    done = engineroom("verify", "--store", store)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[1].split()[:2] == ["1", "1"]
    assert lines[-1] == "damage: 0, behind: 0, stray: 0 (bytes were not read)"


def test_verify_names_damage_and_ends_with_6(store: Path) -> None:
    page = store / "channels/nightly/simple/widget/index.html"
    page.write_text(page.read_text().replace("widget-1.0", "widget-1.1"))
    (store / "notes.txt").write_text("mine")
    done = engineroom("verify", "--full", "--store", store)
    assert done.returncode == 6
    assert "damage: ER3511 `channels/nightly/simple/widget/index.html`" in done.stdout
    assert "stray: ER3519 `notes.txt`" in done.stdout
    value = as_json(engineroom("verify", "--full", "--store", store, "--json"))
    assert (value["format"], value["full"], value["damaged"]) == (1, True, True)
    [changed, stray] = value["findings"]
    assert (changed["kind"], changed["severity"]) == ("page-changed", "damage")
    assert (stray["kind"], stray["key"]) == ("object-stray", "notes.txt")
    page.unlink()
    (store / "heads/widget.json").unlink()
    behind = engineroom("verify", "--store", store)
    assert behind.returncode == 0
    assert "behind: ER3512 `heads/widget.json`" in behind.stdout


def test_verify_checks_signatures_and_remembers(store: Path, tmp_path: Path) -> None:
    pin = show_public(Signer(new_private_key(), "a test").public)
    done = engineroom("verify", "--store", store, "--key", pin)
    assert done.returncode == 6
    assert "`keys/0001.json`" in done.stdout
    memory = tmp_path / "memory.json"
    words = ("verify", "--store", store, "--remember", memory)
    assert engineroom(*words).returncode == 0
    assert "heads/widget.json" in memory.read_text()


def test_gc_shows_and_then_marks_and_sweeps(store: Path) -> None:
    blob = next(store.glob("blobs/sha256/*/*/*.whl"))
    stray = blob.with_name(blob.name.replace("1.0", "9.0"))
    stray.write_bytes(b"left")
    long_ago = time.time() - 30 * 86_400
    os.utime(stray, (long_ago, long_ago))
    shown = engineroom("gc", "--store", store)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"{stray.name} (4 bytes)" in shown.stdout
    assert shown.stdout.endswith("Dry run: nothing was written.\n")
    marked = as_json(engineroom("gc", "--store", store, "--mark", "--json"))
    [mark] = marked["marks"]
    assert (store / mark).exists()
    early = as_json(engineroom("gc", "--store", store, "--sweep", "--json"))
    assert early["removed"] == []
    os.utime(store / mark, (long_ago, long_ago))
    dry = engineroom("gc", "--store", store, "--sweep", "--dry-run")
    assert "marked long enough" in dry.stdout
    assert stray.exists()
    os.utime(blob.parent, (long_ago, long_ago))
    os.utime(blob, (long_ago, long_ago))
    os.utime(blob.with_name(f"{blob.name}.metadata"), (long_ago, long_ago))
    swept = engineroom("gc", "--store", store, "--sweep", "--grace", "1")
    assert "see that nobody publishes" in swept.stderr
    assert f"removed: {mark}" in swept.stdout
    assert not stray.exists()
    assert blob.exists()


def test_mirror_copies_and_says_what_is_in_the_way(store: Path, tmp_path: Path) -> None:
    words = ("mirror", "--store", store, "--to", tmp_path / "mirror")
    dry = engineroom(*words, "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert not (tmp_path / "mirror").exists()
    done = as_json(engineroom(*words, "--json"))
    assert (done["entries"], done["blobs"], done["problems"]) == (1, 2, [])
    publish(FolderTransport(tmp_path / "mirror"), [make_wheel(tmp_path, version="2")])
    refused = engineroom(*words)
    assert refused.returncode == 6
    assert "ER3522" in refused.stderr


def test_promote_publishes_the_same_bytes(store: Path, tmp_path: Path) -> None:
    words = ("promote", "widget", "1.0", "--from", store, "--from-channel", "nightly")
    target = ("--store", tmp_path / "release")
    dry = engineroom(*words, *target, "--dry-run")
    assert "would promote" in dry.stdout
    done = as_json(engineroom(*words, *target, "--json"))
    assert done["projects"][0]["new"] == ["widget-1.0-py3-none-any.whl"]
    assert (tmp_path / "release/simple/widget/index.html").exists()
    inside = engineroom("promote", "widget", "1.0", "--store", store)
    assert "promoted" in inside.stdout
    assert (store / "simple/widget/index.html").exists()
