"""The audit's judgement of an engine: each fault alone makes exactly its check bad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engineroom.platforms.rows import TARGETS
from native.build.audit import Check, check_elf, refuse_bad, table
from native.build.elf import Elf, read_elf
from native.build.errors import AuditFailed

BY_ID = {target.id: target for target in TARGETS}
GOOD = Elf(
    bits=64,
    cpu="x86_64",
    kind="shared library",
    libraries=("libc.so.6", "libm.so.6"),
    versions=("GLIBC_2.14", "GLIBC_2.2.5", "GLIBC_2.28"),
    name="_qe_sqlite.abi3.so",
    run_paths=(),
    exports=("PyInit__qe_sqlite",),
    loose_imports=("PyList_New", "_Py_Dealloc"),
    has_text_relocations=False,
    is_stack_executable=False,
    is_relocation_read_only=True,
    is_bound_now=True,
    debug_sections=(),
)


def bad_checks(elf: Elf, target: str) -> list[str]:
    checks = check_elf("engine", elf, BY_ID[target])
    return [check.name for check in checks if check.verdict == "BAD"]


def test_a_good_engine_has_no_bad_check() -> None:
    assert bad_checks(GOOD, "rhel-x86_64") == []


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        pytest.param({"bits": 32}, "file type", id="32-bit"),
        pytest.param({"kind": "program"}, "file type", id="program"),
        pytest.param({"cpu": "arm64"}, "CPU", id="other-cpu"),
        pytest.param(
            {"libraries": ("libc.so.6", "libssl.so.3")},
            "needed libraries",
            id="foreign-library",
        ),
        pytest.param({"libraries": ()}, "needed libraries", id="no-library-at-all"),
        pytest.param(
            {"versions": ("GLIBC_2.2.5", "GLIBC_2.29")}, "glibc needed", id="glibc-2.29"
        ),
        pytest.param({"versions": ("GLIBC_2.100",)}, "glibc needed", id="glibc-2.100"),
        pytest.param(
            {"versions": ("GLIBC_PRIVATE",)}, "glibc needed", id="private-symbols"
        ),
        pytest.param({"versions": ()}, "glibc needed", id="no-glibc-symbols"),
        pytest.param(
            {"loose_imports": ("PyList_New", "sqlite3_open")},
            "open symbols",
            id="missing-symbol",
        ),
        pytest.param(
            {"exports": ("PyInit__qe_sqlite", "sqlite3_open")}, "exports", id="leak"
        ),
        pytest.param({"exports": ()}, "exports", id="no-init-function"),
        pytest.param({"run_paths": ("/opt/lib",)}, "run path", id="run-path"),
        pytest.param(
            {"has_text_relocations": True}, "text relocations", id="text-relocations"
        ),
        pytest.param(
            {"is_stack_executable": True}, "executable stack", id="executable-stack"
        ),
        pytest.param({"is_relocation_read_only": False}, "RELRO", id="no-relro"),
        pytest.param({"is_bound_now": False}, "bound when loaded", id="lazy-binding"),
        pytest.param(
            {"debug_sections": (".debug_info",)}, "debug information", id="debug"
        ),
    ],
)
def test_each_fault_makes_its_own_check_bad(
    fault: dict[str, object], check: str
) -> None:
    assert bad_checks(replace(GOOD, **fault), "rhel-x86_64") == [check]  # type: ignore[arg-type] # one field of the table


def test_an_engine_under_another_name_has_neither_name_nor_init_function() -> None:
    elf = replace(GOOD, name="_qe_other.abi3.so")

    assert bad_checks(elf, "rhel-x86_64") == ["exports", "own name"]


def test_a_musl_engine_may_name_musl_as_its_linker_does() -> None:
    elf = replace(GOOD, libraries=("libc.so",), versions=(), loose_imports=())

    assert bad_checks(elf, "linux-musl-x86_64") == []
    assert bad_checks(elf, "rhel-x86_64") == ["needed libraries", "glibc needed"]


def test_a_glibc_engine_is_no_musl_engine() -> None:
    assert bad_checks(GOOD, "linux-musl-x86_64") == ["needed libraries", "glibc needed"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"MZ\x90\x00" * 100, id="windows"),
        pytest.param(b"\x7fELF\x02\x01\x01" + bytes(57), id="header-of-zeros"),
        pytest.param(b"\x7fELF\x02\x01\x01" + b"\xff" * 200, id="header-of-ones"),
    ],
)
def test_what_is_no_elf_file_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_elf(data)


def test_bad_checks_refuse_the_wheel_and_name_themselves() -> None:
    checks = [
        Check("rhel-x86_64 sqlite", "CPU", "x86_64", "ok"),
        Check("rhel-x86_64 sqlite", "run path", "/opt", "BAD"),
        Check("darwin-arm64 sqlite", "format", "Mach-O", "skipped"),
    ]

    with pytest.raises(AuditFailed) as caught:
        refuse_bad(Path("x.whl"), checks)

    assert caught.value.code == "ER6030"
    assert caught.value.findings == (("rhel-x86_64 sqlite", "run path", "/opt"),)
    assert "rhel-x86_64 sqlite: run path: /opt" in str(caught.value)
    refuse_bad(Path("x.whl"), checks[::2])


def test_the_table_has_a_block_for_each_subject() -> None:
    checks = [Check("a", "CPU", "x86_64", "ok"), Check("b", "run path", "/opt", "BAD")]

    assert table(checks) == (
        "a\n  ok       CPU       x86_64\nb\n  BAD      run path  /opt"
    )
