"""Wheels whose libraries do not run where the tag promises; real ones, made by zig."""

from __future__ import annotations

import struct
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import WheelTagWrong
from engineroom.store import inspect_wheel

from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Of glibc, threads came from another library until 2.34.
SOURCE = """
int pthread_create(void *, void *, void *, void *);
char *getenv(const char *);
int answer(void) { return getenv("A") ? pthread_create(0, 0, 0, 0) : 42; }
"""
TRIPLES = {
    "glibc 2.17": "x86_64-linux-gnu.2.17",
    "glibc 2.36": "x86_64-linux-gnu.2.36",
    "glibc arm64": "aarch64-linux-gnu.2.17",
    "musl": "x86_64-linux-musl",
    "macOS 11 arm64": "aarch64-macos.11.0",
    "macOS 14 arm64": "aarch64-macos.14.0",
    "macOS 10.13 x86_64": "x86_64-macos.10.13",
}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Give a way to have a library made."""
    folder = tmp_path_factory.mktemp("libraries")
    source = folder / "answer.c"
    source.write_text(SOURCE)
    made: dict[str, bytes] = {}

    def make(name: str) -> bytes:
        if name == "macOS universal":
            return universal(make("macOS 10.13 x86_64"), make("macOS 11 arm64"))
        if name not in made:
            out = folder / f"{len(made)}.so"
            flags = ["-shared", "-fPIC", "-fno-builtin", "-s", "-lpthread"]
            words = [*flags, "-target", TRIPLES[name], str(source), "-o", str(out)]
            subprocess.run([sys.executable, "-m", "ziglang", "cc", *words], check=True)
            made[name] = out.read_bytes()
        return made[name]

    return make


def universal(intel: bytes, arm: bytes) -> bytes:
    """Put two Mach-O files into one, as Apple's `lipo` does."""
    places = [(0x01000007, 3, 1 << 14, intel)]
    places.append((0x0100000C, 0, 2 << 14 + (len(intel) >> 14), arm))
    data = struct.pack(">II", 0xCAFEBABE, len(places))
    for cpu, kind, start, part in places:
        data += struct.pack(">IIIII", cpu, kind, start, len(part), 14)
    for _, _, start, part in places:
        data = data.ljust(start, b"\0") + part
    return data


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("manylinux_2_17_x86_64", "glibc 2.17"),
        ("manylinux2014_x86_64.manylinux_2_17_x86_64", "glibc 2.17"),
        ("manylinux_2_36_x86_64", "glibc 2.36"),
        ("manylinux_2_34_x86_64", "glibc 2.36"),
        ("manylinux_2_17_aarch64", "glibc arm64"),
        ("linux_x86_64", "glibc 2.36"),
        ("linux_x86_64", "musl"),
        ("musllinux_1_2_x86_64", "musl"),
        ("macosx_11_0_arm64", "macOS 11 arm64"),
        ("macosx_12_0_arm64", "macOS 11 arm64"),
        ("macosx_10_13_x86_64", "macOS 10.13 x86_64"),
        ("macosx_11_0_arm64", "macOS universal"),
        ("macosx_10_13_universal2", "macOS universal"),
        ("macosx_10_13_x86_64.macosx_11_0_arm64", "macOS universal"),
        # What wheels for any platform hold, they choose from by themselves.
        ("any", "glibc 2.36"),
    ],
)
def test_a_library_that_runs_where_the_tag_says_is_published(
    platform: str, name: str, tmp_path: Path, library: Callable[[str], bytes]
) -> None:
    files = {"widget/_core.so": library(name)}
    path = make_wheel(tmp_path, tag=f"cp39-abi3-{platform}", files=files)

    assert inspect_wheel(path).file.name == path.name


@pytest.mark.parametrize(
    ("platform", "name", "said"),
    [
        ("manylinux_2_28_x86_64", "glibc arm64", "is for arm64"),
        ("manylinux_2_28_aarch64", "glibc 2.17", "is for x86_64"),
        ("manylinux_2_28_x86_64", "glibc 2.36", "needs glibc 2.34"),
        ("manylinux2014_x86_64", "glibc 2.36", "needs glibc 2.34"),
        ("manylinux_2_36_x86_64.manylinux_2_17_x86_64", "glibc 2.36", "needs glibc"),
        ("manylinux_2_28_x86_64", "musl", "is for musl"),
        ("manylinux_2_28_x86_64", "macOS 10.13 x86_64", "has the format Mach-O"),
        ("musllinux_1_2_x86_64", "glibc 2.17", "is for glibc"),
        ("musllinux_1_2_aarch64", "musl", "is for x86_64"),
        ("linux_aarch64", "musl", "is for x86_64"),
        ("macosx_11_0_arm64", "glibc arm64", "has the format ELF"),
        ("macosx_11_0_arm64", "macOS 10.13 x86_64", "is for x86_64"),
        ("macosx_11_0_arm64", "macOS 14 arm64", "needs macOS 14.0"),
        ("macosx_10_13_universal2", "macOS 10.13 x86_64", "is for x86_64"),
        ("macosx_10_9_universal2", "macOS universal", "needs macOS 10.13"),
        ("macosx_10_9_x86_64.macosx_11_0_arm64", "macOS 11 arm64", "is for arm64"),
    ],
)
@pytest.mark.parametrize("member", ["widget/_core.so", "widget.libs/lib-1.so.2.5"])
def test_a_library_that_does_not_run_there_is_refused(
    platform: str,
    name: str,
    said: str,
    member: str,
    tmp_path: Path,
    library: Callable[[str], bytes],
) -> None:
    path = make_wheel(
        tmp_path, tag=f"cp39-abi3-{platform}", files={member: library(name)}
    )

    with pytest.raises(WheelTagWrong) as caught:
        inspect_wheel(path)

    assert f"`{member}` {said}" in caught.value.reason
    assert caught.value.path == str(path)


def test_a_library_that_is_cut_off_is_refused(
    tmp_path: Path, library: Callable[[str], bytes]
) -> None:
    files = {"widget/_core.so": library("glibc 2.17")[:900]}
    path = make_wheel(tmp_path, tag="cp39-abi3-manylinux_2_28_x86_64", files=files)

    with pytest.raises(WheelTagWrong) as caught:
        inspect_wheel(path)

    assert "`widget/_core.so` cannot be read: it is cut off" in caught.value.reason


@pytest.mark.parametrize(
    ("member", "data"),
    [
        ("widget/libx.so", b"GROUP ( libx.so.1 )\n"),
        ("widget/kernel.cubin", b"\x7fELF\x02\x01"),
        ("widget/empty.so", b""),
    ],
    ids=["a linker script", "data", "nothing"],
)
def test_what_no_python_loads_is_let_be(
    member: str, data: bytes, tmp_path: Path
) -> None:
    path = make_wheel(
        tmp_path, tag="cp39-abi3-manylinux_2_28_x86_64", files={member: data}
    )

    assert inspect_wheel(path).file.engines == ()


def test_a_large_library_is_read_without_keeping_it(
    tmp_path: Path, library: Callable[[str], bytes]
) -> None:
    data = library("glibc arm64") + bytes(24 << 20)
    path = make_wheel(
        tmp_path, tag="cp39-abi3-manylinux_2_17_aarch64", files={"_core.so": data}
    )
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("_core.so").file_size == len(data)

    assert inspect_wheel(path).file.size_bytes < len(data)
