"""The workflows keep the rules that no linter knows."""

from __future__ import annotations

import re

import pytest
import yaml

from engineroom.platforms.rows import TARGETS
from native.build import ROOT
from native.ci.lint import workflow_files

WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in workflow_files()
}
JOBS = [(name, job) for name, text in WORKFLOWS.items() for job in text["jobs"]]
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in workflow_files()}
PINNED = re.compile(
    r"\./\.github/workflows/\w+\.yml( #.*)?"  # a workflow of the same commit
    r"|[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
)
MAY_WRITE = {
    ("release", "attest"): {"id-token", "attestations"},
    ("release", "publish"): {"id-token"},
    ("release", "store"): {"id-token"},
}


def test_there_are_workflows() -> None:
    assert set(WORKFLOWS) == {"ci", "nightly", "release", "wheels"}


@pytest.mark.parametrize("name", TEXTS)
def test_no_workflow_lists_targets_wheels_or_identifiers(name: str) -> None:
    words = {
        word
        for row in TARGETS
        for word in (row.id, row.wheel_tag, row.cibuildwheel, row.zig_triple)
    }

    assert [word for word in words if word in TEXTS[name]] == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_action_is_pinned_by_its_hash_and_says_its_version(name: str) -> None:
    lines = re.findall(r"(?m)^\s*(?:- )?uses: (.*)$", TEXTS[name])

    assert lines
    assert [line for line in lines if not PINNED.fullmatch(line)] == []


def test_an_action_has_the_same_hash_wherever_it_is_used() -> None:
    found = re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", "".join(TEXTS.values()))

    assert len({action for action, _ in found}) == len(set(found))


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_has_no_right_that_it_does_not_use(name: str, job: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}, "nothing unless a job says so"
    permissions = WORKFLOWS[name]["jobs"][job]["permissions"]

    written = {scope for scope, level in permissions.items() if level != "read"}
    assert written == MAY_WRITE.get((name, job), set())
    assert set(permissions) - written <= {"contents"}


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_ends_by_itself(name: str, job: str) -> None:
    told = WORKFLOWS[name]["jobs"][job]

    assert "uses" in told or 0 < told["timeout-minutes"] <= 60


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_runs_on_a_machine_of_platforms_toml(name: str, job: str) -> None:
    runner = WORKFLOWS[name]["jobs"][job].get("runs-on", "${{ matrix.runner }}")

    assert runner in {"${{ matrix.runner }}", *(target.runner for target in TARGETS)}


def test_the_last_job_is_green_only_if_every_other_is() -> None:
    jobs = WORKFLOWS["ci"]["jobs"]
    (step,) = jobs["green"]["steps"]
    needed = jobs["green"]["needs"]

    # `matrix` is not needed by name: without it the legs are skipped, and that shows.
    assert set(needed) == set(jobs) - {"green", "matrix"}
    assert jobs["green"]["if"] == "always()"
    assert step["run"].split(" = ")[1].split(",") == ["success"] * len(needed)


def test_clients_meet_faults_every_night_with_a_server_and_figures_kept() -> None:
    text = WORKFLOWS["nightly"]
    _, server, run, figures = text["jobs"]["faults"]["steps"]

    assert text[True]["schedule"]  # YAML takes the word `on` for true
    assert "install --quiet --yes postgresql" in server["run"]
    assert run["run"] == "./dev -s faults"
    assert figures["if"] == "always()"
    assert figures["with"]["path"] == "build/faults.json"


def test_every_wheel_is_built_twice_read_and_run_before_a_release_is_gathered() -> None:
    jobs = WORKFLOWS["wheels"]["jobs"]
    steps = jobs["verify"]["steps"]
    commands = "\n".join(step.get("run", "") for step in steps)

    assert {"cibuildwheel", "zig", "sdist"} <= set(jobs["verify"]["needs"])
    assert "nox -s verify -- build/wheels --against build/again" in commands
    assert "nox -s verify -- build/cibuildwheel" in commands
    assert "native.ci same build/wheels build/cibuildwheel" in commands
    assert steps[-1]["with"]["name"] == "release"
    assert "./dev -s roots" in jobs["roots"]["steps"][-1]["run"]


def test_a_release_is_published_by_a_tag_once_everything_is_green() -> None:
    text = WORKFLOWS["release"]
    jobs = text["jobs"]

    # YAML takes the word `on` for true.
    assert text[True] == {"push": {"tags": ["v*"]}}
    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["attest"]["needs"] == "ci"
    assert jobs["publish"]["needs"] == "attest"
    assert jobs["publish"]["environment"]["name"] == "pypi"
    assert "wheels.yml" in WORKFLOWS["ci"]["jobs"]["wheels"]["uses"]


def test_the_job_that_publishes_runs_nothing_of_the_repository() -> None:
    steps = WORKFLOWS["release"]["jobs"]["publish"]["steps"]

    used = [step["uses"].partition("@")[0] for step in steps]
    assert used == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]


def test_a_release_goes_to_the_store_with_credentials_that_come_last() -> None:
    """What installing runs, of others, has none; and there are none to be kept."""
    job = WORKFLOWS["release"]["jobs"]["store"]
    *_, ready, credentials, publish = job["steps"]

    assert job["needs"] == "attest"
    assert job["environment"]["name"] == "store"
    assert ready["run"].endswith("nox -s publish --install-only\n")
    assert credentials["uses"].startswith("aws-actions/configure-aws-credentials@")
    assert set(credentials["with"]) == {"role-to-assume", "aws-region"}
    assert publish["run"].startswith("nox -s publish -- --store")
    assert "--partial" not in publish["run"]


def test_no_workflow_holds_a_secret() -> None:
    for text in TEXTS.values():
        assert "secrets." not in text
        assert "pull_request_target" not in text


def test_sessions_that_workflows_run_are_there() -> None:
    sessions = set(re.findall(r"(?:nox|dev) -s ([\w-]+)", "".join(TEXTS.values())))
    written = (ROOT / "noxfile.py").read_text(encoding="utf-8")

    missing = [name for name in sessions if f"\ndef {name}(session" not in written]
    assert missing == []
