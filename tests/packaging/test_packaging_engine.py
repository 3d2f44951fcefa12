"""Compiling for real: what it needs, what it makes again, and how it fails."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom.platforms.binary import read_file
from engineroom.platforms.select import native_targets
from native.audit.elf import read_elf
from native.build.engine import build_engines
from native.build.report import Report
from native.build.sqlite_options import SQLITE_OPTIONS

if TYPE_CHECKING:
    from conftest import Light

    from native.build.cache import Cache

HOST = native_targets()[0]
only_linux = pytest.mark.skipif(HOST.os != "linux", reason="reads ELF files")


def compiled(output: str) -> str:
    """Return how many files a build says it compiled, such as `1 of 19`."""
    found = re.search(r"^compile .*?: (\d+ of \d+) files", output, re.MULTILINE)
    return found.group(1) if found else "none"


@only_linux
def test_an_engine_is_built_where_no_program_can_be_found(light: Light) -> None:
    """PATH is empty and so is the cache: nothing of the machine's own is used."""
    elf = read_elf(light.engine())

    assert elf.exports == (f"PyInit_{elf.name.split('.')[0]}",)
    assert elf.cpu == HOST.cpu


def test_only_what_a_change_reaches_is_compiled_again(light: Light) -> None:
    header = light.tree / "native/src/qe_new.h"
    header.write_text("/* a new header */\n")
    for name in ("qe_text", "qe_mem"):
        include = f'#include "{name}.h"'
        light.edit(f"native/src/{name}.c", include, f'{include}\n#include "qe_new.h"')
    first = light.build("engine")
    ours = (
        path
        for name in ("src", "cffi")
        for path in (light.tree / "native" / name).glob("*.c")
        if not path.name.startswith("qe_postgres")
    )
    total = len(list(ours)) + 1  # and what cffi writes
    assert compiled(first.stdout) == f"{total} of {total}"

    assert compiled(light.build("engine").stdout) == "none"

    light.edit("native/src/qe_text.c", "/*", "/* a change */\n/*")
    assert compiled(light.build("engine").stdout) == f"1 of {total}"

    os.utime(light.tree / "native/src/qe_text.c")
    assert compiled(light.build("engine").stdout) == "none"

    header.write_text("/* a changed header */\n")
    assert compiled(light.build("engine").stdout) == f"2 of {total}"

    light.edit("engine/engineroom/version.py", "0.1.0", "0.1.1")
    assert compiled(light.build("engine").stdout) == f"0 of {total}"


def test_a_damaged_object_or_engine_is_made_again(light: Light) -> None:
    engine = light.engine()
    damaged = [*light.cache.path("engines").rglob("*.so")]
    damaged += list(light.cache.path("objects").rglob("*.o"))[:3]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-1])

    assert light.engine() == engine


def test_a_compiler_error_names_target_file_log_and_a_command_that_repeats_it(
    light: Light,
) -> None:
    light.edit("native/src/qe_text.c", '#include "qe_text.h"', "int broken = ;")

    done = light.build("engine")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"ER6012: `{light.tree}/native/src/qe_text.c`" in done.stderr
    assert f"for `{HOST.id}`" in done.stderr
    assert "error: expected expression" in done.stderr
    log = re.search(r"the whole output: (\S+)", done.stderr)
    assert log is not None
    with open(log.group(1), encoding="utf-8") as file:
        assert "error: expected expression" in file.read()
    command = re.search(r"to repeat it: (.*)", done.stderr)
    assert command is not None
    again = subprocess.run(
        shlex.split(command.group(1)), capture_output=True, text=True, check=False
    )
    assert again.returncode != 0
    assert "error: expected expression" in again.stderr


def test_a_warning_in_our_own_code_is_an_error(light: Light) -> None:
    path = light.tree / "native/src/qe_text.c"
    path.write_text(path.read_text() + "int shorten(long long v) { return v; }\n")

    done = light.build("engine")

    assert done.returncode == 1
    assert "-Wmissing-prototypes" in done.stderr
    assert "shorten-64-to-32" in done.stderr


def test_a_header_of_the_machine_is_refused(light: Light) -> None:
    foreign = light.tree.parent / "foreign.h"
    foreign.write_text("typedef int foreign;\n")
    light.edit(
        "native/src/qe_text.c", '#include "qe_text.h"',
        f'#include "qe_text.h"\n#include "{foreign}"',
    )  # fmt: skip

    done = light.build("engine")

    assert done.returncode == 1
    assert "ER6013" in done.stderr
    assert f"`{foreign}`" in done.stderr


def test_a_contract_changed_on_one_side_alone_does_not_compile(light: Light) -> None:
    light.edit(
        "native/abi/qe_abi.h",
        "int32_t qe_abi_version(void);",
        "int32_t qe_abi_version(int32_t asked);",
    )

    done = light.build("engine")

    assert done.returncode == 1
    assert "conflicting types for 'qe_abi_version'" in done.stderr


def test_a_contract_with_preprocessor_lines_is_refused(light: Light) -> None:
    path = light.tree / "native/abi/qe_abi.h"
    path.write_text(f"#if 1\n{path.read_text()}\n#endif\n")

    done = light.build("engine")

    assert done.returncode == 1
    assert f"ER6011: cffi cannot read `{path}`" in done.stderr


def test_an_unknown_target_is_answered_with_the_nearest_names(light: Light) -> None:
    done = light.build("engine", "--target", "linux-musl-arm46")

    assert done.returncode == 1
    assert "ER1101" in done.stderr
    assert "`linux-musl-arm64`" in done.stderr


def test_an_unknown_backend_is_answered_with_those_there_are(light: Light) -> None:
    done = light.build("engine", "--backend", "oracle")

    assert done.returncode == 1
    assert "ER6014" in done.stderr
    assert "sqlite" in done.stderr


def test_killed_builds_leave_nothing_that_a_later_one_trusts(light: Light) -> None:
    """Kill -9 at several moments, then compare with a build that was let be."""
    command, environment = light.command("engine")
    for seconds in (0.3, 0.6, 1.0, 1.5, 2.0, 2.5):
        with subprocess.Popen(
            command,
            cwd=light.tree,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGKILL)

    recovered = light.engine()

    for name in ("engines", "objects", "headers"):
        light.cache.path(name).rename(light.cache.path(f"old-{name}"))
    assert light.engine() == recovered


def test_two_builds_at_once_share_an_empty_cache(light: Light) -> None:
    command, environment = light.command("engine")
    builds = [
        subprocess.Popen(
            command,
            cwd=light.tree,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [build.communicate()[0] for build in builds]

    assert [build.returncode for build in builds] == [0, 0], outputs
    last = [output.strip().splitlines()[-1] for output in outputs]
    assert last[0] == last[1]


def test_our_files_compile_for_every_target(light: Light, cache: Cache) -> None:
    """With the cache of the machine, where most of it is found."""
    command, environment = light.command("engine", "--target", "all")
    environment["ENGINEROOM_CACHE"] = str(cache.root)
    environment["ENGINEROOM_SOURCES"] = str(light.cache.path("by-hand"))
    done = subprocess.run(
        command,
        cwd=light.tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    built = [
        line.split()[1]
        for line in done.stdout.splitlines()
        if line.startswith("engine ")
    ]
    assert len(built) == 8


@only_linux
def test_two_readers_that_share_no_code_read_the_same_of_the_engine(
    cache: Cache,
) -> None:
    engine = build_engines([HOST], cache, Report())[0]

    loader = read_file(str(engine.path))
    audit = read_elf(engine.path.read_bytes())

    assert json.dumps(
        [loader.cpu, loader.bits, loader.kind, loader.libraries, loader.name,
         sorted(loader.versions), loader.run_paths]
    ) == json.dumps(
        [audit.cpu, audit.bits, audit.kind, audit.libraries, audit.name,
         sorted(audit.versions), audit.run_paths]
    )  # fmt: skip


def test_the_engine_has_the_options_of_the_table() -> None:
    with engineroom.connect("sqlite://:memory:") as connection:
        told = {name for (name,) in connection.execute("PRAGMA compile_options")}
    connection.close()

    # SQLite tells `NAME` for what is 1 and `NAME=2` otherwise, of its own options only.
    silent = {"LIKE_DOESNT_MATCH_BLOBS", "TRACE_SIZE_LIMIT", "ENABLE_DBSTAT_VTAB"}
    wanted = {
        option.name[len("SQLITE_") :]: option.value
        for option in SQLITE_OPTIONS
        if option.name.startswith("SQLITE_") and option.os in ("", HOST.os)
    }
    missing = {
        name
        for name, value in wanted.items()
        if name not in told and f"{name}={value}" not in told
    }
    assert missing <= silent


@pytest.mark.parametrize(
    ("script", "query", "answer"),
    [
        pytest.param(
            "CREATE VIRTUAL TABLE t USING fts5(a); INSERT INTO t VALUES ('red fox')",
            "SELECT a FROM t WHERE t MATCH 'fox'",
            "red fox",
            id="full-text-search",
        ),
        pytest.param(
            "CREATE VIRTUAL TABLE t USING rtree(id, x0, x1);"
            "INSERT INTO t VALUES (7, 0.0, 1.0)",
            "SELECT id FROM t WHERE x0 < 0.5",
            7,
            id="rtree",
        ),
        pytest.param("", "SELECT pow(2, 10)", 1024.0, id="math"),
        pytest.param(
            "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (9)",
            "SELECT median(a) FROM t",
            2.0,
            id="percentile",
        ),
        pytest.param(
            "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (9);"
            "DELETE FROM t ORDER BY a LIMIT 1",
            "SELECT min(a) FROM t",
            2,
            id="delete-limit",
        ),
        pytest.param(
            "CREATE TABLE t (a)",
            "SELECT count(*) > 0 FROM dbstat",
            1,
            id="dbstat",
        ),
    ],
)
def test_what_the_options_promise_is_there(
    script: str, query: str, answer: object
) -> None:
    with engineroom.connect("sqlite://:memory:") as connection:
        connection.executescript(script)
        row = connection.execute(query).fetchone()
    connection.close()

    assert row == (answer,)


def test_double_quotes_are_for_names_alone() -> None:
    with (
        engineroom.connect("sqlite://:memory:") as connection,
        pytest.raises(engineroom.ProgrammingError, match='No such column: "text"'),
    ):
        connection.execute('SELECT "text"')
    connection.close()
