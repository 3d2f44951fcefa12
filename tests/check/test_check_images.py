"""Base images: what each is, how Dockerfiles and compose files name them."""

from __future__ import annotations

import json

import pytest

from engineroom.check.compose import read_entries
from engineroom.check.dockerfile import final_stage, read_stages
from engineroom.check.images import base_of
from engineroom.check.needs import Need, covers, is_known, needs_named, target_of
from engineroom.check.tree import is_compose, is_dockerfile
from engineroom.cli.main import main
from tests.check.conftest import STANDARD

ARM = "linux/arm64"
MUSL = "linux-musl"
DEBIAN = "debian-openssl-3.0.x"
DEBIAN_OLD = "debian-openssl-1.1.x"
RHEL = "rhel-openssl-3.0.x"


@pytest.mark.parametrize(
    ("image", "platform", "prisma", "is_too_old"),
    [
        ("alpine", "", MUSL, False),
        ("python:3.12-alpine3.20", "linux/amd64", MUSL, False),
        ("node:20-alpine", ARM, "linux-musl-arm64-openssl-3.0.x", False),
        ("docker.io/library/python:3.12", "", DEBIAN, False),
        ("python:3.12-slim", "", DEBIAN, False),
        (
            "python:3.12-slim@sha256:0123456789ab",
            ARM,
            "linux-arm64-openssl-3.0.x",
            False,
        ),
        ("python:3.9-slim-bullseye", "", DEBIAN_OLD, False),
        ("python:3.9-buster", "", DEBIAN_OLD, False),
        ("python:3.6-stretch", "", DEBIAN_OLD, True),
        ("node:22-trixie", "", DEBIAN, False),
        ("debian:11", "", DEBIAN_OLD, False),
        ("debian", "", DEBIAN, False),
        ("ubuntu:22.04", "", DEBIAN, False),
        ("ubuntu:20.04", ARM, "linux-arm64-openssl-1.1.x", False),
        ("ubuntu:bionic", "", DEBIAN_OLD, True),
        ("gcr.io/distroless/nodejs20-debian12", "", DEBIAN, False),
        ("gcr.io/distroless/python3-debian11:nonroot", "", DEBIAN_OLD, False),
        (
            "registry.access.redhat.com/ubi8/python-39:1",
            "",
            "rhel-openssl-1.1.x",
            False,
        ),
        ("registry.access.redhat.com/ubi9-minimal", "", RHEL, False),
        ("rockylinux:9.3", "", RHEL, False),
        ("almalinux:8", "", "rhel-openssl-1.1.x", False),
        ("quay.io/centos/centos:stream9", "", RHEL, False),
        ("centos:7", "", "rhel-openssl-1.0.x", True),
        ("fedora:40", "", RHEL, False),
        ("amazonlinux:2", "", "rhel-openssl-1.0.x", True),
        ("amazonlinux:2023", "", RHEL, False),
        ("public.ecr.aws/lambda/python:3.12", "", RHEL, False),
        ("public.ecr.aws/lambda/python:3.11", "", "rhel-openssl-1.0.x", True),
        ("localhost:5000/team/python:3.12-slim", "", DEBIAN, False),
        ("cgr.dev/chainguard/python:latest", "", DEBIAN, False),
        ("postgres:16-alpine", "", "", False),
        ("nginx:alpine", "", "", False),
        ("scratch", "", "", False),
        ("internal.example/base:7", "", "", False),
    ],
)
def test_what_an_image_needs(image, platform, prisma, is_too_old):
    base = base_of(image, platform)
    assert (base.prisma, base.is_too_old) == (prisma, is_too_old)
    assert bool(base.system) == bool(prisma)


DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG PYTHON=3.12
ARG SUITE="alpine3.19"
ARG BASE=python:${PYTHON}-${SUITE:-slim}
FROM --platform=$BUILDPLATFORM node:20 AS web
RUN <<EOF
FROM nothing:alpine
EOF
FROM --platform=linux/arm64 \\
  # a comment within
  ${BASE} as base
RUN echo "FROM x"
from base AS dev
FROM base
COPY --from=web /x /x
"""


def test_stages_of_a_dockerfile():
    stages = read_stages(DOCKERFILE)
    image = "python:3.12-alpine3.19"
    assert [tuple(stage) for stage in stages] == [
        ("web", "node:20", "", 5),
        ("base", image, "linux/arm64", 9),
        ("dev", image, "linux/arm64", 13),
        ("", image, "linux/arm64", 14),
    ]
    assert final_stage(stages) == stages[3]
    assert final_stage(stages, "WEB") == stages[0]
    assert final_stage(stages, "1") == stages[1]
    assert final_stage([]) is None
    given = read_stages(DOCKERFILE, {"SUITE": "slim"})
    assert given[3].image == "python:3.12-slim"


def test_the_escape_of_a_dockerfile_may_be_another():
    assert read_stages("# escape=`\nFROM `\n  debian:12\n")[0].image == "debian:12"


COMPOSE = """\
x-common: &common
  image: shared:1
services:
  api: # the first
    <<: *common
    build:
      context: "./services/api"
      dockerfile: docker/Dockerfile.prod
      target: run
      args:
        - SUITE=alpine
    platform: 'linux/arm64'
  worker:
    build: ./services/worker
  db:
    image: ${DB:-postgres:16-alpine}
    environment:
      image: not-this
volumes:
  api:
"""


def test_services_of_a_compose_file():
    api, worker, db = read_entries(COMPOSE)
    assert api._asdict() == {
        "name": "api",
        "line": 5,
        "image": "shared:1",
        "platform": "linux/arm64",
        "context": "./services/api",
        "dockerfile": "docker/Dockerfile.prod",
        "target": "run",
        "inline": "",
        "arguments": (("SUITE", "alpine"),),
    }
    assert (worker.context, worker.image) == ("./services/worker", "")
    assert (db.image, db.line) == ("postgres:16-alpine", 16)


def test_a_compose_file_says_how_a_service_is_built_and_what_it_runs(plant, capsys):
    plant(
        **{
            "compose.yaml": COMPOSE + "  jobs:\n",
            "compose.dev.yml": "services:\n  jobs:\n    image: python:3.12-alpine\n"
            "    platform: linux/arm64\n",
            "services/api/prisma/schema.prisma": STANDARD,
            "services/api/docker/Dockerfile.prod": "ARG SUITE=slim\n"
            "FROM python:3-$SUITE AS run\nFROM debian:12\n",
            "services/worker/prisma/schema.prisma": STANDARD,
            "services/worker/Dockerfile": "FROM ubi9\n",
            "services/jobs/prisma/schema.prisma": STANDARD,
        }
    )
    assert main(["check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["folders"][0]["services"]
    assert {s["path"]: s["missing"] for s in found} == {
        "services/api": ["linux-musl-arm64-openssl-3.0.x"],
        "services/jobs": ["linux-musl-arm64-openssl-3.0.x"],
        "services/worker": ["rhel-openssl-3.0.x"],
    }


def test_which_files_are_dockerfiles_and_compose_files():
    names = ["Dockerfile", "Dockerfile.dev", "api.Dockerfile", "x/Containerfile"]
    assert all(map(is_dockerfile, names))
    assert not any(map(is_dockerfile, ["Dockerfile.dockerignore", "Dockerfiles"]))
    names = ["compose.yml", "docker-compose.override.yaml", "x/compose-dev.yml"]
    assert all(map(is_compose, names))
    assert not any(map(is_compose, ["decompose.yml", "compose.txt"]))


@pytest.mark.parametrize(
    ("configured", "needed", "is_enough"),
    [
        ("linux-musl-openssl-3.0.x", "linux-musl", True),
        ("linux-musl", "linux-musl-openssl-3.0.x", True),
        ("linux-musl", "linux-musl-arm64-openssl-3.0.x", False),
        ("debian-openssl-3-x86_64", "debian-openssl-3.0.x", True),
        ("darwin-x86_64", "darwin", True),
        ("darwin", "darwin-arm64", False),
        ("rhel-openssl-1.1.x", "rhel-openssl-3.0.x", False),
        ("rhel-openssl-1.1.x", "debian-openssl-1.1.x", False),
        ("rhel", "rhel-openssl-3.0.x", True),
        ("native", "darwin", False),
        ("native", "native", True),
    ],
)
def test_which_names_serve_a_need(configured, needed, is_enough):
    assert covers(configured, Need(needed, target_of(needed), "")) is is_enough


def test_a_setting_may_use_either_language():
    names = ["native", "rhel-x86_64", "linux-musl", "debian-openssl-3", "windows"]
    assert [need.name for need in needs_named(names, "f", 1)] == [
        "native", "rhel-openssl-3.0.x", "linux-musl", "debian-openssl-3.0.x", "windows",
    ]  # fmt: skip
    assert len(needs_named(["all"], "f", 1)) == 8
    assert is_known("debian-openssl-1.0.x")
    assert not is_known("darwin-arm46")
