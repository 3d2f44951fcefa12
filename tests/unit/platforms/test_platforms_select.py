from __future__ import annotations

import pytest

from engineroom.errors import NoNativeTarget, UnknownTarget
from engineroom.platforms.probe import probe
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import (
    built_for,
    known_names,
    native_targets,
    select_targets,
)


def ids(targets):
    return [target.id for target in targets]


@pytest.mark.parametrize(
    ("names", "selected"),
    [
        pytest.param(["rhel-arm64"], ["rhel-arm64"], id="a target"),
        pytest.param(["rhel"], ["rhel-x86_64", "rhel-arm64"], id="a family"),
        pytest.param(
            ["debian-openssl-3"],
            ["debian-openssl-3-x86_64", "debian-openssl-3-arm64"],
            id="another family",
        ),
        pytest.param(
            ["linux-musl"],
            ["linux-musl-x86_64", "linux-musl-arm64"],
            id="the musl family",
        ),
        pytest.param(["darwin-arm64"], ["darwin-arm64"], id="a family of one"),
        pytest.param(["darwin"], ["darwin-x86_64"], id="Prisma's name for Intel Macs"),
        pytest.param(
            ["linux-musl-openssl-3.0.x"], ["linux-musl-x86_64"], id="Prisma's musl"
        ),
        pytest.param(
            ["linux-musl-arm64-openssl-3.0.x"],
            ["linux-musl-arm64"],
            id="Prisma's musl on arm64",
        ),
        pytest.param(
            ["debian-openssl-3.0.x"], ["debian-openssl-3-x86_64"], id="Prisma's Debian"
        ),
        pytest.param(
            ["linux-arm64-openssl-3.0.x"],
            ["debian-openssl-3-arm64"],
            id="Prisma's Linux on arm64",
        ),
        pytest.param(["rhel-openssl-3.0.x"], ["rhel-x86_64"], id="Prisma's RHEL 9"),
        pytest.param(["rhel-openssl-1.1.x"], ["rhel-x86_64"], id="Prisma's RHEL 8"),
        pytest.param(
            ["rhel", "darwin", "rhel-x86_64"],
            ["darwin-x86_64", "rhel-x86_64", "rhel-arm64"],
            id="several, each once and in the order of the rows",
        ),
        pytest.param([], [], id="nothing"),
    ],
)
def test_select_targets_of_names_gives_their_rows(names, selected):
    assert ids(select_targets(names)) == selected


def test_select_targets_of_all_gives_every_row():
    assert select_targets(["all"]) == TARGETS


@pytest.mark.parametrize("word", ["native", "host"])
def test_select_targets_of_this_machine_goes_by_its_facts(described, word):
    facts = probe(described(cpu="aarch64", confstr="glibc 2.31"))
    assert ids(select_targets([word], facts=facts)) == [
        "debian-openssl-3-arm64",
        "rhel-arm64",
    ]


def test_native_targets_under_another_python_are_those_of_its_system(described):
    facts = probe(described(python=("pypy", "3.10.14", False)))
    assert ids(native_targets(facts=facts)) == [
        "debian-openssl-3-x86_64",
        "rhel-x86_64",
    ]


def test_native_targets_on_a_system_that_none_fits_say_so(described):
    facts = probe(described(system="freebsd14", cpu="amd64"))
    with pytest.raises(NoNativeTarget) as caught:
        native_targets(facts=facts)
    assert caught.value.system == "cpython 3.11.7 on freebsd x86_64, an unknown libc"
    assert caught.value.code == "ER1102"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        pytest.param("linux-musk", "linux-musl", id="a slip"),
        pytest.param("RHEL", "rhel", id="upper case"),
        pytest.param(
            "debian-openssl-3.1.x", "debian-openssl-3.0.x", id="a newer version"
        ),
        pytest.param(
            "linux-arm-openssl-3.0.x", "linux-arm64-openssl-3.0.x", id="32-bit ARM"
        ),
    ],
)
def test_select_targets_of_an_unknown_name_offers_the_nearest(name, nearest):
    with pytest.raises(UnknownTarget) as caught:
        select_targets([name])
    assert caught.value.name == name
    assert caught.value.nearest[0] == nearest
    assert f"did you mean `{nearest}`" in caught.value.hint


@pytest.mark.parametrize("name", ["windows", "freebsd13", "linux-nixos", ""])
def test_select_targets_of_a_system_that_is_not_built_says_what_is(name):
    with pytest.raises(UnknownTarget) as caught:
        select_targets([name])
    assert caught.value.message == (
        f"No target is called `{name}`. Engineroom is built for macOS 11.0 or newer on"
        " arm64; macOS 10.13 or newer on x86_64; Linux with musl 1.2.0 or newer on"
        " x86_64 and arm64; Linux with glibc 2.28 or newer on x86_64 and arm64."
    )
    assert caught.value.built_for == built_for()


def test_every_known_name_selects_something(described):
    for name in known_names():
        assert select_targets([name], facts=probe(described()))
