"""`engineroom explain`, and what the pages tell people to type."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from engineroom import errors
from engineroom.cli.main import COMMANDS, command_parser, main
from engineroom.errors.pages import FOLDER, has_page, read_page

ROOT = Path(__file__).parents[3]
PAGES = sorted(Path(FOLDER).glob("*.md"))


@pytest.mark.parametrize("word", ["ER3211", "er3211", "3211"])
def test_a_code_is_answered_with_its_page_however_it_is_written(word, capsys):
    assert main(["explain", word]) == 0
    assert capsys.readouterr().out == read_page("ER3211")


def test_several_codes_are_answered_in_their_order(capsys):
    assert main(["explain", "ER3212", "ER3211"]) == 0
    text = capsys.readouterr().out
    assert text == f"{read_page('ER3212')}\n{read_page('ER3211')}"


def test_a_code_without_a_page_is_answered_with_what_the_class_says(capsys):
    assert not has_page("ER2301")
    assert main(["explain", "ER2301"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# ER2301 ConnectionClosed\n\n")
    assert text.count("\n") > 2


def test_without_a_code_all_are_listed(capsys):
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["code", "class", "meaning"]
    codes = [line.split()[0] for line in lines[1:]]
    assert codes == sorted(set(codes))
    assert {errors.LoadError.code, errors.LockDiffers.code, "ER2000"} <= set(codes)


def test_an_unknown_code_is_a_usage_error(capsys):
    assert main(["explain", "ER9999", "ER3211"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "no error has the code ER9999" in said.err
    assert main(["explain", "9999", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


def test_json_has_the_page_or_nothing_in_its_place(capsys):
    assert main(["explain", "ER3211", "ER2301", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["format"] == 1
    with_page, without = value["errors"]
    assert with_page["page"] == read_page("ER3211")
    assert (without["code"], without["page"]) == ("ER2301", "")
    assert without["class"] == "ConnectionClosed"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_tells_people_to_type_exists(page):
    known = {
        name: command_parser(name)[1].format_help()
        + "".join(_actions(command_parser(name)[1]))
        for name in COMMANDS
    }
    quoted = re.findall(r"`(?!#)([^`\n]*\bengineroom [a-z][^`\n]*)`", page.read_text())
    for line in quoted:
        for words in re.findall(r"\bengineroom ([a-z][^;|]*)", line):
            name, *rest = words.split()
            assert name in COMMANDS, line
            options = [word.split("=")[0] for word in rest if word.startswith("--")]
            assert all(option in known[name] for option in options), line
            if name == "store":
                assert rest[0] in known[name].split(), line


def test_the_settings_that_pages_name_exist():
    page = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    known = set(re.findall(r"ENGINEROOM_\w+", page)) | {"ENGINEROOM_ENGINE_POSTGRES"}
    for path in PAGES:
        named = set(re.findall(r"ENGINEROOM_[A-Z_]+", path.read_text("utf-8")))
        assert named <= known, path


def _actions(parser):
    """The help of the commands below a command."""
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for below in action.choices.values():
                yield below.format_help()


def test_the_pages_take_little_of_a_wheel():
    assert sum(page.stat().st_size for page in PAGES) < 128 * 1024
