"""The wheel: what it holds and claims, and that the same tree makes the same."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import native_targets
from engineroom.version import __version__
from native.audit import audit_wheel
from native.build import ROOT
from native.build.cache import file_sha256
from native.build.first_light import isolated_pip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Light

HOST = native_targets()[0]
INFORMATION = f"engineroom-{__version__}.dist-info"
SHARING = [t.id for t in TARGETS if t.wheel_tag == HOST.wheel_tag]


def bad(wheel: Path) -> list[tuple[str, str]]:
    return [(c.subject, c.name) for c in audit_wheel(wheel) if c.verdict == "BAD"]


def manifest(wheel: Path) -> list[dict[str, str]]:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("engineroom/engines/manifest.csv").decode()
    head, _, table = text.partition("\n")
    assert head == f"# engineroom engines, format 1, package {__version__}"
    return list(csv.DictReader(io.StringIO(table)))


def test_the_wheel_has_the_tag_of_its_row(wheel: Path) -> None:
    tag = f"cp39-abi3-{HOST.wheel_tag}"

    assert wheel.name == f"engineroom-{__version__}-{tag}.whl"
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read(f"{INFORMATION}/WHEEL").decode().splitlines()
    assert f"Tag: {tag}" in lines
    assert "Root-Is-Purelib: false" in lines


def test_the_manifest_tells_the_truth_of_each_engine(wheel: Path) -> None:
    rows = manifest(wheel)

    assert [(row["target"], row["backend"]) for row in rows] == [
        (target, backend) for target in SHARING for backend in ("sqlite", "postgres")
    ]
    with zipfile.ZipFile(wheel) as archive:
        for row in rows:
            data = archive.read(f"engineroom/engines/{row['file']}")
            assert row["size_bytes"] == str(len(data))
            assert row["crc32"] == f"{zlib.crc32(data):08x}"
            assert row["sha256"] == hashlib.sha256(data).hexdigest()
            assert row["build_id"].encode() in data


def test_equal_engines_are_stored_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    engines = {name.partition("engines/")[2] for name in names if name.endswith(".so")}

    # Those that speak TLS differ in which OpenSSL they bind.
    assert engines == {
        f"{SHARING[0]}/_qe_sqlite.abi3.so",
        *(f"{target}/_qe_postgres.abi3.so" for target in SHARING),
    }


def test_licences_and_a_bill_of_materials_are_inside(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        document = json.loads(archive.read(f"{INFORMATION}/sboms/engineroom.cdx.json"))

    assert f"{INFORMATION}/licenses/LICENSE" in names
    assert [(c["name"], c["version"]) for c in document["components"]] == [
        ("sqlite", "3.54.1"),
        ("postgresql", "17.11"),
        *([("openssl", "3.5.7")] if sys.platform == "darwin" else []),
    ]


def test_the_audit_finds_nothing_bad(wheel: Path) -> None:
    assert bad(wheel) == []


def test_the_wheel_names_its_files_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert sorted(names) == sorted(set(names))


def test_a_build_without_targets_is_pure_python(
    tree: Path, tmp_path: Path, call_backend: Callable[..., Path]
) -> None:
    wheel = call_backend(
        tree, "build_wheel", tmp_path / "out", ENGINEROOM_BUILD_TARGETS="none"
    )

    assert wheel.name == f"engineroom-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert [name for name in names if name.endswith((".so", ".csv"))] == []
    assert bad(wheel) == []


def test_the_sdist_gives_the_same_wheel_as_the_tree(
    wheel: Path, tmp_path: Path, call_backend: Callable[..., Path]
) -> None:
    sdist = call_backend(ROOT, "build_sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        for member in archive:
            archive.extract(member, tmp_path / "unpacked")
    unpacked = tmp_path / "unpacked" / f"engineroom-{__version__}"
    again = call_backend(unpacked, "build_wheel", tmp_path / "out")

    assert [name for name in names if name.endswith((".so", ".o", "sqlite3.c"))] == []
    assert file_sha256(again) == file_sha256(wheel)


def test_engines_of_an_editable_install_stay_out_of_the_next_wheel(
    wheel: Path, tree: Path, tmp_path: Path, call_backend: Callable[..., Path]
) -> None:
    call_backend(tree, "build_editable", tmp_path / "editable")
    shelf = tree / "engine" / "engineroom" / "engines"
    (shelf / "leftover").mkdir()
    (shelf / "leftover" / "_qe_sqlite.abi3.so").write_bytes(b"left over")

    again = call_backend(tree, "build_wheel", tmp_path / "out")

    first, *_ = manifest(wheel)
    assert file_sha256(shelf / first["file"]) == first["sha256"]
    assert (shelf / "manifest.csv").exists()
    assert file_sha256(again) == file_sha256(wheel)


def test_an_editable_install_replaces_what_an_earlier_one_left(
    tree: Path, tmp_path: Path, call_backend: Callable[..., Path]
) -> None:
    shelf = tree / "engine" / "engineroom" / "engines"
    old = shelf / SHARING[0] / "_qe_sqlite.abi3.so"
    old.parent.mkdir()
    old.write_bytes(b"old")

    call_backend(tree, "build_editable", tmp_path / "editable")

    assert old.read_bytes()[:4] != b"old"


def test_two_folders_at_two_times_give_the_same_bytes(
    light: Light, tmp_path: Path, call_backend: Callable[..., Path]
) -> None:
    """Compiled twice, each with an empty cache, from trees with other file times."""
    other = shutil.copytree(light.tree, tmp_path / "elsewhere" / "deep" / "tree")
    for path in other.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    digests: list[str] = []
    for tree, name in ((light.tree, "first"), (other, "second")):
        own_cache = tmp_path / f"{name}-cache"
        shutil.copytree(light.cache.path("sources"), own_cache / "sources")
        made = call_backend(
            tree,
            "build_wheel",
            tmp_path / name,
            ENGINEROOM_CACHE=str(own_cache),
            ENGINEROOM_SOURCES=str(light.cache.path("by-hand")),
        )
        digests.append(file_sha256(made))

    assert digests[0] == digests[1]


def rewrite(
    wheel: Path, place: Path, change: Callable[[str, bytes], bytes | None]
) -> Path:
    """Copy a wheel, changing or dropping files on the way."""
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(place, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return place


def test_a_flipped_byte_in_an_engine_is_found(wheel: Path, tmp_path: Path) -> None:
    def flip(name: str, data: bytes) -> bytes:
        if not name.endswith(".so"):
            return data
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]

    changed = rewrite(wheel, tmp_path / wheel.name, flip)

    assert ((f"{SHARING[0]} sqlite", "manifest")) in bad(changed)


def test_a_wheel_under_another_tag_is_found(wheel: Path, tmp_path: Path) -> None:
    renamed = tmp_path / wheel.name.replace(HOST.wheel_tag, "manylinux_2_17_x86_64")
    shutil.copyfile(wheel, renamed)

    assert (renamed.name, "tag") in bad(renamed)


def test_a_wheel_that_lacks_one_of_its_targets_is_found(
    wheel: Path, tmp_path: Path
) -> None:
    def drop(name: str, data: bytes) -> bytes:
        if name.endswith("manifest.csv"):
            lines = data.decode().splitlines(keepends=True)
            return "".join(lines[:3]).encode()
        return data

    changed = rewrite(wheel, tmp_path / wheel.name, drop)

    assert ((wheel.name, "targets") in bad(changed)) is (len(SHARING) > 1)


def test_an_engine_that_no_manifest_lists_is_found(wheel: Path, tmp_path: Path) -> None:
    changed = rewrite(wheel, tmp_path / wheel.name, lambda _, data: data)
    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr("engineroom/engines/extra/_qe_sqlite.abi3.so", b"extra")

    assert (wheel.name, "engine files") in bad(changed)


def test_the_name_of_a_build_folder_in_an_engine_is_found(
    wheel: Path, tmp_path: Path
) -> None:
    def tell(name: str, data: bytes) -> bytes:
        return data + f"{ROOT}/x".encode() if name.endswith(".so") else data

    changed = rewrite(wheel, tmp_path / wheel.name, tell)

    assert (f"{SHARING[0]} sqlite", "build paths") in bad(changed)


def test_an_isolated_pip_knows_no_index_of_the_machine(tmp_path: Path) -> None:
    """Settings in variables and in a file: pip has to show none of them."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "pip.conf").write_text("[global]\nindex-url = http://file/\n")
    environ = {
        **os.environ,
        "XDG_CONFIG_HOME": str(tmp_path),
        "PIP_INDEX_URL": "http://variable/",
        "PIP_EXTRA_INDEX_URL": "http://extra/",
        "PIP_FIND_LINKS": "/links",
    }
    command = [sys.executable, "-m", "pip", "config", "list"]
    told = {
        name: subprocess.run(
            command, env=env, capture_output=True, text=True, check=True
        ).stdout
        for name, env in (("as set", environ), ("isolated", isolated_pip(environ)))
    }

    assert "http://variable/" in told["as set"]
    assert "index" not in told["isolated"]
    assert "links" not in told["isolated"]


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PYTHONPATH", "VIRTUAL_ENV"])
def test_an_isolated_pip_is_given_no_variable_that_leads_elsewhere(name: str) -> None:
    assert name not in isolated_pip({name: "x", "HOME": "/h"})
    assert isolated_pip({"HOME": "/h"})["HOME"] == "/h"
