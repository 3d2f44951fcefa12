"""The doctor on installations that work, that have no engine, and that are broken."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engineroom.loader.find import MANIFEST, PACKAGE_SHELF
from engineroom.version import __version__

CHECKS = [
    "package",
    "process",
    "settings",
    "trial",
    "engine",
    "integrity",
    "query",
]
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "doctor-json.md"


@pytest.fixture
def empty(tmp_path):
    """A folder without engines."""
    folder = tmp_path / "no engines"
    folder.mkdir()
    return {"ENGINEROOM_ENGINE_DIR": str(folder)}


def states(report):
    return {check["name"]: check["state"] for check in report["checks"]}


def test_doctor_without_an_engine_names_the_problem_and_what_mends_it(doctor, empty):
    code, report = doctor(**empty)
    assert code == 1
    assert report["format"] == 1
    assert report["verdict"] == "problem"
    folder = empty["ENGINEROOM_ENGINE_DIR"]
    assert report["summary"] == (
        f"No engine can be found in {folder}: it has no manifest.csv"
    )
    assert report["remedy"] == "correct or unset ENGINEROOM_ENGINE_DIR"
    assert report["settings"] == [{"name": "ENGINEROOM_ENGINE_DIR", "value": folder}]
    assert [check["name"] for check in report["checks"]] == CHECKS
    assert states(report) == {
        "package": "ok",
        "process": "ok",
        "settings": "ok",
        "trial": "ok",
        "engine": "problem",
        "integrity": "skipped",
        "query": "skipped",
    }
    assert report["engine"] is None
    assert report["query"] is None
    assert report["candidates"][0] == {
        "target": None,
        "path": folder,
        "verdict": "no-manifest",
        "reason": "it has no manifest.csv",
        "details": {},
    }
    assert len(report["candidates"]) == 9


@pytest.mark.skipif(
    not os.path.exists(os.path.join(PACKAGE_SHELF, MANIFEST)),
    reason="no engine is built into this tree",
)
def test_doctor_on_an_installation_that_works_says_ok_and_names_everything(doctor):
    code, report = doctor()
    assert (code, report["verdict"], report["remedy"]) == (0, "ok", "")
    assert report["summary"] == "the sqlite engine answers queries"
    assert set(states(report).values()) == {"ok"}
    engine = report["engine"]
    assert engine["package_version"] == report["package"]["version"] == __version__
    assert engine["sha256"] == engine["sha256_listed"]
    assert documented("engine") == set(engine)
    assert documented("query") == set(report["query"])
    assert report["query"]["answer"] == 1
    assert report["candidates"][0]["verdict"] == "loaded"


def test_doctor_with_an_engine_that_loads_and_answers_nothing_says_so(
    doctor, shelf, make_engine, host
):
    data = make_engine().read_bytes()
    file = shelf.add(host.id, data)
    code, report = doctor(ENGINEROOM_ENGINE_DIR=str(shelf.path))
    assert code == 1
    sha256 = hashlib.sha256(data).hexdigest()
    assert report["engine"] == {
        "target": host.id,
        "path": str(file),
        "abi_version": 2,
        "package_version": __version__,
        "build_id": "b1",
        "backend_version": "9.9.9",
        "sha256": sha256,
        "sha256_listed": sha256,
    }
    assert states(report) == {**dict.fromkeys(CHECKS, "ok"), "query": "problem"}
    assert report["summary"].startswith("`select 1` on sqlite://:memory: failed: ")


def test_doctor_with_bytes_that_only_the_long_hash_tells_apart_names_both_hashes(
    doctor, shelf, make_engine, host
):
    data = make_engine().read_bytes()
    shelf.add(host.id, data)
    sha256, other = hashlib.sha256(data).hexdigest(), "0" * 64
    shelf.rows = [row.replace(sha256, other) for row in shelf.rows]
    shelf.write()
    code, report = doctor(ENGINEROOM_ENGINE_DIR=str(shelf.path))
    assert code == 1
    assert states(report)["engine"] == "ok"
    assert states(report)["integrity"] == "problem"
    assert report["summary"].endswith(
        f"is damaged: its SHA-256 is {sha256}, the manifest lists {other}"
    )
    assert report["remedy"] == (
        f"engineroom fetch --target {host.id} --into {shelf.path}"
    )


def test_doctor_with_a_damaged_engine_shows_the_verdict_and_both_checksums(
    doctor, shelf, make_engine, host
):
    data = make_engine().read_bytes()
    shelf.add(host.id, data, instead=data[:-1] + b"?")
    code, report = doctor(ENGINEROOM_ENGINE_DIR=str(shelf.path))
    assert code == 1
    assert report["candidates"][0]["verdict"] == "damaged"
    assert set(report["candidates"][0]["details"]) == {
        "crc32",
        "crc32_listed",
        "sha256",
        "sha256_listed",
    }
    assert report["remedy"] == (
        f"engineroom fetch --target {host.id} --into {shelf.path}"
    )
    assert states(report)["integrity"] == "problem"
    assert states(report)["query"] == "skipped"


def test_doctor_with_a_file_that_a_setting_names_shows_its_hash(doctor, make_engine):
    file = make_engine()
    _, report = doctor(ENGINEROOM_ENGINE_SQLITE=str(file))
    assert report["engine"]["target"] is None
    assert report["engine"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert report["engine"]["sha256_listed"] is None
    assert states(report)["integrity"] == "ok"


def test_doctor_says_of_every_fact_where_it_comes_from(doctor, empty):
    _, report = doctor(**empty)
    process = report["process"]
    assert process["python_version"] == {
        "value": "{}.{}.{}".format(*sys.version_info),
        "source": "sys.version_info",
    }
    assert len(process) == 18
    assert all(fact["source"] for fact in process.values())


def test_doctor_under_a_bad_setting_names_it(doctor):
    code, report = doctor(ENGINEROOM_TARGET="linux-musk")
    assert code == 1
    assert report["summary"] == (
        "ENGINEROOM_TARGET is `linux-musk`: no target has this name"
    )
    assert "did you mean `linux-musl`" in report["remedy"]
    assert states(report)["settings"] == "problem"


def test_doctor_shows_the_home_folder_as_a_tilde(doctor, tmp_path):
    folder = tmp_path / "home" / "engines"
    folder.mkdir(parents=True)
    _, report = doctor(ENGINEROOM_ENGINE_DIR=str(folder))
    assert report["settings"][0]["value"] == "~/engines"
    assert str(tmp_path) not in str(report["candidates"])


def test_doctor_shows_no_password_of_a_url(doctor, empty):
    _, report = doctor(
        "postgres://ann:hunter2@db/shop", "--backend", "postgres", **empty
    )
    assert "hunter2" not in str(report)
    assert report["backend"] == "postgres"


@pytest.mark.parametrize(
    ("broken", "check", "state"),
    [
        pytest.param("engineroom.loader", "engine", "problem", id="the loader"),
        pytest.param(
            "engineroom.loader.settings", "settings", "unknown", id="settings"
        ),
        pytest.param(
            "engineroom.platforms.probe", "process", "unknown", id="the probe"
        ),
        pytest.param("engineroom.platforms.rows", "engine", "problem", id="the rows"),
    ],
)
def test_doctor_with_a_broken_part_still_reports_on_the_others(
    doctor, empty, broken, check, state
):
    # None in sys.modules makes the import of a module fail.
    code, report = doctor(before=f"sys.modules[{broken!r}] = None", **empty)
    assert code == 1 or report["verdict"] == "unknown"
    assert [found["name"] for found in report["checks"]] == CHECKS
    assert states(report)[check] == state
    finding = report["checks"][CHECKS.index(check)]
    assert broken in finding["text"]
    assert states(report)["package"] == "ok"


def test_doctor_for_people_starts_with_the_verdict(empty):
    # A process of its own: in this one an engine may have been loaded before.
    done = subprocess.run(
        [sys.executable, "-m", "engineroom", "doctor"],
        env={**os.environ, **empty},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("problem: No engine can be found in ")
    assert lines[1] == "hint: correct or unset ENGINEROOM_ENGINE_DIR"
    assert lines[2] == "more: `engineroom explain ER1005`"
    for word in (*CHECKS, "rhel-arm64", "libc_version", "no-manifest"):
        assert any(line.startswith(word) or f" {word} " in line for line in lines)


def documented(section):
    text = PAGE.read_text("utf-8")
    if section:
        text = text.split(f"\n## {section}\n")[1]
    return set(re.findall(r"^\| `(\w+)` \|", re.split(r"\n#+ ", text)[0], re.MULTILINE))


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not here")
def test_doctor_s_page_describes_every_key_and_no_other(doctor, empty):
    _, report = doctor(**empty)
    assert documented("") == set(report)
    assert documented("package") == set(report["package"])
    assert documented("trial") == set(report["trial"])
    assert documented("process") == set(report["process"])
    assert documented("candidates") == set(report["candidates"][0])
    assert documented("checks") == set(report["checks"][0])
