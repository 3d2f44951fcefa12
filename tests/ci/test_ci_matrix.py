"""CI's matrix comes from platforms.toml."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engineroom.platforms.rows import TARGETS
from native.build import ROOT
from native.ci.matrix import PYTHONS, identifiers, machine_legs, wheel_legs


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "native.ci", "matrix", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def printed(*words: str) -> list[dict[str, str]]:
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1, "GITHUB_OUTPUT takes one line"
    return json.loads(done.stdout)["include"]


def test_a_wheel_that_two_rows_share_is_one_leg() -> None:
    legs = printed("--wheels")

    assert [leg["wheel"] for leg in legs] == list(
        dict.fromkeys(target.wheel_tag for target in TARGETS)
    )
    targets = [name for leg in legs for name in leg["targets"].split()]
    assert sorted(targets) == sorted(target.id for target in TARGETS)


def test_wheels_are_what_is_printed_when_nothing_is_said() -> None:
    assert printed() == printed("--wheels")


def test_every_leg_runs_on_the_machine_of_each_of_its_rows() -> None:
    runners = {target.id: target.runner for target in TARGETS}
    for leg in [*wheel_legs(), *machine_legs()]:
        assert {runners[name] for name in leg["targets"].split()} == {leg["runner"]}


def test_every_row_is_a_leg_when_targets_are_asked_for() -> None:
    assert [(leg["target"], leg["runner"]) for leg in printed("--targets")] == [
        (target.id, target.runner) for target in TARGETS
    ]


def test_every_kind_of_machine_is_one_leg() -> None:
    runners = [leg["runner"] for leg in printed("--machines")]

    assert runners == list(dict.fromkeys(target.runner for target in TARGETS))


@pytest.mark.parametrize("leg", wheel_legs(), ids=lambda leg: leg["wheel"])
def test_a_wheel_is_built_for_the_python_of_its_row_and_tested_on_the_later(leg):
    built, *tested = leg["identifiers"].split()

    assert built == leg["cibuildwheel"]
    assert len(tested) == len(PYTHONS) - 1
    assert len(set(leg["identifiers"].split())) == len(PYTHONS)


def test_the_python_that_wheels_are_built_for_is_the_oldest_supported() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert 'requires-python = ">=3.9"' in text
    assert PYTHONS[0] == "cp39"
    for target in TARGETS:
        assert identifiers(target)[0] == target.cibuildwheel


def test_two_kinds_of_legs_at_once_are_refused() -> None:
    assert run("--wheels", "--targets").returncode == 2
