"""Finds OpenSSL: what this process has loaded, and what the dynamic loader would find.

What a process has loaded counts more than any file: a library that needs libssl.so.3
gets the one that is mapped, wherever it lies, as long as it goes by that very name.
Renamed copies that wheels carry (libssl-1a2b3c.so.3) serve their owner alone.

The files are looked for where the loaders look without being told. LD_LIBRARY_PATH and
run paths are left out on purpose: on AWS Lambda the first leads to an OpenSSL that is
another program's own. Python's ssl is never imported for the sake of an answer.
"""

from __future__ import annotations

from engineroom.errors import MalformedBinary
from engineroom.platforms.facts import Fact
from engineroom.platforms.target import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.platforms.machine import Files, Machine

__all__ = [
    "SERVED", "find_openssl", "library_folders", "list_openssl", "mapped_openssl",
    "openssl_of",
]  # fmt: skip

# The OpenSSLs that a target can bind, the newer first.
SERVED = {"3": "libssl.so.3", "1.1": "libssl.so.1.1"}
# Those that none can, by the names that Debian, RHEL and SUSE have given them.
NOT_SERVED = {
    "4": ("libssl.so.4",),
    "1.0": ("libssl.so.1.0.2", "libssl.so.1.0.0", "libssl.so.10", "libssl.so.1"),
}

# The folders of Debian, then the plain ones of RHEL and SUSE.
GLIBC_FOLDERS = {
    "x86_64": ("/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"),
    "arm64": ("/usr/lib/aarch64-linux-gnu", "/lib/aarch64-linux-gnu"),
}
PLAIN_FOLDERS = ("/usr/lib64", "/lib64", "/usr/lib", "/lib")
MUSL_FOLDERS = ("/lib", "/usr/local/lib", "/usr/lib")
MUSL_CPUS = {"x86_64": "x86_64", "arm64": "aarch64"}


def openssl_of(name: str) -> str:
    """Return the OpenSSL that a file is of, such as `3` for libssl.so.3.0.7, or empty.

    Mapped files go by the name at the end of their links, which has more numbers than
    the one that programs need. libssl.so.10 is RHEL's name for OpenSSL 1.0.
    """
    start, dot, rest = name.partition(".so.")
    numbers = version_numbers(rest)
    if start != "libssl" or not dot or not numbers:
        return ""
    if numbers in ((10,), (1,)):
        return "1.0"
    if numbers[0] < 3:
        return ".".join(str(number) for number in numbers[:2])
    return str(numbers[0])


def mapped_openssl(machine: Machine, system: str) -> Fact:
    """Return which OpenSSL the process has loaded.

    Of several the newest that a target can bind counts, else the newest of all.
    """
    if system != "linux":
        return _imported_openssl(machine, system)
    try:
        text = machine.mapped()
    except OSError as error:
        return Fact(None, f"/proc/self/maps cannot be read: {error.strerror}")
    paths: dict[str, str] = {}
    at = text.find("/libssl")
    while at >= 0:
        start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
        # Five columns, then the path, which may have spaces in it.
        path = text[start : end if end >= 0 else None].split(None, 5)[-1]
        path = path.replace(" (deleted)", "")
        version = openssl_of(path.rpartition("/")[2])
        if version:
            paths.setdefault(version, path)
        at = text.find("/libssl", at + 1)
    if not paths:
        return Fact(None, "/proc/self/maps: this process has no libssl loaded")
    newest = max(paths, key=lambda v: (v in SERVED, version_numbers(v)))
    where = ", ".join(dict.fromkeys(paths.values()))
    return Fact(newest, f"/proc/self/maps has {where}")


def _imported_openssl(machine: Machine, system: str) -> Fact:
    if system != "darwin":
        return Fact(None, f"not looked for on {system}")
    text = machine.ssl_version()
    name, _, version = text.partition(" ")
    numbers = version_numbers(version)
    if name != "OpenSSL" or not numbers:
        why = f"Python's ssl has {text}" if text else "Python's ssl is not imported"
        return Fact(None, why)
    value = str(numbers[0]) if numbers[0] >= 3 else f"{numbers[0]}.{numbers[1]}"
    return Fact(value, f"Python's ssl has {text}")


def library_folders(files: Files, cpu: str, libc: str) -> tuple[str, ...]:
    """Return the folders where this C library's loader looks without being told."""
    if libc != "musl":
        return (*GLIBC_FOLDERS.get(cpu, ()), *PLAIN_FOLDERS)
    try:
        text = files.text(f"/etc/ld-musl-{MUSL_CPUS.get(cpu, cpu)}.path")
    except OSError:
        return MUSL_FOLDERS
    # The file takes the place of what is built in; a line or a colon ends a folder.
    return tuple(text.replace(":", "\n").split())


def find_openssl(files: Files, cpu: str, libc: Fact) -> Fact:
    """Return which OpenSSL the loader would find: one that can be bound, else any."""
    if libc.value not in ("glibc", "musl"):
        return Fact(None, "only looked for where a target's choice hangs on it")
    folders = library_folders(files, cpu, str(libc.value))
    names = [(version, (name,)) for version, name in SERVED.items()]
    passed_over = ""
    for version, spelt in (*names, *NOT_SERVED.items()):
        for path in _present(files, folders, spelt):
            against = _why_not(files, path, cpu, str(libc.value))
            if not against:
                return Fact(version, path)
            passed_over = passed_over or f"; {path} {against}"
    return Fact(None, f"the standard library folders have none{passed_over}")


def list_openssl(files: Files, cpu: str, libc: Fact) -> Fact:
    """Return every libssl in the loader's folders, those it could not load included."""
    if libc.value not in ("glibc", "musl"):
        return Fact(None, "only looked for where a target's choice hangs on it")
    folders = library_folders(files, cpu, str(libc.value))
    names = [
        *SERVED.values(),
        *(name for spelt in NOT_SERVED.values() for name in spelt),
    ]
    found = ", ".join(_present(files, folders, names))
    return Fact(found or None, f"looked in {', '.join(folders)}")


def _present(
    files: Files, folders: tuple[str, ...], names: tuple[str, ...] | list[str]
) -> Iterator[str]:
    for name in names:
        for folder in folders:
            if files.has_file(f"{folder}/{name}"):
                yield f"{folder}/{name}"


def _why_not(files: Files, path: str, cpu: str, libc: str) -> str:
    """Say why a process could not load a libssl that is there, or nothing.

    A glibc Python in Alpine sees musl's libssl, and /usr/lib of RHEL is for 32 bits.
    """
    try:
        header = files.header(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except MalformedBinary as error:
        return f"cannot be loaded: {error.reason}"
    if header.cpu != cpu:
        return f"is for {header.cpu}"
    if header.libc and header.libc != libc:
        return f"is for {header.libc}"
    return ""
