"""Compiles and runs the C tests under sanitisers, with a compiler of the machine.

Each `test_*.c` is a program of its own, and so is each `fuzz_*.c`, which runs for some
seconds from a fixed seed. Those in `native/test` are linked with SQLite's engine and
the other files there; those in `native/test/pipe` with PostgreSQL's, and in place of
libpq with a server that is a script, so that every byte of it can be decided. Here zig
would not do: it has no address sanitiser. A second compiler also reads our C with other
eyes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.version import __version__
from native.build import ROOT
from native.build.backends import find_backend
from native.build.engine import job_count
from native.build.errors import ToolUnusable
from native.build.logs import Logs
from native.build.objects import Roots, Workshop
from native.build.pins import load_sources
from native.build.plan import POSIX, WARNINGS, Compile, version_defines
from native.build.sources import ensure_source
from native.build.toolchain import Toolchain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from native.build.cache import Cache
    from native.build.objects import Object
    from native.build.report import Report

__all__ = ["SANITISERS", "Outcome", "Sanitiser", "find_compiler", "run_native_tests"]

_TEST_SECONDS = 300
# How the names of files begin that are programs of their own.
_PROGRAMS = ("test_", "fuzz_")
# Of another backend's files those that include no library: wire values and types.
_WIRE_FILES = tuple(
    f"native/src/qe_postgres_{name}.c"
    for name in (
        "array_text", "copy_value", "decode", "encode", "nested", "network", "numeric",
        "type", "type_table",
    )
)  # fmt: skip
_COMMON = ("-c", "-std=c11", "-O1", "-g", "-fno-omit-frame-pointer", "-DQE_TEST_ALLOC")


@dataclass(frozen=True)
class Sanitiser:
    """One way of watching a program.

    Attributes:
        name: what it watches.
        flags: for the compiler and the linker.
        environment: how it is told to end the program at the first finding.
    """

    name: str
    flags: tuple[str, ...]
    environment: Mapping[str, str]


SANITISERS = (
    Sanitiser(
        "address+undefined",
        ("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
        {
            # Apple's compiler has no leak sanitiser and refuses to be asked for it.
            "ASAN_OPTIONS": f"detect_leaks={int(sys.platform == 'linux')}",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        },
    ),
    Sanitiser("thread", ("-fsanitize=thread",), {"TSAN_OPTIONS": "halt_on_error=1"}),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one test program.

    Attributes:
        test: the name of its file.
        sanitiser: what watched it.
        is_passed: whether it ended with 0 and nothing was found.
        output: all that it wrote.
    """

    test: str
    sanitiser: str
    is_passed: bool
    output: str


def find_compiler() -> Toolchain:
    """Return the machine's C compiler: what CC names, or gcc, or clang.

    gcc first, because it always brings its sanitisers; Debian's clang does not.

    Raises:
        ToolUnusable: there is none.
    """
    named = os.environ.get("CC")
    for name in (named,) if named else ("gcc", "clang", "cc"):
        path = shutil.which(name)
        if path:
            told = subprocess.run(
                [path, "--version"], capture_output=True, text=True, check=True
            )
            return Toolchain(
                name=told.stdout.splitlines()[0],
                command=(path,),
                environment=dict(os.environ),
                library=None,
            )
    raise ToolUnusable(
        named or "cc",
        "no C compiler is installed",
        hint="install gcc or clang with its sanitisers, such as Debian's package gcc",
    )


def run_native_tests(
    cache: Cache,
    report: Report,
    *,
    sanitisers: Sequence[Sanitiser] = SANITISERS,
    only: Sequence[str] = (),
    tree: Path = ROOT,
) -> tuple[Outcome, ...]:
    """Run each C test under each sanitiser.

    Args:
        cache: where objects are kept.
        report: told each outcome.
        sanitisers: rows of `SANITISERS`.
        only: names of tests, without `.c`; all if empty.
        tree: the checkout.

    Raises:
        BuildError: the tests cannot be built.
    """
    compiler = find_compiler()
    report.step("compiler", compiler.name)
    outcomes: list[Outcome] = []
    runs = [(sanitiser, kind) for sanitiser in sanitisers for kind in _KINDS]
    with ThreadPoolExecutor(job_count()) as pool, cache.scratch() as scratch:
        for number, (sanitiser, kind) in enumerate(runs):
            files = sorted((tree / kind.folder).glob("*.c"))
            tests = [path for path in files if path.name.startswith(_PROGRAMS)]
            chosen = [path.name for path in tests if not only or path.stem in only]
            if not chosen:
                continue
            folder = scratch / str(number)
            folder.mkdir()
            bench = _Bench(cache, report, compiler, sanitiser, kind, tree, folder)
            shared = list(pool.map(bench.compile, bench.shared_files()))
            run = partial(bench.run, shared=shared)
            for outcome in pool.map(run, chosen):
                outcomes.append(outcome)
                word = "passed" if outcome.is_passed else "FAILED"
                report.step(word, f"{outcome.test} ({outcome.sanitiser})")
                if not outcome.is_passed:
                    report.line(outcome.output.rstrip())
    return tuple(outcomes)


@dataclass(frozen=True)
class _Kind:
    """What test programs of one folder are linked with.

    Attributes:
        folder: where they are; its other files are linked into all of them.
        backend: whose engine it is.
        foreign: whether the database's library is compiled too.
        more: files of other folders that are linked as well.
        left_out: how the names of the engine's files begin that are not.
        defines: macros for all of them.
    """

    folder: str
    backend: str
    foreign: bool
    more: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()


_KINDS = (
    _Kind("native/test", "sqlite", foreign=True, more=_WIRE_FILES),
    _Kind(
        "native/test/pipe",
        "postgres",
        foreign=False,
        more=("native/test/check.c",),
        left_out=("qe_postgres_scram", "qe_postgres_tls"),
        defines=("-DQE_WITHOUT_OPENSSL",),
    ),
)


class _Bench:
    """Compiles and runs one kind of programs under one sanitiser."""

    def __init__(
        self,
        cache: Cache,
        report: Report,
        compiler: Toolchain,
        sanitiser: Sanitiser,
        kind: _Kind,
        tree: Path,
        folder: Path,
    ) -> None:
        self._kind = kind
        self._backend = find_backend(kind.backend)
        source = load_sources()[self._backend.source]
        folders = {
            "tree": str(tree),
            source.name: str(ensure_source(source, cache, report)),
        }
        roots = Roots(folders=folders, digests={source.name: source.digest})
        self._workshop = Workshop(cache, compiler, roots, Logs(cache))
        self._sanitiser = sanitiser
        self._tree = tree
        self._folder = folder

    def shared_files(self) -> list[Compile]:
        """Return what every test program is linked with, the longest work first."""
        backend, kind = self._backend, self._kind
        common = (*_COMMON, *self._sanitiser.flags)
        foreign = [
            Compile(
                f"{{{backend.source}}}/{name}",
                name,
                (*common, "-w", *backend.source_defines(_os_name())),
            )
            for name in backend.source_files
        ]
        sources = (path.name for path in (self._tree / "native" / "src").iterdir())
        ours = [
            f"native/src/{name}"
            for name in backend.own_files(sources)
            if not name.startswith(kind.left_out)
        ]
        helpers = [
            f"{kind.folder}/{path.name}"
            for path in sorted((self._tree / kind.folder).glob("*.c"))
            if not path.name.startswith(_PROGRAMS)
        ]
        own = [self._own(path) for path in (*ours, *kind.more, *helpers)]
        return [*(foreign if kind.foreign else ()), *own]

    def compile(self, work: Compile) -> Object:
        """Compile a file, or find its object."""
        return self._workshop.compile(self._sanitiser.name, work)

    def run(self, name: str, shared: Sequence[Object]) -> Outcome:
        """Link a test program and run it."""
        own = self.compile(self._own(f"{self._kind.folder}/{name}"))
        program = self._folder / Path(name).stem
        objects = [str(item.path) for item in (own, *shared)]
        libraries = ["-lpthread", "-lm", "-ldl"]
        self._workshop.run(
            self._sanitiser.name,
            name,
            [*self._sanitiser.flags, *objects, *libraries, "-o", str(program)],
            self._folder,
        )
        return self._outcome(name, program)

    def _outcome(self, name: str, program: Path) -> Outcome:
        try:
            done = subprocess.run(
                [*_without_random_addresses(), str(program)],
                env={**os.environ, **self._sanitiser.environment},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_TEST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            output = f"it ran for over {_TEST_SECONDS} s and was ended"
            return Outcome(name, self._sanitiser.name, is_passed=False, output=output)
        output = done.stdout + (
            f"exit code {done.returncode}" if done.returncode else ""
        )
        return Outcome(name, self._sanitiser.name, done.returncode == 0, output)

    def _own(self, path: str) -> Compile:
        folders = self._backend.headers
        return Compile(
            f"{{tree}}/{path}",
            Path(path).name,
            (
                *(*_COMMON, *self._sanitiser.flags, POSIX, *WARNINGS),
                "-I{tree}/native/src",
                *(word for folder in folders for word in ("-isystem", folder)),
                *self._kind.defines,
                *version_defines(__version__, "test"),
            ),
        )


def _os_name() -> str:
    return os.uname().sysname.lower()


def _without_random_addresses() -> tuple[str, ...]:
    """The thread sanitiser of older compilers fails on kernels that shuffle far."""
    setarch = shutil.which("setarch")
    return (setarch, os.uname().machine, "-R") if setarch else ()
