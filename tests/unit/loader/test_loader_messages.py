"""Every way to fail to load has a class, a code and a text of its own.

The texts are written out in tests/data/load-messages.txt, a section each, with what
changes from machine to machine replaced by a word. What is refused is a real file;
where this machine is not the one that refuses it, that one is described.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import sys
import tempfile
from pathlib import Path

import _cffi_backend
import pytest

from engineroom import errors
from engineroom.errors import LoadError, engines
from engineroom.loader.load import find_and_load
from engineroom.loader.remedy import openssl_package
from engineroom.platforms.probe import probe
from engineroom.version import __version__

MESSAGES = Path(__file__).parents[2] / "data" / "load-messages.txt"
GLIBC = "/lib64/ld-linux-x86-64.so.2"
MUSL = {"confstr": "", "programs": {"/python": ("x86_64", "/lib/ld-musl-x86_64.so.1")}}
MAC = {"system": "darwin", "release": "23.0.0", "confstr": ""}
HERE = "debian-openssl-3-x86_64"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="lays files for other systems here"
)


def expected():
    sections = re.split(r"^## (.+)\n\n", MESSAGES.read_text("utf-8"), flags=re.M)[1:]
    return {n: t.strip() for n, t in zip(sections[::2], sections[1::2])}


@pytest.fixture
def message(shelf, tmp_path):
    """Replace what is this machine's own, and compare with the section."""

    def check(text, name, **own):
        words = {
            str(shelf.path): "SHELF",
            str(tmp_path): "TMP",
            f"=={__version__}": "==VERSION",
            f"/{__version__}": "/VERSION",
            f"this is {__version__}": "this is VERSION",
            **{str(value): word for word, value in own.items()},
        }
        for value, word in words.items():
            text = text.replace(value, word)
        text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
        text = re.sub(r"(CRC-32 is |lists )[0-9a-f]{8}\b", r"\1CRC32", text)
        # The targets that were not tried, of which there are many.
        text = re.sub(r"(?m)(^  [\w.-]+: .*\n?)+", "  (others)\n", text)
        assert text.strip() == expected().get(name, ""), text

    return check


@pytest.fixture
def refused(shelf, described):
    """Load on a described machine, which must fail; give the error."""

    def run(*, backend="sqlite", settings=None, package=None, **description):
        with pytest.raises(LoadError) as caught:
            find_and_load(
                backend,
                environment=settings or {},
                package_shelf=str(package or shelf.path),
                machine=described(**description),
                places=(),
            )
        return caught.value

    return run


def elf(machine=62, libraries=()):
    """A library for Linux, as small as one can be; 62 is x86-64 and 183 arm64."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in libraries)
    at, needed = 1, b""
    for name in libraries:
        needed += struct.pack("<QQ", 1, at)
        at += len(name) + 1
    head = 64 + 2 * 56
    dynamic = needed + struct.pack("<QQQQ", 5, head, 10, len(strings))
    dynamic += struct.pack("<QQ", 0, 0)
    start = head + len(strings)
    whole = start + len(dynamic)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    return (
        ident
        + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
        + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, whole, whole, 4096)
        + struct.pack("<IIQQQQQQ", 2, 4, start, start, 0, len(dynamic), 0, 8)
        + strings
        + dynamic
    )


# What is installed, and for what no engine is made.


@pytest.mark.parametrize(
    ("kind", "description"),
    [
        pytest.param("UnsupportedPlatform", {"system": "sunos5"}, id="Solaris"),
        pytest.param("CpuUnsupported", {"cpu": "riscv64"}, id="RISC-V"),
        pytest.param("PythonIs32Bit", {"bits": 32}, id="32 bits on 64"),
        pytest.param("LibcTooOld", {"confstr": "glibc 2.17"}, id="CentOS 7"),
        pytest.param("AndroidUnsupported", {"system": "android"}, id="Android"),
        pytest.param(
            "WindowsUnsupported", {"system": "win32", "cpu": "AMD64"}, id="Windows"
        ),
        pytest.param(
            "FreeBsdUnsupported", {"system": "freebsd14", "cpu": "amd64"}, id="FreeBSD"
        ),
        pytest.param(
            "PythonNotCPython", {"python": ("pypy", "3.10.14", False)}, id="PyPy"
        ),
        pytest.param(
            "FreeThreadedUnsupported",
            {"python": ("cpython", "3.13.0", True)},
            id="no GIL",
        ),
        pytest.param("LibcUnknown", {"confstr": ""}, id="unknown libc"),
    ],
)
def test_a_process_that_no_engine_is_for_is_told_why(
    refused, shelf, message, kind, description
):
    shelf.add("rhel-x86_64", b"never read")
    if description.get("system") in ("android", "win32", "freebsd14", "sunos5"):
        description = {"confstr": "", **description}
    error = refused(**description)
    assert type(error) is getattr(errors, kind)
    assert error.decisive in error.attempts
    message(str(error), kind)


def test_a_backend_that_is_none_is_told_the_names(refused, message):
    error = refused(backend="mysql")
    assert type(error) is errors.BackendUnknown
    assert error.attempts == ()
    message(str(error), "BackendUnknown")


def test_where_the_backend_has_no_engine_its_targets_are_named(refused, message):
    error = refused(backend="postgres")
    assert type(error) is errors.EngineNotInstalled
    message(str(error), "EngineNotInstalled")


def test_where_engines_for_others_lie_it_is_told_for_whom(refused, shelf, message):
    shelf.add("darwin-arm64", b"never read")
    shelf.add("linux-musl-x86_64", b"never read")
    error = refused()
    assert type(error) is errors.EnginesForOthersOnly
    message(str(error), "EnginesForOthersOnly")


def test_an_intel_python_under_rosetta_is_told_from_an_intel_mac(
    refused, shelf, message
):
    shelf.add("darwin-arm64", b"never read")
    assert type(refused(**MAC, translated=False)) is errors.EnginesForOthersOnly
    error = refused(**MAC, translated=True)
    assert type(error) is errors.PythonIsTranslated
    message(str(error), "PythonIsTranslated")


def test_an_engine_for_arm64_under_rosetta_is_named_so(refused, shelf, make_foreign):
    file = make_foreign("aarch64-macos.11.0").read_bytes()
    shelf.add("darwin-x86_64", file)
    assert type(refused(**MAC, translated=True)) is errors.PythonIsTranslated
    error = refused(**MAC, translated=False)
    assert type(error) is errors.EngineForOtherCpu


def test_a_folder_without_a_list_is_named(refused, tmp_path, message):
    error = refused(package=tmp_path / "pure")
    assert type(error) is errors.EngineListMissing
    message(str(error), "EngineListMissing")


def test_a_list_that_is_damaged_is_named(refused, shelf, message):
    (shelf.path / "manifest.csv").write_text("no list")
    error = refused()
    assert type(error) is errors.EngineListDamaged
    message(str(error), "EngineListDamaged")


def test_a_setting_that_leaves_out_what_fits_is_named(refused, shelf, message):
    shelf.add(HERE, b"never read")
    error = refused(settings={"ENGINEROOM_TARGET": "darwin-arm64"})
    assert type(error) is errors.TargetExcluded
    message(str(error), "TargetExcluded")


def test_a_place_that_others_may_write_is_named(load, shelf, tmp_path, message, host):
    users = tmp_path / "data" / "engineroom" / "engines" / __version__
    type(shelf)(users).add(host.id, b"never read")
    users.chmod(0o777)
    found = load(shelf.path, XDG_DATA_HOME=str(tmp_path / "data"))
    assert found["class"] == "PlaceUnsafe"
    message(found["text"], "PlaceUnsafe", HOST=host.id)


# What a file is, found out before it is loaded.


def foreign(triple, *needs):
    return lambda make: make(triple, *needs).read_bytes()


@pytest.mark.parametrize(
    ("kind", "target", "description", "data", "instead"),
    [
        pytest.param("NotAnEngine", HERE, {}, elf(), b"#!/bin/sh\n" * 9, id="a script"),
        pytest.param("EngineDamaged", HERE, {}, elf(), elf()[:-1] + b"?", id="a byte"),
        pytest.param("EngineTruncated", HERE, {}, elf(), elf()[:99], id="cut off"),
        pytest.param(
            "EngineForOtherCpu", HERE, {}, elf(), foreign("aarch64-linux-gnu"), id="CPU"
        ),
        pytest.param(
            "EngineForOtherSystem",
            HERE,
            {},
            elf(),
            foreign("aarch64-macos.11.0"),
            id="system",
        ),
        pytest.param(
            "MuslEngineOnGlibc",
            HERE,
            {},
            elf(),
            foreign("x86_64-linux-musl", "libc.musl-x86_64.so.1"),
            id="musl on glibc",
        ),
        pytest.param(
            "GlibcEngineOnMusl",
            "linux-musl-x86_64",
            MUSL,
            elf(),
            foreign("x86_64-linux-gnu", "libc.so.6"),
            id="glibc on musl",
        ),
        pytest.param(
            "EngineNeedsNewerLibc",
            HERE,
            {"confstr": "glibc 2.28"},
            elf(),
            foreign("x86_64-linux-gnu", "libc.so.6", "GLIBC_2.34"),
            id="newer glibc",
        ),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(
    refused, shelf, message, make_foreign, kind, target, description, data, instead
):
    instead = instead(make_foreign) if callable(instead) else instead
    file = shelf.add(target, data, instead=instead)
    error = refused(**description)
    assert type(error) is getattr(errors, kind)
    assert error.decisive.path == str(file)
    message(str(error), kind)
    if kind in ("EngineDamaged", "EngineTruncated"):
        details = error.decisive.details
        assert details["sha256"] != details["sha256_listed"]


def test_a_file_that_is_missing_is_named_with_the_settings(refused, shelf, message):
    shelf.list(HERE, "gone.so", b"gone")
    error = refused(settings={"ENGINEROOM_ENGINE_DIR": str(shelf.path)})
    assert type(error) is errors.EngineMissing
    message(str(error), "EngineMissing")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_file_that_this_user_may_not_read_is_named(refused, shelf, message):
    file = shelf.add(HERE, elf())
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # pytest's own folders are closed to other users
        reachable = shutil.copytree(shelf.path, os.path.join(folder, "engines"))
        os.chmod(os.path.join(reachable, file.relative_to(shelf.path)), 0)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if os.geteuid() == 0:  # root may read everything; be nobody
                    os.setresuid(65534, 65534, 65534)
                os.write(writer, str(refused(package=reachable)).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            found = pipe.read().decode()
        os.waitpid(child, 0)
        message(found, "EngineUnreadable", SHELF=reachable)


# What takes mounts: a process that sees other files than this one.


def test_a_mount_that_forbids_code_is_named_with_what_helps(
    load, shelf, make_engine, host, message, tmp_path, mounted
):
    shelf.add(host.id, make_engine().read_bytes())
    place = tmp_path / "no exec"
    place.mkdir()
    mount = 'mount -t tmpfs -o noexec none "$1"; cp -r "$2"/. "$1"'
    within = mounted(mount, place, shelf.path)
    found = load(place, within=within)
    assert found["class"] == "NoexecMount"
    assert not found["ran"]
    message(found["text"], "NoexecMount", HOST=host.id)


def test_cffi_on_a_mount_that_forbids_code_is_what_is_named(
    load, shelf, make_engine, host, tmp_path, mounted
):
    shelf.add(host.id, make_engine().read_bytes())
    site = tmp_path / "site"
    site.mkdir()
    file = Path(_cffi_backend.__file__)
    mount = 'mount -t tmpfs -o noexec none "$1"; cp "$2" "$1"'
    found = load(
        shelf.path,
        within=mounted(mount, site, file),
        before=f"sys.path.insert(0, {str(site)!r})",
    )
    assert found["class"] == "NoexecMount"
    assert f"{site / file.name} lies on {site}, which is mounted" in found["cause"]
    assert found["hint"].startswith(f"mount -o remount,exec {site}; or install")


def test_a_limit_that_forbids_loading_is_named(
    load, shelf, make_engine, host, message, workshop
):
    source = workshop / "room.c"
    source.write_text("char room[1 << 28];")
    shelf.add(host.id, make_engine(links=(str(source),)).read_bytes())
    before = """
import resource
with open("/proc/self/statm") as file:
    size = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 26),) * 2)
"""
    found = load(shelf.path, before=before)
    assert found["class"] == "LoadingForbidden"
    message(found["text"], "LoadingForbidden", HOST=host.id)


@pytest.fixture
def hidden_openssl(tmp_path, mounted):
    """A command in which the system has no OpenSSL, and the libraries it has there."""
    libraries = Path(f"/usr/lib/{os.uname().machine}-linux-gnu")
    if not libraries.is_dir():
        pytest.skip("the libraries of this system lie elsewhere than Debian's")
    farm, real = tmp_path / "farm", tmp_path / "real"
    farm.mkdir()
    real.mkdir()
    for entry in libraries.iterdir():
        if not entry.name.startswith(("libssl.so", "libcrypto.so")):
            (farm / entry.name).symlink_to(real / entry.name)
    mount = 'mount --bind "$1" "$2"; mount --bind "$3" "$1"'
    return mounted(mount, libraries, real, farm), farm


@pytest.fixture
def with_openssl(make_engine, make_foreign, host):
    """An engine that needs OpenSSL 3's library."""
    library = make_foreign(host.zig_triple, "libssl.so.3").parent / "libssl.so.3"
    return make_engine(links=("-Wl,--no-as-needed", str(library))).read_bytes()


def test_without_openssl_its_package_is_named(
    load, shelf, with_openssl, host, message, hidden_openssl
):
    within, _ = hidden_openssl
    shelf.add(host.id, with_openssl, backend="postgres")
    found = load(shelf.path, backend="postgres", within=within)
    assert found["class"] == "OpensslMissing"
    assert not found["ran"]
    package = openssl_package(probe(thorough=True))
    message(found["text"], "OpensslMissing", HOST=host.id, PACKAGE=package)


def test_an_openssl_that_the_engine_cannot_use_is_named(
    load, shelf, with_openssl, make_foreign, host, message, hidden_openssl
):
    within, farm = hidden_openssl
    old = make_foreign(host.zig_triple, "libssl.so.1.1").parent / "libssl.so.1.1"
    shutil.copy(old, farm)
    target = f"debian-openssl-3-{host.cpu}"
    shelf.add(target, with_openssl, backend="postgres")
    found = load(shelf.path, backend="postgres", within=within)
    assert found["class"] == "OpensslNotServed"
    cpu = {"-3-CPU": f"-3-{host.cpu}", "rhel-CPU": f"rhel-{host.cpu}"}
    cpu["/MACHINE-linux-gnu"] = f"/{os.uname().machine}-linux-gnu"
    message(found["text"], "OpensslNotServed", **cpu)


# What happens when it is loaded, and what it says of itself.


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        pytest.param("AbiMismatch", {"abi": 1}, id="older ABI"),
        pytest.param("VersionMismatch", {"version": "0.0.9"}, id="older version"),
        pytest.param("BackendMismatch", {"backend": "postgres"}, id="backend"),
        pytest.param("BuildMismatch", {"build_id": "b2"}, id="build"),
    ],
)
def test_an_engine_that_is_not_this_package_s_is_named(
    load, shelf, make_engine, host, message, kind, answers
):
    shelf.add(host.id, make_engine(**answers).read_bytes())
    found = load(shelf.path)
    assert found["class"] == kind
    message(found["text"], kind, HOST=host.id)


def test_a_library_that_nobody_has_is_named(
    load, shelf, make_engine, make_foreign, host, message
):
    library = make_foreign(host.zig_triple, "libnowhere.so.7").parent
    links = ("-Wl,--no-as-needed", str(library / "libnowhere.so.7"))
    shelf.add(host.id, make_engine(links=links).read_bytes())
    found = load(shelf.path)
    assert found["class"] == "LibraryMissing"
    message(found["text"], "LibraryMissing", HOST=host.id)


def test_an_engine_whose_start_fails_is_named(
    load, shelf, broken_engine, message, host
):
    shelf.add(host.id, broken_engine("raises").read_bytes())
    found = load(shelf.path)
    assert found["class"] == "EngineNotLoadable"
    message(found["text"], "EngineNotLoadable", HOST=host.id)


def test_without_cffi_that_is_what_is_named(load, shelf, make_engine, host, message):
    shelf.add(host.id, make_engine().read_bytes())
    before = "sys.modules['_cffi_backend'] = None"
    found = load(shelf.path, before=before)
    assert found["class"] == "CffiMissing"
    message(found["text"], "CffiMissing", HOST=host.id)


def test_every_class_has_its_text_here():
    names = {*engines.__all__, "UnsupportedPlatform"}
    assert set(expected()) == names
    codes = [getattr(errors, name).code for name in names]
    assert len(set(codes)) == len(codes)


def test_every_text_begins_with_the_code_of_its_class_and_differs():
    texts = expected()
    for name, text in texts.items():
        assert text.startswith(f"{getattr(errors, name).code}: ")
    causes = {text.partition(": ")[2].partition("\n")[0] for text in texts.values()}
    assert len(causes) == len(texts)
