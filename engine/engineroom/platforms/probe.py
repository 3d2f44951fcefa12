"""Makes facts of what this machine and this process tell.

The truth is what the running process is, never what the distribution calls itself: a
glibc Python runs inside Alpine, a 32-bit one on a 64-bit kernel. So the libc is asked
of the libc, the CPU of the kernel is corrected by the size of a pointer, and
os-release is decoration. Every fact carries where it comes from; a fact that cannot
be known is None and says why.

`machine` is the part that touches the system: no subprocess, no network, no decision.
`probe` turns what it reads into facts, and a table test feeds it odd machines; what
concerns OpenSSL and os-release is in modules of their own, which `root` uses too.
"""

from __future__ import annotations

from engineroom.errors import MalformedBinary
from engineroom.platforms.facts import Fact, Facts
from engineroom.platforms.machine import ThisMachine
from engineroom.platforms.openssl import find_openssl, list_openssl, mapped_openssl
from engineroom.platforms.release import distribution
from engineroom.platforms.target import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.platforms.machine import Machine as Machine  # noqa: PLC0414 - for mypy

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

SYSTEM_WORDS = {"win32": "windows", "cygwin": "cygwin"}


def probe(machine: Machine | None = None, *, thorough: bool = False) -> Facts:
    """Find out what this process is.

    Args:
        machine: the system to ask; this one if None.
        thorough: also ask what decides nothing and explains much: every libssl, and
            Rosetta. The loader asks for it once it has failed.
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
        openssl=find_openssl(machine, cpu, libc),
        openssl_files=list_openssl(machine, cpu, libc) if thorough else no_question,
        openssl_mapped=mapped_openssl(machine, operating_system),
        interpreter=interpreter,
        implementation=Fact(implementation, "sys.implementation"),
        python_version=Fact(version, "sys.version_info"),
        free_threaded=Fact(free_threaded, "sys.abiflags"),
        translated=_translated(machine, operating_system, cpu)
        if thorough
        else no_question,
        **distribution(machine, operating_system),
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
