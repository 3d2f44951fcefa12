"""The command lines, as a pure function of a row: nothing here is compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engineroom.platforms.rows import TARGETS
from native.build import ROOT
from native.build.backends import BACKENDS, Backend, find_backend
from native.build.errors import BackendUnknown
from native.build.plan import Plan, filled, make_plan, version_defines

NAMES = (
    "qe.h", "qe_mem.c", "qe_version.c", "qe_sqlite.c", "qe_sqlite_type.c", "qe_text.c",
)  # fmt: skip
SEAM = ("generate.py", "prelude.h", "py.h", "py_values.c", "py_rows.c")
BY_ID = {target.id: target for target in TARGETS}
SQLITE = BACKENDS["sqlite"]


def plan_for(target: str) -> Plan:
    return make_plan(BY_ID[target], SQLITE, NAMES, SEAM)


def arguments_of(plan: Plan, name: str) -> tuple[str, ...]:
    return next(work.arguments for work in plan.compiles if work.name == name)


def test_a_plan_holds_every_source_once_and_the_longest_work_first() -> None:
    plan = plan_for("rhel-x86_64")

    assert [(work.source, work.name) for work in plan.compiles] == [
        ("{sqlite}/sqlite3.c", "sqlite3.c"),
        ("{generated}/_qe_sqlite.c", "_qe_sqlite.c"),
        ("{tree}/native/cffi/py_rows.c", "py_rows.c"),
        ("{tree}/native/cffi/py_values.c", "py_values.c"),
        ("{tree}/native/src/qe_mem.c", "qe_mem.c"),
        ("{tree}/native/src/qe_sqlite.c", "qe_sqlite.c"),
        ("{tree}/native/src/qe_sqlite_type.c", "qe_sqlite_type.c"),
        ("{tree}/native/src/qe_text.c", "qe_text.c"),
    ]
    assert plan.version.source == "{tree}/native/src/qe_version.c"
    assert plan.file_name == "_qe_sqlite.abi3.so"


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_no_two_files_of_the_tree_have_objects_of_one_name(backend: Backend) -> None:
    ours, seam = (
        [path.name for path in (ROOT / "native" / folder).iterdir()]
        for folder in ("src", "cffi")
    )
    plan = make_plan(BY_ID["rhel-arm64"], backend, ours, seam)

    names = [Path(work.name).name for work in (*plan.compiles, plan.version)]
    assert sorted(set(names)) == sorted(names)
    assert "py_rows.c" in names


@pytest.mark.parametrize(
    ("target", "machine"),
    [
        pytest.param(name, machine, id=name)
        for name, machine in {
            "darwin-arm64": ("-target", "aarch64-macos.11.0", "-mcpu=apple_m1"),
            "darwin-x86_64": ("-target", "x86_64-macos.10.13", "-mcpu=core2"),
            "linux-musl-x86_64": ("-target", "x86_64-linux-musl", "-mcpu=x86_64"),
            "linux-musl-arm64": ("-target", "aarch64-linux-musl", "-mcpu=generic"),
            "debian-openssl-3-x86_64": (
                "-target", "x86_64-linux-gnu.2.28", "-mcpu=x86_64",
            ),
            "debian-openssl-3-arm64": (
                "-target", "aarch64-linux-gnu.2.28", "-mcpu=generic",
            ),
            "rhel-x86_64": ("-target", "x86_64-linux-gnu.2.28", "-mcpu=x86_64"),
            "rhel-arm64": ("-target", "aarch64-linux-gnu.2.28", "-mcpu=generic"),
        }.items()
    ],
)  # fmt: skip
def test_every_command_names_the_triple_and_cpu_of_its_row(
    target: str, machine: tuple[str, ...]
) -> None:
    plan = plan_for(target)

    commands = [work.arguments for work in (*plan.compiles, plan.version)]
    assert [command[:3] for command in [*commands, plan.link]] == [machine] * 10


def test_the_rows_of_platforms_toml_are_the_ones_this_file_knows() -> None:
    assert set(BY_ID) == {
        "darwin-arm64", "darwin-x86_64", "linux-musl-x86_64", "linux-musl-arm64",
        "debian-openssl-3-x86_64", "debian-openssl-3-arm64", "rhel-x86_64",
        "rhel-arm64",
    }  # fmt: skip


def test_our_files_are_compiled_with_warnings_as_errors_and_no_debug_information() -> (
    None
):
    assert arguments_of(plan_for("rhel-x86_64"), "qe_mem.c") == (
        "-target", "x86_64-linux-gnu.2.28", "-mcpu=x86_64",
        "-c", "-std=c11", "-O2", "-g0", "-fPIC", "-fvisibility=hidden", "-DNDEBUG",
        "-fno-sanitize=all", "-ffile-prefix-map={tree}=.",
        "-D_POSIX_C_SOURCE=200809L",
        "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wstrict-prototypes",
        "-Wmissing-prototypes", "-Werror",
        "-I{tree}/native/src",
    )  # fmt: skip


def test_only_files_of_the_backend_see_its_library() -> None:
    plan = plan_for("rhel-x86_64")

    seeing = [work.name for work in plan.compiles if "{sqlite}" in work.arguments]
    assert seeing == ["qe_sqlite.c", "qe_sqlite_type.c"]


def test_only_the_files_that_know_python_see_its_headers() -> None:
    plan = plan_for("darwin-arm64")

    seeing = [work.name for work in plan.compiles if "{cpython}" in work.arguments]
    limited = [
        work.name
        for work in plan.compiles
        if "-DPy_LIMITED_API=0x03090000" in work.arguments
    ]
    assert seeing == limited == ["_qe_sqlite.c", "py_rows.c", "py_values.c"]


@pytest.mark.parametrize(
    ("target", "is_set"), [("rhel-arm64", True), ("darwin-arm64", False)]
)
def test_an_option_for_one_system_is_set_there_alone(target: str, is_set: bool) -> None:
    options = arguments_of(plan_for(target), "sqlite3.c")

    assert ("-DHAVE_FDATASYNC=1" in options) is is_set
    assert "-DSQLITE_THREADSAFE=2" in options


def test_linux_links_with_immediate_binding_and_one_export() -> None:
    plan = plan_for("linux-musl-arm64")

    assert plan.link == (
        "-target", "aarch64-linux-musl", "-mcpu=generic",
        "-shared", "-s", "-g0", "-fno-sanitize=all",
        "-nostdlib", "-lcompiler_rt", "-Wl,--no-as-needed", "{libc}",
        "-Wl,--version-script={exports}", "-Wl,--gc-sections", "-Wl,--as-needed",
        "-Wl,--build-id=none", "-Wl,-soname,_qe_sqlite.abi3.so",
        "-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,noexecstack",
    )  # fmt: skip
    assert plan.exports == "{ global: PyInit__qe_sqlite; local: *; };\n"


def test_musl_engines_link_with_a_libc_of_the_name_that_machines_have() -> None:
    (libc,) = plan_for("linux-musl-arm64").stand_ins
    assert libc.root == "libc"
    assert libc.name == "libc.musl-aarch64.so.1"
    assert libc.source == ""
    assert libc.arguments("/f") == (
        "-target", "aarch64-linux-musl", "-mcpu=generic",
        "-shared", "-nostdlib", "-s", "-g0", "-fno-sanitize=all",
        "-Wl,-soname,libc.musl-aarch64.so.1", "-Wl,--build-id=none",
        "/f/source.c", "-o", "/f/libc.musl-aarch64.so.1",
    )  # fmt: skip
    assert plan_for("rhel-arm64").stand_ins == ()
    assert "{libc}" not in plan_for("rhel-arm64").link


def test_macos_links_under_the_final_name_with_one_export() -> None:
    plan = plan_for("darwin-x86_64")

    assert "-Wl,-install_name,_qe_sqlite.abi3.so" in plan.link
    assert "-Wl,-undefined,dynamic_lookup" in plan.link
    assert plan.exports == "_PyInit__qe_sqlite\n"


@pytest.mark.parametrize("target", sorted(BY_ID))
def test_a_plan_names_no_folder_of_any_machine(target: str) -> None:
    plan = plan_for(target)

    words = [
        word
        for work in (*plan.compiles, plan.version)
        for word in (work.source, *work.arguments)
    ]
    assert [word for word in [*words, *plan.link] if word.startswith("/")] == []


def test_targets_that_differ_in_tls_alone_have_the_same_sqlite_engine() -> None:
    debian = plan_for("debian-openssl-3-x86_64")

    assert replace(debian, target="rhel-x86_64") == plan_for("rhel-x86_64")


def test_another_backend_changes_nothing_for_the_first() -> None:
    other = Backend("postgres", "qe_postgres", "postgres", ("libpq.c",))
    names = [*NAMES, "qe_postgres.c", "qe_postgres_copy.c"]

    assert SQLITE.own_files(names, [SQLITE, other]) == SQLITE.own_files(NAMES)
    assert other.own_files(names, [SQLITE, other]) == (
        "qe_mem.c", "qe_postgres.c", "qe_postgres_copy.c", "qe_text.c", "qe_version.c",
    )  # fmt: skip


def test_the_version_stands_in_macros_of_one_file() -> None:
    assert version_defines("1.2.3", "abc") == (
        '-DQE_PACKAGE_VERSION="1.2.3"',
        '-DQE_BUILD_ID="abc"',
    )


def test_filling_puts_folders_in_and_leaves_other_braces_alone() -> None:
    roots = {"tree": "/t", "sqlite": "/s"}

    assert filled(("-I{tree}/src", "{sqlite}", "-DX={1}"), roots) == (
        "-I/t/src", "/s", "-DX={1}",
    )  # fmt: skip


def test_an_unknown_backend_is_refused_with_those_there_are() -> None:
    with pytest.raises(BackendUnknown) as caught:
        find_backend("sqlit")

    assert caught.value.code == "ER6014"
    assert caught.value.known == ("sqlite", "postgres")
    assert "`sqlit`" in str(caught.value)
