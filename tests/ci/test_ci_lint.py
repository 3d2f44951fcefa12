"""actionlint reads the workflows, and does find what is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from native.build.cache import Cache, cache_root
from native.ci.errors import WorkflowsRefused
from native.ci.lint import WORKFLOWS, findings, refuse_faulty, workflow_files

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = {
    "a job that is not there": ("needs: matrix", "needs: matirx", "matirx"),
    "an output that is not there": (
        "outputs.machines)", "outputs.machine)", 'property "machine"',
    ),
    "a machine that nobody has": (
        "runs-on: ubuntu-24.04", "runs-on: ubuntu-24.05", "ubuntu-24.05",
    ),
    "a right that does not exist": ("contents: read", "content: read", '"content"'),
    "an unknown key": ("timeout-minutes: 10", "timeout-minute: 10", "timeout-minute"),
    "a function that does not exist": ("fromJSON(", "fromJsn(", "fromJsn"),
}  # fmt: skip


@pytest.fixture
def cache() -> Cache:
    return Cache(cache_root())


def test_the_workflows_are_clean(cache: Cache) -> None:
    files = workflow_files()

    assert len(files) == 4
    assert findings(files, cache) == []


@pytest.mark.parametrize(("old", "new", "named"), FAULTS.values(), ids=FAULTS)
def test_a_workflow_with_a_fault_is_refused_with_its_place(
    tmp_path: Path, cache: Cache, old: str, new: str, named: str
) -> None:
    text = (WORKFLOWS / "ci.yml").read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "ci.yml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(WorkflowsRefused) as caught:
        refuse_faulty([file], cache)

    place = re.compile(rf"{re.escape(str(file))}:\d+:\d+: ")
    assert all(place.match(finding) for finding in caught.value.findings)
    assert any(named in finding for finding in caught.value.findings)


def test_no_file_at_all_is_no_success(cache: Cache) -> None:
    with pytest.raises(WorkflowsRefused, match="none was found"):
        refuse_faulty([], cache)
