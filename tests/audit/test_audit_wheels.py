"""Wheels wrong in one way: the audit sees it, and sees nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from native.audit import Audit, examine_wheel
from native.audit.compare import compare_wheel
from native.audit.contents import MANIFEST
from tests.audit.archives import (
    BROKEN_WHEELS,
    INFORMATION,
    LINUX,
    BrokenWheel,
    kit,
    pure_kit,
)
from tests.audit.binaries import INTEL, MAC, MUSL, Workshop

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.platforms.target import Target


def bad_checks(audit: Audit) -> list[str]:
    return [check.name for check in audit.checks if check.verdict == "BAD"]


@pytest.mark.parametrize(
    "targets",
    [
        pytest.param(LINUX, id="two-targets"),
        pytest.param((MUSL,), id="musl"),
        pytest.param((MAC,), id="macos-arm64"),
        pytest.param((INTEL,), id="macos-x86_64"),
    ],
)
def test_a_wheel_made_right_has_nothing_bad(
    workshop: Workshop, tmp_path: Path, targets: tuple[Target, ...]
) -> None:
    audit = examine_wheel(kit(workshop, targets).write(tmp_path), programs=())

    assert bad_checks(audit) == []
    assert audit.is_ok
    assert [engine.target for engine in audit.engines] == [t.id for t in targets]


def test_a_wheel_without_an_engine_has_nothing_bad(tmp_path: Path) -> None:
    audit = examine_wheel(pure_kit().write(tmp_path), programs=())

    assert bad_checks(audit) == []
    assert audit.engines == ()


@pytest.mark.parametrize("broken", BROKEN_WHEELS, ids=lambda broken: broken.id)
def test_a_wheel_made_wrong_fails_the_check_for_it_and_no_other(
    workshop: Workshop, tmp_path: Path, broken: BrokenWheel
) -> None:
    audit = examine_wheel(broken.make(workshop, tmp_path), programs=())

    assert bad_checks(audit) == [broken.check]
    assert not audit.is_ok


def test_an_engine_without_a_manifest_is_no_pure_wheel(
    workshop: Workshop, tmp_path: Path
) -> None:
    made = kit(workshop)
    del made.members[MANIFEST]

    audit = examine_wheel(made.write(tmp_path), programs=())

    assert bad_checks(audit) == ["tag", "bill of materials", "engine files"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("format 1", "format 2", id="newer-format"),
        pytest.param("crc32", "crc", id="another-column"),
        pytest.param("\nrhel-x86_64,sqlite,", "\nrhel-x86_64,", id="a-column-short"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_a_finding(
    workshop: Workshop, tmp_path: Path, old: str, new: str
) -> None:
    made = kit(workshop)
    made.edit(MANIFEST, old, new)

    audit = examine_wheel(made.write(tmp_path), programs=())

    assert "manifest" in bad_checks(audit)


def test_the_time_that_the_environment_asks_for_is_a_fixed_one(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kit(workshop)
    made.times = dict.fromkeys(made.members, (2024, 5, 6, 7, 8, 10))
    path = made.write(tmp_path)
    assert bad_checks(examine_wheel(path, programs=())) == ["members"]

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1714979290")

    assert bad_checks(examine_wheel(path, programs=())) == []


def test_the_same_wheel_from_two_builds_is_reproducible(
    workshop: Workshop, tmp_path: Path
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, _ = (kit(workshop).write(folder) for folder in folders)

    assert compare_wheel(one, folders[1]).verdict == "ok"
    assert compare_wheel(one, folders[0]).verdict == "BAD"  # with itself is no proof


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        pytest.param(
            "bytes", f"{INFORMATION}licenses/LICENSE: other bytes", id="bytes"
        ),
        pytest.param("time", f"{INFORMATION}licenses/LICENSE: other time", id="time"),
        pytest.param("mode", f"{INFORMATION}licenses/LICENSE: other mode", id="mode"),
        pytest.param("more", "more.py: only there", id="one-more"),
        pytest.param("order", "the same members in another order", id="order"),
    ],
)
def test_another_wheel_of_the_same_name_is_told_by_what_differs(
    workshop: Workshop, tmp_path: Path, fault: str, found: str
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    path = kit(workshop).write(here)
    other = kit(workshop)
    name = f"{INFORMATION}licenses/LICENSE"
    if fault == "bytes":
        other.members[name] += b"."
    elif fault == "time":
        other.times[name] = (2024, 5, 6, 7, 8, 10)
    elif fault == "mode":
        other.modes[name] = 0o100755
    elif fault == "more":
        other.members["more.py"] = b"1\n"
    else:
        other.members = dict(reversed(list(other.members.items())))
    other.write(there)

    check = compare_wheel(path, there)

    assert (check.name, check.verdict) == ("reproducible", "BAD")
    assert found in check.found


def test_a_wheel_that_the_other_build_lacks_is_not_reproducible(
    workshop: Workshop, tmp_path: Path
) -> None:
    path = kit(workshop).write(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()

    assert compare_wheel(path, empty).verdict == "BAD"
