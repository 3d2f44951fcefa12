"""From a target to command lines. Pure: reads no file, knows no machine.

Paths are written with the name of a root in front, such as `{tree}/native/src/qe.c`;
`filled` puts the folders of a machine in. What is named by the lines before that is
the same on every machine, and so are the names under which results are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from native.build.openssl_options import FILE_WORDS
from native.build.stand_in import StandIn
from native.build.tls import TLS_FILES, tls_defines, tls_stand_ins

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engineroom.platforms.target import Target
    from native.build.backends import Backend
    from native.build.openssl import OpenSSLFile

__all__ = ["Compile", "Plan", "filled", "make_plan", "version_defines"]

VERSION_FILE = "qe_version.c"

WARNINGS = (
    "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wstrict-prototypes",
    "-Wmissing-prototypes", "-Werror",
)  # fmt: skip

# -O2 is what zig makes of -O3 too. The compiler's own -O3 can be had with -Xclang: the
# engine grows by a tenth and a scan is no faster.
#
# zig would otherwise add a sanitizer to code that is not optimised, and debug info.
# -ffile-prefix-map keeps the names of folders out, wherever the build stands.
COMMON = (
    "-c", "-std=c11", "-O2", "-g0", "-fPIC", "-fvisibility=hidden", "-DNDEBUG",
    "-fno-sanitize=all", "-ffile-prefix-map={tree}=.",
)  # fmt: skip

# Strict C11 declares no clock, thread or sleep; ours use those of POSIX and no others.
POSIX = "-D_POSIX_C_SOURCE=200809L"
LIMITED_API = "-DPy_LIMITED_API=0x03090000"
# Our own pyconfig.h stands before CPython's headers, which have none.
PYTHON = (
    LIMITED_API,
    "-isystem",
    "{tree}/native/cffi/include",
    "-isystem",
    "{cpython}",
)
# Without the compiler's libc, but with its run-time functions; see `_libc_stand_in`.
LIBC = "libc"
MUSL = ("-nostdlib", "-lcompiler_rt", "-Wl,--no-as-needed", f"{{{LIBC}}}")
# What we did not write is compiled without warnings: nobody here would mend it.
FOREIGN = ("-w",)


@dataclass(frozen=True)
class Compile:
    """One source file to compile.

    Attributes:
        source: the file.
        name: what its object is called within the engine; unique there.
        arguments: for the compiler, without the source and what it makes.
    """

    source: str
    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All there is to do for one engine.

    Attributes:
        target: the id of a target; others may have the same plan.
        file_name: the name of the engine's file.
        compiles: the files to compile, the longest work first.
        version: the one file that tells which build this is; it is compiled last.
        link: arguments for the linker, without objects and what it makes.
        exports: the text of the file that names what the engine exports.
        stand_ins: what the link takes in place of libraries that only the machines
            will have which the engine runs on.
    """

    target: str
    file_name: str
    compiles: tuple[Compile, ...]
    version: Compile
    link: tuple[str, ...]
    exports: str
    stand_ins: tuple[StandIn, ...]


def make_plan(
    target: Target,
    backend: Backend,
    source_names: Iterable[str],
    cffi_names: Iterable[str],
    openssl_files: Iterable[OpenSSLFile] = (),
) -> Plan:
    """Plan the engine of a backend for a target.

    Args:
        target: a row of platforms.toml.
        backend: a row of `backends`.
        source_names: the names of all files in native/src.
        cffi_names: the names of all files in native/cffi.
        openssl_files: what has to be compiled of OpenSSL.
    """
    machine = _machine(target)
    common = (*machine, *COMMON)
    own = (*common, POSIX, *WARNINGS, "-I{tree}/native/src")
    module = f"{backend.module}.c"
    includes = tuple(
        word for folder in backend.folders for word in ("-isystem", folder)
    )
    foreign = [
        Compile(
            f"{{{backend.source}}}/{name}",
            name,
            (
                *(*common, *FOREIGN, "-Wno-date-time"),
                *backend.source_defines(target.os),
                *backend.file_defines.get(name, ()),
                *(includes if backend.source_folders else ()),
            ),
        )
        for name in backend.files_for(target.libc)
    ]
    generated = Compile(
        f"{{generated}}/{module}",
        module,
        (*common, *FOREIGN, *PYTHON, "-I{tree}/native/cffi", "-I{tree}/native/src"),
    )
    seam = (
        Compile(f"{{tree}}/native/cffi/{name}", name, (*own, *PYTHON))
        for name in sorted(cffi_names)
        if name.endswith(".c")
    )
    # Only a backend's own files see its library, so the shared ones are the same
    # objects in the engine of every backend.
    private = (*own, *includes)
    ours = {
        name: Compile(
            f"{{tree}}/native/src/{name}",
            name,
            (
                *(private if name.startswith(backend.prefix) else own),
                *(tls_defines(target) if name.startswith(TLS_FILES) else ()),
            ),
        )
        for name in backend.own_files(source_names)
    }
    version = ours.pop(VERSION_FILE)
    stand_ins = (
        *_libc_stand_in(target, machine),
        *(tls_stand_ins(target, machine) if backend.speaks_tls else ()),
    )
    return Plan(
        target=target.id,
        file_name=backend.file_name,
        compiles=(
            *(*foreign, generated, *seam, *ours.values()),
            *(_openssl(file, common) for file in openssl_files),
        ),
        version=version,
        link=_link(target, backend, machine, stand_ins),
        exports=_exports(target, backend),
        stand_ins=stand_ins,
    )


def _openssl(file: OpenSSLFile, common: tuple[str, ...]) -> Compile:
    folders = (f"-I{{openssl}}/{folder}" for folder in file.folders)
    # Assembly in files called .s does not go through the preprocessor, and without it
    # the compiler does not write down what it read.
    kind = ("-x", "assembler-with-cpp") if file.name.endswith(".s") else ()
    return Compile(
        f"{{openssl}}/{file.name}",
        f"openssl/{file.name}",
        (
            *(*common, *FOREIGN, "-Wno-date-time", *FILE_WORDS, *kind, *folders),
            *(f"-D{macro}" for macro in file.macros),
        ),
    )


def version_defines(version: str, build_id: str) -> tuple[str, ...]:
    """Return the macros that the version file is compiled with."""
    return (f'-DQE_PACKAGE_VERSION="{version}"', f'-DQE_BUILD_ID="{build_id}"')


def filled(arguments: Iterable[str], roots: Mapping[str, str]) -> tuple[str, ...]:
    """Put the folders of this machine in place of the names of roots."""
    return tuple(_fill(argument, roots) for argument in arguments)


def _fill(argument: str, roots: Mapping[str, str]) -> str:
    # Not str.format: the arguments hold text of others, with braces of its own.
    for name, folder in roots.items():
        argument = argument.replace(f"{{{name}}}", folder)
    return argument


def _machine(target: Target) -> tuple[str, ...]:
    return ("-target", target.zig_triple, f"-mcpu={target.zig_cpu}")


def _link(
    target: Target,
    backend: Backend,
    machine: tuple[str, ...],
    stand_ins: tuple[StandIn, ...],
) -> tuple[str, ...]:
    shared = (*machine, "-shared", "-s", "-g0", "-fno-sanitize=all")
    if target.os == "darwin":
        # The interpreter's own functions are found when the engine is loaded. The
        # linker cannot be given a list of them, so the audit holds what is left open
        # against CPython's stable ABI.
        return (
            *shared,
            "-Wl,-undefined,dynamic_lookup",
            "-Wl,-exported_symbols_list,{exports}",
            "-Wl,-dead_strip",
            f"-Wl,-install_name,{backend.file_name}",
        )
    return (
        *shared,
        *(MUSL if target.libc == "musl" else ()),
        "-Wl,--version-script={exports}",
        "-Wl,--gc-sections",
        "-Wl,--as-needed",
        "-Wl,--build-id=none",
        f"-Wl,-soname,{backend.file_name}",
        "-Wl,-z,now",
        "-Wl,-z,relro",
        "-Wl,-z,noexecstack",
        *(f"{{{item.root}}}" for item in stand_ins if item.root != LIBC),
    )


def _libc_stand_in(target: Target, machine: tuple[str, ...]) -> tuple[StandIn, ...]:
    """Return a library that is called as musl is where engines run, and empty.

    The compiler's own musl is called `libc.so`, a name that a machine has with its
    compilers only, and has functions that are newer than the floor. A library may leave
    its symbols open, so nothing has to be in it; the audit holds what is left open
    against what the floor exports.
    """
    if target.libc != "musl":
        return ()
    return (StandIn(LIBC, target.libraries[0], machine),)


def _exports(target: Target, backend: Backend) -> str:
    """Name the module's init function as all that can be seen from outside."""
    symbol = f"PyInit_{backend.module}"
    if target.os == "darwin":
        return f"_{symbol}\n"
    return f"{{ global: {symbol}; local: *; }};\n"
