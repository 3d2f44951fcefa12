"""Preparing OpenSSL: with perl and make as they are on this machine."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.rows import TARGETS
from native.build.backends import BACKENDS
from native.build.cache import Cache, cache_root
from native.build.errors import StepFailed, ToolUnusable
from native.build.openssl import OpenSSL, prepare_openssl
from native.build.openssl_options import configuration
from native.build.pins import load_sources
from native.build.plan import make_plan
from native.build.report import Report
from native.build.sources import ensure_source
from native.build.toolchain import find_zig

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.platforms.target import Target
    from native.build.toolchain import Toolchain

BY_ID = {target.id: target for target in TARGETS}
LINUX = BY_ID["debian-openssl-3-x86_64"]
INTEL = BY_ID["darwin-x86_64"]
ARM = BY_ID["darwin-arm64"]


@pytest.fixture
def report() -> Report:
    return Report(out=io.StringIO(), live=io.StringIO())


@pytest.fixture(scope="module")
def source() -> Path:
    quiet = Report(out=io.StringIO(), live=io.StringIO())
    return ensure_source(load_sources()["openssl"], Cache(cache_root()), quiet)


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    return find_zig(Cache(cache_root()))


@pytest.fixture(scope="module")
def kept(source: Path, toolchain: Toolchain) -> dict[str, OpenSSL]:
    """What the cache of this machine holds, or now gets."""
    cache = Cache(cache_root())
    quiet = Report(out=io.StringIO(), live=io.StringIO())
    return {
        target.id: prepare_openssl(target, source, cache, toolchain, quiet)
        for target in TARGETS
    }


@pytest.mark.parametrize("target", [LINUX, INTEL], ids=["headers", "whole"])
def test_in_another_folder_and_at_another_time_the_same_comes_out(
    target: Target,
    kept: dict[str, OpenSSL],
    source: Path,
    toolchain: Toolchain,
    report: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second preparation has another folder, zone, language and set of flags."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("CFLAGS", "-O1 -ggdb")
    monkeypatch.setenv("CROSS_COMPILE", "nothing-")
    cache = Cache(tmp_path / "quite another place")

    again = prepare_openssl(target, source, cache, toolchain, report)

    assert again.digest == kept[target.id].digest
    assert again.files == kept[target.id].files
    assert again.folder != kept[target.id].folder


def test_every_linux_has_the_same_headers_and_nothing_to_compile(
    kept: dict[str, OpenSSL],
) -> None:
    linux = [kept[target.id] for target in TARGETS if target.os == "linux"]

    assert len({openssl.digest for openssl in linux}) == 1
    assert linux[0].files == ()
    names = {path.name for path in (linux[0].folder / "include/openssl").iterdir()}
    assert {"ssl.h", "configuration.h", "opensslv.h"} <= names
    assert not list(linux[0].folder.rglob("*.c"))


def test_a_mac_gets_each_file_once_and_all_of_them_are_there(
    kept: dict[str, OpenSSL],
) -> None:
    for target in (ARM, INTEL):
        openssl = kept[target.id]
        names = [file.name for file in openssl.files]
        assert len(names) == len(set(names))
        assert [name for name in names if not (openssl.folder / name).is_file()] == []
        assert "ssl/ssl_lib.c" in names
        assert "crypto/evp/evp_enc.c" in names


def test_a_mac_gets_the_assembly_of_its_cpu(kept: dict[str, OpenSSL]) -> None:
    names = {file.name for file in kept["darwin-arm64"].files}
    assert "crypto/aes/aesv8-armx.S" in names
    names = {file.name for file in kept["darwin-x86_64"].files}
    assert "crypto/aes/aesni-x86_64.s" in names
    # What is written for a compiler that is thought to be old has no AVX in it.
    text = (
        kept["darwin-x86_64"].folder / "crypto/modes/aesni-gcm-x86_64.s"
    ).read_text()
    assert "vpclmulqdq" in text


@pytest.mark.parametrize("target", [ARM, INTEL], ids=["arm64", "x86_64"])
def test_a_macs_assembly_shows_nothing_outside_the_engine(
    kept: dict[str, OpenSSL], target: Target
) -> None:
    openssl = kept[target.id]
    texts = [
        (openssl.folder / file.name).read_text()
        for file in openssl.files
        if file.name.lower().endswith(".s")
    ]
    assert len(texts) > 10
    for text in texts:
        shown = set(re.findall(r"(?m)^\s*\.globl\s+(\w+)", text))
        hidden = set(re.findall(r"(?m)^\s*\.private_extern\s+(\w+)", text))
        assert shown - hidden == set()
        assert not re.search(r"(?m)^\s*\.comm\b", text)


def test_nothing_names_a_folder_of_this_machine(
    kept: dict[str, OpenSSL], source: Path, toolchain: Toolchain
) -> None:
    machine = {str(source), str(cache_root()), os.path.dirname(toolchain.command[0])}
    for openssl in kept.values():
        for path in openssl.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert [name for name in machine if name.encode() in data] == []


def test_what_changed_on_disk_is_put_aside_and_made_again(
    kept: dict[str, OpenSSL],
    source: Path,
    toolchain: Toolchain,
    report: Report,
    tmp_path: Path,
) -> None:
    cache = Cache(tmp_path)
    folder = kept[LINUX.id].folder.parent
    copy = cache.path("openssl", folder.name)
    shutil.copytree(folder, copy)
    (copy / "tree/include/openssl/ssl.h").write_text("#error\n")

    again = prepare_openssl(LINUX, source, cache, toolchain, report)

    assert again.digest == kept[LINUX.id].digest
    assert len(list(cache.path("refused").iterdir())) == 1


@pytest.mark.parametrize("lacking", ["perl", "make"])
def test_a_machine_that_lacks_a_program_is_told_what_to_install(
    lacking: str,
    source: Path,
    toolchain: Toolchain,
    report: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / {"perl": "make", "make": "perl"}[lacking]).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(programs))

    with pytest.raises(ToolUnusable) as caught:
        prepare_openssl(LINUX, source, Cache(tmp_path / "c"), toolchain, report)

    assert caught.value.tool == lacking
    assert "apt-get install perl make" in str(caught.value)


def test_a_perl_without_its_modules_is_told_apart_from_none(
    source: Path,
    toolchain: Toolchain,
    report: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "make").symlink_to("/bin/true")
    (programs / "perl").symlink_to("/bin/false")  # as perl ends on a missing module
    monkeypatch.setenv("PATH", str(programs))

    with pytest.raises(ToolUnusable, match="its module `File::Compare` is missing"):
        prepare_openssl(LINUX, source, Cache(tmp_path / "c"), toolchain, report)


def test_a_source_that_lacks_a_file_fails_with_what_configure_said(
    source: Path, toolchain: Toolchain, report: Report, tmp_path: Path
) -> None:
    broken = tmp_path / "source"
    subprocess.run(["cp", "-r", str(source), str(broken)], check=True)
    (broken / "crypto/cversion.c").unlink()

    with pytest.raises(StepFailed, match=r"crypto/cversion\.c .* is missing"):
        prepare_openssl(LINUX, broken, Cache(tmp_path / "c"), toolchain, report)


def test_the_plan_of_a_mac_compiles_each_file_with_the_macros_of_its_library(
    kept: dict[str, OpenSSL],
) -> None:
    files = kept["darwin-x86_64"].files
    plan = make_plan(INTEL, BACKENDS["postgres"], ["qe_version.c"], [], files)
    by_source = {work.source: work for work in plan.compiles}

    sha = by_source["{openssl}/crypto/sha/sha256.c"].arguments
    assert {"-DSHA256_ASM", "-I{openssl}/include", '-DOPENSSLDIR="/etc/ssl"'} <= set(
        sha
    )
    assembly = by_source["{openssl}/crypto/sha/sha256-x86_64.s"].arguments
    assert "assembler-with-cpp" in assembly
    names = [work.name for work in plan.compiles]
    assert len(names) == len(set(names))


def test_linux_and_mac_are_configured_apart() -> None:
    assert not configuration(LINUX).is_whole
    assert configuration(INTEL).is_whole
    assert "no-atexit" in configuration(ARM).options
    assert replace(configuration(ARM), platform="") == replace(
        configuration(INTEL), platform=""
    )
