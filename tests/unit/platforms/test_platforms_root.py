from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.errors import MalformedBinary
from engineroom.platforms.probe import Facts
from engineroom.platforms.root import Root, find_programs, find_pythons, probe_root
from tests.unit.systems import GLIBC, MUSL, System, elf

FOLDERS = (
    "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64",
    "/usr/lib", "/lib",
)  # fmt: skip


@pytest.fixture
def system(tmp_path):
    """An empty root folder."""
    return System(tmp_path / "root")


def facts_of(system, program="/usr/bin/python3"):
    return probe_root(Root(str(system.folder)), program)


def values(facts, *names):
    return tuple(getattr(facts, name).value for name in names)


def test_probe_of_a_debian_root_finds_everything_in_its_files(system):
    facts = facts_of(system.debian("2.36", "3"))
    folder = "/usr/lib/x86_64-linux-gnu"
    known = {
        name: (fact.value, fact.source)
        for name, fact in facts.items()
        if fact.value is not None
    }
    source = "the ELF header of /usr/bin/python3"
    assert known == {
        "os": ("linux", source),
        "cpu": ("x86_64", source),
        "pointer_bits": (64, source),
        "libc": ("glibc", f"ld-linux-x86-64.so.2, from {source}"),
        "libc_version": ("2.36", f"the banner of {folder}/libc.so.6"),
        "openssl": ("3", f"{folder}/libssl.so.3"),
        "openssl_files": (
            f"{folder}/libssl.so.3, /lib/x86_64-linux-gnu/libssl.so.3",
            f"looked in {', '.join(FOLDERS)}",
        ),
        "interpreter": (GLIBC["x86_64"], source),
        "implementation": ("cpython", "/usr/bin/python3"),
        "python_version": ("3.11", "its name, python3.11"),
        "free_threaded": (False, "its name, python3.11"),
        "distribution": ("Debian", "/etc/os-release"),
        "distribution_id": ("debian", "/etc/os-release"),
    }


def test_every_fact_of_a_root_has_a_source_also_when_it_is_unknown(system):
    facts = facts_of(system.write("/p", elf("riscv")), "/p")
    assert sorted(name for name, _ in facts.items()) == sorted(Facts.__slots__)
    assert all(fact.source for _, fact in facts.items())
    assert facts.openssl_mapped.source == "only a process knows"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param(b"\x001.2.5\x00", "1.2.5", id="Alpine"),
        pytest.param(b"\x001.2.3\x00x\x001.2.3\x00", "1.2.3", id="twice the same"),
        pytest.param(b"\x001.2.5-git-1\x00", "1.2.5", id="a snapshot"),
        pytest.param(b"\x001.2.3\x00x\x001.1.0\x00", None, id="two that differ"),
        pytest.param(b"", None, id="none"),
    ],
)
def test_probe_of_a_musl_root_finds_the_version_in_the_loader(system, text, version):
    system.write(MUSL["arm64"], elf("arm64", kind=3, text=text))
    facts = facts_of(system.write("/p", elf("arm64", MUSL["arm64"])), "/p")
    assert values(facts, "libc", "libc_version") == ("musl", version)


@pytest.mark.parametrize(
    ("data", "libc", "version"),
    [
        pytest.param(
            elf("x86_64", kind=3, text=b"\x00GLIBC_2.9\x00\x00GLIBC_2.17\x00"),
            "glibc",
            "2.17",
            id="without a banner the newest symbol tells",
        ),
        pytest.param(elf("x86_64", kind=3), None, None, id="gcompat, which is none"),
        pytest.param(
            elf("arm64", kind=3, text=b"\x00GLIBC_2.17\x00"),
            None,
            None,
            id="that of another CPU",
        ),
        pytest.param(b"", None, None, id="an empty one"),
        pytest.param(None, None, None, id="no libc"),
    ],
)
def test_probe_of_a_root_believes_in_a_glibc_that_is_there(system, data, libc, version):
    if data is not None:
        system.write("/lib64/libc.so.6", data)
    facts = facts_of(system.write("/p", elf("x86_64", GLIBC["x86_64"])), "/p")
    assert values(facts, "libc", "libc_version") == (libc, version)


def test_probe_of_a_root_finds_glibc_beside_its_loader_as_in_nixos(system):
    loader = "/nix/store/abc-glibc-2.40/lib/ld-linux-x86-64.so.2"
    system.write(loader, elf("x86_64", kind=3))
    text = b"GNU C Library (GNU libc) stable release version 2.40.\n"
    system.write("/nix/store/abc-glibc-2.40/lib/libc.so.6", elf("x86_64", text=text))
    facts = facts_of(system.write("/p", elf("x86_64", loader)), "/p")
    assert values(facts, "libc", "libc_version") == ("glibc", "2.40")


@pytest.mark.parametrize(
    ("data", "os_", "cpu", "bits", "libc"),
    [
        pytest.param(
            elf("arm64", "/system/bin/linker64"),
            "android", "arm64", 64, "bionic",
            id="Android",
        ),
        pytest.param(
            elf("x86_64", "/libexec/ld-elf.so.1"),
            "freebsd", "x86_64", 64, None,
            id="FreeBSD",
        ),
        pytest.param(elf("x86_64"), "linux", "x86_64", 64, None, id="static"),
        pytest.param(
            elf("x86_64", "/libx32/ld-linux-x32.so.2", bits=32),
            "linux", "x86", 32, None,
            id="x32",
        ),
        pytest.param(
            elf("arm", "/lib/ld-linux-armhf.so.3", bits=32),
            "linux", "arm", 32, None,
            id="32-bit ARM",
        ),
    ],
)  # fmt: skip
def test_probe_of_a_root_tells_the_system_by_the_header(
    system, data, os_, cpu, bits, libc
):
    facts = facts_of(system.write("/p", data), "/p")
    assert values(facts, "os", "cpu", "pointer_bits", "libc") == (os_, cpu, bits, libc)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("python3.13t", ("cpython", "3.13", True)),
        ("python3.13", ("cpython", "3.13", False)),
        ("pypy3.10", ("pypy", "3.10", False)),
        ("python3", ("cpython", None, False)),
    ],
)
def test_probe_of_a_root_tells_python_by_the_name_that_links_end_in(
    system, name, facts
):
    system.write(f"/usr/bin/{name}", elf("x86_64")).link("/usr/bin/python", name)
    found = facts_of(system, "/usr/bin/python")
    names = ("implementation", "python_version", "free_threaded")
    assert values(found, *names) == facts


def test_a_program_that_is_no_binary_or_no_file_is_refused(system):
    system.write("/script", "#!/bin/sh\n")
    os.mkfifo(system.folder / "pipe")
    with pytest.raises(MalformedBinary):
        facts_of(system, "/script")
    for path in ("/pipe", "/none"):
        with pytest.raises(FileNotFoundError):
            facts_of(system, path)


def test_links_are_followed_within_the_root_and_never_out_of_it(system, tmp_path):
    tmp_path.joinpath("secret").write_text("outside")
    system.write("/data/file", "inside").write("/secret", "inside too")
    system.link("/a/absolute", "/data/file").link("/a/up", "../../../../../secret")
    system.link("/folder", "/data").link("/a/chain", "../folder/file")
    system.link("/a/round", "round").link("/a/gone", "/nothing")
    system.link("/a/outside", str(tmp_path / "secret"))
    root = Root(str(system.folder))
    assert root.resolve("/a/absolute") == "/data/file"
    assert root.resolve("/a/chain") == "/data/file"
    assert root.resolve("/../..//folder/./file") == "/data/file"
    assert root.text("/a/up") == "inside too"
    assert root.names("/folder") == ["file"]
    for path in ("/a/round", "/a/gone", "/a/outside", "/data/file/x", "/data"):
        assert not root.has_file(path)
    assert root.names("/a/round") == []


def test_pythons_are_found_once_each_in_the_order_of_path(system):
    system.debian("2.36", "3")
    system.write("/usr/local/bin/python3.12", elf("x86_64", GLIBC["x86_64"]))
    system.link("/usr/local/bin/python3", "/usr/local/bin/python3.12")
    system.write("/usr/local/bin/python3.12-config", "#!/bin/sh\n")
    system.link("/opt/venv/bin/python", "/usr/local/bin/python3.12")
    system.write("/app/.venv/bin/python3.8", elf("x86_64", GLIBC["x86_64"]))
    system.write("/opt/conda/bin/python3.10", elf("x86_64", GLIBC["x86_64"]))
    system.write("/opt/python/pp310/bin/pypy3.10", elf("x86_64", GLIBC["x86_64"]))
    system.link("/usr/bin/python3.9", "gone")
    assert find_pythons(Root(str(system.folder))) == [
        "/usr/local/bin/python3",
        "/usr/bin/python3",
        "/opt/conda/bin/python3.10",
        "/opt/python/pp310/bin/pypy3.10",
        "/app/.venv/bin/python3.8",
    ]


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_root_of_damaged_files_gives_facts_or_is_refused(data, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("damaged") / "root").debian("2.36", "3")
    names = ["usr/bin/python3.11", "usr/lib/os-release"]
    names += [f"usr/lib/x86_64-linux-gnu/{n}" for n in ("libc.so.6", "libssl.so.3")]
    file = system.folder / data.draw(st.sampled_from(names))
    whole = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(
            st.integers(0, 255)
        )
    file.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        facts = facts_of(system)
    except MalformedBinary:
        assert file.name == "python3.11"
    else:
        assert all(fact.source for _, fact in facts.items())


def test_programs_tell_of_a_system_without_python(system):
    assert find_programs(Root(str(system.folder))) == []
    system.alpine(python="")
    root = Root(str(system.folder))
    assert find_pythons(root) == []
    assert find_programs(root) == ["/bin/sh", "/bin/busybox"]
