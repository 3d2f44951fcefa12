"""Whether the binaries in a wheel run where its platform tag promises that they do.

An installer trusts the tag and nothing else: a library for another CPU, another libc or
a newer system than the tag says is found by whoever imports it. So the headers of all
libraries are read here, as the loader reads those of engines.

Libraries are known by their names, because wheels carry other binaries as data:
programs for graphics cards, objects for cross compilers. Wheels for any platform are
let be; they hold libraries for several systems and choose by themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from engineroom.errors import MalformedBinary, WheelTagWrong
from engineroom.platforms.binary import read_header
from engineroom.platforms.target import version_numbers

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.platforms.binary import Header
    from engineroom.store.archive import Archive
    from engineroom.store.names import WheelName

__all__ = ["check_binaries"]

_LIBRARY_PATTERN = re.compile(r".*\.(?:so(?:\.[0-9]+)*|dylib)")
_MAGICS = (
    b"\x7fELF",
    *(b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf"),
    *(b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xce", b"\xca\xfe\xba\xbe"),
)
_TAG_PATTERN = re.compile(
    r"(?P<kind>manylinux|musllinux|macosx)_(?P<version>[0-9]+_[0-9]+)_(?P<cpu>\w+)"
    r"|(?P<plain>linux)_(?P<plain_cpu>\w+)"
)
_LEGACY_TAGS = {
    "manylinux1_": "manylinux_2_5_",
    "manylinux2010_": "manylinux_2_12_",
    "manylinux2014_": "manylinux_2_17_",
}
# By a tag's word for them; one kind of file for both of Apple's has to suit both. Of
# others nothing is known, and nothing is said.
_CPUS = {
    "aarch64": ("arm64",),
    "arm64": ("arm64",),
    "armv6l": ("arm",),
    "armv7l": ("arm",),
    "i686": ("x86",),
    "intel": ("x86_64",),
    "loongarch64": ("loongarch",),
    "ppc64le": ("ppc64",),
    "riscv64": ("riscv",),
    "s390x": ("s390x",),
    "universal2": ("x86_64", "arm64"),
    "x86_64": ("x86_64",),
}
_LIBCS = {"manylinux": "glibc", "musllinux": "musl"}
# There is no older macOS for this CPU, whatever the other half of a file is for.
_ARM_MACOS = (11, 0)


class _Promise(NamedTuple):
    """What a platform tag says of every binary in the wheel.

    Attributes:
        tag: the platform tag.
        kind: `manylinux`, `musllinux`, `linux` or `macosx`.
        version: the oldest libc, or macOS, that it is for; empty where it says none.
        cpus: those it has to run on.
    """

    tag: str
    kind: str
    version: tuple[int, ...]
    cpus: tuple[str, ...]


def check_binaries(path: Path, name: WheelName, contents: Archive) -> None:
    """Refuse a wheel with a library that does not run where its tag promises.

    Raises:
        WheelTagWrong: with the library and what is wrong with it.
    """
    promises = [promise for tag in name.platforms if (promise := _promise(tag))]
    if not promises:
        return
    for member in contents.names:
        if _LIBRARY_PATTERN.fullmatch(member):
            _check_library(path, member, contents, promises)


def _promise(tag: str) -> _Promise | None:
    for old, new in _LEGACY_TAGS.items():
        if tag.startswith(old):
            tag = tag.replace(old, new, 1)
    match = _TAG_PATTERN.fullmatch(tag)
    if match is None:
        return None
    cpu = match["cpu"] or match["plain_cpu"]
    version = version_numbers((match["version"] or "").replace("_", "."))
    kind = match["kind"] or match["plain"]
    return _Promise(tag, kind, version, _CPUS.get(cpu, ()))


def _check_library(
    path: Path, member: str, contents: Archive, promises: list[_Promise]
) -> None:
    with contents.unpacked(member) as file:
        size_bytes = file.seek(0, 2)

        def read(offset: int, count: int) -> bytes:
            file.seek(offset)
            return file.read(count)

        # A text for the linker is called `.so` too.
        if read(0, 4) not in _MAGICS:
            return
        for promise in promises:
            for cpu in promise.cpus:
                try:
                    fault = _fault(read_header(read, size_bytes, cpu=cpu), promise, cpu)
                except MalformedBinary as error:
                    fault = f"cannot be read: {error.reason}"
                if fault:
                    raise WheelTagWrong(
                        str(path), f"`{member}` {fault}, and the tag is `{promise.tag}`"
                    )


def _fault(header: Header, promise: _Promise, cpu: str) -> str:
    """Say what keeps a library from running on a CPU that a tag promises."""
    wanted = "Mach-O" if promise.kind == "macosx" else "ELF"
    if header.format != wanted:
        return f"has the format {header.format}"
    if header.cpu != cpu:
        return f"is for {header.cpu}"
    if promise.kind == "macosx":
        oldest = max(promise.version, _ARM_MACOS) if cpu == "arm64" else promise.version
        return f"needs macOS {_spell(header.floor)}" if header.floor > oldest else ""
    libc = _LIBCS.get(promise.kind, header.libc)
    if header.libc not in ("", libc):
        return f"is for {header.libc}"
    if promise.kind == "manylinux" and header.glibc_needed > promise.version:
        return f"needs glibc {_spell(header.glibc_needed)}"
    return ""


def _spell(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)
