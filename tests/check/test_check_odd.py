"""Trees as people have them: odd spellings, anchors, locks above, marks of editors."""

from __future__ import annotations

import json
import time

import pytest

from engineroom.cli.main import main
from tests.check.conftest import ONE_LINE

USES = '[project]\ndependencies = ["engineroom"]\n'
# Each letter with the one before it.
CHAIN = list(zip("abcdefghijklmnopqrst", "bcdefghijklmnopqrstu"))
ALPINE = ("python:3.12-alpine", "linux-musl-x86_64")


def services(capsys):
    capsys.readouterr()
    main(["check", "--json"])
    (folder,) = json.loads(capsys.readouterr().out)["folders"]
    return {service["path"]: service for service in folder["services"]}


def images(service):
    return [(image["name"], image["target"]) for image in service["images"]]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", f"\ufeff{USES}"),
        ("requirements.txt", "\ufeffengineroom==1.0\n"),
        ("requirements.txt", "EngineRoom==1.0\n"),
        ("pyproject.toml", USES.replace("engineroom", "Engineroom")),
        ("pyproject.toml", '[tool.poetry.dependencies]\nEngineroom = "^1"\n'),
        ("Pipfile", '[packages]\nEngineRoom = "*"\n'),
        ("requirements/base.in", "engineroom\n"),
    ],
    ids=[
        "mark of an editor", "mark in requirements", "capitals", "capitals in a list",
        "capitals of a key", "capitals in a Pipfile", "pip-tools",
    ],
)  # fmt: skip
def test_a_service_uses_it_however_that_is_spelled(plant, capsys, file, text):
    plant(**{f"svc/{file}": text})
    assert services(capsys)["svc"]["uses"] == ["Engineroom"]


def test_a_schema_with_the_mark_of_an_editor_keeps_it_when_it_is_mended(plant, capsys):
    root = plant(**{"svc/prisma/schema.prisma": f"\ufeff{ONE_LINE}"})
    assert main(["check", "--fix"]) == 0
    assert "1 ok" in capsys.readouterr().out
    text = (root / "svc/prisma/schema.prisma").read_text("utf-8")
    assert text.startswith("\ufeff// The schema")


@pytest.mark.parametrize(
    "compose",
    [
        ("x-base: &base\n  image: python:3.12-alpine\n"
        "services:\n  svc:\n    <<: *base\n    restart: always\n"),
        ("x-a: &a\n  restart: always\nx-b: &b\n  image: python:3.12-alpine\n"
        "services:\n  svc:\n    <<: [*a, *b]\n"),
        ("x-a: &a\n  image: debian:11\n"
        "services:\n  svc:\n    image: python:3.12-alpine\n    <<: *a\n"),
        "x-image: &image python:3.12-alpine\nservices:\n  svc:\n    image: *image\n",
        "services:\n  base: &base\n    image: python:3.12-alpine\n  svc: *base\n",
        ("services:\n  one:\n    image: python:3.12-alpine\n"
        "  svc:\n    extends:\n      service: one\n"),
        "services:\n  one:\n    image: python:3.12-alpine\n  svc:\n    extends: one\n",
        'services:\n  svc: {image: "python:3.12-alpine", restart: always}\n',
        ("services:\n  svc:\n    build:\n      context: svc\n"
        "      dockerfile_inline: |\n        FROM debian:12 AS b\n\n"
        "        FROM python:3.12-alpine\n    restart: always\n"),
        ("services:\n  svc:\n    image: python:3.12-alpine\n    command: |\n"
        "  other:\n    image: debian:12\n"),
    ],
    ids=[
        "merged", "merged from a list", "own before merged", "alias of a text",
        "alias of a service", "extends", "extends in one word", "braces",
        "inline Dockerfile", "empty block",
    ],
)  # fmt: skip
def test_a_compose_file_tells_the_image_in_whatever_way(plant, capsys, compose):
    plant(**{"svc/pyproject.toml": USES, "compose.yaml": compose})
    assert images(services(capsys)["svc"]) == [ALPINE]


def test_the_build_of_a_service_may_stand_in_braces_or_behind_an_alias(plant, capsys):
    plant(
        **{
            "compose.yaml": "services:\n"
            "  one:\n    build: {context: ./one, target: run,\n"
            "      args: {TAG: 3.12-alpine}}\n"
            "  two:\n    build: &two\n      context: two\n      target: run\n"
            "  three:\n    build:\n      <<: *two\n      context: three\n",
            **{f"{name}/pyproject.toml": USES for name in ("one", "two", "three")},
            **{
                f"{name}/Dockerfile": "ARG TAG=3.12\nFROM python:$TAG AS run\n"
                "FROM debian:11\n"
                for name in ("one", "two", "three")
            },
        }
    )
    found = {path: images(service) for path, service in services(capsys).items()}
    debian = [("python:3.12", "debian-openssl-3-x86_64")]
    assert found == {"one": [ALPINE], "two": debian, "three": debian}


@pytest.mark.parametrize(
    "compose",
    [
        "a: &a {x: 1, y: 2}\n"
        + "".join(f"{c}: &{c} {{x: *{p}, y: *{p}, z: *{p}}}\n" for p, c in CHAIN)
        + "services:\n  svc:\n    image: python:3.12-alpine\n",
        "services:\n  svc: &s\n    image: python:3.12-alpine\n    x: *s\n    <<: *s\n",
        "services:\n  svc:\n    image: python:3.12-alpine\n    x: "
        + "{a: " * 5000
        + "1"
        + "}" * 5000
        + "\n",
    ],
    ids=["aliases without end", "an alias of itself", "braces without end"],
)
def test_a_file_that_is_made_to_keep_a_reader_busy_does_not(plant, capsys, compose):
    plant(**{"svc/pyproject.toml": USES, "compose.yaml": compose})
    started = time.process_time()
    services(capsys)
    assert time.process_time() - started < 5


def test_words_of_a_block_of_text_are_no_keys(plant, capsys):
    plant(
        **{
            "svc/pyproject.toml": USES,
            "compose.yaml": "services:\n  svc:\n    command: >-\n      x\n"
            "    image: python:3.12-alpine\n"
            "configs:\n  a:\n    content: |\n      services:\n        svc:\n",
        }
    )
    assert images(services(capsys)["svc"]) == [ALPINE]


@pytest.mark.parametrize(
    ("dockerfile", "name", "target"),
    [
        ("ARG BASE\nFROM $BASE\n", "$BASE", ""),
        ("ARG V=3.12-alpine\nFROM python:${V%-alpine}\n", "python:${V%-alpine}", ""),
    ],
    ids=["no default", "a pattern"],
)
def test_an_image_that_an_argument_hides_is_shown_as_it_stands(
    plant, capsys, dockerfile, name, target
):
    plant(**{"svc/pyproject.toml": USES, "svc/Dockerfile": dockerfile})
    assert images(services(capsys)["svc"]) == [(name, target)]


def test_an_argument_that_compose_leaves_empty_has_its_default(plant, capsys):
    plant(
        **{
            "svc/pyproject.toml": USES,
            "svc/Dockerfile": "ARG TAG=3.12-alpine\nFROM python:$TAG\n",
            "compose.yaml": "services:\n  svc:\n    build:\n      context: svc\n"
            "      args:\n        TAG: ${TAG}\n",
        }
    )
    assert images(services(capsys)["svc"]) == [ALPINE]


def test_the_lock_of_a_workspace_goes_for_the_services_below_it(plant, capsys):
    wheels = "".join(
        f'  {{ url = "x/engineroom-1.0-cp39-abi3-{tag}.whl" }},\n'
        for tag in (
            "manylinux_2_28_x86_64", "macosx_11_0_arm64", "macosx_10_13_x86_64",
            "musllinux_1_2_x86_64",
        )
    )  # fmt: skip
    plant(
        **{
            "uv.lock": '[[package]]\nname = "engineroom"\nversion = "1.0"\n'
            f"wheels = [\n{wheels}]\n",
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["svc", "web"]\n',
            "svc/pyproject.toml": USES,
            "svc/Dockerfile": "FROM --platform=linux/arm64 python:3.12-slim\n",
            "web/pyproject.toml": '[project]\nname = "web"\n',
        }
    )
    found = services(capsys)
    assert found["svc"]["missing"] == ["linux-arm64-openssl-3.0.x"]
    assert found["svc"]["findings"][0]["file"] == "uv.lock"
    assert found["web"]["status"] == "not affected"
