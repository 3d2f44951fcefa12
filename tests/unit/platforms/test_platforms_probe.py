from __future__ import annotations

import os
import struct
import sys

import pytest

from engineroom.platforms.probe import Facts, ThisMachine, probe

PLIST = """<plist version="1.0"><dict>
<key>ProductBuildVersion</key> <string>23F79</string>
<key>ProductVersion</key> <string>{version}</string>
</dict></plist>"""
PLIST_PATH = "/System/Library/CoreServices/SystemVersion.plist"
GLIBC = ("x86_64", "/lib64/ld-linux-x86-64.so.2")
MUSL = ("x86_64", "/lib/ld-musl-x86_64.so.1")


def libc_of(machine):
    facts = probe(machine)
    return facts.libc.value, facts.libc_version.value


@pytest.mark.parametrize(
    ("confstr", "programs", "libc"),
    [
        pytest.param(
            "glibc 2.36", {"/proc/self/exe": GLIBC}, ("glibc", "2.36"), id="Debian"
        ),
        pytest.param(
            "glibc 2.39.9000", {}, ("glibc", "2.39.9000"), id="a snapshot of glibc"
        ),
        pytest.param("", {"/proc/self/exe": MUSL}, ("musl", None), id="Alpine"),
        pytest.param(
            "glibc 2.36",
            {"/proc/self/exe": MUSL},
            ("glibc", "2.36"),
            id="the libc that answers is the one that runs",
        ),
        pytest.param(
            "",
            {"/proc/self/exe": GLIBC},
            (None, None),
            id="glibc's loader with a libc that is none: gcompat",
        ),
        pytest.param(
            "",
            {"/proc/self/exe": ("x86_64", "/system/bin/linker64")},
            ("bionic", None),
            id="Termux",
        ),
        pytest.param(
            "", {"/proc/self/exe": ("x86_64", "")}, (None, None), id="a static Python"
        ),
        pytest.param("", {}, (None, None), id="no path to the program"),
        pytest.param(
            "",
            {
                "/proc/self/exe": PermissionError(13, "Permission denied"),
                "/opt/python": MUSL,
            },
            ("musl", None),
            id="/proc cannot be read",
        ),
        pytest.param(
            "",
            {"/proc/self/exe": ("x86_64", ""), "/usr/bin/python3": MUSL},
            ("musl", None),
            id="started through the loader by hand",
        ),
        pytest.param(
            "",
            {
                "/proc/self/exe": ("arm64", "/lib64/ld-linux.so.2"),
                "/usr/bin/python3": MUSL,
            },
            ("musl", None),
            id="an emulator stands in front",
        ),
        pytest.param(
            "",
            {"/proc/self/exe": None, "/usr/bin/python3": MUSL},
            ("musl", None),
            id="a script stands in front",
        ),
        pytest.param("NPTL 2.9", {}, (None, None), id="an answer that is not glibc's"),
        pytest.param("glibc ", {}, (None, None), id="glibc without a version"),
    ],
)
def test_probe_of_a_linux_process_finds_its_libc(described, confstr, programs, libc):
    assert libc_of(described(confstr=confstr, programs=programs)) == libc


@pytest.mark.parametrize(
    ("kernel", "bits", "cpu"),
    [
        pytest.param("x86_64", 64, "x86_64", id="x86_64"),
        pytest.param("amd64", 64, "x86_64", id="FreeBSD's word"),
        pytest.param("AMD64", 64, "x86_64", id="Windows's word"),
        pytest.param("aarch64", 64, "arm64", id="Linux on ARM"),
        pytest.param("arm64", 64, "arm64", id="macOS on ARM"),
        pytest.param("x86_64", 32, "x86", id="32 bits on x86_64"),
        pytest.param("i686", 32, "x86", id="x86"),
        pytest.param("aarch64", 32, "arm", id="32 bits on arm64"),
        pytest.param("armv7l", 32, "arm", id="Raspberry Pi OS"),
        pytest.param("armv8l", 32, "arm", id="the compat mode of arm64"),
        pytest.param("riscv64", 64, "riscv64", id="a CPU we have no word for"),
        pytest.param("ppc64le", 64, "ppc64le", id="little-endian POWER"),
        pytest.param("", 64, None, id="a kernel that does not say"),
    ],
)
def test_probe_of_a_cpu_corrects_the_kernel_by_the_pointer(
    described, kernel, bits, cpu
):
    facts = probe(described(cpu=kernel, bits=bits))
    assert facts.cpu.value == cpu
    assert facts.pointer_bits.value == bits


@pytest.mark.parametrize(
    ("system", "word"),
    [
        ("linux", "linux"),
        ("darwin", "darwin"),
        ("win32", "windows"),
        ("cygwin", "cygwin"),
        ("freebsd14", "freebsd"),
        ("openbsd7", "openbsd"),
        ("sunos5", "sunos"),
        ("android", "android"),
        ("emscripten", "emscripten"),
    ],
)
def test_probe_of_a_system_gives_our_word(described, system, word):
    assert probe(described(system=system)).os.value == word


@pytest.mark.parametrize(
    ("files", "release", "version"),
    [
        pytest.param(
            {PLIST_PATH: PLIST.format(version="14.5")}, "23.5.0", "14.5", id="plist"
        ),
        pytest.param(
            {PLIST_PATH: PLIST.format(version="10.16")},
            "22.6.0",
            "13",
            id="what old programs are told",
        ),
        pytest.param({}, "17.7.0", "10.13", id="kernel of 10.13"),
        pytest.param({}, "19.6.0", "10.15", id="kernel of 10.15"),
        pytest.param({}, "20.1.0", "11", id="kernel of 11"),
        pytest.param({}, "24.0.0", "15", id="kernel of 15"),
        pytest.param({}, "25.0.0", "26", id="kernel of 26, the next"),
        pytest.param({PLIST_PATH: "<plist/>"}, "", None, id="nothing tells"),
    ],
)
def test_probe_of_macos_finds_its_version(described, files, release, version):
    machine = described(
        system="darwin", cpu="arm64", release=release, files=files, confstr=""
    )
    assert libc_of(machine) == ("libSystem", version)


def test_probe_of_a_distribution_does_not_decide_the_libc(described):
    os_release = 'NAME="Alpine Linux"\nID=alpine\nPRETTY_NAME="Alpine Linux v3.20"\n'
    facts = probe(described(files={"/etc/os-release": os_release}))
    assert facts.distribution.value == "Alpine Linux v3.20"
    assert facts.distribution.source == "/etc/os-release"
    assert facts.libc.value == "glibc"


def test_probe_when_thorough_adds_what_decides_nothing(described):
    machine = described(files={"/lib64/libssl.so.3": "", "/lib64/libssl.so.10": ""})
    assert probe(machine).openssl_files.source == "not asked"
    found = probe(machine, thorough=True).openssl_files
    assert found.value == "/lib64/libssl.so.3, /lib64/libssl.so.10"


@pytest.mark.parametrize(
    ("files", "name"),
    [
        pytest.param({"/usr/lib/os-release": "ID=void\n"}, "void", id="second place"),
        pytest.param({"/etc/os-release": ""}, None, id="empty"),
        pytest.param({}, None, id="none"),
        pytest.param(
            {"/etc/os-release": "", "/usr/lib/os-release": "NAME='X Y'"},
            "X Y",
            id="an empty one does not hide the other",
        ),
    ],
)
def test_probe_of_a_distribution_reads_os_release(described, files, name):
    assert probe(described(files=files), thorough=True).distribution.value == name


@pytest.mark.parametrize(
    ("system", "cpu", "answer", "translated"),
    [
        pytest.param("darwin", "x86_64", True, True, id="under Rosetta"),
        pytest.param("darwin", "x86_64", False, False, id="an Intel Mac"),
        pytest.param("darwin", "arm64", None, False, id="Apple silicon"),
        pytest.param("linux", "x86_64", None, None, id="Linux"),
    ],
)
def test_probe_of_rosetta_asks_only_where_it_can_be(
    described, system, cpu, answer, translated
):
    facts = probe(described(system=system, cpu=cpu, translated=answer), thorough=True)
    assert facts.translated.value is translated


def test_every_fact_has_a_source_also_when_it_is_unknown(described):
    for facts in (
        probe(described()),
        probe(described(system="win32", cpu="", confstr=""), thorough=True),
        probe(thorough=True),
    ):
        names = [name for name, _ in facts.items()]
        assert sorted(names) == sorted(Facts.__slots__)
        assert all(fact.source for _, fact in facts.items())


def test_probe_of_this_machine_agrees_with_what_python_knows_of_it():
    facts = probe()
    assert facts.pointer_bits.value == struct.calcsize("P") * 8
    assert facts.implementation.value == sys.implementation.name
    assert facts.python_version.value == "{}.{}.{}".format(*sys.version_info)
    assert facts.kernel_cpu.value == os.uname().machine


def test_a_described_machine_answers_every_question_of_a_real_one(described):
    questions = [name for name in vars(ThisMachine) if not name.startswith("_")]
    machine, this = described(programs={"/p": MUSL}, files={"/f": "x"}), ThisMachine()
    assert len(questions) == 13
    for question in questions:
        given = {
            "header": sys.executable,
            "has_file": __file__,
            "text": __file__,
        }.get(question)
        described_given = {"header": "/p", "has_file": "/f", "text": "/f"}.get(question)
        theirs = getattr(this, question)(*([given] if given else []))
        ours = getattr(machine, question)(*([described_given] if given else []))
        # Only macOS knows whether a process is translated.
        assert type(ours) is type(theirs) or question == "is_translated"


def test_facts_in_a_sentence_name_python_system_and_libc(described):
    assert str(probe(described())) == "cpython 3.11.7 on linux x86_64, glibc 2.36"
    mac = described(system="darwin", cpu="arm64", release="23.5.0", confstr="")
    assert str(probe(mac)) == "cpython 3.11.7 on darwin arm64, macOS 14"
    free = described(python=("cpython", "3.13.0", True))
    assert str(probe(free)) == "cpython 3.13.0 without GIL on linux x86_64, glibc 2.36"
