"""Facts: what is known of a process, and how each thing is known.

A fact that cannot be known is None and says why. Nothing is read here: `probe` asks
the process it runs in, `root` the files of another system.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Union

    Value = Union[str, int, bool, None]

__all__ = ["Fact", "Facts"]


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
        openssl: the OpenSSL that the dynamic loader would find, such as `3` or `1.1`:
            the newest one that a target can bind, else any; None where there is none,
            or it was not looked for.
        openssl_files: every libssl in the folders where the loader looks, with commas
            (only if asked for).
        openssl_mapped: the OpenSSL that this process has already loaded.
        interpreter: the program that loaded this process (ELF), or None.
        implementation: `cpython`, `pypy`, ...
        python_version: the version of the language.
        free_threaded: whether this Python was built without the GIL.
        translated: whether Rosetta translates this process (only if asked for).
        distribution: the system's name for itself.
        distribution_id: os-release's short name, such as `debian`.
        distribution_like: what it says it is like, the nearest first.
        distribution_version: its version.
    """

    __slots__ = (
        "cpu",
        "distribution",
        "distribution_id",
        "distribution_like",
        "distribution_version",
        "free_threaded",
        "implementation",
        "interpreter",
        "kernel_cpu",
        "libc",
        "libc_version",
        "openssl",
        "openssl_files",
        "openssl_mapped",
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
    openssl_files: Fact
    openssl_mapped: Fact
    interpreter: Fact
    implementation: Fact
    python_version: Fact
    free_threaded: Fact
    translated: Fact
    distribution: Fact
    distribution_id: Fact
    distribution_like: Fact
    distribution_version: Fact

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
