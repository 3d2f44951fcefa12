"""The command on whole trees: the matrix, the places, the exit codes."""

from __future__ import annotations

import json
import os

import pytest

from engineroom.cli.main import main
from tests.check.conftest import (
    ABSENT,
    DATASOURCE,
    ONE_LINE,
    STANDARD,
    UNAFFECTED,
    WITHOUT,
)


def services(capsys, *words):
    capsys.readouterr()  # whatever was said before
    main(["check", "--json", *words])
    folders = json.loads(capsys.readouterr().out)["folders"]
    return {s["path"]: s for folder in folders for s in folder["services"]}


def one(capsys, *words):
    return next(iter(services(capsys, *words).values()))


@pytest.mark.usefixtures("eleven")
def test_eleven_services_give_the_matrix_of_those_affected(capsys):
    assert main(["check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["service", "uses", "it", "targets", "status"]
    rows = {line.split()[0]: line for line in lines[1:12]}
    assert set(rows) == {f"services/{name}" for name in (*WITHOUT, *UNAFFECTED)}
    for name in WITHOUT:
        assert rows[f"services/{name}"].endswith("fails: darwin-arm64 missing")
        place = f"services/{name}/prisma/schema.prisma:3: error targets-missing"
        assert any(line.startswith(place) for line in lines)
    for name in UNAFFECTED:
        assert rows[f"services/{name}"].split()[1:] == ["no", "not", "affected"]
    assert lines[-1] == "11 services: 4 fails, 7 not affected"


def test_services_without_a_marker_are_in_the_matrix_beside_those_with(plant, capsys):
    plant(
        **{
            "a/prisma/schema.prisma": ABSENT,
            "b/prisma/schema.prisma": STANDARD,
            "c/app/main.py": "print()\n",
            "docs/index.md": "Words\n",
        }
    )
    found = services(capsys)
    assert {path: s["status"] for path, s in found.items()} == {
        "a": "fails",
        "b": "ok",
        "c": "not affected",
    }


def test_the_standard_template_passes(plant, capsys):
    plant(**{"svc/prisma/schema.prisma": STANDARD + DATASOURCE})
    assert main(["check"]) == 0
    assert "1 service: 1 ok" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("schema", "line", "rule", "missing"),
    [
        (
            ONE_LINE,
            5,
            "targets-missing",
            ["darwin-arm64", "darwin", "linux-musl", "debian-openssl-3.0.x"],
        ),
        (
            DATASOURCE + ABSENT,
            11,
            "targets-absent",
            [
                "native",
                "darwin-arm64",
                "darwin",
                "linux-musl",
                "debian-openssl-3.0.x",
            ],
        ),
    ],
    ids=["one line", "absent"],
)
def test_what_lacks_targets_fails_with_file_and_line(
    plant, capsys, schema, line, rule, missing
):
    plant(**{"svc/prisma/schema.prisma": schema})
    assert main(["check"]) == 1
    text = capsys.readouterr().out
    assert f"svc/prisma/schema.prisma:{line}: error {rule}: " in text
    assert one(capsys)["missing"] == missing


def test_an_image_is_the_reason_for_a_target_that_the_setting_does_not_name(
    plant, capsys
):
    plant(
        **{
            "svc/pyproject.toml": '[tool.engineroom.check]\ntargets = ["native"]\n',
            "svc/prisma/schema.prisma": ONE_LINE,
            "svc/Dockerfile": "FROM node:20 AS build\nFROM node:20-alpine3.19\n",
        }
    )
    assert main(["check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["folders"][0]["services"][0]
    assert found["missing"] == ["linux-musl"]
    assert found["needed"][1] == {
        "name": "linux-musl",
        "target": "linux-musl-x86_64",
        "reason": "`node:20-alpine3.19` is Alpine 3.19",
        "file": "svc/Dockerfile",
        "line": 2,
    }


def test_the_setting_of_a_folder_above_goes_for_every_service(plant, capsys):
    plant(
        **{
            "pyproject.toml": "[tool.engineroom.check]\n"
            'targets = [\n  "native", # here\n  "darwin-x86_64",\n]\n',
            "svc/package.json": "{}",
            "svc/prisma/schema.prisma": ONE_LINE,
        }
    )
    assert one(capsys)["missing"] == ["darwin"]


@pytest.mark.parametrize(
    ("value", "says"),
    [('["darwin-arm46"]', "names `darwin-arm46`"), ("[]", "is empty"), ("3", "list")],
)
def test_a_setting_that_cannot_be_followed_fails_at_its_line(
    plant, capsys, value, says
):
    plant(
        **{
            "pyproject.toml": f"[tool.engineroom.check]\n\ntargets = {value}\n",
            "prisma/schema.prisma": STANDARD,
        }
    )
    assert main(["check"]) == 1
    text = capsys.readouterr().out
    assert "pyproject.toml:3: error setting-wrong: " in text
    assert says in text


def test_targets_from_the_environment_are_no_failure(plant, capsys):
    plant(
        **{
            "prisma/schema.prisma": ONE_LINE.replace(
                '["native"]', '["native", env("MORE")]'
            )
        }
    )
    assert main(["check"]) == 0
    assert "takes targets from `MORE`" in capsys.readouterr().out
    assert one(capsys)["status"] == "cannot tell"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[project]\ndependencies = [\n  "engineroom[cli]>=1",\n]\n'),
        ("pyproject.toml", '[tool.poetry.dependencies]\nengineroom = "^1"\n'),
        ("pyproject.toml", '[dependency-groups]\ndb = ["engineroom"]\n'),
        ("requirements.txt", "cffi\nengineroom == 1.0 # the engine\n"),
        ("requirements-dev.txt", "engineroom\n"),
        ("requirements/base.txt", "engineroom~=1.0\n"),
        ("setup.py", "setup(install_requires=['engineroom>=1'])\n"),
        ("setup.cfg", "[options]\ninstall_requires =\n    engineroom\n"),
        ("Pipfile", '[packages]\nengineroom = "*"\n'),
        ("uv.lock", '[[package]]\nname = "engineroom"\nversion = "1"\n'),
        ("Pipfile.lock", '{"default": {\n  "engineroom": {}}}\n'),
    ],
)
def test_whatever_names_engineroom_uses_it(plant, capsys, file, text):
    plant(**{f"svc/{file}": text})
    found = one(capsys)
    assert (found["path"], found["uses"]) == ("svc", ["Engineroom"])
    assert found["status"] == "ok"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "pyproject.toml",
            '[project]\nname = "engineroom"\nkeywords = ["engineroom"]\n',
        ),
        ("pyproject.toml", '[project]\ndependencies = ["engineroom-extra"]\n'),
        ("pyproject.toml", '[project]\ndependencies = [\n# "engineroom",\n]\n'),
        ("requirements.txt", "# engineroom\nengineroom-extra\n"),
        ("uv.lock", '[[package]]\nname = "engineroom-extra"\n'),
    ],
)
def test_what_only_resembles_it_does_not_use_it(plant, capsys, file, text):
    plant(**{f"svc/{file}": text})
    assert one(capsys)["status"] == "not affected"


def test_a_lock_file_without_wheels_for_an_image_fails(plant, capsys):
    wheel = "engineroom-1.0-cp39-abi3-{}.whl"
    tags = ("manylinux_2_28_x86_64", "macosx_11_0_arm64", "macosx_10_13_x86_64")
    lines = "".join(f'  {{ url = "x/{wheel.format(tag)}" }},\n' for tag in tags)
    plant(
        **{
            "uv.lock": f'[[package]]\nname = "engineroom"\nwheels = [\n{lines}]\n',
            "Dockerfile": "FROM --platform=linux/arm64 python:3.12-alpine\n",
        }
    )
    assert main(["check"]) == 1
    assert "uv.lock:4: error wheels-missing" in capsys.readouterr().out
    assert one(capsys)["missing"] == ["linux-musl", "linux-musl-arm64-openssl-3.0.x"]


def test_an_image_that_no_engine_runs_in_fails(plant, capsys):
    plant(**{"requirements.txt": "engineroom\n", "Dockerfile": "FROM centos:7\n"})
    assert main(["check"]) == 1
    assert "Dockerfile:1: error image-too-old" in capsys.readouterr().out


def test_files_that_cannot_be_read_are_rows(plant, capsys):
    root = plant(
        **{
            "a/prisma/schema.prisma": b"generator \xff {",
            "b/prisma/schema.prisma": b"\0\1\2" * 99,
            "c/prisma/schema.prisma": b"generator client {\n  binaryTargets = [",
            "d/prisma/schema.prisma": b" " * (16 * 1024 * 1024 + 1),
            "e/prisma/schema.prisma": STANDARD,
        }
    )
    (root / "e" / "prisma" / "loop").symlink_to(root / "e")
    (root / "f").mkdir()
    (root / "f" / "schema.prisma").symlink_to("/etc/hostname")
    os.mkfifo(root / "f" / "more.prisma")  # reading it would never end
    assert main(["check"]) == 0
    found = services(capsys)
    for path in "abcdf":
        assert found[path]["status"] == "cannot tell"
    assert found["e"]["status"] == "ok"
    assert len(found["e"]["schemas"]) == 1
    said = [f["message"] for s in found.values() for f in s["findings"]]
    for words in ("no UTF-8 in line 1", "no text", "begins here", "bytes", "link"):
        assert any(words in message for message in said)


def test_what_was_installed_or_made_is_not_looked_at(plant, capsys):
    plant(
        **{
            "svc/prisma/schema.prisma": STANDARD,
            "svc/node_modules/x/schema.prisma": ABSENT,
            "svc/.git/schema.prisma": ABSENT,
            "svc/py/pyvenv.cfg": "",
            "svc/py/schema.prisma": ABSENT,
            "svc/client/index-browser.js": "",
            "svc/client/schema.prisma": ABSENT,
        }
    )
    assert one(capsys)["schemas"] == ["svc/prisma/schema.prisma"]


def test_a_client_without_engines_and_other_generators_need_no_targets(plant, capsys):
    plant(
        **{
            "prisma/schema.prisma": "generator client {\n"
            '  provider = "prisma-client"\n  engineType = "client"\n}\n'
            'generator erd {\n  provider = "prisma-erd-generator"\n}\n'
        }
    )
    assert one(capsys)["status"] == "ok"


def test_each_of_several_generators_is_judged(plant, capsys):
    plant(**{"prisma/schema.prisma": STANDARD + ONE_LINE.replace("client", "second")})
    finding = one(capsys)["findings"][0]
    assert (finding["line"], len(one(capsys)["findings"])) == (15, 1)
    assert "`second`" in finding["message"]


def test_nothing_to_check_is_fine(plant, capsys):
    plant(**{"README.md": "Words\n"})
    assert main(["check"]) == 0
    assert "Nothing here uses" in capsys.readouterr().out


def test_usage_errors_give_2(plant, capsys):
    plant(**{"README.md": "Words\n"})
    assert main(["check", "nowhere"]) == 2
    assert "ER1401" in capsys.readouterr().err
    assert main(["check", "--fix", "--staged"]) == 2
    assert main(["check", "--format", "xml"]) == 2


def test_a_folder_that_cannot_be_listed_is_told_and_hides_no_other(plant, capsys):
    root = plant(**{"a/prisma/schema.prisma": STANDARD})
    for _ in range(25):  # deeper than a path can be long
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    os.chdir(root)
    assert main(["check"]) == 0
    text = capsys.readouterr().out
    assert "1 service: 1 ok" in text
    assert (
        "warning unreadable: This folder cannot be listed: File name too long" in text
    )
