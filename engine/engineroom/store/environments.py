"""The systems, Pythons and installers that a release is judged on, and their orders.

An installer ranks a wheel by the first tag in its own list that the wheel has. That
list is every pair of Python and ABI tag, and for each the platform tags from the newest
to the oldest: a rank is two places, so nobody has to write the thousands of tags down.
`packaging`, as newest pip and pip 22 carry it, and uv are the oracles of the tests.

Installers differ in two things. Newest pip has `linux_x86_64` before every `manylinux`
and `musllinux` tag, pip 22 and uv have it after them. And uv installs on a Python that
is newer than a wheel's Requires-Python allows; only what is too old is left out.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

__all__ = [
    "CLIENTS",
    "PYTHONS",
    "SYSTEMS",
    "Client",
    "Python",
    "Rank",
    "System",
    "TagOrder",
]

Rank = tuple[int, int]  # a pair's place, then a platform's; the lowest is the best

# glibc 2.5, 2.12 and 2.17 have names from before the versions were in the tag.
_LEGACY_NAMES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
_GLIBC_OLDEST = {"x86_64": 5, "arm64": 17}
# Without the kind for three CPUs, which nobody makes and whose name is disputed.
_MACOS_KINDS = {
    "x86_64": ("x86_64", "intel", "fat64", "universal2", "universal"),
    "arm64": ("arm64", "universal2"),
}
# Between 10 and 11: how Pythons built with an older SDK call macOS 11.
_MACOS_10_LAST = 16
_MACOS_10_FIRST = 4
_WINDOWS_NAMES = {"x86_64": "win_amd64", "arm64": "win_arm64"}


class System(NamedTuple):
    """A kind of machine that installs.

    Attributes:
        os: `linux`, `darwin` or `windows`.
        cpu: `x86_64` or `arm64`.
        libc: as in platforms.toml; empty on Windows.
        version: of its libc; of macOS itself there.
    """

    os: str
    cpu: str
    libc: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        name = {"darwin": "macOS", "windows": "Windows"}.get(self.os, self.libc)
        version = ".".join(str(number) for number in self.version)
        return " ".join(part for part in (name, version, self.cpu) if part)


class Python(NamedTuple):
    """A Python that installs.

    Attributes:
        tag: its Python tag, such as `cp313`.
        abi: its own ABI tag.
        minor: the second number of its version.
    """

    tag: str
    abi: str
    minor: int

    @property
    def version(self) -> str:
        """The release that stands for all of its line."""
        return f"3.{self.minor}.0"

    @property
    def is_free_threaded(self) -> bool:
        """Whether it was built without the interpreter lock."""
        return self.abi.endswith("t")

    @property
    def loads_engines(self) -> bool:
        """Whether there are engines for it: they need CPython and its lock."""
        return self.tag.startswith("cp") and not self.is_free_threaded

    def __str__(self) -> str:
        name = "PyPy " if self.tag.startswith("pp") else ""
        return f"{name}3.{self.minor}{'t' if self.is_free_threaded else ''}"


class Client(NamedTuple):
    """An installer.

    Attributes:
        name: what it is called.
        linux_first: whether it has `linux_x86_64` before `manylinux` tags.
        from_below: whether it minds only the oldest Python that a wheel allows.
        newest_minor: the newest Python 3 it runs on.
    """

    name: str
    linux_first: bool = False
    from_below: bool = False
    newest_minor: int | None = None

    def runs_on(self, python: Python) -> bool:
        """Tell whether a Python can have this installer."""
        return self.newest_minor is None or python.minor <= self.newest_minor

    def __str__(self) -> str:
        return self.name


def _systems() -> tuple[System, ...]:
    """List what is in use, each kind from below the floor of its targets on."""
    glibc = (17, 27, 28, 31, 34, 35, 36, 39, 41, 42)
    macos = [(11, 0), (12, 0), (13, 0), (14, 0), (15, 0), (26, 0)]
    old_macos = [(10, 9), (10, 12), (10, 13), (10, 15), (10, _MACOS_10_LAST)]
    systems: list[System] = []
    for cpu in ("x86_64", "arm64"):
        systems += [System("linux", cpu, "glibc", (2, minor)) for minor in glibc]
        systems += [System("linux", cpu, "musl", (1, minor)) for minor in (1, 2)]
        versions = [*old_macos, *macos] if cpu == "x86_64" else macos
        systems += [System("darwin", cpu, "libSystem", v) for v in versions]
        systems.append(System("windows", cpu, "", ()))
    return tuple(systems)


SYSTEMS = _systems()
PYTHONS = (
    *(Python(f"cp3{minor}", f"cp3{minor}", minor) for minor in range(9, 16)),
    *(Python(f"cp3{minor}", f"cp3{minor}t", minor) for minor in (13, 14)),
    *(Python(f"pp3{minor}", f"pypy3{minor}_pp73", minor) for minor in (10, 11)),
)
# pip 22 imports a class that Python 3.12 dropped.
CLIENTS = (
    Client("pip", linux_first=True),
    Client("pip 22", newest_minor=11),
    Client("uv", from_below=True),
)


class TagOrder:
    """How an installer ranks the tags of wheels on a machine."""

    def __init__(self, system: System, python: Python, client: Client) -> None:
        self._pairs = _pairs(python)
        self._pure = _pure(python)
        self._platforms = _platforms(system, client.linux_first)

    def rank(self, tag: str) -> Rank | None:
        """Rank a single tag; None where a wheel with it alone is not taken."""
        interpreter, abi, platform = tag.split("-")
        if platform == "any":
            place = self._pure.get(interpreter) if abi == "none" else None
            return None if place is None else (len(self._pairs) + place, 0)
        pair = self._pairs.get((interpreter, abi))
        place = self._platforms.get(platform)
        return None if pair is None or place is None else (pair, place)


@functools.cache
def _pairs(python: Python) -> dict[tuple[str, str], int]:
    """Number the pairs of Python and ABI tag whose wheels have a platform tag."""
    pairs = [(python.tag, python.abi)]
    if python.tag.startswith("cp"):
        stable = "abi3t" if python.is_free_threaded else "abi3"
        older = range(python.minor - 1, 1, -1)
        pairs += [(python.tag, stable), (python.tag, "none")]
        pairs += [(f"cp3{minor}", stable) for minor in older]
    else:
        pairs.append((python.tag, "none"))
    pairs += [(name, "none") for name in _generic(python)]
    return {pair: place for place, pair in enumerate(pairs)}


@functools.cache
def _pure(python: Python) -> dict[str, int]:
    """Number the Python tags whose wheels are for any platform."""
    names = (python.tag, *_generic(python))
    return {name: place for place, name in enumerate(names)}


def _generic(python: Python) -> tuple[str, ...]:
    older = (f"py3{minor}" for minor in range(python.minor - 1, -1, -1))
    return (f"py3{python.minor}", "py3", *older)


@functools.cache
def _platforms(system: System, linux_first: bool) -> dict[str, int]:
    """Number the platform tags of a system."""
    if system.os == "windows":
        names = [_WINDOWS_NAMES[system.cpu]]
    elif system.os == "darwin":
        names = _macos(system)
    else:
        cpu = "aarch64" if system.cpu == "arm64" else system.cpu
        versioned = _musl(system) if system.libc == "musl" else _glibc(system)
        names = [f"{name}_{cpu}" for name in versioned]
        names.insert(0 if linux_first else len(names), f"linux_{cpu}")
    return {name: place for place, name in enumerate(names)}


def _musl(system: System) -> list[str]:
    return [f"musllinux_1_{minor}" for minor in range(system.version[1], -1, -1)]


def _glibc(system: System) -> list[str]:
    names: list[str] = []
    for minor in range(system.version[1], _GLIBC_OLDEST[system.cpu] - 1, -1):
        names.append(f"manylinux_2_{minor}")
        if minor in _LEGACY_NAMES:
            names.append(_LEGACY_NAMES[minor])
    return names


def _macos(system: System) -> list[str]:
    major, minor = system.version
    kinds = _MACOS_KINDS[system.cpu]
    names: list[str] = []
    for newer in range(major, 10, -1):
        names += [f"macosx_{newer}_0_{kind}" for kind in kinds]
    # On arm64 only the other half of a file for both can be older than macOS 11.
    kinds = kinds if system.cpu == "x86_64" else ("universal2",)
    last = minor if major == 10 else _MACOS_10_LAST
    for older in range(last, _MACOS_10_FIRST - 1, -1):
        names += [f"macosx_10_{older}_{kind}" for kind in kinds]
    return names
