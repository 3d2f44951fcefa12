"""Described machines and small real engines, for the tests below this folder.

`Described` satisfies `engineroom.platforms.probe.Machine`, as `ThisMachine` does;
test_platforms_probe.py asks both the same questions.

An engine here is a cffi module with the five functions of the handshake. It is
compiled once; each variation is a tiny second object with other answers. Loading
happens in a child process, because a module cannot be unloaded from this one.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import zlib

import cffi
import pytest

from engineroom.errors import MalformedBinary
from engineroom.loader.handshake import ABI_VERSION
from engineroom.platforms.binary import Header
from engineroom.platforms.select import native_targets
from engineroom.version import __version__

CDEF = """
int32_t qe_abi_version(void);
const char *qe_package_version(void);
const char *qe_build_id(void);
const char *qe_backend_name(void);
const char *qe_backend_version(void);
"""
ANSWERS = """
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
/* Proof of having been loaded: a file that only the dynamic loader's call can make. */
__attribute__((constructor)) static void mark(void) {{
  const char *path = getenv("TEST_ENGINE_MARK");
  if (path) close(open(path, O_CREAT | O_WRONLY, 0600));
}}
int32_t qe_abi_version(void) {{ return {abi}; }}
const char *qe_package_version(void) {{ return "{version}"; }}
const char *qe_build_id(void) {{ return "{build_id}"; }}
const char *qe_backend_name(void) {{ return "{backend}"; }}
const char *qe_backend_version(void) {{ return "9.9.9"; }}
"""
# A module whose start does what no start should; {body} is what.
BROKEN = """
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
extern void *PyExc_RuntimeError;
void PyErr_SetString(void *kind, const char *text);
void *PyInit__qe_sqlite(void) {{
  {body}
  return NULL;
}}
"""
BODIES = {
    "aborts": "abort();",
    "crashes": "raise(SIGSEGV);",
    "exits": "exit(3);",
    "loops": "for (;;) pause();",
    "raises": 'PyErr_SetString(PyExc_RuntimeError, "no start today");',
}
LOAD = """
import json, os, sys
from engineroom.errors import LoadError
from engineroom.loader.load import find_and_load

def attempts(of):
    return [
        {
            "target": a.target, "path": a.path, "verdict": a.verdict,
            "reason": a.reason, "details": a.details,
        }
        for a in of.attempts
    ]

try:
    engine = find_and_load(sys.argv[1], package_shelf=sys.argv[2])
except LoadError as error:
    found = {
        "class": type(error).__name__, "code": error.code, "cause": error.cause,
        "hint": error.hint, "text": str(error), "attempts": attempts(error),
    }
else:
    found = {
        "target": engine.target, "path": engine.path, "build_id": engine.build_id,
        "abi_version": engine.abi_version, "sha256": engine.sha256,
        "package_version": engine.package_version,
        "backend_version": engine.backend_version, "attempts": attempts(engine),
        "answer": engine.lib.qe_abi_version(),
    }
found["modules"] = sorted(name for name in sys.modules if name.startswith("_qe_"))
print(json.dumps(found))
"""


class Described:
    """A machine that is what its description says."""

    def __init__(
        self,
        *,
        system="linux",
        cpu="x86_64",
        release="6.1.0",
        bits=64,
        confstr="glibc 2.36",
        programs=None,
        files=None,
        maps="",
        ssl="",
        translated=None,
        python=("cpython", "3.11.7", False),
    ):
        self._system = system
        self._cpu = cpu
        self._release = release
        self._bits = bits
        self._confstr = confstr
        # Path of a program: (CPU, interpreter), or what goes wrong when it is read.
        self._programs = {} if programs is None else programs
        # Path of a file: its text, or the CPU and C library of a library.
        self._files = files or {}
        # What is mapped, or what goes wrong when it is read.
        self._maps = maps
        self._ssl = ssl
        self._translated = translated
        self._python = python

    def system(self):
        return self._system

    def kernel_cpu(self):
        return self._cpu

    def kernel_release(self):
        return self._release

    def pointer_bits(self):
        return self._bits

    def libc_answer(self):
        return self._confstr

    def executables(self):
        return tuple(self._programs)

    def header(self, path):
        if path in self._files:
            return self._library(self._files[path])
        program = self._programs[path]
        if isinstance(program, Exception):
            raise program
        if program is None:
            raise MalformedBinary("it is a script")
        cpu, interpreter = program
        header = Header("ELF", cpu, 64, "program")
        header.interpreter = interpreter
        return header

    def _library(self, described):
        if isinstance(described, Exception):
            raise described
        # Empty where it does not matter: a library of this machine's own kind.
        words = {"aarch64": "arm64", "amd64": "x86_64"}
        cpu, libc = described or (words.get(self._cpu, self._cpu), "")
        header = Header("ELF", cpu, 64, "shared library")
        named = {"glibc": ("libc.so.6",), "musl": ("libc.musl-x86_64.so.1",)}
        header.libraries = named.get(libc, ())
        return header

    def has_file(self, path):
        return path in self._files

    def mapped(self):
        if isinstance(self._maps, Exception):
            raise self._maps
        return self._maps

    def ssl_version(self):
        return self._ssl

    def text(self, path):
        if path not in self._files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self._files[path]

    def is_translated(self):
        return self._translated

    def python(self):
        return self._python


@pytest.fixture(scope="session")
def described():
    """The class of described machines."""
    return Described


def zig(*arguments):
    command = [sys.executable, "-m", "ziglang", "cc", "-g0", "-fPIC"]
    subprocess.run([*command, *map(str, arguments)], check=True)


@pytest.fixture(scope="session")
def host():
    """The target of this machine that comes first."""
    return native_targets()[0]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """A folder for what is compiled."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="session")
def make_engine(workshop, host):
    """Make an engine, with these answers to the handshake; the same one only once."""
    made = {}
    module = workshop / "module.o"

    def compile_module():
        maker = cffi.FFI()
        maker.cdef(CDEF)
        maker.set_source("_qe_sqlite", f"#include <stdint.h>\n{CDEF}")
        source = workshop / "module.c"
        maker.emit_c_code(str(source))
        zig(
            "-c",
            "-target",
            host.zig_triple,
            "-DPy_LIMITED_API=0x03090000",
            f"-I{sysconfig.get_path('include')}",
            source,
            "-o",
            module,
        )

    def make(
        *,
        abi=ABI_VERSION,
        version=__version__,
        build_id="b1",
        backend="sqlite",
        links=(),
    ):
        key = (abi, version, build_id, backend, links)
        if key not in made:
            if not module.exists():
                compile_module()
            source = workshop / f"answers-{len(made)}.c"
            source.write_text(
                ANSWERS.format(
                    abi=abi, version=version, build_id=build_id, backend=backend
                )
            )
            out = workshop / str(len(made)) / "_qe_sqlite.abi3.so"
            out.parent.mkdir()
            undefined = ["-undefined", "dynamic_lookup"] if host.os == "darwin" else []
            zig(
                "-shared",
                "-s",
                "-target",
                host.zig_triple,
                module,
                source,
                *links,
                *undefined,
                "-o",
                out,
            )
            made[key] = out
        return made[key]

    return make


@pytest.fixture(scope="session")
def broken_engine(workshop, host):
    """Make an engine whose start `aborts`, `crashes`, `exits`, `loops` or `raises`."""

    def make(what):
        out = workshop / what / "_qe_sqlite.abi3.so"
        if not out.exists():
            out.parent.mkdir()
            source = out.with_suffix(".c")
            source.write_text(BROKEN.format(body=BODIES[what]))
            undefined = ["-undefined", "dynamic_lookup"] if host.os == "darwin" else []
            zig(
                "-shared",
                "-s",
                "-target",
                host.zig_triple,
                source,
                *undefined,
                "-o",
                out,
            )
        return out

    return make


@pytest.fixture(scope="session")
def make_foreign(workshop):
    """Make a library for another system; it needs the libraries that are named."""
    made = {}

    def make(triple, library="", version=""):
        key = (triple, library, version)
        if key not in made:
            folder = workshop / f"foreign-{len(made)}"
            folder.mkdir()
            stub = folder / "stub.c"
            stub.write_text("int stub(void) { return 1; }")
            engine = folder / "engine.c"
            engine.write_text("int stub(void); int answer(void) { return stub(); }")
            inputs = [engine]
            if library:
                linked = [f"-Wl,-soname,{library}"]
                if version:
                    script = folder / "map"
                    script.write_text(f"{version} {{ stub; }};")
                    linked.append(f"-Wl,--version-script={script}")
                so = folder / library
                zig("-shared", "-nostdlib", "-target", triple, stub, *linked, "-o", so)
                inputs.append(so)
            else:
                inputs.append(stub)
            out = folder / "_qe_sqlite.abi3.so"
            zig("-shared", "-nostdlib", "-s", "-target", triple, *inputs, "-o", out)
            made[key] = out
        return made[key]

    return make


class ShelfFolder:
    """A folder of engines with its manifest, as the build makes one."""

    def __init__(self, path):
        self.path = path
        self.rows = []
        path.mkdir(parents=True, exist_ok=True)
        self.write()

    def add(self, target, data, *, backend="sqlite", build_id="b1", instead=None):
        """List `data` as a target's engine; `instead` is what really lies there."""
        name = f"{target}/_qe_{backend}.abi3.so"
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data if instead is None else instead)
        self.list(target, name, data, backend=backend, build_id=build_id)
        return file

    def list(self, target, name, data, *, backend="sqlite", build_id="b1"):
        """List a file without writing it."""
        self.rows.append(
            f"{target},{backend},{name},{len(data)},{zlib.crc32(data):08x},"
            f"{hashlib.sha256(data).hexdigest()},{build_id}"
        )
        self.write()

    def write(self):
        head = [
            f"# engineroom engines, format 1, package {__version__}",
            "target,backend,file,size_bytes,crc32,sha256,build_id",
        ]
        text = "\n".join([*head, *self.rows]) + "\n"
        (self.path / "manifest.csv").write_text(text)


@pytest.fixture
def shelf(tmp_path):
    """An empty folder of engines."""
    return ShelfFolder(tmp_path / "engines")


@pytest.fixture
def load(tmp_path):
    """Load a backend's engine in a child process and tell what happened.

    `before` is Python to run first, `within` a command that is given another to run.
    """

    def run(folder, *, backend="sqlite", before="", within=(), **settings):
        mark = tmp_path / "mark"
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ENGINEROOM_")
        }
        # Nothing of this machine's user is found unless a test says so.
        environment.update(TEST_ENGINE_MARK=str(mark), XDG_DATA_HOME="/none")
        environment.update(settings)
        done = subprocess.run(
            [
                *within,
                *(sys.executable, "-W", "error", "-c", f"import sys\n{before}\n{LOAD}"),
                *(backend, str(folder)),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        # Whether any engine's code ran, whatever the loader says about it.
        found["ran"] = mark.exists()
        mark.unlink(missing_ok=True)
        return found

    return run


@pytest.fixture(scope="session")
def namespace():
    """The command that gives a process mounts of its own."""
    for words in (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount")):
        try:
            done = subprocess.run([*words, "true"], capture_output=True, check=False)
        except FileNotFoundError:
            pytest.skip("this machine has no `unshare`")
        if done.returncode == 0:
            return words
    pytest.skip("this machine lets this user mount nothing")


@pytest.fixture
def mounted(namespace):
    """A command that runs a shell script with `$1`, ... and then what it is given."""

    def within(script, *words):
        then = f'{script}; shift {len(words)}; exec "$@"'
        return (*namespace, "sh", "-ec", then, "sh", *map(str, words))

    return within
