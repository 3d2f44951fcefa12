"""`engineroom doctor --root`: other systems, from their files alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.systems import GLIBC, System, elf

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "doctor-json.md"


@pytest.fixture
def make(tmp_path):
    """Make an empty root folder."""
    return lambda name="root": System(tmp_path / name)


def pypy(system):
    return system.debian("2.36", "3", python="").write(
        "/usr/bin/pypy3.10", elf("x86_64", GLIBC["x86_64"])
    )


def free_threaded(system):
    return system.debian("2.41", "3", python="").write(
        "/usr/bin/python3.14t", elf("x86_64", GLIBC["x86_64"])
    )


@pytest.mark.parametrize(
    ("fill", "target"),
    [
        pytest.param(lambda s: s.debian("2.31", "1.1"), "rhel-x86_64", id="Debian 11"),
        pytest.param(
            lambda s: s.debian("2.31", "1.1", cpu="arm64"), "rhel-arm64", id="on arm64"
        ),
        pytest.param(
            lambda s: s.debian("2.36", "3"), "debian-openssl-3-x86_64", id="Debian 12"
        ),
        pytest.param(
            lambda s: s.debian("2.36", "3", cpu="arm64"),
            "debian-openssl-3-arm64",
            id="Debian 12 on arm64",
        ),
        pytest.param(
            lambda s: s.debian("2.34", "3", name="rhel"), "rhel-x86_64", id="RHEL 9"
        ),
        pytest.param(lambda s: s.alpine(), "linux-musl-x86_64", id="Alpine"),
        pytest.param(
            lambda s: s.alpine(cpu="arm64"), "linux-musl-arm64", id="Alpine on arm64"
        ),
    ],
)
def test_doctor_of_a_root_names_the_engine_that_a_python_there_would_get(
    doctor, make, fill, target
):
    system = fill(make())
    code, report = doctor("--root", str(system.folder))
    assert (code, report["verdict"], report["remedy"]) == (0, "ok", "")
    (root,) = report["roots"]
    (python,) = root["programs"]
    assert root["target"] == python["target"] == target
    assert report["summary"] == f"{root['root']}: {python['path']} would get {target}"
    assert python["candidates"][0]["target"] == target
    assert all(fact["source"] for fact in python["facts"].values())


@pytest.mark.parametrize(
    ("fill", "code", "summary", "remedy"),
    [
        pytest.param(
            lambda s: s.debian("2.36", "3", cpu="x86"),
            1,
            "no engine is for /usr/bin/python3: it is for 64-bit processes, this Python"
            " has 32 bits (x86)",
            "use an image for x86_64 or arm64, with a 64-bit Python",
            id="32 bits",
        ),
        pytest.param(
            lambda s: s.debian("2.27", "1.1"),
            1,
            "no engine is for /usr/bin/python3: it needs glibc 2.28 or newer, this"
            " process has 2.27",
            "use a newer release of this image",
            id="Ubuntu 18.04",
        ),
        pytest.param(
            lambda s: s.write("/usr/bin/python3", elf("arm64", "/system/bin/linker64")),
            1,
            "no engine is for /usr/bin/python3: this is android",
            "use an image with Linux",
            id="Android",
        ),
        pytest.param(
            lambda s: s.write("/usr/bin/python3", elf("riscv", "/lib/ld-linux-x.so.1")),
            1,
            "no engine is for /usr/bin/python3: it is for x86_64, this process runs as"
            " riscv",
            "use an image for x86_64 or arm64, with a 64-bit Python",
            id="RISC-V",
        ),
        pytest.param(
            pypy,
            1,
            "no engine is for /usr/bin/pypy3.10: engines load into CPython, this is"
            " pypy",
            "use CPython 3.9 or newer in this image",
            id="PyPy",
        ),
        pytest.param(
            free_threaded,
            1,
            "no engine is for /usr/bin/python3.14t: engines need the GIL, this Python"
            " was built without it",
            "use the ordinary build of the same Python in this image",
            id="no GIL",
        ),
        pytest.param(
            lambda s: s.debian("2.28", "1.1", python="3.6", name="rhel"),
            1,
            "engineroom needs Python 3.9 or newer, /usr/bin/python3 is 3.6",
            "install Python 3.9 or newer in this image",
            id="RHEL 8",
        ),
        pytest.param(
            lambda s: s.write("/usr/bin/python3", elf("x86_64")),
            2,
            "no engine is for /usr/bin/python3: it needs musl, and the C library of"
            " this process is unknown (the ELF header of /usr/bin/python3 names no"
            " interpreter)",
            "run `engineroom doctor` inside; ENGINEROOM_TARGET names a target that you"
            " know to fit",
            id="a static Python",
        ),
        pytest.param(
            lambda s: s.debian("2.36", "3", python=""),
            2,
            "it has no Python; one like /bin/sh would get debian-openssl-3-x86_64",
            "install Python in this image",
            id="no Python",
        ),
        pytest.param(
            lambda s: s.debian("2.17", "1.1", python=""),
            1,
            "no engine is for /bin/sh: it needs glibc 2.28 or newer, this process has"
            " 2.17",
            "use a newer release of this image",
            id="no Python, and none would help",
        ),
        pytest.param(
            lambda s: s.write("/usr/bin/python3", "#!/bin/sh\n"),
            2,
            "/usr/bin/python3 cannot be read: it is a script",
            "name a folder that holds a whole system, such as an unpacked image",
            id="a script in its place",
        ),
        pytest.param(
            lambda s: s,
            2,
            "it has no program that tells what system this is",
            "name a folder that holds a whole system, such as an unpacked image",
            id="an empty folder",
        ),
    ],
)
def test_doctor_of_a_root_without_an_answer_says_why_and_what_helps(
    doctor, make, fill, code, summary, remedy
):
    system = fill(make())
    found, report = doctor("--root", str(system.folder))
    assert found == code
    assert report["summary"] == f"{system.folder}: {summary}"
    assert report["remedy"] == remedy


def test_doctor_of_a_folder_that_is_not_there_cannot_tell(doctor, tmp_path):
    code, report = doctor("--root", str(tmp_path / "none"))
    assert (code, report["verdict"]) == (2, "unknown")
    assert report["summary"] == f"{tmp_path}/none: there is no such folder"


def test_doctor_of_several_roots_shows_each_and_the_worst_decides(doctor, make):
    good, bad = make("good").alpine(), make("bad").debian("2.17", "1.1")
    code, report = doctor("--root", str(good.folder), "--root", str(bad.folder))
    assert code == 1
    assert report["summary"].startswith(f"{bad.folder}: no engine is for ")
    assert [root["verdict"] for root in report["roots"]] == ["ok", "problem"]
    code, report = doctor(*["--root", str(good.folder)] * 2)
    assert code == 0
    assert report["summary"] == "in each of 2 roots a Python gets an engine"


def test_doctor_of_a_root_goes_by_the_first_python_of_path(doctor, make):
    system = make().debian("2.36", "3", python="3.7")
    system.write("/usr/local/bin/python3.12", elf("x86_64", GLIBC["x86_64"]))
    system.write("/usr/local/bin/python", "#!/bin/sh\n")
    code, report = doctor("--root", str(system.folder))
    assert code == 0
    programs = report["roots"][0]["programs"]
    assert [(p["path"], p["verdict"]) for p in programs] == [
        ("/usr/local/bin/python3.12", "ok"),
        ("/usr/bin/python3", "problem"),
        ("/usr/local/bin/python", "unknown"),
    ]


def test_doctor_of_a_root_shortens_the_home_folder(doctor, make, tmp_path):
    system = make("home/image").alpine()
    _, report = doctor("--root", str(system.folder), home=tmp_path / "home")
    assert report["roots"][0]["root"] == "~/image"


def test_doctor_of_roots_for_people_is_a_table_and_then_the_problems(make):
    good, bad = make("good").alpine(), make("bad").debian("2.17", "1.1")
    done = run_for_people("--root", str(good.folder), "--root", str(bad.folder))
    assert done.returncode == 1
    lines = [re.split("  +", line) for line in done.stdout.splitlines()]
    assert lines[3:6] == [
        ["root", "program", "system", "target", "verdict"],
        [
            str(good.folder),
            "/usr/local/bin/python3",
            "linux x86_64, musl 1.2.5, OpenSSL 3",
            "linux-musl-x86_64",
            "ok",
        ],
        [
            str(bad.folder),
            "/usr/bin/python3",
            "linux x86_64, glibc 2.17, OpenSSL 1.1",
            "none",
            "problem",
        ],
    ]
    assert lines[-1] == ["hint: use a newer release of this image"]


def test_doctor_of_one_root_for_people_shows_the_facts(make):
    done = run_for_people("--root", str(make().alpine().folder))
    assert done.returncode == 0
    for word in ("libc_version", "/lib/libssl.so.3", "linux-musl-arm64", "other-cpu"):
        assert word in done.stdout


def test_doctor_of_a_root_and_of_a_database_is_no_question(make):
    done = run_for_people("sqlite://:memory:", "--root", str(make().folder))
    assert done.returncode == 2
    assert "not allowed with argument" in done.stderr


def run_for_people(*words):
    return subprocess.run(
        [sys.executable, "-m", "engineroom", "doctor", *words],
        env={**os.environ, "HOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )


def documented(section):
    text = PAGE.read_text("utf-8").split("\n# Roots\n")[1]
    if section:
        text = text.split(f"\n## {section}\n")[1]
    return set(re.findall(r"^\| `(\w+)` \|", text.split("\n## ")[0], re.MULTILINE))


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not here")
def test_doctor_s_page_describes_every_key_of_a_root_and_no_other(doctor, make):
    _, report = doctor("--root", str(make().alpine().folder))
    root = report["roots"][0]
    assert documented("") == set(report)
    assert documented("roots") == set(root)
    assert documented("programs") == set(root["programs"][0])
