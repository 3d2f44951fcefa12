"""What other programs read: SARIF, workflow commands, JSON; and what ships with it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from engineroom.check.findings import RULES, STATUSES
from engineroom.cli.main import main
from tests.check.conftest import ONE_LINE, STANDARD

ROOT = Path(__file__).parents[2]


def test_github_gets_one_command_a_finding_whatever_files_are_called(plant, capsys):
    plant(**{"a,b:c%\n::error x/prisma/schema.prisma": ONE_LINE})
    assert main(["check", "--format", "github"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    head = (
        "::error file=a%2Cb%3Ac%25%0A%3A%3Aerror x/prisma/schema.prisma,line=5,"
        "title=engineroom targets-missing::The generator `client` lacks `darwin-arm64`"
    )
    assert line.startswith(head)
    assert "%0Ahint: " in line


def test_warnings_are_warnings_and_a_good_tree_says_nothing(plant, capsys):
    plant(**{"a/prisma/schema.prisma": b"\xff", "b/prisma/schema.prisma": STANDARD})
    assert main(["check", "--format", "github"]) == 0
    assert capsys.readouterr().out.startswith("::warning file=a/prisma/schema.prisma,")
    assert main(["check", "--format", "github", "b"]) == 0
    assert capsys.readouterr().out == ""


def test_sarif_has_what_its_schema_demands(plant, capsys):
    plant(**{"a b/prisma/schema.prisma": ONE_LINE})
    assert main(["check", "--format", "sarif"]) == 1
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    (result,) = run["results"]
    assert result["ruleId"] == rules[result["ruleIndex"]]["id"] == "targets-missing"
    assert result["level"] == "error"
    assert "`darwin-arm64`" in result["message"]["text"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/prisma/schema.prisma"
    assert place["region"]["startLine"] == 5


def test_json_is_as_its_page_has_it(plant, capsys):
    root = plant(
        **{
            "a/prisma/schema.prisma": ONE_LINE,
            "a/Dockerfile": "FROM debian:12\n",
            "a/engineroom.lock": "format = 2\n",
        }
    )
    assert main(["check", "--json", "--store", str(root / "none")]) == 1
    value = json.loads(capsys.readouterr().out)
    page = (ROOT / "docs/reference/check-json.md").read_text("utf-8")
    described = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    (folder,) = value["folders"]
    (service,) = folder["services"]
    finding, need, image = (
        service["findings"][0],
        service["needed"][0],
        service["images"][0],
    )
    lock, (store,) = service["lock"], value["stores"]
    parts = (value, folder, service, finding, need, image, lock, store)
    keys = {key for each in parts for key in each}
    assert keys | set(RULES) | set(STATUSES) >= described
    assert keys <= described
    assert all(f"| `{rule}` | {level} |" in page for rule, (level, _) in RULES.items())
    assert all(f"| `{status}` |" in page for status in STATUSES)


def test_several_folders_are_several_reports(plant, capsys):
    plant(**{"a/prisma/schema.prisma": ONE_LINE, "b/prisma/schema.prisma": STANDARD})
    assert main(["check", "a", "b", "--json"]) == 1
    folders = json.loads(capsys.readouterr().out)["folders"]
    assert [f["services"][0]["path"] for f in folders] == ["a", "b"]
