"""Reading generators, and writing targets into them: every byte that matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom.check.prisma import add_targets, read_schema
from engineroom.cli.main import main
from tests.check.conftest import ABSENT, DATASOURCE, ONE_LINE, STANDARD


def in_client(text):
    return f'generator client {{\n  provider = "prisma-client-js"\n{text}\n}}\n'


FIXES = {
    "one line": ('  binaryTargets = ["a"]', '  binaryTargets = ["a", "x", "y"]'),
    "one line, comma, comment": (
        '  binaryTargets = ["a", ] // why',
        '  binaryTargets = ["a", "x", "y" ] // why',
    ),
    "empty": ("  binaryTargets = []", '  binaryTargets = ["x", "y"]'),
    "a single text": ('  binaryTargets = "a"', '  binaryTargets = ["a", "x", "y"]'),
    "several lines": (
        '  binaryTargets = [\n    "a", // A\n    // last\n  ] //',
        '  binaryTargets = [\n    "a", // A\n    // last\n    "x",\n    "y",\n  ] //',
    ),
    "several lines without a last comma": (
        '  binaryTargets = [\n\t"a" // ] not the end, "b"\n  ]',
        '  binaryTargets = [\n\t"a", // ] not the end, "b"\n\t"x",\n\t"y"\n  ]',
    ),
    "closed on the line of the last": (
        '  binaryTargets = [\n    "a",\n    "b"]',
        '  binaryTargets = [\n    "a",\n    "b", "x", "y"]',
    ),
    "only a comment": (
        "  binaryTargets = [\n    // none yet\n  ]",
        '  binaryTargets = [\n    // none yet\n    "x",\n    "y"\n  ]',
    ),
    "environment": (
        '  binaryTargets = [env("T")]',
        '  binaryTargets = [env("T"), "x", "y"]',
    ),
}


@pytest.mark.parametrize(("before", "after"), FIXES.values(), ids=FIXES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_targets_are_added_and_all_else_is_kept(before, after, newline):
    text = (DATASOURCE + in_client(before) + DATASOURCE).replace("\n", newline)
    (generator,) = read_schema(text).generators
    wanted = (DATASOURCE + in_client(after) + DATASOURCE).replace("\n", newline)
    assert add_targets(text, generator, ["x", "y"]) == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'generator c {\n  provider      = "prisma-client-js" // p\n}\n',
            (
                'generator c {\n  provider      = "prisma-client-js" // p\n'
                '  binaryTargets = ["x"]\n}\n'
            ),
        ),
        (
            'generator c { provider = "prisma-client-js" }\n',
            'generator c { provider = "prisma-client-js"\n  binaryTargets = ["x"]\n}\n',
        ),
        (
            'generator c {\n\toutput = "o"\n}\n',
            'generator c {\n  binaryTargets = ["x"]\n\toutput = "o"\n}\n',
        ),
    ],
    ids=["aligned", "one line", "no provider"],
)
def test_a_list_is_made_where_there_is_none(before, after):
    (generator,) = read_schema(before).generators
    assert add_targets(before, generator, ["x"]) == after


def test_words_in_comments_and_texts_are_no_generators():
    text = (
        '// generator a {\n/* generator b { */\nmodel generator {\n "generator c {"\n}'
    )
    assert read_schema(text + STANDARD).generators[0].name == "client"
    assert read_schema(text).generators == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n\ngenerator a {\n", 3),
        ("generator a {\n  b = [\n}\n", 1),
        ("generator a {\n  b = \n", 1),
        ("generator a {\nmodel B {\n}\n", 1),
    ],
)
def test_a_generator_that_does_not_end_is_told_by_its_line(text, line):
    assert read_schema(text).broken_line == line


@given(st.text(alphabet='generator {}[]"\\/*,=ab\n\r env()', max_size=60))
def test_reading_never_fails_and_fixing_what_was_read_reads_again(text):
    text = f"generator g {{\n{text}"
    for generator in read_schema(text).generators[:1]:
        new = add_targets(text, generator, ["x"])
        value = read_schema(new).generators[0].targets
        if value is not None and generator.targets is not None:
            assert value.texts == (*generator.targets.texts, "x")


def test_fix_mends_every_schema_once_and_keeps_its_mode(plant, capsys):
    files = {"a": ONE_LINE, "b": ABSENT + DATASOURCE, "c": STANDARD, "d": ONE_LINE * 2}
    root = plant(**{f"{n}/prisma/schema.prisma": t for n, t in files.items()})
    a = root / "a/prisma/schema.prisma"
    a.chmod(0o640)
    assert main(["check", "--fix"]) == 0
    text = capsys.readouterr().out
    assert "fixed a/prisma/schema.prisma\n" in text
    assert "fixed c/" not in text
    assert a.read_text() == ONE_LINE.replace(
        '"native"',
        '"native", "darwin-arm64", "darwin", "linux-musl", "debian-openssl-3.0.x"',
    )
    assert a.stat().st_mode & 0o777 == 0o640
    assert (root / "c/prisma/schema.prisma").read_text() == STANDARD
    assert (root / "d/prisma/schema.prisma").read_text().count("linux-musl") == 2
    assert sorted(p.name for p in a.parent.iterdir()) == ["schema.prisma"]
    assert main(["check", "--fix", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folders"][0]["fixed"] == []


def test_fix_writes_through_a_link_that_stays_in_the_tree(plant):
    root = plant(**{"a/prisma/schema.prisma": ONE_LINE, "b/package.json": "{}"})
    (root / "b/schema.prisma").symlink_to("../a/prisma/schema.prisma")
    assert main(["check", "--fix", "b/schema.prisma"]) == 0
    assert (root / "b/schema.prisma").is_symlink()
    assert "darwin-arm64" in (root / "a/prisma/schema.prisma").read_text()


def test_fix_never_writes_outside_the_tree(plant, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "schema.prisma"
    outside.write_text(ONE_LINE)
    root = plant(**{"a/package.json": "{}"})
    (root / "a/schema.prisma").symlink_to(outside)
    assert main(["check", "--fix"]) == 0
    assert outside.read_text() == ONE_LINE


def test_a_schema_that_cannot_be_written_stays_as_it_was(plant):
    root = plant(**{"a/prisma/schema.prisma": ONE_LINE})
    code = (
        "import resource, sys; from engineroom.cli.main import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9));"
        "sys.exit(main(['check', '--fix']))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "ER1403: " in done.stderr
    assert (root / "a/prisma/schema.prisma").read_text() == ONE_LINE
    assert [p.name for p in (root / "a/prisma").iterdir()] == ["schema.prisma"]
