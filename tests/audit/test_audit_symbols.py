"""The lists of symbols that engines may leave open are the right ones."""

from __future__ import annotations

import pytest

from native.audit.availability import newer_symbols
from native.audit.symbols import MUSL_FILE, libsystem, musl, stable_abi
from tests.audit.binaries import INTEL, MAC


@pytest.mark.parametrize("cpu", ["x86_64", "arm64"])
def test_the_list_of_musl_has_what_1_2_0_has_and_nothing_later(cpu: str) -> None:
    names = musl(cpu)

    assert {"getenv", "preadv", "__errno_location", "pthread_create"} <= names
    # Each came with the version it stands under.
    assert names.isdisjoint(
        ["_Fork", "gettid", "reallocarray", "tcgetwinsize", "tcsetwinsize"]  # 1.2.2
    )
    assert names.isdisjoint(["pthread_getname_np", "qsort_r"])  # 1.2.3
    assert names.isdisjoint(["preadv2", "pwritev2", "renameat2", "statx"])  # 1.2.5
    assert "getauxval" in names
    assert "strlcpy" in names


def test_the_list_of_musl_knows_what_only_one_cpu_has() -> None:
    assert musl("x86_64") - musl("arm64") == {"arch_prctl", "ioperm", "iopl"}
    assert musl("arm64") < musl("x86_64")
    assert len(musl("x86_64")) == 1697


def test_the_list_of_musl_is_sorted_and_has_no_name_twice() -> None:
    lines = MUSL_FILE.read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if not line.startswith("#")]

    assert names == sorted(set(names))


def test_the_stable_abi_ends_at_the_lowest_python() -> None:
    names = stable_abi()

    assert {"PyList_New", "_Py_Dealloc", "PyExc_ValueError", "_Py_NoneStruct"} <= names
    assert "PyObject_GetBuffer" not in names  # 3.11
    assert "PyUnicode_EqualToUTF8" not in names  # 3.13
    assert "PyList_Invented" not in names


@pytest.mark.parametrize("cpu", ["x86_64", "arm64"])
def test_libsystem_has_what_it_passes_on_from_other_libraries(cpu: str) -> None:
    names = libsystem(cpu)

    assert {"_getenv", "_memcpy", "_pthread_create", "dyld_stub_binder"} <= names
    assert "_PyList_New" not in names
    assert "_deflate" not in names
    assert not [name for name in names if name.startswith("$ld$")]


def test_libsystem_differs_by_cpu() -> None:
    assert "R8289209$_close" in libsystem("x86_64")
    assert "R8289209$_close" not in libsystem("arm64")


def test_the_headers_know_since_when_a_symbol_is_there() -> None:
    asked = frozenset({"_aligned_alloc", "_getenv", "_strchrnul", "_open$INODE64"})

    assert newer_symbols(asked, INTEL) == ("aligned_alloc (10.15)", "strchrnul (15.4)")
    assert newer_symbols(asked, MAC) == ("strchrnul (15.4)",)
