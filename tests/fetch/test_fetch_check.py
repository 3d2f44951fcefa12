"""`engineroom check` with stores that are asked: what they have and what they lack."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engineroom.version import __version__

from .conftest import ENGINE, environment, make_wheel, publish
from .test_fetch_sources import answer_status

SETTING = '[tool.engineroom.check]\ntargets = ["rhel", "linux-musl"]\n'


@pytest.fixture
def repository(tmp_path, fetch, store):
    """A service with a lock file that was written against the store."""
    service = tmp_path / "repository" / "svc"
    service.mkdir(parents=True)
    (service / "pyproject.toml").write_text(SETTING)
    (service / "requirements.txt").write_text(f"engineroom=={__version__}\n")
    words = ("--target", "rhel-x86_64", "linux-musl-x86_64", "--from", store)
    done = fetch("--lock", *words, "--lock-file", service / "engineroom.lock")
    assert done.code == 0, done.text
    return service.parent


@pytest.fixture
def check(repository):
    """Run `engineroom check --json` in the repository."""

    def run(*words, **more):
        done = subprocess.run(
            [sys.executable, "-m", "engineroom", "check", "--json", *map(str, words)],
            cwd=repository,
            env=environment(**more),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        value = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        folders = value.get("folders", [])
        found = [f for d in folders for s in d["services"] for f in s["findings"]]
        found += [f for d in folders for f in d["findings"]]
        return done.returncode, value.get("stores"), found

    return run


def test_a_store_with_all_that_is_locked_is_fine_as_folder_and_index(
    check, store, serve
):
    server = serve()
    for address in (store, server.url):
        code, stores, found = check("--store", address)
        assert (code, found) == (0, [])
        (asked,) = stores
        assert (asked["wheels"], asked["problem"]) == (2, "")
    # No more than its page: nothing is downloaded.
    assert [path for path, _ in server.asked] == ["/simple/engineroom/"]


def test_no_store_is_asked_unless_one_is_named_or_online_is_given(check, serve):
    server = serve()
    code, stores, _ = check(ENGINEROOM_FETCH_FROM=server.url)
    assert (code, stores, server.asked) == (0, [], [])
    code, stores, _ = check("--online", ENGINEROOM_FETCH_FROM=server.url)
    assert (code, len(stores), len(server.asked)) == (0, 1, 1)
    assert check("--online")[0] == 2


def test_a_locked_wheel_that_no_store_has_fails_at_its_line(check, tmp_path):
    publish(tmp_path / "other", make_wheel(tmp_path / "wheels", build="7"))
    code, _, found = check("--store", tmp_path / "other")
    assert code == 1
    wheel = f"engineroom-{__version__}-cp39-abi3-manylinux_2_28_x86_64.whl"
    assert [f["rule"] for f in found] == ["store-lacks", "store-lacks"]
    assert found[0]["message"] == f"No store has the locked `{wheel}`"
    assert (found[0]["file"], found[0]["line"]) == ("svc/engineroom.lock", 9)


def test_other_bytes_under_a_locked_name_fail_with_both_hashes(check, tmp_path, store):
    publish(tmp_path / "other", make_wheel(tmp_path / "wheels", data=ENGINE[1:]))
    code, _, found = check("--store", tmp_path / "other", "--store", store)
    assert code == 1
    (differs,) = found
    assert differs["rule"] == "store-differs"
    assert differs["message"].count("sha256") == 1
    assert "and the lock file records" in differs["message"]


def test_a_store_that_does_not_answer_is_a_warning_and_accuses_nobody(
    check, serve, store
):
    bad = serve(answer_status(403)).url.replace("http://", "http://me:secret@")
    code, stores, found = check("--store", bad)
    assert code == 0
    assert [f["rule"] for f in found] == ["store-silent"]
    assert "ER3211" in stores[0]["problem"]
    assert "secret" not in json.dumps([stores, found])
    assert check("--store", bad, "--store", store)[0] == 0


def test_without_a_lock_every_needed_target_must_have_a_wheel(
    check, repository, store, tmp_path
):
    (repository / "svc" / "engineroom.lock").unlink()
    assert check("--store", store)[::2] == (0, [])
    publish(tmp_path / "other", make_wheel(tmp_path / "wheels"))
    code, _, (found,) = check("--store", tmp_path / "other")
    assert code == 1
    assert (found["rule"], found["file"], found["line"]) == (
        "store-lacks", "svc/requirements.txt", 1,
    )  # fmt: skip
    assert found["missing"] == ["linux-musl"]
    (repository / "svc" / "requirements.txt").write_text("engineroom==9.9\n")
    _, _, (found,) = check("--store", store)
    assert found["message"].startswith("No store has a wheel of engineroom 9.9 for")
    (repository / "svc" / "requirements.txt").write_text("engineroom>=0\n")
    assert check("--store", store)[::2] == (0, [])


def test_an_address_that_is_none_is_refused(check):
    assert check("--store", "ftp://wheels.example/")[0] == 6
