"""engineroom.lock, --offline, several processes at once, and a kill in the middle."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading

import pytest

from engineroom.errors import LockUnreadable, ShelfBusy
from engineroom.fetch import fetch as fetch_here
from engineroom.fetch import open_source, read_lock, write_lock
from engineroom.fetch.shelf import ShelfFolder
from engineroom.platforms.select import select_targets
from engineroom.version import __version__

from .conftest import ENGINE, GLIBC, MUSL_ENGINE, make_wheel, process, publish
from .test_fetch_sources import engines, is_wheel, leftovers

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TARGETS = ["--target", *GLIBC, "linux-musl-x86_64"]


@pytest.fixture
def locked(fetch, store, tmp_path):
    """A lock file of three targets."""
    path = tmp_path / "engineroom.lock"
    done = fetch("--lock", *TARGETS, "--from", store, "--lock-file", path)
    assert done.code == 0, done.text
    return path


def test_lock_records_version_wheel_and_engines_of_every_target(locked, store):
    text = locked.read_text()
    assert text.startswith("# The engines of every configured target")
    value = tomllib.loads(text)
    assert (value["format"], value["version"]) == (1, __version__)
    found = {
        engine["target"]: (engine["size_bytes"], engine["sha256"])
        for wheel in value["wheel"]
        for engine in wheel["engine"]
    }
    sha256 = hashlib.sha256(ENGINE).hexdigest()
    assert found == {
        "debian-openssl-3-x86_64": (len(ENGINE), sha256),
        "rhel-x86_64": (len(ENGINE), sha256),
        "linux-musl-x86_64": (
            len(MUSL_ENGINE),
            hashlib.sha256(MUSL_ENGINE).hexdigest(),
        ),
    }
    for wheel in value["wheel"]:
        (blob,) = store.glob(f"blobs/sha256/*/*/{wheel['file']}")
        data = blob.read_bytes()
        assert wheel["size_bytes"] == len(data)
        assert wheel["sha256"] == hashlib.sha256(data).hexdigest()


def test_lock_is_stable_whatever_the_order(fetch, locked, store, tmp_path):
    other = tmp_path / "other.lock"
    reverse = ["--target", *reversed(TARGETS[1:])]
    fetch("--lock", *reverse, "--from", store, "--lock-file", other)
    assert other.read_bytes() == locked.read_bytes()
    done = fetch("--lock", *reverse, "--from", store, "--lock-file", other)
    assert done.value["is_changed"] is False


def test_lock_that_is_read_and_written_is_the_same(locked, tmp_path):
    lock = read_lock(str(locked))
    assert write_lock(str(tmp_path / "again"), lock.wheels) is True
    assert (tmp_path / "again").read_bytes() == locked.read_bytes()
    assert write_lock(str(tmp_path / "again"), lock.wheels) is False


def test_locked_takes_what_is_recorded(fetch, locked, store, tmp_path):
    into = tmp_path / "into"
    words = ["--locked", "--lock-file", locked, "--from", store, "--into", into]
    done = fetch(*TARGETS, *words)
    assert done.code == 0, done.text
    assert sorted(engines(into)) == sorted(TARGETS[1:])


def test_locked_refuses_another_wheel_and_names_both_hashes(
    fetch, locked, store, tmp_path
):
    other = make_wheel(tmp_path / "wheels", data=ENGINE[1:])
    publish(tmp_path / "store", other)
    into = tmp_path / "into"
    words = ["--locked", "--lock-file", locked, "--into", into]
    done = fetch("--target", GLIBC[0], *words, "--from", tmp_path / "store")
    assert done.error["code"] == "ER3241"
    assert hashlib.sha256(other.read_bytes()).hexdigest() in done.error["message"]
    (blob,) = store.glob("blobs/sha256/*/*/*manylinux*.whl")
    assert hashlib.sha256(blob.read_bytes()).hexdigest() in done.error["message"]
    assert leftovers(into) == []
    # What was fetched without the lock is not taken for what it records either.
    source = ["--from", tmp_path / "store"]
    assert fetch("--target", GLIBC[0], *source, "--into", into).code == 0
    done = fetch("--target", GLIBC[0], *words, "--offline")
    assert done.error["code"] == "ER3233"
    assert "are not those of" in done.error["message"]
    done = fetch("--target", GLIBC[0], *words, "--from", store)
    assert done.code == 0, done.text
    assert engines(into) == {GLIBC[0]: ENGINE}
    assert len(leftovers(into)) == 2  # the engine of before has gone


def test_locked_refuses_a_newer_build_that_the_source_prefers(fetch, store, tmp_path):
    newer = make_wheel(tmp_path / "wheels", data=ENGINE[1:], build="2")
    publish(tmp_path / "store", make_wheel(tmp_path / "wheels"), newer)
    lock = tmp_path / "two.lock"
    source = ["--from", tmp_path / "store"]
    assert fetch("--lock", "--target", GLIBC[0], *source, "--lock-file", lock).code == 0
    done = fetch(
        *("--target", GLIBC[0], "--locked", "--lock-file", lock, "--from", store),
        *("--into", tmp_path / "into"),
    )
    assert done.error["code"] == "ER3222"
    assert newer.name in done.error["message"]


def test_locked_refuses_a_target_or_a_version_that_is_not_recorded(
    fetch, locked, store, tmp_path
):
    words = ["--locked", "--lock-file", locked, "--from", store, "--into", tmp_path]
    done = fetch("--target", "darwin-arm64", *words)
    assert done.error["code"] == "ER3241"
    assert "`darwin-arm64`" in done.error["message"]
    text = locked.read_text()
    locked.write_text(text.replace(f'version = "{__version__}"', 'version = "9.9"'))
    done = fetch("--target", GLIBC[0], *words)
    assert done.error["code"] == "ER3241"
    assert "records 9.9 for the version" in done.error["message"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("format = 1", "format = 2", "it has format 2, and this version reads 1"),
        ("format = 1\n", "", "line 1: `the head` lacks `format`"),
        ("sha256 = ", "sha512 = ", "does not belong there"),
        ("[[wheel]]", "[wheel]", "does not belong there"),
        ('target = "rhel', 'target = "../rhel', "does not belong there"),
        ("size_bytes = 6", 'size_bytes = "6', "does not belong there"),
        ('backend = "sqlite"\n', "", "lacks `backend`"),
        ("# Keep", "Keep", "line 3: `Keep"),
    ],
)
def test_lock_that_was_edited_is_refused_with_its_line(locked, old, new, problem):
    text = locked.read_text()
    assert old in text
    locked.write_text(text.replace(old, new, 1))
    with pytest.raises(LockUnreadable) as caught:
        read_lock(str(locked))
    assert problem in caught.value.message
    assert "line" in caught.value.message or "format" in caught.value.reason


def test_locked_without_a_lock_file_says_how_to_write_one(fetch, store, tmp_path):
    done = fetch("--locked", "--from", store, "--into", tmp_path / "into")
    assert done.error["code"] == "ER3240"
    assert "fetch --lock" in done.error["hint"]


def test_offline_proves_that_nothing_is_missing_and_writes_nothing(
    fetch, locked, serve, store, tmp_path
):
    server, into = serve(), tmp_path / "into"
    words = [*TARGETS, "--into", into, "--locked", "--lock-file", locked]
    done = fetch(*words, "--offline", "--from", server.url)
    assert done.error["code"] == "ER3233"
    assert all(f"\n  {target}: no engine" in done.error["message"] for target in GLIBC)
    assert server.asked == []
    assert not into.exists()
    # A folder is no network.
    assert fetch(*words, "--offline", "--from", server.url, store).code == 0
    into.chmod(0o555)
    (into / ".engineroom-fetch.lock").unlink()
    done = fetch(*words, "--offline")
    assert done.code == 0, done.text
    assert not (into / ".engineroom-fetch.lock").exists()
    into.chmod(0o755)
    (engine,) = into.glob("linux-musl*/_qe_sqlite.abi3.so")
    engine.write_bytes(MUSL_ENGINE[:-1])
    done = fetch(*words, "--offline")
    assert done.error["code"] == "ER3233"
    assert hashlib.sha256(MUSL_ENGINE[:-1]).hexdigest() in done.error["message"]
    assert "rhel" not in done.error["message"]


def test_two_processes_at_once_download_once_and_both_succeed(serve, tmp_path):
    is_asked, is_open = threading.Event(), threading.Event()

    def answer(handler):
        if is_wheel(handler):
            is_asked.set()
            assert is_open.wait(30)
        return False

    server, into = serve(answer), tmp_path / "into"
    words = ["--target", *GLIBC, "--from", server.url, "--into", into]
    with process(*words, cwd=tmp_path) as one, process(*words, cwd=tmp_path) as two:
        assert is_asked.wait(30)
        # Neither ends while the download does not: the other one waits for it.
        for running in (one, two):
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(timeout=0.3)
        assert leftovers(into)
        assert not (into / "manifest.csv").exists()
        is_open.set()
        outputs = [one.communicate(timeout=30), two.communicate(timeout=30)]
        assert (one.returncode, two.returncode) == (0, 0), outputs
    assert sum(path.endswith(".whl") for path, _ in server.asked) == 1
    states = ["already there" in out for out, _ in outputs]
    assert sorted(states) == [False, True]
    assert set(engines(into)) == set(GLIBC)


def test_a_kill_in_the_middle_leaves_the_old_and_blocks_nobody(
    fetch, store, serve, tmp_path
):
    into = tmp_path / "into"
    musl = ["--target", "linux-musl-x86_64", "--into", into]
    assert fetch(*musl, "--from", store).code == 0
    before = (into / "manifest.csv").read_bytes()
    is_asked, is_over = threading.Event(), threading.Event()

    def answer(handler):
        if not is_wheel(handler):
            return False
        with open(handler.translate_path(handler.path), "rb") as file:
            data = file.read()
        handler.say(200, data[:300_000], Content_Length=len(data))
        is_asked.set()
        is_over.wait(30)
        return True

    words = ["--target", *GLIBC, "--into", into]
    with process(*words, "--from", serve(answer).url, cwd=tmp_path) as running:
        assert is_asked.wait(30)
        while not any(into.glob(".engineroom-fetch-*/*.whl")):
            assert running.poll() is None
        running.kill()
        running.communicate()
        assert running.returncode == -signal.SIGKILL
    is_over.set()
    assert (into / "manifest.csv").read_bytes() == before
    assert engines(into) == {"linux-musl-x86_64": MUSL_ENGINE}
    assert list(into.glob(".engineroom-fetch-*"))  # what it left
    done = fetch(*words, "--from", store)
    assert done.code == 0, done.text
    assert not list(into.glob(".engineroom-fetch-*"))
    assert set(engines(into)) == {*GLIBC, "linux-musl-x86_64"}


def test_a_folder_that_another_process_holds_is_busy(store, tmp_path):
    into = str(tmp_path / "into")
    targets = select_targets(["rhel-x86_64"])
    with ShelfFolder(into).locked(1), pytest.raises(ShelfBusy) as caught:
        fetch_here(targets, [open_source(str(store))], into, busy_seconds=0.1)
    assert caught.value.waited_seconds == 0.1


def test_a_fetch_of_two_wheels_is_all_or_nothing(fetch, serve, tmp_path):
    def answer(handler):
        return "musllinux" in handler.path and handler.say(503)

    into = tmp_path / "into"
    done = fetch(*TARGETS, "--from", serve(answer).url, "--into", into)
    assert done.error["code"] == "ER3213"
    assert leftovers(into) == []
