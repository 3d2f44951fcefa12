from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest

from engineroom import errors
from engineroom.errors import LoadError, SettingError, UnsupportedPlatform
from engineroom.loader.attempt import VERDICTS
from engineroom.loader.handshake import ABI_VERSION
from engineroom.loader.load import find_and_load
from engineroom.version import __version__


def verdicts(found):
    return {a["target"]: a["verdict"] for a in found["attempts"]}


def test_an_engine_that_fits_is_loaded_and_says_who_it_is(
    shelf, load, make_engine, host
):
    data = make_engine().read_bytes()
    file = shelf.add(host.id, data)
    found = load(shelf.path)
    assert found["target"] == host.id
    assert found["path"] == str(file)
    assert found["abi_version"] == found["answer"] == ABI_VERSION
    assert found["package_version"] == __version__
    assert found["build_id"] == "b1"
    assert found["backend_version"] == "9.9.9"
    assert len(found["sha256"]) == 64
    assert found["ran"]
    assert verdicts(found)[host.id] == "loaded"
    assert len(found["attempts"]) == 8
    assert set(verdicts(found).values()) <= set(VERDICTS)


def test_a_second_engine_that_fits_is_not_tried(shelf, load, make_engine, host):
    data = make_engine().read_bytes()
    shelf.add(host.id, data)
    shelf.add(host.id, data)
    found = load(shelf.path)
    assert [a["verdict"] for a in found["attempts"][:2]] == ["loaded", "not-tried"]


def test_after_an_engine_that_is_damaged_the_next_one_is_loaded(
    shelf, load, make_engine, host
):
    data = make_engine().read_bytes()
    shelf.add(host.id, data, instead=data[:-1] + b"?")
    name = "second/_qe_sqlite.abi3.so"
    (shelf.path / "second").mkdir()
    (shelf.path / name).write_bytes(data)
    shelf.list(host.id, name, data)
    found = load(shelf.path)
    assert found["path"] == str(shelf.path / name)
    assert [a["verdict"] for a in found["attempts"][:2]] == ["damaged", "loaded"]


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


CODES = {
    "truncated": "ER1024",
    "damaged": "ER1023",
    "not-a-binary": "ER1022",
    "other-cpu": "ER1025",
    "other-os": "ER1026",
    "libc-too-old": "ER1029",
    "other-libc": "ER1027",
}


# What lies in the place of our engine of this machine: bytes, a change to ours, or a
# library for a triple with what it needs. Each must be called what it is and none run.
@pytest.mark.skipif(sys.platform != "linux", reason="lays files for other systems here")
@pytest.mark.parametrize(
    ("replacement", "verdict", "reason"),
    [
        pytest.param(b"", "truncated", "it has 0 of its {size} bytes", id="empty"),
        pytest.param(
            lambda data: data[:100],
            "truncated",
            "it has 100 of its {size} bytes",
            id="100 bytes",
        ),
        pytest.param(
            lambda data: data[:-1],
            "truncated",
            "it has {less} of its {size} bytes",
            id="all but one byte",
        ),
        pytest.param(
            lambda data: data + b"\x00",
            "damaged",
            "it has {more} bytes, the manifest lists {size}",
            id="one byte more",
        ),
        pytest.param(flipped, "damaged", "its CRC-32 is ", id="one bit flipped"),
        pytest.param(
            b"no engine\n" * 9999,
            "not-a-binary",
            "it is neither ELF nor Mach-O: it starts with b'no e'",
            id="text",
        ),
        pytest.param(
            ("riscv64-linux-gnu",),
            "other-cpu",
            "it is for riscv (64 bits), this process runs as ",
            id="another CPU",
        ),
        pytest.param(
            ("x86-linux-gnu",),
            "other-cpu",
            "it is for x86 (32 bits), this process runs as ",
            id="32 bits",
        ),
        pytest.param(
            ("aarch64-macos.11.0",),
            "other-os",
            "it is for darwin (Mach-O), this is linux",
            id="macOS",
        ),
        pytest.param(
            ("{cpu}-linux-gnu", "libc.so.6", "GLIBC_99.1"),
            "libc-too-old",
            "it needs GLIBC_99.1, this process has ",
            id="a newer glibc",
        ),
        pytest.param(
            ("{cpu}-linux-gnu", "libc.musl-x86_64.so.1"),
            "other-libc",
            "it is linked with musl, this process uses glibc",
            id="musl",
        ),
    ],
)
def test_what_lies_in_an_engine_s_place_is_named_and_never_loaded(
    shelf, load, make_engine, make_foreign, host, replacement, verdict, reason
):
    if host.libc != "glibc":
        pytest.skip("the samples are those of a glibc system")
    data = make_engine().read_bytes()
    cpu = host.zig_triple.partition("-")[0]

    if isinstance(replacement, tuple):
        triple, *needs = replacement
        instead = make_foreign(triple.format(cpu=cpu), *needs).read_bytes()
    else:
        instead = replacement(data) if callable(replacement) else replacement
    file = shelf.add(host.id, data, instead=instead)
    found = load(shelf.path)
    attempt = found["attempts"][0]
    size = len(data)
    wanted = reason.format(size=size, less=size - 1, more=size + 1)
    assert (attempt["target"], attempt["path"]) == (host.id, str(file))
    assert attempt["verdict"] == verdict
    assert attempt["reason"].startswith(wanted)
    assert not found["ran"]
    assert found["modules"] == []
    assert found["code"] == CODES[verdict]
    assert found["cause"] == (
        f"The sqlite engine {file} was refused: {attempt['reason']}"
    )
    assert found["hint"] == (
        f"python -m pip install --force-reinstall engineroom=={__version__};"
        " for the evidence run `engineroom doctor`"
    )


def test_a_library_of_another_cpu_that_the_manifest_lists_is_refused_all_the_same(
    shelf, load, make_foreign, host
):
    shelf.add(host.id, make_foreign("riscv64-linux-gnu").read_bytes())
    assert load(shelf.path)["attempts"][0]["verdict"] in ("other-cpu", "other-os")


@pytest.mark.parametrize(
    ("answers", "verdict", "reason"),
    [
        pytest.param(
            {"abi": 99},
            "other-abi",
            f"it speaks ABI 99, this package speaks {ABI_VERSION}; the usual cause is"
            " two installations of engineroom in one place",
            id="a future ABI",
        ),
        pytest.param(
            {"version": "99.0"},
            "other-version",
            f"it was built for engineroom 99.0, this is {__version__}; the usual cause"
            " is two installations of engineroom in one place",
            id="another release",
        ),
        pytest.param(
            {"backend": "postgres"},
            "other-backend",
            "it serves postgres, not sqlite",
            id="another backend",
        ),
        pytest.param(
            {"build_id": "b2"},
            "other-build",
            "its build is b2, the manifest lists b1",
            id="another build",
        ),
    ],
)
def test_an_engine_that_is_not_ours_is_refused_at_the_handshake(
    shelf, load, make_engine, host, answers, verdict, reason
):
    shelf.add(host.id, make_engine(**answers).read_bytes())
    found = load(shelf.path)
    attempt = found["attempts"][0]
    assert (attempt["verdict"], attempt["reason"]) == (verdict, reason)
    assert found["modules"] == []  # nothing of it is left for others to import


def test_a_file_that_is_missing_is_named(shelf, load, make_engine, host):
    shelf.list(host.id, "gone/_qe_sqlite.abi3.so", make_engine().read_bytes())
    attempt = load(shelf.path)["attempts"][0]
    assert attempt["verdict"] == "missing"
    assert attempt["path"].endswith("gone/_qe_sqlite.abi3.so")


def test_a_folder_in_an_engine_s_place_is_named(shelf, load, make_engine, host):
    shelf.list(host.id, "folder", make_engine().read_bytes())
    (shelf.path / "folder").mkdir()
    assert load(shelf.path)["attempts"][0]["verdict"] == "not-a-file"


@pytest.mark.skipif(sys.platform != "linux", reason="links as Linux does")
def test_a_library_that_an_engine_needs_and_nobody_has_is_named(
    shelf, load, make_engine, make_foreign, host
):
    needed = make_foreign(host.zig_triple, "libnowhere.so.7").parent / "libnowhere.so.7"
    engine = make_engine(links=("-Wl,--no-as-needed", str(needed)))
    shelf.add(host.id, engine.read_bytes())
    attempt = load(shelf.path)["attempts"][0]
    assert attempt["verdict"] == "library-missing"
    assert "libnowhere.so.7" in attempt["reason"]


def test_a_library_that_is_no_engine_is_named(shelf, load, workshop, host):
    source = workshop / "none.c"
    source.write_text("int answer(void) { return 42; }")
    out = workshop / "none.so"
    command = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-nostdlib"]
    subprocess.run(
        [*command, "-target", host.zig_triple, source, "-o", out], check=True
    )
    shelf.add(host.id, out.read_bytes())
    attempt = load(shelf.path)["attempts"][0]
    assert attempt["verdict"] == "not-an-engine"


def test_a_program_in_an_engine_s_place_is_no_library(load, tmp_path):
    found = load(tmp_path, ENGINEROOM_ENGINE_SQLITE=os.path.realpath(sys.executable))
    assert found["attempts"][0]["verdict"] == "wrong-type"


def test_without_a_manifest_the_error_says_that_there_are_no_engines(load, tmp_path):
    found = load(tmp_path)
    assert found["class"] == "EngineListMissing"
    assert found["cause"] == (
        f"No engine can be found in {tmp_path}: it has no manifest.csv"
    )
    assert found["attempts"][0]["verdict"] == "no-manifest"


def test_without_an_engine_for_this_process_the_error_names_its_targets(
    shelf, load, host
):
    other = "darwin-arm64" if host.id != "darwin-arm64" else "rhel-arm64"
    shelf.add(other, b"anything")
    found = load(shelf.path)
    assert found["cause"].startswith(
        f"This installation has sqlite engines built for {other}, and none for"
        f" {host.id}"
    )
    assert found["code"] == "ER1004"
    assert verdicts(found)[host.id] == "no-engine"
    assert found["hint"].startswith("install the wheel for this system: ")


def test_for_a_backend_without_engines_the_error_says_so(
    shelf, load, make_engine, host
):
    shelf.add(host.id, make_engine().read_bytes())
    found = load(shelf.path, backend="postgres")
    assert found["cause"].startswith(
        f"This installation has no postgres engine for {host.id}"
    )
    assert not found["ran"]


def test_the_error_is_cause_then_places_then_settings_then_what_to_do(
    shelf, load, make_engine, host
):
    shelf.list(host.id, "gone.so", make_engine().read_bytes())
    found = load(shelf.path, ENGINEROOM_TARGET=host.id, XDG_DATA_HOME="/no-data")
    blocks = found["text"].split("\n\n")
    gone = shelf.path / "gone.so"
    assert blocks[0] == (
        f"ER1020: The sqlite engine {gone} was refused: there is no such file"
    )
    lines = blocks[1].splitlines()
    assert lines[0] == "tried:"
    assert lines[1] == f"  {host.id} ({gone}): missing, there is no such file"
    assert lines[9] == (
        f"  /no-data/engineroom/engines/{__version__}: absent, the user's engine folder"
        " is not there"
    )
    assert len(lines) == 11
    assert blocks[2] == f"settings in force:\n  ENGINEROOM_TARGET={host.id}"
    assert blocks[3].startswith("hint: ")
    assert blocks[3].endswith("for the evidence run `engineroom doctor`")


# Overrides.


def test_under_a_target_setting_only_its_targets_are_tried(
    shelf, load, make_engine, host
):
    shelf.add(host.id, make_engine().read_bytes())
    other = "rhel" if host.libc == "glibc" else "darwin-arm64"
    found = load(shelf.path, ENGINEROOM_TARGET=other)
    assert verdicts(found)[host.id] == "excluded"
    assert "class" in found
    assert load(shelf.path, ENGINEROOM_TARGET=host.id)["target"] == host.id


def test_under_a_folder_setting_engines_come_from_there_alone(
    shelf, load, make_engine, host, tmp_path
):
    file = shelf.add(host.id, make_engine().read_bytes())
    found = load(tmp_path / "no package", ENGINEROOM_ENGINE_DIR=str(shelf.path))
    assert found["path"] == str(file)


def test_under_a_file_setting_exactly_that_file_is_loaded(
    shelf, load, make_engine, host
):
    shelf.add(host.id, make_engine().read_bytes())
    file = make_engine(build_id="mine")
    found = load(shelf.path, ENGINEROOM_ENGINE_SQLITE=str(file))
    assert (found["path"], found["target"], found["build_id"]) == (
        str(file),
        "",
        "mine",
    )
    assert found["sha256"] == ""
    assert [(a["verdict"], a["reason"]) for a in found["attempts"]] == [
        ("loaded", "ENGINEROOM_ENGINE_SQLITE names it")
    ]


def test_under_a_file_setting_that_is_refused_nothing_else_is_tried(
    shelf, load, make_engine, make_foreign, host
):
    shelf.add(host.id, make_engine().read_bytes())
    file = make_foreign("riscv64-linux-gnu")
    found = load(shelf.path, ENGINEROOM_ENGINE_SQLITE=str(file))
    assert [a["path"] for a in found["attempts"]] == [str(file)]
    assert not found["ran"]
    assert found["hint"].startswith("correct or unset ENGINEROOM_ENGINE_SQLITE")


def test_a_file_setting_of_another_backend_changes_nothing(
    shelf, load, make_engine, host, tmp_path
):
    file = shelf.add(host.id, make_engine().read_bytes())
    found = load(shelf.path, ENGINEROOM_ENGINE_POSTGRES=str(tmp_path / "none"))
    assert found["path"] == str(file)


@pytest.mark.parametrize("size", [0, 5, 64, 500, 3000])
def test_a_truncated_file_that_a_setting_names_is_not_loaded(
    load, make_engine, tmp_path, size
):
    file = tmp_path / "cut.so"
    file.write_bytes(make_engine().read_bytes()[:size])
    found = load(tmp_path, ENGINEROOM_ENGINE_SQLITE=str(file))
    assert found["attempts"][0]["verdict"] in ("truncated", "not-a-binary")
    assert not found["ran"]


# Processes that no engine fits; the machine is described, nothing is loaded.


@pytest.mark.parametrize(
    ("description", "kind", "cause", "hint"),
    [
        pytest.param(
            {"python": ("pypy", "3.10.14", False)},
            errors.PythonNotCPython,
            "No sqlite engine fits this Python: engines load into CPython, this is"
            " pypy",
            "use CPython 3.9 or newer",
            id="PyPy",
        ),
        pytest.param(
            {"python": ("cpython", "3.13.0", True)},
            errors.FreeThreadedUnsupported,
            "No sqlite engine fits this Python: engines need the GIL, this Python was"
            " built without it",
            "use the ordinary build of this Python",
            id="no GIL",
        ),
        pytest.param(
            {"bits": 32},
            errors.PythonIs32Bit,
            "There is no sqlite engine for cpython 3.11.7 on linux x86, glibc 2.36:"
            " this Python has 32 bits, engines have 64.",
            "use a 64-bit Python, which this system can run",
            id="32 bits on a 64-bit system",
        ),
        pytest.param(
            {"cpu": "armv7l", "bits": 32},
            errors.CpuUnsupported,
            "There is no sqlite engine for cpython 3.11.7 on linux arm, glibc 2.36:"
            " none is made for the CPU arm.",
            "run on one of these systems",
            id="32-bit ARM",
        ),
        pytest.param(
            {"confstr": "glibc 2.17"},
            errors.LibcTooOld,
            "There is no sqlite engine for cpython 3.11.7 on linux x86_64, glibc 2.17:"
            " it needs glibc 2.28 or newer, this process has 2.17.",
            "use a newer release of this system",
            id="CentOS 7",
        ),
        pytest.param(
            {"system": "freebsd14", "cpu": "amd64", "confstr": ""},
            errors.FreeBsdUnsupported,
            "There is no sqlite engine for cpython 3.11.7 on freebsd x86_64, an unknown"
            " libc: none is made for FreeBSD. Engineroom is built for macOS 11.0 or",
            "use a Linux in a virtual machine",
            id="FreeBSD",
        ),
        pytest.param(
            {"confstr": ""},
            errors.LibcUnknown,
            "No sqlite engine was tried: the C library of this process is unknown",
            "set ENGINEROOM_TARGET to the target you know to fit",
            id="an unknown libc",
        ),
    ],
)
def test_on_a_process_that_no_engine_fits_the_error_says_why(
    described, shelf, description, kind, cause, hint
):
    shelf.add("rhel-x86_64", b"never read")
    with pytest.raises(LoadError) as caught:
        find_and_load(
            "sqlite",
            environment={},
            package_shelf=str(shelf.path),
            machine=described(**description),
        )
    error = caught.value
    assert type(error) is kind
    assert error.cause.startswith(cause)
    assert error.hint.startswith(hint)
    assert error.hint.endswith("run `engineroom doctor`")
    assert error.backend == "sqlite"
    assert len(error.attempts) == 8
    # What decides nothing is looked at once loading has failed.
    assert error.facts.distribution.source != "not asked"
    assert isinstance(error, ImportError)
    # As it crosses a process pool: with everything it carries.
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert [a.verdict for a in again.attempts] == [a.verdict for a in error.attempts]
    assert str(again.facts) == str(error.facts)


def test_with_the_wheel_without_engines_a_system_that_none_is_for_is_told_so(
    described, tmp_path
):
    """Not to install the same wheel again, which is the right one there."""
    with pytest.raises(UnsupportedPlatform) as caught:
        find_and_load(
            "sqlite",
            environment={},
            package_shelf=str(tmp_path),
            machine=described(bits=32),
        )
    assert caught.value.cause.startswith("There is no sqlite engine for cpython")
    assert "reinstall" not in caught.value.hint
    assert caught.value.attempts[0].verdict == "no-manifest"


def test_with_the_wheel_without_engines_where_one_would_fit_reinstalling_helps(
    described, tmp_path
):
    with pytest.raises(LoadError) as caught:
        find_and_load(
            "sqlite", environment={}, package_shelf=str(tmp_path), machine=described()
        )
    assert type(caught.value) is errors.EngineListMissing
    assert "--force-reinstall" in caught.value.hint


def test_on_a_python_that_no_engine_fits_a_file_setting_does_not_help(
    described, tmp_path
):
    file = tmp_path / "any.so"
    file.write_bytes(b"")
    with pytest.raises(UnsupportedPlatform):
        find_and_load(
            "sqlite",
            environment={"ENGINEROOM_ENGINE_SQLITE": str(file)},
            machine=described(python=("cpython", "3.13.0", True)),
        )


def test_with_a_setting_that_cannot_be_nothing_is_tried():
    with pytest.raises(SettingError) as caught:
        find_and_load("sqlite", environment={"ENGINEROOM_TARGET": "linux-musk"})
    assert caught.value.attempts == ()
    assert caught.value.setting == "ENGINEROOM_TARGET"
