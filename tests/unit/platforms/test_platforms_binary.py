"""The header reader against real files of every kind, made here with zig.

Each is a few hundred bytes of machine code linked against stand-ins for the libraries
it names, so nothing but the compiler is needed and every expected value is ours.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from engineroom.errors import MalformedBinary
from engineroom.platforms.binary import read_bytes, read_file

ELF_TARGETS = {
    "x86_64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "x86": "x86-linux-gnu",
    "arm": "arm-linux-gnueabihf",
    "s390x": "s390x-linux-gnu",
    "riscv": "riscv64-linux-gnu",
}
NARROW = ("x86", "arm")


def link(*arguments):
    command = [sys.executable, "-m", "ziglang", "cc", "-nostdlib", "-fPIC", "-g0"]
    subprocess.run([*command, *map(str, arguments)], check=True)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Sources, and a program for macOS and Windows as they come."""
    folder = tmp_path_factory.mktemp("binaries")
    (folder / "libc.c").write_text(
        "int old(void){return 1;} int young(void){return 2;}"
    )
    (folder / "libc.map").write_text("GLIBC_2.2.5 { old; }; GLIBC_2.34 { young; };")
    (folder / "libx.c").write_text("int x(void){return 1;}")
    (folder / "engine.c").write_text(
        "int old(void); int young(void); int x(void);"
        " int answer(void){return old() + young() + x();}"
    )
    (folder / "plain.c").write_text("int answer(void){return 42;}")
    (folder / "program.c").write_text("int x(void); void _start(void){for(;;) x();}")
    return folder


@pytest.fixture(scope="session")
def elf(folder):
    """Make an ELF library that needs two libraries, and two versions of one."""

    def make(cpu):
        triple = ELF_TARGETS[cpu]
        libc, libx = folder / f"libc-{cpu}.so", folder / f"libx-{cpu}.so"
        out = folder / f"engine-{cpu}.so"
        if not out.exists():
            script = f"-Wl,--version-script={folder / 'libc.map'}"
            link(
                "-target",
                triple,
                "-shared",
                folder / "libc.c",
                "-o",
                libc,
                script,
                "-Wl,-soname,libc.so.6",
            )
            link(
                "-target",
                triple,
                "-shared",
                folder / "libx.c",
                "-o",
                libx,
                "-Wl,-soname,libx.so.1",
            )
            link(
                "-target",
                triple,
                "-shared",
                folder / "engine.c",
                libc,
                libx,
                "-o",
                out,
                "-Wl,-soname,engine.so",
                "-Wl,-rpath,/opt/a:/opt/b",
            )
        return out

    return make


@pytest.fixture(scope="session")
def mach_o(folder):
    """Make a Mach-O library for a CPU and a lowest macOS."""

    def make(triple):
        out = folder / f"engine-{triple}.dylib"
        if not out.exists():
            link("-target", triple, "-shared", folder / "plain.c", "-o", out)
        return out

    return make


@pytest.mark.parametrize("cpu", ELF_TARGETS)
def test_read_file_of_an_elf_library_gives_what_was_linked(elf, cpu):
    header = read_file(str(elf(cpu)))
    assert header.format == "ELF"
    assert header.cpu == cpu
    assert header.bits == (32 if cpu in NARROW else 64)
    assert header.kind == "shared library"
    assert header.libraries == ("libc.so.6", "libx.so.1")
    assert sorted(header.versions) == ["GLIBC_2.2.5", "GLIBC_2.34"]
    assert header.glibc_needed == (2, 34)
    assert header.libc == "glibc"
    assert header.name == "engine.so"
    assert header.run_paths == ("/opt/a", "/opt/b")
    assert header.interpreter == ""
    assert header.floor == ()


@pytest.mark.parametrize("cpu", ELF_TARGETS)
def test_read_file_of_an_elf_library_agrees_with_pyelftools(elf, cpu):
    header = read_file(str(elf(cpu)))
    with elf(cpu).open("rb") as file:
        reader = ELFFile(file)
        needed, versions = [], []
        for section in reader.iter_sections():
            if isinstance(section, DynamicSection):
                needed += [t.needed for t in section.iter_tags("DT_NEEDED")]
            if isinstance(section, GNUVerNeedSection):
                for _, items in section.iter_versions():
                    versions += [item.name for item in items]
        assert header.bits == reader.elfclass
    assert header.libraries == tuple(needed)
    assert header.versions == tuple(versions)


@pytest.mark.parametrize(
    ("library", "libc"),
    [
        pytest.param("libc.so", "musl", id="musl's development name"),
        pytest.param("libc.musl-x86_64.so.1", "musl", id="musl's own name"),
        pytest.param("libc.so.6", "glibc", id="glibc"),
        pytest.param("libother.so", "", id="neither"),
    ],
)
def test_libc_of_a_header_goes_by_the_libraries_it_needs(folder, library, libc):
    stub, out = folder / f"stub-{library}", folder / f"needs-{library}.so"
    link(
        "-target",
        "x86_64-linux-gnu",
        "-shared",
        folder / "libx.c",
        "-o",
        stub,
        f"-Wl,-soname,{library}",
    )
    (folder / "uses_x.c").write_text("int x(void); int answer(void){return x();}")
    link("-target", "x86_64-linux-gnu", "-shared", folder / "uses_x.c", stub, "-o", out)
    header = read_file(str(out))
    assert header.libraries == (library,)
    assert header.libc == libc
    assert header.glibc_needed == ()


def test_read_file_of_an_elf_program_gives_its_interpreter(folder, elf):
    elf("x86_64")
    out = folder / "program"
    link(
        "-target",
        "x86_64-linux-gnu",
        "-pie",
        folder / "program.c",
        folder / "libx-x86_64.so",
        "-o",
        out,
        "-Wl,-dynamic-linker,/lib/ld-musl-x86_64.so.1",
    )
    assert read_file(str(out)).interpreter == "/lib/ld-musl-x86_64.so.1"


def test_read_file_of_an_object_file_says_so(folder):
    out = folder / "plain.o"
    link("-target", "x86_64-linux-gnu", "-c", folder / "plain.c", "-o", out)
    assert read_file(str(out)).kind == "object file"


@pytest.mark.parametrize(
    ("triple", "cpu", "floor"),
    [
        pytest.param("aarch64-macos.11.0", "arm64", (11, 0), id="arm64"),
        pytest.param("x86_64-macos.10.13", "x86_64", (10, 13), id="x86_64"),
    ],
)
def test_read_file_of_a_mach_o_library_gives_what_was_linked(
    mach_o, triple, cpu, floor
):
    path = mach_o(triple)
    header = read_file(str(path))
    assert header.format == "Mach-O"
    assert header.cpu == cpu
    assert header.bits == 64
    assert header.kind == "shared library"
    assert header.floor == floor
    assert header.name.endswith(path.name)
    assert header.libc == "libSystem"
    assert set(header.libraries) <= {"/usr/lib/libSystem.B.dylib"}


@pytest.fixture(scope="session")
def universal(mach_o):
    """A file with the same library for both of macOS's CPUs, put together by hand."""
    parts = [
        (0x01000007, mach_o("x86_64-macos.10.13").read_bytes()),
        (0x0100000C, mach_o("aarch64-macos.11.0").read_bytes()),
    ]
    head = b"\xca\xfe\xba\xbe" + len(parts).to_bytes(4, "big")
    body, offset = b"", 4096
    for cpu, data in parts:
        for number in (cpu, 0, offset, len(data), 12):
            head += number.to_bytes(4, "big")
        body = body.ljust(offset - 4096, b"\x00") + data
        offset = (4096 + len(body) + 4095) // 4096 * 4096
    return head.ljust(4096, b"\x00") + body


@pytest.mark.parametrize(
    ("asked", "cpu", "floor"),
    [
        ("arm64", "arm64", (11, 0)),
        ("x86_64", "x86_64", (10, 13)),
        ("", "x86_64", (10, 13)),
    ],
)
def test_read_bytes_of_a_universal_file_gives_the_part_asked_for(
    universal, asked, cpu, floor
):
    header = read_bytes(universal, cpu=asked)
    assert (header.cpu, header.floor) == (cpu, floor)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "it is empty", id="empty"),
        pytest.param(
            b"hello, world\n",
            "it is neither ELF nor Mach-O: it starts with b'hell'",
            id="text",
        ),
        pytest.param(b"#!/bin/sh\n", "it is a script", id="script"),
        pytest.param(b"MZ" + bytes(100), "it is a Windows binary", id="Windows"),
        pytest.param(b"PK\x03\x04" + bytes(30), "it is a zip archive", id="zip"),
        pytest.param(
            b"\x00asm\x01\x00\x00\x00", "it is a WebAssembly module", id="WebAssembly"
        ),
        pytest.param(
            b"\xca\xfe\xba\xbe\x00\x00\x00\x41" + bytes(64),
            "it is neither ELF nor Mach-O: it is a Java class",
            id="Java",
        ),
        pytest.param(
            b"\x7fELF",
            "it is cut off: the ELF header should end at byte 16, and there are 4",
            id="four bytes of ELF",
        ),
        pytest.param(
            b"\x7fELF\x07\x01" + bytes(60),
            "its ELF identification is damaged",
            id="an ELF class that is none",
        ),
        pytest.param(
            b"\xcf\xfa\xed\xfe" + bytes(8),
            "it is cut off: the Mach-O header should end at byte 32, and there are 12",
            id="twelve bytes of Mach-O",
        ),
    ],
)
def test_read_bytes_of_what_is_no_binary_says_what_it_is(data, reason):
    with pytest.raises(MalformedBinary) as caught:
        read_bytes(data)
    assert caught.value.reason == reason


def test_read_file_of_a_missing_file_is_the_system_s_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_file(str(tmp_path / "none.so"))


@pytest.mark.parametrize("kind", ["ELF", "narrow ELF", "Mach-O", "universal"])
def test_read_bytes_of_a_truncated_file_never_says_that_it_is_whole(
    elf, mach_o, universal, kind
):
    whole = {
        "ELF": lambda: elf("x86_64").read_bytes(),
        "narrow ELF": lambda: elf("arm").read_bytes(),
        "Mach-O": lambda: mach_o("aarch64-macos.11.0").read_bytes(),
        "universal": lambda: universal,
    }[kind]()
    reference = read_bytes(whole)
    for size in range(0, len(whole), max(1, len(whole) // 300)):
        try:
            header = read_bytes(whole[:size])
        except MalformedBinary:
            continue
        # Only what no loader reads, such as section names, may be missing.
        assert header.libraries == reference.libraries
        assert header.versions == reference.versions


@pytest.mark.parametrize(
    "kind", ["ELF", "narrow ELF", "big-endian ELF", "Mach-O", "universal"]
)
def test_read_bytes_of_a_damaged_file_ends_and_raises_nothing_else(
    elf, mach_o, universal, kind
):
    whole = {
        "ELF": lambda: elf("x86_64").read_bytes(),
        "narrow ELF": lambda: elf("arm").read_bytes(),
        "big-endian ELF": lambda: elf("s390x").read_bytes(),
        "Mach-O": lambda: mach_o("aarch64-macos.11.0").read_bytes(),
        "universal": lambda: universal,
    }[kind]()
    dice = random.Random(kind)
    seen = set()
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(min(len(data), 1024))] = dice.choice((0, 1, 127, 255))
        try:
            seen.add(read_bytes(bytes(data)).kind)
        except MalformedBinary as error:
            seen.add(error.reason.split(":")[0])
    assert len(seen) > 1


@pytest.mark.skipif(not os.path.exists("/proc/self/exe"), reason="needs Linux's /proc")
def test_read_file_of_this_process_s_program_finds_a_libc():
    header = read_file("/proc/self/exe")
    assert header.format == "ELF"
    assert header.interpreter.startswith("/")
