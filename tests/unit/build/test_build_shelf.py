"""What a wheel carries: which targets, the manifest, the bill of materials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engineroom.errors import UnknownTarget
from engineroom.platforms.rows import TARGETS
from engineroom.version import __version__
from native.build.engine import Engine
from native.build.errors import WheelsMixed
from native.build.pins import load_sources
from native.build.shelf import (
    bill_of_materials,
    linked_sources,
    manifest_text,
    shelve,
    wheel_groups,
    wheel_tag,
    wheel_targets,
)


def engine(target: str, sha256: str, backend: str = "sqlite") -> Engine:
    path = Path(f"/cache/{sha256}/_qe_{backend}.abi3.so")
    return Engine(target, backend, path, 7, "0000002a", sha256, "b1d", is_new=False)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param("none", [], id="none"),
        pytest.param("darwin-arm64", ["darwin-arm64"], id="alone-in-its-wheel"),
        pytest.param("darwin", ["darwin-x86_64"], id="by-alias"),
        pytest.param(
            "rhel-arm64", ["debian-openssl-3-arm64", "rhel-arm64"], id="whole-wheel"
        ),
        pytest.param(
            "debian-openssl-3-x86_64, rhel-x86_64",
            ["debian-openssl-3-x86_64", "rhel-x86_64"],
            id="several-of-one-wheel",
        ),
    ],
)
def test_a_wheel_carries_all_targets_that_share_its_tag(
    names: str, expected: list[str]
) -> None:
    targets = wheel_targets({"ENGINEROOM_BUILD_TARGETS": names})

    assert [target.id for target in targets] == expected


def test_targets_of_several_wheels_are_refused_with_each_wheel() -> None:
    with pytest.raises(WheelsMixed) as caught:
        wheel_targets({"ENGINEROOM_BUILD_TARGETS": "darwin-arm64 linux-musl-arm64"})

    assert caught.value.code == "ER6020"
    assert caught.value.wheels == (
        ("cp39-abi3-macosx_11_0_arm64", ("darwin-arm64",)),
        ("cp39-abi3-musllinux_1_2_aarch64", ("linux-musl-arm64",)),
    )


@pytest.mark.parametrize(
    ("names", "wheels"),
    [
        pytest.param(
            ["rhel"],
            [
                ["debian-openssl-3-x86_64", "rhel-x86_64"],
                ["debian-openssl-3-arm64", "rhel-arm64"],
            ],
            id="family",
        ),
        pytest.param(["none"], [[]], id="pure"),
        pytest.param(
            ["linux-musl-arm64", "none"], [["linux-musl-arm64"], []], id="two-wheels"
        ),
    ],
)
def test_every_wheel_that_has_a_named_target_is_built_whole(
    names: list[str], wheels: list[list[str]]
) -> None:
    groups = wheel_groups(names)

    assert [[target.id for target in group] for group in groups] == wheels


def test_all_is_every_target_once_and_the_pure_wheel() -> None:
    groups = wheel_groups(["all"])

    assert sorted(t.id for group in groups for t in group) == sorted(
        target.id for target in TARGETS
    )
    assert len({wheel_tag(group) for group in groups}) == len(groups) == 7
    assert groups[-1] == ()


def test_an_unknown_target_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownTarget) as caught:
        wheel_targets({"ENGINEROOM_BUILD_TARGETS": "darwin-arm46"})

    assert "darwin-arm64" in caught.value.nearest


def test_the_tag_is_that_of_the_row_or_of_pure_python() -> None:
    tags = {target.id: wheel_tag([target]) for target in TARGETS}

    assert tags["linux-musl-arm64"] == "cp39-abi3-musllinux_1_2_aarch64"
    assert tags["rhel-x86_64"] == "cp39-abi3-manylinux_2_28_x86_64"
    assert wheel_tag([]) == "py3-none-any"


def test_equal_bytes_are_stored_once_and_named_by_each_target() -> None:
    shelved = shelve([engine("a", "11"), engine("b", "11"), engine("c", "22")])

    assert [item.file for item in shelved] == [
        "a/_qe_sqlite.abi3.so",
        "a/_qe_sqlite.abi3.so",
        "c/_qe_sqlite.abi3.so",
    ]


def test_equal_bytes_of_two_backends_keep_their_own_names() -> None:
    shelved = shelve([engine("a", "11"), engine("a", "11", "postgres")])

    assert [item.file for item in shelved] == [
        "a/_qe_sqlite.abi3.so",
        "a/_qe_postgres.abi3.so",
    ]


def test_the_manifest_is_what_the_loader_reads() -> None:
    text = manifest_text(shelve([engine("a", "11"), engine("b", "11")]))

    assert text == (
        f"# engineroom engines, format 1, package {__version__}\n"
        "target,backend,file,size_bytes,crc32,sha256,build_id\n"
        "a,sqlite,a/_qe_sqlite.abi3.so,7,0000002a,11,b1d\n"
        "b,sqlite,a/_qe_sqlite.abi3.so,7,0000002a,11,b1d\n"
    )


def test_the_bill_of_materials_names_sqlite_with_version_and_hash() -> None:
    sources = load_sources()
    shelved = shelve([engine("a", "11")])

    text = bill_of_materials(shelved, [sources["sqlite"]], {"ziglang": "0.17.0"})

    document = json.loads(text)
    (component,) = document["components"]
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert (component["name"], component["version"]) == ("sqlite", "3.54.1")
    assert component["components"][0]["name"] == "sqlite3.c"
    assert component["components"][0]["hashes"] == [
        {
            "alg": "SHA-256",
            "content": (
                "75a4760a7b9727a4c4c877aec92eacf39e52a8f2921ce00bd33be6d3a8e8e254"
            ),
        }
    ]
    assert text == bill_of_materials(
        shelved, [sources["sqlite"]], {"ziglang": "0.17.0"}
    )


def test_another_engine_gives_the_bill_another_serial_number() -> None:
    numbers = {
        json.loads(bill_of_materials(shelve([engine("a", digest)]), [], {}))[
            "serialNumber"
        ]
        for digest in ("11", "22")
    }

    assert len(numbers) == 2


@pytest.mark.parametrize(
    ("target", "is_named"),
    [("darwin-arm64", True), ("rhel-x86_64", False), ("linux-musl-arm64", False)],
)
def test_the_bill_of_materials_names_openssl_where_it_is_built_in(
    target: str, is_named: bool
) -> None:
    linked = linked_sources(load_sources().values(), shelve([engine(target, "11")]))

    names = [source.name for source in linked]
    assert ("openssl" in names) is is_named
    assert {"sqlite", "postgresql"} <= set(names)
    assert "cpython" not in names
