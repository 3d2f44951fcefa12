"""Which wheel fits which target, and platform tags in words.

A target stands for all systems from its oldest on, so a wheel fits it when its tag
asks for nothing newer than that. Only names are compared: what is in a wheel was
checked when it was published.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engineroom.platforms.rows import TARGETS
from engineroom.platforms.target import version_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engineroom.platforms.target import Target

__all__ = ["TARGETS", "fits", "platform_words", "target_words"]

_LINUX = re.compile(r"(many|musl)linux_(\d+)_(\d+)_(\w+)", re.ASCII)
_MACOS = re.compile(r"macosx_(\d+)_(\d+)_(\w+)", re.ASCII)
_OLD_LINUX = {
    "manylinux1": "manylinux_2_5",
    "manylinux2010": "manylinux_2_12",
    "manylinux2014": "manylinux_2_17",
}
_CPUS = {"aarch64": "arm64", "amd64": "x86_64"}
_TLS_WORDS = {
    "static-openssl-3": "",
    "system-openssl-1.1-or-3": ", OpenSSL 1.1 or 3",
    "system-openssl-3": ", OpenSSL 3",
}
_CPU_WORDS = {"arm64": "64-bit Arm", "universal2": "both CPUs", "x86_64": "64-bit x86"}


def fits(platforms: Iterable[str], target: Target) -> bool:
    """Tell whether a wheel with these platform tags fits all systems of a target."""
    return any(_fits(platform, target) for platform in platforms)


def platform_words(platform: str) -> str:
    """Say a platform tag in words; one that is not known is given as it is."""
    if platform == "any":
        return "any system"
    linux = _LINUX.fullmatch(_modern(platform))
    if linux is not None:
        libc = "glibc" if linux[1] == "many" else "musl"
        return f"Linux with {libc} {linux[2]}.{linux[3]} or later, {_cpu(linux[4])}"
    macos = _MACOS.fullmatch(platform)
    if macos is not None:
        return f"macOS {macos[1]}.{macos[2]} or later, {_cpu(macos[3])}"
    windows = {"win_amd64": "x86_64", "win_arm64": "arm64"}.get(platform)
    return f"Windows, {_cpu(windows)}" if windows else platform


def target_words(target: Target) -> str:
    """Say in words which systems a target stands for."""
    cpu = _cpu(target.cpu)
    if target.os == "darwin":
        return f"macOS {target.libc_floor} or later, {cpu}"
    tls = _TLS_WORDS[target.tls]
    return f"Linux with {target.libc} {target.libc_floor} or later{tls}, {cpu}"


def _fits(platform: str, target: Target) -> bool:
    if platform == "any":
        return True
    linux = _LINUX.fullmatch(_modern(platform))
    if linux is not None:
        libc = "glibc" if linux[1] == "many" else "musl"
        has_system = target.libc == libc
        wanted, cpu = (int(linux[2]), int(linux[3])), linux[4]
    else:
        macos = _MACOS.fullmatch(platform)
        if macos is None:
            return False
        has_system = target.os == "darwin"
        wanted, cpu = (int(macos[1]), int(macos[2])), macos[3]
    has_cpu = cpu == "universal2" or _CPUS.get(cpu, cpu) == target.cpu
    return has_system and has_cpu and version_numbers(target.libc_floor) >= wanted


def _modern(platform: str) -> str:
    """Give the numbered name (PEP 600) of one of the three older names."""
    name, _, cpu = platform.partition("_")
    return f"{_OLD_LINUX[name]}_{cpu}" if name in _OLD_LINUX else platform


def _cpu(name: str) -> str:
    name = _CPUS.get(name, name)
    return _CPU_WORDS.get(name, name)
