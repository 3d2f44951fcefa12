"""Small engines for every kind of target: a right one, and one for each fault.

All come from one C file of a few lines, through the compiler that the build uses. What
no option of the compiler gives is changed in the bytes.
"""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engineroom.platforms.rows import TARGETS
from native.build.cache import Cache, cache_root
from native.build.tls import tls_stand_ins
from native.build.toolchain import find_zig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engineroom.platforms.target import Target
    from native.build.stand_in import StandIn

FILE_NAME = "_qe_sqlite.abi3.so"
TLS_NAME = "_qe_postgres.abi3.so"
BUILD_ID = "0123456789abcdef"
BY_ID = {target.id: target for target in TARGETS}
DEBIAN = BY_ID["debian-openssl-3-x86_64"]
GLIBC, ARM = BY_ID["rhel-x86_64"], BY_ID["rhel-arm64"]
MUSL = BY_ID["linux-musl-x86_64"]
MAC, INTEL = BY_ID["darwin-arm64"], BY_ID["darwin-x86_64"]

SOURCE = f"""
char *getenv(const char *);
unsigned long strlen(const char *);
extern void *PyModule_Create2(void *, int);
extern int PyErr_Occurred(void);
__attribute__((visibility("default"))) void *PyInit__qe_sqlite(void) {{
  static const char build_id[] = "{BUILD_ID}";
  char *text = getenv(build_id);
  return text && strlen(text) > 3 ? PyModule_Create2(text, 3) : 0;
}}
"""
COMMON = ("-shared", "-O2", "-fPIC", "-fvisibility=hidden", "-fno-sanitize=all")
STRIPPED = ("-s", "-g0")
ELF_FLAGS = (
    *COMMON, *STRIPPED, f"-Wl,-soname,{FILE_NAME}", "-Wl,-z,now", "-Wl,-z,relro",
    "-Wl,-z,noexecstack", "-Wl,--build-id=none",
)  # fmt: skip
MACHO_FLAGS = (
    *COMMON, *STRIPPED, "-Wl,-undefined,dynamic_lookup",
    f"-Wl,-install_name,{FILE_NAME}",
)  # fmt: skip


class Workshop:
    """Compiles, the same thing only once.

    Args:
        folder: where what is made is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._zig = find_zig(Cache(cache_root()))

    def good(self, target: Target) -> bytes:
        """Return an engine with nothing wrong."""
        return self.make(target)

    def make(
        self,
        target: Target,
        *more: str,
        source: str = SOURCE,
        without: tuple[str, ...] = (),
        triple: str = "",
    ) -> bytes:
        """Compile an engine.

        Args:
            target: what it is for.
            more: arguments for the compiler.
            source: the C file.
            without: those of the usual arguments that are left out.
            triple: the compiler's name of another machine.
        """
        flags = MACHO_FLAGS if target.os == "darwin" else ELF_FLAGS
        assert set(without) <= set(flags)
        kept = [flag for flag in flags if flag not in without]
        if target.libc == "musl":
            kept += [
                "-nostdlib",
                "-Wl,--no-as-needed",
                self.library(target, target.libraries[0]),
            ]
        triple = triple or target.zig_triple
        return self._run(triple, (*kept, *more), source).read_bytes()

    def library(self, target: Target, name: str) -> str:
        """Return the path of an empty library that says to be called so."""
        option = "-install_name" if target.os == "darwin" else "-soname"
        flags = ("-shared", "-nostdlib", "-s", f"-Wl,{option},{name}")
        return str(self._run(target.zig_triple, flags, ""))

    def speaking_tls(
        self,
        target: Target,
        function: str = "SSL_new",
        *more: str,
        changed: Callable[[StandIn], StandIn] = lambda item: item,
        triple: str = "",
    ) -> bytes:
        """Return an engine of the backend that speaks TLS.

        Args:
            target: what it is for.
            function: what it calls of OpenSSL.
            more: arguments for the compiler, before the libraries.
            changed: gives another library in place of one that it is linked with.
            triple: the compiler's name of another machine.
        """
        machine = ("-target", target.zig_triple)
        made = [
            self._stand_in(changed(item)) for item in tls_stand_ins(target, machine)
        ]
        source = calling(f"{function}(text)", f"void *{function}(char *);")
        source = source.replace("sqlite", "postgres")
        own = (f"-Wl,-soname,{TLS_NAME}", "-Wl,--no-as-needed", *more, *made)
        return self.make(
            target,
            *own,
            source=source,
            without=(f"-Wl,-soname,{FILE_NAME}",),
            triple=triple,
        )

    def _stand_in(self, item: StandIn) -> str:
        key = hashlib.sha256(repr(item).encode()).hexdigest()[:16]
        folder = self.folder / key
        if not folder.exists():
            folder.mkdir()
            (folder / "source.c").write_text(item.source)
            (folder / "versions.txt").write_text(item.versions)
            subprocess.run(
                [*self._zig.command, *item.arguments(str(folder))],
                env=self._zig.environment,
                check=True,
            )
        return str(folder / item.name)

    def _run(self, triple: str, flags: tuple[str, ...], source: str) -> Path:
        key = hashlib.sha256(repr((triple, flags, source)).encode()).hexdigest()[:16]
        # Under one name for all: the format of macOS has the name in it.
        made = self.folder / key / FILE_NAME
        if not made.exists():
            made.parent.mkdir(exist_ok=True)
            (made.parent / "engine.c").write_text(source)
            arguments = ["-target", triple, *flags, "engine.c", "-o", FILE_NAME]
            done = subprocess.run(
                [*self._zig.command, *arguments],
                cwd=made.parent,
                env=self._zig.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        return made


@dataclass(frozen=True)
class Broken:
    """An engine with one fault.

    Attributes:
        id: what it is, in a test's name.
        check: the check that has to see it.
        target: what it claims to be for.
        make: makes its bytes.
        file_name: what it is called.
    """

    id: str
    check: str
    target: Target
    make: Callable[[Workshop], bytes]
    file_name: str = FILE_NAME


def patched(
    data: bytes, at: int, form: str, change: int | Callable[[int], int]
) -> bytes:
    """Change one number in a file."""
    (before,) = struct.unpack_from(form, data, at)
    changed = bytearray(data)
    struct.pack_into(form, changed, at, change(before) if callable(change) else change)
    assert bytes(changed) != data
    return bytes(changed)


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    """Put other bytes in the place of some that stand there once."""
    assert data.count(old) == 1, data.count(old)
    assert len(old) == len(new)
    return data.replace(old, new)


def elf_header(data: bytes, kind: int, wanted: int = 0) -> int:
    """Return where the first program header of a kind with a flag is."""
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<2H", data, 54)
    for at in range(table, table + size * count, size):
        found, flags = struct.unpack_from("<2I", data, at)
        if found == kind and flags & wanted == wanted:
            return at
    raise AssertionError(f"no program header {kind:#x}")


def load_command(data: bytes, command: int) -> int:
    """Return where the first load command of a kind is."""
    at = 32
    for _ in range(struct.unpack_from("<I", data, 16)[0]):
        found, size = struct.unpack_from("<2I", data, at)
        if found == command:
            return at
        at += size
    raise AssertionError(f"no load command {command:#x}")


def calling(function: str, declaration: str = "") -> str:
    """Return the source with a call of a function in place of strlen."""
    text = SOURCE.replace("strlen(text)", f"(long){function}")
    assert text != SOURCE
    return f"{declaration}\n{text}"


def _with_stack(workshop: Workshop) -> bytes:
    data = workshop.good(GLIBC)
    at = elf_header(data, 0x6474E551)
    return patched(data, at + 4, "<I", lambda flags: flags | 1)


def _with_writable_code(workshop: Workshop) -> bytes:
    data = workshop.good(GLIBC)
    at = elf_header(data, 1, 1)
    return patched(data, at + 4, "<I", lambda flags: flags | 2)


def _with_packed_relocations(workshop: Workshop) -> bytes:
    """Rename an entry that loaders can do without."""
    data = workshop.good(GLIBC)
    at = elf_header(data, 2)
    offset, size = (struct.unpack_from("<Q", data, at + place)[0] for place in (8, 32))
    for entry in range(offset, offset + size, 16):
        if struct.unpack_from("<Q", data, entry)[0] == 4:  # DT_HASH
            return patched(data, entry, "<Q", 35)  # DT_RELRSZ
    raise AssertionError("no DT_HASH")


def _with_small_pages(workshop: Workshop) -> bytes:
    data = workshop.good(ARM)
    at = elf_header(data, 1)
    return patched(data, at + 48, "<Q", 4096)


def _with_header_flag(flag: int) -> Callable[[Workshop], bytes]:
    # The Intel engine, which is not signed, so that nothing else is wrong with it.
    return lambda workshop: patched(
        workshop.good(INTEL), 24, "<I", lambda flags: flags ^ flag
    )


def _with_protection(more: int, less: int) -> Callable[[Workshop], bytes]:
    def make(workshop: Workshop) -> bytes:
        data = workshop.good(INTEL)
        at = load_command(data, 0x19)
        while data[at + 8 : at + 24].rstrip(b"\0") != (
            b"__TEXT" if more else b"__DATA"
        ):
            at += struct.unpack_from("<I", data, at + 4)[0]
        return patched(data, at + 60, "<I", lambda flags: flags & ~less | more)

    return make


def _unsigned(workshop: Workshop) -> bytes:
    data = workshop.good(MAC)
    at = load_command(data, 0x1D)
    return patched(data, at, "<I", 0x2E)  # an optimization hint


def _with_flipped_byte(workshop: Workshop) -> bytes:
    data = workshop.good(MAC)
    at = data.index(BUILD_ID.encode())
    return patched(data, at, "<B", lambda byte: byte ^ 1)


def _newer(item: StandIn) -> StandIn:
    """Have a function of OpenSSL 3.2 in libssl, with its version."""
    more = "OPENSSL_3.2.0 { global: SSL_get0_group_name; } OPENSSL_3.0.0;\n"
    source = f"{item.source}void SSL_get0_group_name(void) {{}}\n"
    if item.root != "libssl":
        return item
    return replace(item, source=source, versions=item.versions + more)


def _from_anywhere(workshop: Workshop) -> bytes:
    """Have the dynamic linker look for getenv in any library."""
    return replaced(workshop.good(INTEL), b"_getenv\0\x11", b"_getenv\0\x3e")


VISIBLE = f'{SOURCE}\n__attribute__((visibility("default"))) int more = 1;'
# In the stable ABI since Python 3.13.
NEWER = "PyUnicode_EqualToUTF8(text)"
BROKEN = (
    Broken("windows", "format", GLIBC, lambda _: b"MZ\x90\0" * 100),
    Broken("elf-for-macos", "format", MAC, lambda w: w.good(GLIBC)),
    Broken("macho-for-linux", "format", GLIBC, lambda w: w.good(MAC)),
    Broken("cut-elf", "format", GLIBC, lambda w: w.good(GLIBC)[:900]),
    Broken("cut-macho", "format", INTEL, lambda w: w.good(INTEL)[:900]),
    Broken(
        "program",
        "file type",
        GLIBC,
        lambda w: patched(w.good(GLIBC), 16, "<H", 2),
    ),
    Broken(
        "macho-bundle",
        "file type",
        INTEL,
        lambda w: patched(w.good(INTEL), 12, "<I", 8),
    ),
    Broken("arm-for-intel", "CPU", GLIBC, lambda w: w.good(ARM)),
    Broken(
        "soname",
        "own name",
        GLIBC,
        lambda w: w.make(
            GLIBC, "-Wl,-soname,other.so", without=(f"-Wl,-soname,{FILE_NAME}",)
        ),
    ),
    Broken(
        "install-name",
        "own name",
        MAC,
        lambda w: w.make(
            MAC,
            f"-Wl,-install_name,/usr/local/lib/{FILE_NAME}",
            without=(f"-Wl,-install_name,{FILE_NAME}",),
        ),
    ),
    Broken(
        "one-more-library",
        "needed libraries",
        GLIBC,
        lambda w: w.make(
            GLIBC, "-Wl,--no-as-needed", w.library(GLIBC, "libssl.so.3")
        ),
    ),
    Broken(
        "openssl-for-an-engine-without-tls",
        "needed libraries",
        DEBIAN,
        lambda w: w.make(
            DEBIAN, "-Wl,--no-as-needed", w.library(DEBIAN, "libssl.so.3")
        ),
    ),
    Broken(
        "openssl-where-it-is-looked-for",
        "needed libraries",
        GLIBC,
        lambda w: w.speaking_tls(
            GLIBC, "secure_getenv", w.library(GLIBC, "libssl.so.3")
        ),
        TLS_NAME,
    ),
    Broken(
        "openssl-left-out",
        "needed libraries",
        DEBIAN,
        lambda w: w.speaking_tls(DEBIAN, "secure_getenv", "-Wl,--as-needed"),
        TLS_NAME,
    ),
    Broken(
        "openssl-3.2",
        "OpenSSL symbols",
        DEBIAN,
        lambda w: w.speaking_tls(DEBIAN, "SSL_get0_group_name", changed=_newer),
        TLS_NAME,
    ),
    Broken(
        "openssl-function-that-nobody-has",
        "open symbols",
        DEBIAN,
        lambda w: w.speaking_tls(DEBIAN, "SSL_forgotten"),
        TLS_NAME,
    ),
    Broken(
        "musl-by-its-development-name",
        "needed libraries",
        MUSL,
        lambda w: replaced(
            w.good(MUSL), b"libc.musl-x86_64.so.1", b"libc.so".ljust(21, b"\0")
        ),
    ),
    Broken(
        "one-more-library-on-macos",
        "needed libraries",
        MAC,
        lambda w: w.make(MAC, w.library(MAC, "/usr/lib/libcharset.1.dylib")),
    ),
    Broken(
        "missing-symbol",
        "open symbols",
        GLIBC,
        lambda w: w.make(
            GLIBC, source=calling("forgotten(text)", "int forgotten(char *);")
        ),
    ),
    Broken(
        "python-3.13",
        "open symbols",
        GLIBC,
        lambda w: w.make(
            GLIBC,
            source=calling(NEWER, f"int {NEWER.replace('text', 'char *')};"),
        ),
    ),
    Broken(
        "missing-symbol-on-macos",
        "open symbols",
        MAC,
        lambda w: w.make(
            MAC, source=calling("forgotten(text)", "int forgotten(char *);")
        ),
    ),
    Broken("export", "exports", GLIBC, lambda w: w.make(GLIBC, source=VISIBLE)),
    Broken("export-on-macos", "exports", MAC, lambda w: w.make(MAC, source=VISIBLE)),
    Broken(
        "run-path", "run path", GLIBC, lambda w: w.make(GLIBC, "-Wl,-rpath,/opt/lib")
    ),
    Broken(
        "run-path-on-macos",
        "run path",
        MAC,
        lambda w: w.make(MAC, "-Wl,-rpath,/opt/lib"),
    ),
    Broken(
        "debug",
        "debug information",
        GLIBC,
        lambda w: w.make(GLIBC, "-g", "-fdebug-compilation-dir=.",
            without=STRIPPED,
        ),
    ),
    Broken(
        "text-relocation",
        "text relocations",
        GLIBC,
        lambda w: w.make(
            GLIBC, "-Wl,-z,notext", source=SOURCE + (
                '\n__asm__(".text\\n.quad PyErr_Occurred\\n");'
            )
        ),
    ),
    Broken(
        "text-relocation-on-macos",
        "text relocations",
        INTEL,
        _with_protection(0, 2),
    ),
    Broken("stack", "executable stack", GLIBC, _with_stack),
    Broken("stack-on-macos", "executable stack", INTEL, _with_header_flag(0x20000)),
    Broken("writable-code", "writable code", GLIBC, _with_writable_code),
    Broken("writable-code-on-macos", "writable code", INTEL, _with_protection(2, 0)),
    Broken(
        "glibc-2.38",
        "glibc needed",
        GLIBC,
        lambda w: w.make(
            GLIBC,
            source=calling(
                "strlcpy(text, text, 3)",
                "unsigned long strlcpy(char *, char *, unsigned long);",
            ),
            triple="x86_64-linux-gnu.2.38",
        ),
    ),
    Broken(
        "musl-1.2.4",
        "musl symbols",
        MUSL,
        lambda w: w.make(
            MUSL,
            source=calling(
                "preadv2(0, (void *)text, 1, 0, 0)",
                "long preadv2(int, void *, int, long, int);",
            ),
        ),
    ),
    Broken(
        "relr", "packed relocations", GLIBC, _with_packed_relocations
    ),
    Broken("pages", "page size", ARM, _with_small_pages),
    Broken(
        "no-relro",
        "RELRO",
        GLIBC,
        lambda w: w.make(GLIBC, "-Wl,-z,norelro", without=("-Wl,-z,relro",)),
    ),
    Broken(
        "lazy",
        "bound when loaded",
        GLIBC,
        lambda w: w.make(GLIBC, "-Wl,-z,lazy", without=("-Wl,-z,now",)),
    ),
    Broken(
        "macos-12",
        "macOS needed",
        MAC,
        lambda w: w.make(MAC, triple="aarch64-macos.12.0"),
    ),
    Broken(
        "macos-10.12-symbol",
        "newer macOS",
        INTEL,
        lambda w: w.make(INTEL, "-w", source=calling(
                "aligned_alloc(64, 64)",
                "void *aligned_alloc(unsigned long, unsigned long);",
            )),
    ),
    Broken("flat", "namespace", INTEL, _with_header_flag(0x80)),
    Broken("any-library", "symbol origins", INTEL, _from_anywhere),
    Broken("flipped-byte", "signature", MAC, _with_flipped_byte),
    Broken("unsigned", "signature", MAC, _unsigned),
    Broken(
        "source-path",
        "build paths",
        GLIBC,
        lambda w: w.make(
            GLIBC, source=SOURCE.replace(f'"{BUILD_ID}"', '"/srv/tree/src/engine.c"')
        ),
    ),
    Broken(
        "home-folder",
        "build paths",
        MAC,
        lambda w: w.make(
            MAC, source=SOURCE.replace(f'"{BUILD_ID}"', f'"{os.sep}home/someone/build"')
        ),
    ),
)  # fmt: skip
