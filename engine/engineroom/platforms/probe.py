"""Reads this machine and this process into facts; nothing else of the package does.

The truth is what the running process is, never what the distribution calls itself: a
glibc Python runs inside Alpine, a 32-bit one on a 64-bit kernel. So the libc is asked
of the libc, the CPU of the kernel is corrected by the size of a pointer, and
os-release is decoration. Every fact carries where it comes from; a fact that cannot
be known is None and says why.

`Machine` is the part that touches the system: no subprocess, no network, no decision.
`probe` turns what it reads into facts, and a table test feeds it odd machines.
"""

from __future__ import annotations

import os
import sys

from engineroom.errors import MalformedBinary
from engineroom.platforms.binary import read_file
from engineroom.platforms.target import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol, Union

    from engineroom.platforms.binary import Header

    Value = Union[str, int, bool, None]

    class Machine(Protocol):
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

        def header(self, path: str) -> Header:
            """The header of a binary; raises OSError or MalformedBinary."""
            ...

        def has_file(self, path: str) -> bool:
            """Whether there is a file at `path`."""
            ...

        def text(self, path: str) -> str:
            """The text of a small file; raises OSError."""
            ...

        def is_translated(self) -> bool | None:
            """Whether Rosetta translates this process; None if that is not known."""
            ...

        def python(self) -> tuple[str, str, bool]:
            """The implementation, its version, and whether it runs without the GIL."""
            ...


__all__ = ["Fact", "Facts", "ThisMachine", "probe"]

CPU_WORDS = {
    "amd64": "x86_64",
    "x64": "x86_64",
    "aarch64": "arm64",
    "armv8b": "arm",
    "armv8l": "arm",
    "i386": "x86",
    "i486": "x86",
    "i586": "x86",
    "i686": "x86",
}
# What a 64-bit CPU is called in a process with 32-bit pointers.
NARROW = {"x86_64": "x86", "arm64": "arm"}

# Where the dynamic loaders of glibc look without being told, the likeliest first: the
# folders of Debian, those of RHEL and SUSE, the plain ones. What LD_LIBRARY_PATH or a
# run path adds is not the system's.
LIBRARY_FOLDERS = {
    "x86_64": ("/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"),
    "arm64": ("/usr/lib/aarch64-linux-gnu", "/lib/aarch64-linux-gnu"),
}
PLAIN_FOLDERS = ("/usr/lib64", "/lib64", "/usr/lib", "/lib")
# The OpenSSLs that a target can bind, the newer first.
OPENSSL_FILES = (("3", "libssl.so.3"), ("1.1", "libssl.so.1.1"))

SYSTEM_WORDS = {"win32": "windows", "cygwin": "cygwin"}


class Fact:
    """One thing that is known, and how.

    Attributes:
        value: the fact, or None where it cannot be known.
        source: where it comes from, or why it is not known.
    """

    __slots__ = ("source", "value")

    def __init__(self, value: Value, source: str) -> None:
        self.value = value
        self.source = source

    def __str__(self) -> str:
        return "unknown" if self.value is None else str(self.value)

    def __repr__(self) -> str:
        return f"<Fact {self} from {self.source}>"


class Facts:
    """What is known of this process.

    Attributes:
        os: `linux`, `darwin`, `windows`, `android`, `freebsd`, ...
        cpu: the CPU this process runs as, in the words of platforms.toml.
        pointer_bits: 64 or 32.
        kernel_cpu: the CPU in the kernel's own word.
        libc: `glibc`, `musl`, `bionic`, `libSystem`, or None.
        libc_version: its version; macOS's own for `libSystem`.
        openssl: the newest OpenSSL in the standard folders of a glibc system, `3` or
            `1.1`; None where there is none, or it was not looked for.
        interpreter: the program that loaded this process (ELF), or None.
        implementation: `cpython`, `pypy`, ...
        python_version: the version of the language.
        free_threaded: whether this Python was built without the GIL.
        translated: whether Rosetta translates this process (only if asked for).
        distribution: the system's name for itself (only if asked for).
    """

    __slots__ = (
        "cpu",
        "distribution",
        "free_threaded",
        "implementation",
        "interpreter",
        "kernel_cpu",
        "libc",
        "libc_version",
        "openssl",
        "os",
        "pointer_bits",
        "python_version",
        "translated",
    )

    os: Fact
    cpu: Fact
    pointer_bits: Fact
    kernel_cpu: Fact
    libc: Fact
    libc_version: Fact
    openssl: Fact
    interpreter: Fact
    implementation: Fact
    python_version: Fact
    free_threaded: Fact
    translated: Fact
    distribution: Fact

    def __init__(self, **facts: Fact) -> None:
        for name, fact in facts.items():
            setattr(self, name, fact)

    def items(self) -> Iterator[tuple[str, Fact]]:
        """Yield every fact with its name, in the order of the class's description."""
        for name in Facts.__annotations__:
            yield name, getattr(self, name)

    def __str__(self) -> str:
        """Say in a few words what this process is."""
        libc = "an unknown libc" if self.libc.value is None else str(self.libc)
        version = "" if self.libc_version.value is None else f" {self.libc_version}"
        if self.os.value == "darwin":
            libc = "macOS"
        return (
            f"{self.implementation} {self.python_version}"
            f"{' without GIL' if self.free_threaded.value else ''}"
            f" on {self.os} {self.cpu}, {libc}{version}"
        )


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


def probe(machine: Machine | None = None, *, thorough: bool = False) -> Facts:
    """Find out what this process is.

    Args:
        machine: the system to ask; this one if None.
        thorough: also ask what decides nothing and explains much: the distribution's
            name and Rosetta. The loader asks for it once it has failed.
    """
    if machine is None:
        machine = ThisMachine()
    system, release = machine.system(), machine.kernel_release()
    bits = machine.pointer_bits()
    kernel_cpu = machine.kernel_cpu()
    word = CPU_WORDS.get(kernel_cpu.lower(), kernel_cpu.lower())
    if word.startswith(("armv6", "armv7")):
        word = "arm"
    cpu = NARROW.get(word, word) if bits == 32 else word
    operating_system = SYSTEM_WORDS.get(system, system.rstrip("0123456789."))
    implementation, version, free_threaded = machine.python()

    interpreter = Fact(None, "only ELF programs name one")
    if operating_system in ("linux", "android"):
        interpreter = _interpreter(machine, cpu)
    libc, libc_version = _libc(machine, operating_system, release, interpreter)

    no_question = Fact(None, "not asked")
    return Facts(
        os=Fact(operating_system, f"sys.platform is {system}"),
        cpu=Fact(
            cpu or None,
            f"the kernel says {kernel_cpu or 'nothing'}, pointers have {bits} bits",
        ),
        pointer_bits=Fact(bits, "sys.maxsize"),
        kernel_cpu=Fact(kernel_cpu or None, "uname"),
        libc=libc,
        libc_version=libc_version,
        openssl=_openssl(machine, cpu, libc),
        interpreter=interpreter,
        implementation=Fact(implementation, "sys.implementation"),
        python_version=Fact(version, "sys.version_info"),
        free_threaded=Fact(free_threaded, "sys.abiflags"),
        translated=_translated(machine, operating_system, cpu)
        if thorough
        else no_question,
        distribution=_distribution(machine, operating_system)
        if thorough
        else no_question,
    )


def _interpreter(machine: Machine, cpu: str) -> Fact:
    why = "no path leads to the program of this process"
    for path in machine.executables():
        try:
            header = machine.header(path)
        except (OSError, MalformedBinary) as error:
            why = f"{path}: {getattr(error, 'strerror', None) or error.args[0]}"
            continue
        # Under an emulator the kernel's link may lead to the emulator.
        if header.cpu != cpu:
            why = f"{path} is for {header.cpu}, this process runs as {cpu}"
        elif not header.interpreter:
            why = f"{path} is linked statically or was started by hand"
        else:
            return Fact(header.interpreter, f"the ELF header of {path}")
    return Fact(None, why)


def _libc(
    machine: Machine, system: str, release: str, interpreter: Fact
) -> tuple[Fact, Fact]:
    if system == "darwin":
        return Fact("libSystem", "macOS has no other"), _macos_version(machine, release)
    if system not in ("linux", "android"):
        return Fact(None, f"not looked for on {system}"), Fact(None, "libc unknown")
    answer = machine.libc_answer()
    name, _, version = answer.partition(" ")
    if name == "glibc" and version_numbers(version):
        source = f"confstr says {answer}"
        return Fact("glibc", source), Fact(version, source)
    program = str(interpreter.value or "").rpartition("/")[2]
    source = f"{program}, from {interpreter.source}"
    if program.startswith("ld-musl-"):
        return Fact("musl", source), Fact(
            None, "musl tells it to nobody but a terminal"
        )
    if program.startswith("linker") or system == "android":
        return Fact("bionic", source), Fact(None, "not looked for")
    if program:
        return (
            Fact(
                None,
                f"confstr says {answer or 'nothing'}, the interpreter is {program}",
            ),
            Fact(None, "libc unknown"),
        )
    return (
        Fact(None, f"confstr says {answer or 'nothing'}; {interpreter.source}"),
        Fact(None, "libc unknown"),
    )


def _openssl(machine: Machine, cpu: str, libc: Fact) -> Fact:
    if libc.value != "glibc":
        return Fact(None, "only looked for where a target's choice hangs on it")
    for version, name in OPENSSL_FILES:
        for folder in (*LIBRARY_FOLDERS.get(cpu, ()), *PLAIN_FOLDERS):
            if machine.has_file(f"{folder}/{name}"):
                return Fact(version, f"{folder}/{name}")
    return Fact(None, "the standard library folders have none")


def _macos_version(machine: Machine, release: str) -> Fact:
    path = "/System/Library/CoreServices/SystemVersion.plist"
    try:
        after = machine.text(path).partition("<key>ProductVersion</key>")[2]
    except OSError:
        after = ""
    version = after.partition("<string>")[2].partition("</string>")[0].strip()
    # 10.16 is what macOS 11 and later tell programs they take for old.
    if version_numbers(version) and not version.startswith("10.16"):
        return Fact(version, path)
    darwin = version_numbers(release)[:1]
    if not darwin:
        return Fact(None, f"neither {path} nor the kernel's version tells")
    return Fact(_macos_of_kernel(darwin[0]), f"the kernel's version, {release}")


def _macos_of_kernel(darwin: int) -> str:
    if darwin < 20:
        return f"10.{darwin - 4}"
    return str(darwin - 9 if darwin < 25 else darwin + 1)


def _translated(machine: Machine, system: str, cpu: str) -> Fact:
    if system != "darwin":
        return Fact(None, "only macOS has Rosetta")
    if cpu != "x86_64":
        return Fact(False, f"this process runs as {cpu}")
    return Fact(machine.is_translated(), "sysctl.proc_translated")


def _distribution(machine: Machine, system: str) -> Fact:
    if system != "linux":
        return Fact(None, f"not looked for on {system}")
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            text = machine.text(path)
        except OSError:
            continue
        lines = (line.partition("=") for line in text.splitlines())
        fields = {key: value.strip().strip("\"'") for key, _, value in lines}
        name = fields.get("PRETTY_NAME") or fields.get("NAME") or fields.get("ID")
        if name:
            return Fact(name, path)
    return Fact(None, "no os-release file tells")
