"""Which C file may include what: the levels of native/ and the borders between them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from native.build import ROOT
from native.build.backends import BACKENDS

if TYPE_CHECKING:
    from collections.abc import Iterator

NATIVE = ROOT / "native"
# Libraries of backends: their headers may be seen by the backend's own files alone.
LIBRARIES = {"sqlite3.h": "qe_sqlite", "libpq-fe.h": "qe_postgres"}
# Shared files that every level above stands on.
LOWEST = ("qe_error", "qe_mem", "qe_text", "qe_temporal", "qe_column")


def includes(*folders: str) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in sorted((NATIVE / folder).glob("*.[ch]")):
            for name in re.findall(
                r'(?m)^\s*#\s*include\s*[<"]([^>"]+)', path.read_text()
            ):
                yield path.name, Path(name).name


def test_the_rules_have_something_to_look_at() -> None:
    assert ("py_rows.c", "py.h") in includes("cffi")
    assert ("qe_sqlite.h", "sqlite3.h") in includes("src")


def test_python_is_included_through_one_header_of_one_folder() -> None:
    found = [
        file for file, name in includes("src", "cffi", "abi") if name == "Python.h"
    ]
    seeing = {file for file, name in includes("src", "cffi", "abi") if name == "py.h"}

    assert found == ["py.h"]
    assert seeing == {path.name for path in (NATIVE / "cffi").glob("*.c")}


@pytest.mark.parametrize("header", sorted(LIBRARIES))
def test_a_library_is_seen_by_its_own_backend_alone(header: str) -> None:
    found = {file for file, name in includes("src", "cffi") if name == header}

    assert {file for file in found if not file.startswith(LIBRARIES[header])} == set()


def test_no_backend_includes_another_and_shared_files_include_none() -> None:
    prefixes = {backend.prefix for backend in BACKENDS.values()} | {"qe_postgres"}

    def backend_of(name: str) -> str:
        return next((p for p in prefixes if name.startswith(p)), "")

    crossing = [
        (file, name)
        for file, name in includes("src", "cffi")
        if backend_of(name) and backend_of(file) != backend_of(name)
    ]
    assert crossing == []


def test_the_lowest_files_include_each_other_and_nothing_above() -> None:
    allowed = {"qe.h", "qe_port.h", *(f"{name}.h" for name in LOWEST)}

    above = [
        (file, name)
        for file, name in includes("src")
        if Path(file).stem in LOWEST and name.startswith("qe") and name not in allowed
    ]
    assert above == []


def test_the_contract_has_no_preprocessor_lines() -> None:
    text = (NATIVE / "abi" / "qe_abi.h").read_text()

    assert re.findall(r"(?m)^\s*#.*$", text) == []
