"""The hook and the action that ship with the repository, as their users run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.check.conftest import ONE_LINE, STANDARD

ROOT = Path(__file__).parents[2]
SCHEMA = "svc/prisma/schema.prisma"


def run(*command, cwd, **environment):
    """Run a program, and return its exit code and what it said."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ENGINEROOM_")}
    kept.pop("PYTHONPATH", None)
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**kept, **{name: str(value) for name, value in environment.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def git(folder, *words):
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return run("git", *who, *words, cwd=folder, **offline(folder))


def offline(folder):
    """An environment in which nothing can be fetched from anywhere."""
    nowhere = "http://127.0.0.1:9"
    return {
        "PRE_COMMIT_HOME": folder.parent / "home",
        "PIP_NO_INDEX": "1",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        # The Python of the tests, because git finds its hooks' programs there.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A repository with what the hook needs of this one, and its commit."""
    folder = tmp_path_factory.mktemp("release")
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "manifest.csv")
    for name in (".ci", "engine"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", folder)
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "release")):
        code, said = git(folder, *words)
        assert code == 0, said
    return folder, git(folder, "rev-parse", "HEAD")[1].strip()


@pytest.fixture
def repository(tmp_path, release):
    """A repository with the hook installed, as its page says."""
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    clone, revision = release
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {clone}\n    rev: {revision}\n"
        "    hooks:\n      - id: engineroom-check\n"
    )
    assert git(folder, "init", "-q")[0] == 0
    command = [sys.executable, "-m", "pre_commit", "install"]
    code, said = run(*command, cwd=folder, **offline(folder))
    assert code == 0, said
    return folder


def commit(folder, **texts):
    """Commit these files; return the exit code and what the hook said."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert git(folder, "add", "-A")[0] == 0
    return git(folder, "commit", "-m", "change")


def test_a_commit_without_the_targets_is_refused_and_one_with_them_passes(repository):
    code, said = commit(repository, **{SCHEMA: ONE_LINE})
    assert code == 1, said
    assert "engineroom check" in said
    assert f"{SCHEMA}:5: error targets-missing" in said
    assert git(repository, "log")[0] != 0  # there is no commit
    code, said = commit(repository, **{SCHEMA: STANDARD})
    assert code == 0, said
    assert "Passed" in said


def test_a_commit_of_other_files_or_that_deletes_a_schema_passes(repository):
    assert commit(repository, **{SCHEMA: STANDARD, "readme.md": "Words\n"})[0] == 0
    code, said = commit(repository, **{"readme.md": "Other words\n"})
    assert (code, "Skipped" in said) == (0, True), said
    assert git(repository, "rm", "-q", SCHEMA)[0] == 0
    code, said = git(repository, "commit", "-m", "gone")
    assert code == 0, said


def test_the_hook_builds_and_installs_nothing(repository):
    assert commit(repository, **{SCHEMA: STANDARD})[0] == 0
    home = repository.parent / "home"
    assert not [p for p in home.rglob("*") if p.name in ("pyvenv.cfg", "manifest.csv")]
    assert not list(home.rglob("*.so"))


def test_the_files_of_the_hook_are_those_that_the_check_reads():
    text = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    found = re.search(r"files: '(.+)'$", text, re.MULTILINE)
    assert found is not None
    pattern = re.compile(found.group(1))
    names = ["a/schema.prisma", "Dockerfile", "b/compose.yaml", "pyproject.toml"]
    names += ["x/requirements-dev.txt", "uv.lock", "requirements/base.txt"]
    names += ["engineroom.lock", "services/a/engineroom.lock", "a/api.dockerfile"]
    assert all(pattern.search(name) for name in names)
    assert not any(pattern.search(name) for name in ["main.py", "prisma/x.sql"])


def act(folder, **given):
    """Run the steps of the action with these inputs, as a runner of GitHub does."""
    yaml = pytest.importorskip("yaml")
    path = ROOT / ".github/actions/check/action.yml"
    action = yaml.safe_load(path.read_text("utf-8"))
    inputs = {name: about["default"] for name, about in action["inputs"].items()}
    assert given.keys() <= inputs.keys()
    inputs.update(given)
    said = ""
    for step in action["runs"]["steps"]:
        assert (step["shell"], step.keys() & {"uses", "if"}) == ("bash", set())
        values = {
            name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: inputs[m[1]], value)
            for name, value in step["env"].items()
        }
        script = folder.parent / "step.sh"
        script.write_text(step["run"])
        code, out = run(
            *("bash", "--noprofile", "--norc", "-eo", "pipefail", script),
            cwd=folder,
            GITHUB_ACTION_PATH=path.parent,
            GITHUB_STEP_SUMMARY=folder.parent / "summary",
            **values,
        )
        said += out
        if code:
            return code, said
    return 0, said


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a bad and a good service."""
    folder = tmp_path / "checkout"
    for name, text in (("bad", ONE_LINE), ("good", STANDARD)):
        (folder / name / "prisma").mkdir(parents=True)
        (folder / name / "prisma" / "schema.prisma").write_text(text)
    return folder


def test_the_action_annotates_fails_and_writes_the_summary(checkout):
    code, said = act(checkout, sarif="out.sarif")
    assert code == 1, said
    assert said.count("::error ") == 1
    assert "::error file=bad/prisma/schema.prisma,line=5" in said
    log = json.loads((checkout / "out.sarif").read_text())
    assert len(log["runs"][0]["results"]) == 1
    summary = (checkout.parent / "summary").read_text()
    assert summary.startswith("```\nservice ")
    assert summary.endswith("2 services: 1 fails, 1 ok\n```\n")


def test_the_action_passes_where_all_is_well_and_writes_no_sarif_unasked(checkout):
    assert act(checkout, paths="good") == (0, "")
    assert sorted(path.name for path in checkout.iterdir()) == ["bad", "good"]


def test_the_action_takes_several_paths_and_stores_and_no_patterns(checkout):
    code, said = act(checkout, paths="bad good", store="/none /neither")
    assert code == 1
    assert said.count("::error ") == 1
    assert said.count("::warning ") == 2  # one of each store
    code, said = act(checkout, paths="g*")
    assert (code, "ER1401" in said) == (1, True)
