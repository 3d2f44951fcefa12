"""Small cffi modules for macOS, made with a fault in them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from native.build import ROOT
from native.build.pins import load_sources
from native.build.report import Report
from native.build.sources import ensure_source
from native.build.toolchain import find_zig
from native.cffi.generate import module_source

from .conftest import DARWIN

if TYPE_CHECKING:
    from pathlib import Path

    from native.build.cache import Cache


def make_sample(
    folder: Path, cache: Cache, cpu: str, declarations: str, answer: str
) -> Path:
    """Compile a module `_sample` whose function `sample_answer` gives an expression."""
    prelude = (
        "#include <alloca.h>\n#include <stdlib.h>\n#include <string.h>\n"
        f"{declarations}\nstatic int sample_answer(void) {{ return {answer}; }}\n"
    )
    text = module_source("int sample_answer(void);", "_sample", prelude)
    source = folder / "_sample.c"
    source.write_text(text, encoding="utf-8")
    made = folder / "_sample.abi3.so"
    zig = find_zig(cache)
    python = ensure_source(load_sources()["cpython"], cache, Report())
    target = DARWIN[cpu]
    subprocess.run(
        [
            *(*zig.command, "-target", target.zig_triple, f"-mcpu={target.zig_cpu}"),
            *("-shared", "-O1", "-fno-sanitize=all", "-Wno-date-time"),
            "-DPy_LIMITED_API=0x03090000",
            *("-isystem", str(ROOT / "native/cffi/include"), "-isystem", str(python)),
            "-Wl,-undefined,dynamic_lookup",
            *(str(source), "-o", str(made)),
        ],
        env=zig.environment,
        capture_output=True,
        check=True,
    )
    return made
