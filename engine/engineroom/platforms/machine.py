"""The part of detection that touches this system: no subprocess, no network.

It decides nothing; `probe` turns what it reads into facts, and a table test feeds
`probe` odd machines in its place.
"""

from __future__ import annotations

import os
import sys

from engineroom.platforms.binary import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from engineroom.platforms.binary import Header

    class Files(Protocol):
        """The files of a system, this one or another."""

        def header(self, path: str) -> Header:
            """The header of a binary; raises OSError or MalformedBinary."""
            ...

        def has_file(self, path: str) -> bool:
            """Whether there is a file at `path`."""
            ...

        def text(self, path: str) -> str:
            """The text of a small file; raises OSError."""
            ...

    class Machine(Files, Protocol):
        """What `probe` asks of a system; `ThisMachine` answers for this one."""

        def system(self) -> str:
            """Python's word for the operating system (`sys.platform`)."""
            ...

        def kernel_cpu(self) -> str:
            """The kernel's word for the CPU, or empty where it has none."""
            ...

        def kernel_release(self) -> str:
            """The version of the kernel, or empty."""
            ...

        def pointer_bits(self) -> int:
            """How many bits a pointer has in this process."""
            ...

        def libc_answer(self) -> str:
            """What the C library says when asked for its name, or empty."""
            ...

        def executables(self) -> tuple[str, ...]:
            """Paths that lead to the program this process runs, the surest first."""
            ...

        def mapped(self) -> str:
            """What is mapped into this process, as Linux lists it; raises OSError."""
            ...

        def ssl_version(self) -> str:
            """The OpenSSL of Python's ssl if that is imported already, or empty."""
            ...

        def is_translated(self) -> bool | None:
            """Whether Rosetta translates this process; None if that is not known."""
            ...

        def python(self) -> tuple[str, str, bool]:
            """The implementation, its version, and whether it runs without the GIL."""
            ...


__all__ = ["ThisMachine"]


class ThisMachine:
    """The machine and process that this code runs in; satisfies `Machine`."""

    def system(self) -> str:
        """Return `sys.platform`; Android is told apart even where that is not."""
        return "android" if hasattr(sys, "getandroidapilevel") else sys.platform

    def kernel_cpu(self) -> str:
        """Return `os.uname().machine`, or what Windows puts into the environment."""
        if hasattr(os, "uname"):
            return os.uname().machine
        return os.environ.get("PROCESSOR_ARCHITECTURE", "")

    def kernel_release(self) -> str:
        """Return `os.uname().release`, or empty."""
        return os.uname().release if hasattr(os, "uname") else ""

    def pointer_bits(self) -> int:
        """Return the size of a pointer, told by the largest size of a list."""
        return 64 if sys.maxsize > 1 << 32 else 32

    def libc_answer(self) -> str:
        """Return what `confstr` says of the libc; only glibc answers."""
        try:
            return os.confstr("CS_GNU_LIBC_VERSION") or ""
        except (AttributeError, ValueError, OSError):
            return ""

    def executables(self) -> tuple[str, ...]:
        """Return the kernel's link to this program, then Python's own opinion."""
        return tuple(path for path in ("/proc/self/exe", sys.executable) if path)

    def header(self, path: str) -> Header:
        """Read the header of the file at `path`."""
        return read_file(path)

    def has_file(self, path: str) -> bool:
        """Ask the file system, following links."""
        return os.path.isfile(path)

    def text(self, path: str) -> str:
        """Read at most 64 KiB of the file at `path`."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, 65536).decode("utf-8", "replace")
        finally:
            os.close(descriptor)

    def mapped(self) -> str:
        """Read the kernel's list, of which each call gives a page."""
        descriptor = os.open("/proc/self/maps", os.O_RDONLY)
        try:
            parts: list[bytes] = []
            while part := os.read(descriptor, 1 << 20):
                parts.append(part)
            return b"".join(parts).decode("utf-8", "replace")
        finally:
            os.close(descriptor)

    def ssl_version(self) -> str:
        """Look at Python's ssl without importing it."""
        return str(getattr(sys.modules.get("_ssl"), "OPENSSL_VERSION", ""))

    def is_translated(self) -> bool | None:
        """Ask macOS whether Rosetta translates this process."""
        if self.system() != "darwin":
            return None
        import ctypes

        answer = ctypes.c_int(0)
        size = ctypes.c_size_t(ctypes.sizeof(answer))
        failed = ctypes.CDLL(None).sysctlbyname(
            b"sysctl.proc_translated", ctypes.byref(answer), ctypes.byref(size), None, 0
        )
        # A system that does not know the question has no Rosetta.
        return not failed and answer.value == 1

    def python(self) -> tuple[str, str, bool]:
        """Return what `sys` says of this Python."""
        version = ".".join(str(part) for part in sys.version_info[:3])
        # The ABI flags carry the t of a build without the GIL whether or not the GIL
        # was switched back on, and it is the build that decides what can be loaded.
        return sys.implementation.name, version, "t" in getattr(sys, "abiflags", "")
