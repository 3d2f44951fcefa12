"""Binaries made wrong on purpose: the audit has to see it in the bytes."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.rows import TARGETS
from native.build.audit import check_elf
from native.build.elf import read_elf
from native.build.toolchain import find_zig

if TYPE_CHECKING:
    from pathlib import Path

    from native.build.cache import Cache

TARGET = next(target for target in TARGETS if target.id == "rhel-x86_64")
SOURCE = """
#include <string.h>
#include <stdlib.h>
extern void *PyModule_Create2(void *, int);
__attribute__((visibility("default"))) void *PyInit__qe_sqlite(void) {
  char *text = getenv("HOME");
  return text && strlen(text) > 3 ? PyModule_Create2(text, 3) : NULL;
}
int visible(void) { return 1; }
"""
GOOD = (
    "-shared", "-s", "-g0", "-fvisibility=hidden", "-Wl,-soname,_qe_sqlite.abi3.so",
    "-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,noexecstack", "-Wl,--build-id=none",
)  # fmt: skip


def make(
    tmp_path: Path, cache: Cache, flags: tuple[str, ...], source: str = SOURCE
) -> bytes:
    zig = find_zig(cache)
    path = tmp_path / "made.c"
    path.write_text(source)
    made = tmp_path / "_qe_sqlite.abi3.so"
    machine = ("-target", TARGET.zig_triple, "-fPIC", "-O2")
    subprocess.run(
        [*zig.command, *machine, *flags, str(path), "-o", str(made)],
        env=zig.environment,
        capture_output=True,
        check=True,
    )
    return made.read_bytes()


def bad_checks(data: bytes) -> list[str]:
    checks = check_elf("made", read_elf(data), TARGET)
    return [check.name for check in checks if check.verdict == "BAD"]


def without(*flags: str) -> tuple[str, ...]:
    assert set(flags) <= set(GOOD)
    return tuple(flag for flag in GOOD if flag not in flags)


def test_a_binary_made_right_has_nothing_bad(tmp_path: Path, cache: Cache) -> None:
    assert bad_checks(make(tmp_path, cache, GOOD)) == []


@pytest.mark.parametrize(
    ("flags", "check"),
    [
        pytest.param((*without("-s", "-g0"), "-g"), "debug information", id="debug"),
        pytest.param(
            (*without("-Wl,-z,now"), "-Wl,-z,lazy"), "bound when loaded", id="lazy"
        ),
        pytest.param(
            (*without("-Wl,-z,relro"), "-Wl,-z,norelro"), "RELRO", id="no-relro"
        ),
        pytest.param(without("-fvisibility=hidden"), "exports", id="leak"),
        pytest.param((*GOOD, "-Wl,-rpath,/opt/lib"), "run path", id="run-path"),
    ],
)
def test_a_binary_made_wrong_is_seen(
    tmp_path: Path, cache: Cache, flags: tuple[str, ...], check: str
) -> None:
    assert bad_checks(make(tmp_path, cache, flags)) == [check]


def test_a_binary_that_asks_for_an_executable_stack_is_seen(
    tmp_path: Path, cache: Cache
) -> None:
    """The compiler knows no option for it, so its answer is changed."""
    data = make(tmp_path, cache, GOOD)
    header = data.index(struct.pack("<I", 0x6474E551))  # PT_GNU_STACK
    (flags,) = struct.unpack_from("<I", data, header + 4)
    changed = bytearray(data)
    struct.pack_into("<I", changed, header + 4, flags | 1)

    assert bad_checks(bytes(changed)) == ["executable stack"]


def test_a_symbol_that_nothing_provides_is_seen(tmp_path: Path, cache: Cache) -> None:
    source = SOURCE.replace("strlen(text)", "forgotten(text)").replace(
        "extern void", "extern int forgotten(char *);\nextern void"
    )

    assert bad_checks(make(tmp_path, cache, GOOD, source)) == ["open symbols"]


def test_a_libc_newer_than_the_floor_is_seen(tmp_path: Path, cache: Cache) -> None:
    newer = ("-target", "x86_64-linux-gnu.2.38")
    source = SOURCE.replace("strlen(text)", "strlcpy(text, text, 3)")

    assert bad_checks(make(tmp_path, cache, (*GOOD, *newer), source)) == [
        "glibc needed"
    ]
