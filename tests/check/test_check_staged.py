"""Narrowed checks: what git has staged, and the file names that pre-commit passes."""

from __future__ import annotations

import json
import subprocess

import pytest

from engineroom.cli.main import main
from tests.check.conftest import ONE_LINE, STANDARD


def git(*words):
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


@pytest.fixture
def repository(plant):
    """Two services with poor schemas, committed, in a repository."""
    root = plant(
        **{
            "a/prisma/schema.prisma": ONE_LINE,
            "b/prisma/schema.prisma": ONE_LINE,
            "b/Dockerfile": "FROM debian:12\n",
            "README.md": "Words\n",
        }
    )
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return root


def found(capsys, *words):
    capsys.readouterr()
    code = main(["check", "--json", *words])
    folders = json.loads(capsys.readouterr().out)["folders"]
    places = [
        (s["path"], f["file"], f["rule"])
        for folder in folders
        for s in folder["services"]
        for f in s["findings"]
    ]
    return code, places


@pytest.mark.usefixtures("repository")
def test_nothing_staged_finds_nothing(capsys):
    assert found(capsys, "--staged") == (0, [])
    assert found(capsys)[0] == 1


def test_staged_looks_at_what_is_staged_and_not_at_the_disk(repository, capsys):
    schema = repository / "a/prisma/schema.prisma"
    schema.write_text(ONE_LINE + "// more\n")
    git("add", ".")
    schema.write_text(STANDARD)  # the disk is fine; what is staged is not
    place = ("a", "a/prisma/schema.prisma", "targets-missing")
    assert found(capsys, "--staged") == (1, [place])
    assert found(capsys, "--staged", "b/Dockerfile") == (0, [])
    git("add", ".")
    assert found(capsys, "--staged") == (0, [])


def test_an_image_that_is_staged_brings_up_the_schema_that_does_not_serve_it(
    repository, capsys
):
    (repository / "b/Dockerfile").write_text("FROM ubi9\n")
    (repository / "README.md").write_text("Other words\n")
    git("add", ".")
    place = ("b", "b/prisma/schema.prisma", "targets-missing")
    assert found(capsys, "--staged") == (1, [place])


@pytest.mark.usefixtures("repository")
def test_deleted_files_are_ignored(capsys):
    git("rm", "-q", "a/prisma/schema.prisma")
    assert found(capsys, "--staged") == (0, [])
    assert found(capsys, "a/prisma/schema.prisma") == (0, [])
    assert found(capsys, "a/prisma/schema.prisma", "b/Dockerfile")[0] == 1
    assert main(["check", "a/prisma/never.prisma"]) == 2


def test_odd_names_and_the_folders_below_are_understood(
    repository, capsys, monkeypatch
):
    odd = repository / "a" / 'ä "b"\n::error' / "prisma"
    odd.mkdir(parents=True)
    (odd / "schema.prisma").write_text(ONE_LINE)
    git("add", ".")
    assert len(found(capsys, "--staged")[1]) == 1
    monkeypatch.chdir(repository / "a")
    code, places = found(capsys, "--staged")
    assert (code, places[0][1]) == (1, 'ä "b"\n::error/prisma/schema.prisma')


def test_file_names_narrow_the_check_to_what_concerns_them(repository, capsys):
    place = ("a", "a/prisma/schema.prisma", "targets-missing")
    assert found(capsys, "a/prisma/schema.prisma") == (1, [place])
    assert found(capsys, "README.md") == (0, [])
    assert found(capsys, str(repository / "a/prisma/schema.prisma")) == (1, [place])


def test_staged_without_a_repository_is_a_usage_error(plant, capsys, monkeypatch):
    root = plant(**{"a/prisma/schema.prisma": ONE_LINE})
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    assert main(["check", "--staged"]) == 2
    assert "ER1402" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(root))
    assert main(["check", "--staged"]) == 2
    assert "`git` cannot be run" in capsys.readouterr().err
