"""cibuildwheel, asked itself, selects what platforms.toml says and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from engineroom.platforms.rows import TARGETS
from native.build import ROOT
from native.ci.matrix import wheel_legs

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="cibuildwheel 4 needs Python 3.11"
)

SYSTEMS = {"linux": ("manylinux", "musllinux"), "macos": ("macosx",), "windows": ()}
CPUS = {
    "linux": {"x86_64": "x86_64", "aarch64": "arm64"},
    "macos": {"x86_64": "x86_64", "arm64": "arm64"},
}


def selected(platform: str, cpus: str = "all", build: str | None = None) -> list[str]:
    """Return what `cibuildwheel --print-build-identifiers` prints in this checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CIBW_")}
    if build is not None:
        environment["CIBW_BUILD"] = build
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers"]
    done = subprocess.run(
        [*command, "--platform", platform, "--archs", cpus],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.split())


def platform_of(identifier: str) -> str:
    _, _, system = identifier.partition("-")
    return next(name for name, systems in SYSTEMS.items() if system.startswith(systems))


@pytest.mark.parametrize("platform", SYSTEMS)
def test_on_every_platform_exactly_the_rows_are_selected(platform: str) -> None:
    wanted = {
        target.cibuildwheel
        for target in TARGETS
        if platform_of(target.cibuildwheel) == platform
    }

    assert selected(platform) == sorted(wanted)


@pytest.mark.parametrize(
    ("platform", "named", "cpu"),
    [(p, named, cpu) for p, cpus in CPUS.items() for named, cpu in cpus.items()],
)
def test_on_every_cpu_exactly_its_rows_are_selected(platform, named, cpu) -> None:
    wanted = {
        target.cibuildwheel
        for target in TARGETS
        if target.cpu == cpu and platform_of(target.cibuildwheel) == platform
    }

    assert wanted
    assert selected(platform, named) == sorted(wanted)


@pytest.mark.parametrize("leg", wheel_legs(), ids=lambda leg: leg["wheel"])
def test_a_leg_of_ci_selects_its_wheel_on_every_python_there_is(leg) -> None:
    named = leg["identifiers"].split()
    _, _, system = leg["cibuildwheel"].partition("-")
    platform = platform_of(leg["cibuildwheel"])

    assert selected(platform, build=leg["identifiers"]) == sorted(named)
    # Those without the interpreter lock, `cp314t`, need engines of their own.
    there_are = selected(platform, build=f"cp3*-{system}")
    assert [i for i in there_are if "t-" not in i] == sorted(named)
