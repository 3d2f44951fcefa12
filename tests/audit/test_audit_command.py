"""`python -m native.audit`, as people and CI run it; and what holds for all checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from native.audit import BAD, Check, refuse_bad, table
from native.audit.check import CHECKS
from native.audit.programs import PROGRAMS
from native.build import ROOT
from native.build.errors import AuditFailed
from tests.audit.archives import BROKEN_WHEELS, LINUX, NAME, kit, pure_kit
from tests.audit.binaries import BROKEN, MAC, Workshop
from tests.audit.test_audit_programs import BROKEN_FOR


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "native.audit", *map(str, words)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def good(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels with nothing wrong."""
    folder = tmp_path_factory.mktemp("good")
    kit(workshop, LINUX).write(folder)
    kit(workshop, (MAC,)).write(folder)
    pure_kit().write(folder)
    return folder


def test_every_check_there_is_has_a_broken_sample() -> None:
    """`reproducible` has its own tests in test_audit_wheels.py."""
    seen = {broken.check for broken in BROKEN}
    seen |= {broken.check for broken in BROKEN_WHEELS}
    seen |= {*BROKEN_FOR, "reproducible"}

    assert seen == set(CHECKS)
    assert set(BROKEN_FOR) == set(PROGRAMS)


def test_every_check_there_is_has_a_line_in_the_reference() -> None:
    page = (ROOT / "docs/reference/audit.md").read_text(encoding="utf-8")

    assert [name for name in CHECKS if f"| {name} |" not in page] == []


def test_good_wheels_end_with_0_and_tell_of_each_engine(
    good: Path, tmp_path: Path
) -> None:
    told = tmp_path / "deep" / "audit.json"

    done = run("--json", told, good)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("3 wheels, ")
    assert done.stdout.splitlines()[-1].endswith(": all right")
    for target in (*LINUX, MAC):
        assert target.id in done.stdout
    document = json.loads(told.read_text(encoding="utf-8"))
    assert (document["format"], document["is_ok"]) == (1, True)
    assert [wheel["is_ok"] for wheel in document["wheels"]] == [True, True, True]
    engines = {
        engine["target"]: engine
        for wheel in document["wheels"]
        for engine in wheel["engines"]
    }
    assert engines["darwin-arm64"]["floor"] == "macOS 11.0"
    assert engines["rhel-x86_64"]["libraries"] == ["libc.so.6"]
    assert {
        check["verdict"] for wheel in document["wheels"] for check in wheel["checks"]
    } <= {"ok", "skipped"}


def test_a_bad_wheel_ends_with_1_and_says_what_is_bad(
    workshop: Workshop, tmp_path: Path
) -> None:
    made = kit(workshop)
    made.edit("engineroom/engines/manifest.csv", "rhel-x86_64,sqlite", "rhel-x86_64,b")
    path = made.write(tmp_path)
    path.rename(path.with_name(path.name.replace("2_28", "2_17")))
    told = tmp_path / "audit.json"

    done = run("--json", told, tmp_path)

    assert done.returncode == 1, done.stderr
    assert "BAD      tag: cp39-abi3-manylinux_2_17_x86_64" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("1 of them refused")
    assert json.loads(told.read_text(encoding="utf-8"))["is_ok"] is False


def test_an_engine_that_no_program_can_read_is_a_finding(
    workshop: Workshop, tmp_path: Path
) -> None:
    kit(workshop, data=b"\x7fELF and nothing else").write(tmp_path)

    done = run(tmp_path)

    assert done.returncode == 1, done.stderr
    assert "BAD: build id, format" in done.stdout


def test_two_builds_are_compared(good: Path, tmp_path: Path) -> None:
    pure = f"{NAME}-py3-none-any.whl"
    (tmp_path / pure).write_bytes((good / pure).read_bytes())
    same = run("--against", tmp_path, good / pure)
    changed = pure_kit()
    changed.members["engineroom/__init__.py"] = b"1\n"
    changed.write(tmp_path)

    other = run("--against", tmp_path, good / pure)

    assert same.returncode == 0, same.stdout
    assert other.returncode == 1
    assert "reproducible: engineroom/__init__.py: other bytes" in other.stdout


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--nonsense"], id="option"),
        pytest.param(["no-such-folder"], id="no-wheel"),
        pytest.param(["--against", "no-such-folder", "README.md"], id="no-folder"),
        pytest.param(["docs"], id="folder-without-wheels"),
    ],
)
def test_a_wrong_call_ends_with_2_and_a_word(words: list[str]) -> None:
    done = run(*words)

    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_checks_refuse_the_wheel_and_name_themselves() -> None:
    checks = [
        Check("rhel-x86_64 sqlite", "CPU", "x86_64", "ok"),
        Check("rhel-x86_64 sqlite", "run path", "/opt", BAD),
        Check("x.whl", "delocate", "no otool", "skipped"),
    ]

    with pytest.raises(AuditFailed) as caught:
        refuse_bad(Path("x.whl"), checks)

    assert caught.value.code == "ER6030"
    assert caught.value.findings == (("rhel-x86_64 sqlite", "run path", "/opt"),)
    assert "rhel-x86_64 sqlite: run path: /opt" in str(caught.value)
    refuse_bad(Path("x.whl"), checks[::2])


def test_the_table_has_a_block_for_each_subject() -> None:
    checks = [Check("a", "CPU", "x86_64", "ok"), Check("b", "run path", "/opt", BAD)]

    assert table(checks) == (
        "a\n  ok       CPU       x86_64\nb\n  BAD      run path  /opt"
    )
