"""The postgres engine: what it takes of OpenSSL, and which OpenSSL it takes."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import native_targets
from native.audit.elf import read_elf
from native.build.engine import build_engines
from native.build.openssl_functions import (
    CRYPTO_FUNCTIONS,
    SSL_FUNCTIONS,
    SYMBOL_VERSION,
)
from native.build.pins import load_sources
from native.build.report import Report
from native.build.sources import ensure_source

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from engineroom.platforms.target import Target
    from native.build.cache import Cache

BY_ID = {target.id: target for target in TARGETS}
NEEDING = [target for target in TARGETS if target.tls_libraries]
OPENING = [t for t in TARGETS if t.os == "linux" and not t.tls_libraries]
HOST = native_targets()[0]
FUNCTIONS = {
    "libssl.so.3": set(SSL_FUNCTIONS),
    "libcrypto.so.3": set(CRYPTO_FUNCTIONS),
}
# Loads an engine, by the importer and not the loader, and asks it for its TLS library.
ASK = """
import importlib.util, json, sys
{before}
def loaded():
    with open("/proc/self/maps") as maps:
        return sorted({{line.split()[-1] for line in maps if "libssl" in line}})
first = loaded()
spec = importlib.util.spec_from_file_location("_qe_postgres", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
ffi, lib = module.ffi, module.lib
asked = [getattr(lib, f"qe_backend_tls_{{x}}") for x in ("library", "version", "file")]
told = [ffi.string(function()).decode() for function in asked]
print(json.dumps([*told, first, loaded()]))
"""
on_glibc = pytest.mark.skipif(
    HOST.libc != "glibc", reason="runs engines for glibc on this machine"
)


def engine_of(target: Target, cache: Cache) -> Path:
    return build_engines([target], cache, Report(), backends=["postgres"])[0].path


def taken(path: Path) -> dict[str, set[str]]:
    """Return the symbols that an engine takes of each library by its versions."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        file = ELFFile(stream)
        numbers = file.get_section_by_name(".gnu.version")
        needed = {
            version["vna_other"]: library.name
            for library, versions in file.get_section_by_name(
                ".gnu.version_r"
            ).iter_versions()
            for version in versions
        }
        symbols = file.get_section_by_name(".dynsym").iter_symbols()
        found: dict[str, set[str]] = {}
        for index, symbol in enumerate(symbols):
            library = needed.get(numbers.get_symbol(index)["ndx"])
            if library is not None:
                found.setdefault(library, set()).add(symbol.name)
    return found


@pytest.mark.parametrize("target", NEEDING, ids=lambda target: target.id)
def test_it_takes_of_openssl_what_the_list_says_and_from_the_right_library(
    target: Target, cache: Cache
) -> None:
    found = taken(engine_of(target, cache))

    assert {name: found[name] for name in FUNCTIONS} == FUNCTIONS


@pytest.mark.parametrize("target", OPENING, ids=lambda target: target.id)
def test_it_needs_no_openssl_where_it_looks_for_one(
    target: Target, cache: Cache
) -> None:
    elf = read_elf(engine_of(target, cache).read_bytes())

    assert [name for name in elf.libraries if "ssl" in name or "crypto" in name] == []
    assert [name for name in elf.versions if name.startswith("OPENSSL")] == []
    names = {*SSL_FUNCTIONS, *CRYPTO_FUNCTIONS}
    assert names.isdisjoint(elf.loose_imports)


@pytest.mark.parametrize("library", sorted(FUNCTIONS))
def test_every_function_was_in_openssl_3_0_0(library: str, cache: Cache) -> None:
    """As OpenSSL's own list of its symbols has it."""
    source = ensure_source(load_sources()["openssl"], cache, Report())
    text = (source / "util" / f"{library.partition('.')[0]}.num").read_text()
    known = dict(re.findall(r"(?m)^(\w+)\s+\d+\s+(\w+)\s+EXIST::FUNCTION", text))

    version = SYMBOL_VERSION.partition("_")[2].replace(".", "_")
    assert {known[name] for name in FUNCTIONS[library]} == {version}


def ask(path: Path, before: str = "") -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(before=before), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout)
    return told


@on_glibc
@pytest.mark.parametrize("family", ["debian-openssl-3", "rhel"])
def test_it_speaks_with_the_openssl_that_python_has_loaded(
    family: str, cache: Cache
) -> None:
    (target,) = (t for t in TARGETS if (t.family, t.cpu) == (family, HOST.cpu))

    library, version, file, first, then = ask(engine_of(target, cache), "import ssl")

    if not first:
        pytest.skip("this Python has an OpenSSL of its own in it")
    assert (library, version) == ("OpenSSL", ssl.OPENSSL_VERSION.split()[1])
    assert then == first  # and no second one beside it
    assert os.path.samefile(file, first[0])


@on_glibc
def test_it_finds_an_openssl_where_nobody_has_loaded_one(cache: Cache) -> None:
    (target,) = (t for t in TARGETS if (t.family, t.cpu) == ("rhel", HOST.cpu))

    library, version, file, first, then = ask(engine_of(target, cache))

    assert first == []
    assert library == "OpenSSL"
    assert re.match(r"(3|1\.1)\.\d", version)
    assert [os.path.realpath(file)] == then
