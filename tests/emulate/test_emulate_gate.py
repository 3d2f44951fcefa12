"""Every darwin engine passes the gate, and one with a fault does not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from engineroom.loader.handshake import ABI_VERSION
from native.build import ROOT

from .samples import make_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from native.build.cache import Cache

LAST_STEP = "nothing left"


def gate(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "native.emulate", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def failure(engine: Path) -> str:
    """Return the step that an engine failed, and how."""
    done = gate(engine)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = [x for x in done.stdout.splitlines() if x.startswith("  BAD")]
    return re.sub(r"\s+", " ", line.strip())


def test_the_engine_of_this_tree_passes_every_step(
    engine: Path, tmp_path: Path
) -> None:
    done = gate("--json", tmp_path / "report.json", engine)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["note"] == "executed under emulation, not tested on macOS"
    (entry,) = report["engines"]
    assert entry["passed"] is True
    assert {check["verdict"] for check in entry["checks"]} == {"ok"}
    assert entry["checks"][-1]["name"] == LAST_STEP


@pytest.mark.parametrize("cpu", ["arm64"], indirect=True)
def test_a_flipped_byte_fails_the_signature(engine: Path, tmp_path: Path) -> None:
    data = bytearray(engine.read_bytes())
    data[len(data) // 2] ^= 1
    changed = tmp_path / engine.name
    changed.write_bytes(data)
    assert failure(changed).startswith("BAD code signature 1 of ")


@pytest.mark.parametrize("cpu", ["x86_64"], indirect=True)
def test_a_flipped_byte_without_a_signature_fails_the_manifest(
    engine: Path, tmp_path: Path
) -> None:
    """The x86-64 engine carries no signature; the wheel's list has its hash."""
    data = bytearray(engine.read_bytes())
    wheel = tmp_path / "engineroom-0.1.0-cp39-abi3-macosx_10_13_x86_64.whl"
    name = f"darwin-x86_64/{engine.name}"
    data[len(data) // 2] ^= 1
    write_wheel(wheel, name, bytes(data), engine.read_bytes())
    assert failure(wheel).startswith("BAD manifest sha256 ")


def write_wheel(wheel: Path, name: str, data: bytes, listed: bytes) -> None:
    from hashlib import sha256

    digest = sha256(listed).hexdigest()
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in ("loader/handshake.py", "version.py"):
            archive.write(ROOT / "engine" / "engineroom" / file, f"engineroom/{file}")
        archive.writestr(
            "engineroom/engines/manifest.csv",
            "# engineroom engines\n"
            "target,backend,file,size_bytes,crc32,sha256,build_id\n"
            f"darwin-x86_64,sqlite,{name},{len(listed)},0,{digest},\n",
        )
        archive.writestr(f"engineroom/engines/{name}", data)


def test_a_truncated_file_is_refused(engine: Path, tmp_path: Path) -> None:
    cut = tmp_path / engine.name
    data = engine.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    assert re.match(r"BAD file ImageRefused: .*segment \w+ ends at byte", failure(cut))


def test_a_symbol_that_no_library_has_fails(
    cpu: str, tmp_path: Path, cache: Cache
) -> None:
    sample = make_sample(
        tmp_path, cache, cpu, "extern int nobody_has_this(void);", "nobody_has_this()"
    )
    assert failure(sample) == "BAD symbols no library has _nobody_has_this"


def test_another_abi_number_fails_the_handshake(
    faulty_engine: Callable[..., Path],
) -> None:
    engine = faulty_engine(
        "native/src/qe_version.c",
        "int32_t qe_abi_version(void) {\n  return 2;",
        "int32_t qe_abi_version(void) {\n  return 99;",
    )
    assert failure(engine) == f"BAD handshake ABI 99, not {ABI_VERSION}"


def test_a_write_past_a_block_fails_and_says_where(
    faulty_engine: Callable[..., Path],
) -> None:
    """One byte behind the copy of a text, which no test of values would notice."""
    engine = faulty_engine(
        "native/src/qe_arrow.c",
        "  memory->name = qe__copy_text(name, (int64_t)strlen(name));",
        "  memory->name = qe__copy_text(name, (int64_t)strlen(name));\n"
        "  if (memory->name) memory->name[strlen(name) + 1] = 1;",
    )
    found = failure(engine)
    assert "HeapDamaged" in found
    assert "bytes 0 to 0 behind it at 0x" in found


def test_memory_that_is_not_freed_fails(faulty_engine: Callable[..., Path]) -> None:
    engine = faulty_engine(
        "native/src/qe_arrow.c", "  qe__free(memory->name);\n", "  (void)0;\n"
    )
    assert re.match(
        rf"BAD {LAST_STEP} \d+ blocks of \d+ bytes are left on the heap",
        failure(engine),
    )


def test_a_reference_that_is_not_given_back_fails(
    faulty_engine: Callable[..., Path],
) -> None:
    engine = faulty_engine(
        "native/cffi/py_execute.c",
        "  Py_INCREF(sql);\n  self->sql = sql;",
        "  Py_INCREF(sql);\n  Py_INCREF(sql);\n  self->sql = sql;",
    )
    assert re.match(rf"BAD {LAST_STEP} str .*: \+\d references", failure(engine))


def test_a_file_that_is_no_engine_of_macos_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.so"
    path.write_bytes(b"\x7fELF and more")
    done = gate(path)
    assert done.returncode == 1
    assert "ER6707" in done.stderr
    assert "is neither a wheel nor an engine of macOS" in done.stderr
