"""Reads another system into facts, from its files alone: a root folder or an image.

The facts are those of `probe`, so that the same decision follows. What only a process
knows stays unknown and says so. Links are followed within the root, also those that
start with a slash; nothing outside it is ever read.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress

from engineroom.errors import MalformedBinary
from engineroom.platforms.binary import read_file
from engineroom.platforms.facts import Fact, Facts
from engineroom.platforms.openssl import find_openssl, library_folders, list_openssl
from engineroom.platforms.probe import NARROW
from engineroom.platforms.release import distribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.platforms.binary import Header

__all__ = ["Root", "find_programs", "find_pythons", "probe_root"]

# Where a shell in an image would find a Python, the first of PATH first.
PROGRAM_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin")
# Folders of which each folder may hold a Python, such as /opt/venv/bin.
HOMES = (
    "/opt", "/opt/python", "/", "/app", "/root", "/root/.pyenv/versions",
    "/root/.local/share/uv/python", "/usr/local",
)  # fmt: skip
PYTHON = re.compile(r"(python|pypy)(3(\.\d+)?)?(t)?")
# What every system has; they tell its C library where there is no Python.
COMMON = ("/bin/sh", "/bin/busybox", "/usr/bin/env", "/sbin/ldconfig")

MOST_LINKS = 40
MOST_BYTES = 32 << 20
LIBC_BANNER = re.compile(rb"GNU C Library [^\n]{0,80}version (\d+\.\d+)")
LIBC_SYMBOLS = re.compile(rb"\x00GLIBC_(\d+)\.(\d+)")
MUSL_VERSION = re.compile(rb"\x00(1\.\d+\.\d+)(?:-[\w.-]+)?\x00")

NO_PROCESS = "only a process knows"


class Root:
    """A folder as the root of a system; paths within it start with a slash."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)

    def resolve(self, path: str) -> str:
        """Return the path within the root to which `path` leads at last.

        Raises:
            OSError: nothing is there, or links lead in a circle.
        """
        parts, done, links = path.split("/")[::-1], "", 0
        while parts:
            part = parts.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            here = f"{self.folder}{done}/{part}"
            if not stat.S_ISLNK(os.lstat(here).st_mode):
                done = f"{done}/{part}"
                continue
            links += 1
            if links > MOST_LINKS:
                raise OSError(40, "Too many levels of symbolic links", path)
            target = os.readlink(here)
            if target.startswith("/"):
                done = ""
            parts += target.split("/")[::-1]
        return done or "/"

    def outside(self, path: str) -> str:
        """Return where the file is for this process; raises as `resolve` does."""
        return self.folder + self.resolve(path)

    def has_file(self, path: str) -> bool:
        """Say whether a regular file is there."""
        try:
            return os.path.isfile(self.outside(path))
        except OSError:
            return False

    def names(self, path: str) -> list[str]:
        """Return what is in a folder, in order; nothing if it cannot be read."""
        try:
            return sorted(os.listdir(self.outside(path)))
        except OSError:
            return []

    def header(self, path: str) -> Header:
        """Read the header of a binary; only of a regular file, which cannot block."""
        if not self.has_file(path):
            raise FileNotFoundError(2, "No such file", path)
        return read_file(self.outside(path))

    def data(self, path: str, most: int = MOST_BYTES) -> bytes:
        """Read at most so many bytes of a file; only of a regular one."""
        if not self.has_file(path):
            raise FileNotFoundError(2, "No such file", path)
        with open(self.outside(path), "rb") as file:
            return file.read(most)

    def text(self, path: str) -> str:
        """Read at most 64 KiB of text."""
        return self.data(path, 65536).decode("utf-8", "replace")


def find_pythons(root: Root) -> list[str]:
    """Return the Pythons of a root, each once, in the order of PATH."""
    found: dict[str, str] = {}
    homes = (f"{home}/{name}/bin" for home in HOMES for name in root.names(home))
    for folder in dict.fromkeys((*PROGRAM_FOLDERS, *homes)):
        names = [name for name in root.names(folder) if PYTHON.fullmatch(name)]
        for name in sorted(names, key=lambda name: (name != "python3", name)):
            path = f"{folder}/{name}".replace("//", "/")
            if root.has_file(path):
                found.setdefault(root.resolve(path), path)
    return list(found.values())


def find_programs(root: Root) -> list[str]:
    """Return programs that tell of a system without Python what it is."""
    return [path for path in COMMON if root.has_file(path)]


def probe_root(root: Root, program: str) -> Facts:
    """Find out what a process of a root's program would be.

    Raises:
        OSError: the program cannot be read.
        MalformedBinary: it is no binary, but a script, or damaged.
    """
    header = root.header(program)
    source = f"the ELF header of {program}"
    if header.format != "ELF":
        source = f"the Mach-O header of {program}"
    # x32 is 64-bit code with 32-bit pointers.
    cpu = NARROW.get(header.cpu, header.cpu) if header.bits == 32 else header.cpu
    interpreter = Fact(header.interpreter or None, source)
    system = _system(root, header)
    libc, version = _libc(root, header, system, source)
    unknown = Fact(None, NO_PROCESS)
    name, python_version = _python(root.resolve(program))
    return Facts(
        os=Fact(system, source),
        cpu=Fact(cpu, source),
        pointer_bits=Fact(header.bits, source),
        kernel_cpu=unknown,
        libc=libc,
        libc_version=version,
        openssl=find_openssl(root, cpu, libc),
        openssl_files=list_openssl(root, cpu, libc),
        openssl_mapped=unknown,
        interpreter=interpreter,
        implementation=Fact("pypy" if name.startswith("pypy") else "cpython", program),
        python_version=Fact(python_version or None, f"its name, {name}"),
        free_threaded=Fact(name.endswith("t"), f"its name, {name}"),
        translated=unknown,
        **distribution(root, system),
    )


def _python(path: str) -> tuple[str, str]:
    name = path.rpartition("/")[2]
    found = re.search(r"\d+\.\d+", name)
    return name, found.group() if found else ""


def _system(root: Root, header: Header) -> str:
    if header.format != "ELF":
        return "darwin"
    if "/linker" in header.interpreter or root.has_file("/system/build.prop"):
        return "android"
    if "ld-elf.so" in header.interpreter:
        return "freebsd"
    return "linux"


def _libc(root: Root, header: Header, system: str, source: str) -> tuple[Fact, Fact]:
    if system == "darwin":
        return Fact("libSystem", source), Fact(None, "not looked for in a root")
    if system == "android":
        return Fact("bionic", source), Fact(None, "not looked for")
    loader = header.interpreter.rpartition("/")[2]
    if loader.startswith("ld-musl-"):
        name = f"{loader}, from {source}"
        return Fact("musl", name), _musl_version(root, header.interpreter)
    if system == "linux" and loader.startswith(("ld-linux", "ld64.so", "ld.so")):
        version = _glibc_version(root, header)
        if version.value is None:
            # gcompat has this loader's name too, and is no glibc.
            return Fact(None, f"{loader} without a glibc: {version.source}"), version
        return Fact("glibc", f"{loader}, from {source}"), version
    why = f"the interpreter is {loader}" if loader else f"{source} names no interpreter"
    return Fact(None, why), Fact(None, "libc unknown")


def _libraries(root: Root, header: Header) -> Iterator[str]:
    """Yield where a glibc that belongs to an interpreter may lie, the surest first."""
    with suppress(OSError):
        yield root.resolve(header.interpreter).rpartition("/")[0]
    yield from library_folders(root, header.cpu, "glibc")
    yield from ("/lib/i386-linux-gnu", "/lib/arm-linux-gnueabihf")


def _glibc_version(root: Root, header: Header) -> Fact:
    why = "no folder has libc.so.6"
    for folder in dict.fromkeys(_libraries(root, header)):
        path = f"{folder}/libc.so.6"
        if not root.has_file(path):
            continue
        try:
            cpu = root.header(path).cpu
            data = root.data(path)
        except OSError as error:
            why = f"{path}: {error.strerror}"
            continue
        except MalformedBinary as error:
            why = f"{path}: {error.reason}"
            continue
        if cpu != header.cpu:
            why = f"{path} is for {cpu}"
            continue
        banner = LIBC_BANNER.search(data)
        if banner:
            return Fact(banner.group(1).decode(), f"the banner of {path}")
        symbols = [(int(a), int(b)) for a, b in LIBC_SYMBOLS.findall(data)]
        if symbols:
            major, minor = max(symbols)
            return Fact(f"{major}.{minor}", f"the newest symbol of {path}")
        why = f"{path} tells no version"
    return Fact(None, why)


def _musl_version(root: Root, interpreter: str) -> Fact:
    try:
        found = set(MUSL_VERSION.findall(root.data(interpreter)))
    except OSError as error:
        return Fact(None, f"{interpreter}: {error.strerror}")
    if len(found) == 1:
        return Fact(found.pop().decode(), f"the text within {interpreter}")
    return Fact(None, f"{interpreter} tells no version")
