"""Divides a tree into services, and finds out which of them use Engineroom.

A service is a folder that a packaging file, a Dockerfile or a schema makes one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from engineroom.check.tree import is_dockerfile
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.toml_lines import find_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "INSTALLER_LOCKS", "Locked", "Pin", "Setting", "Usage", "locked_wheels",
    "owners", "pin_of", "setting_of", "tells_usage", "usage_of",
]  # fmt: skip

_MARKERS = frozenset(
    ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "package.json", "go.mod",
     "Cargo.toml", "pom.xml", "build.gradle", "uv.lock", "poetry.lock", "pdm.lock",
     "Pipfile.lock", "pylock.toml", "engineroom.lock")
)  # fmt: skip
# The lock files of installers.
INSTALLER_LOCKS = (
    "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml",
)  # fmt: skip
# Folders that belong to the service above them, whatever lies in them.
_PARTS = frozenset(
    ("prisma", "schema", "schemas", "models", "migrations", "db", "database", "docker",
     "deploy", "deployment", "ci", "requirements", "tests", "test", "infra", "src",
     "scripts")
)  # fmt: skip
# Folders beside services that are none themselves.
_NO_SERVICES = frozenset(("docs", "doc", "examples", "tools", "bin", "assets", "k8s"))
_REQUIREMENTS = re.compile(r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)$")
_REQUIREMENT = re.compile(
    r"\s*(?:engineroom\s*(?:\[[^\]]*\]\s*)?(?:[<>=!~;@#\s].*)?$"
    r"|(?:\S*/)?engineroom-\d\S*\.(?:whl|tar\.gz))",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"""["']engineroom\s*(?:\[[^\]]*\]\s*)?(?:["'<>=!~;@]|\s[^"'])""", re.IGNORECASE
)
_LOCKED = re.compile(
    r"""^(?:name[ \t]*=[ \t]*|[ \t]*)["']engineroom["'][ \t]*(?::|\r?$)""", re.MULTILINE
)
_WHEEL = re.compile(
    r"""engineroom-[^-/\s"']+(?:-\d[^-/\s"']*)?-[^-/\s"']+-[^-/\s"']+-([\w.]+)\.whl"""
)

# An exact version behind the name, as requirements, tables and lists have it.
_PIN = re.compile(
    r"""engineroom["']?\s*(?:\[[^\]]*\]\s*)?(?:=\s*["'])?={2,3}\s*(\d[\w.+!-]*)(?![\w.*])""",
    re.IGNORECASE,
)
_PIN_IN_LOCK = re.compile(
    r"""["']?version["']?\s*[=:]\s*["'](?:==)?(\d[\w.+!-]*)["']"""
)
_PIN_IN_WHEEL = re.compile(r"engineroom-(\d[^-/\s]*)-\S*\.(?:whl|tar\.gz)")
# How far behind the name of a package its version stands in a lock file.
_PIN_LINES = 12


class Usage(NamedTuple):
    """Where a service says that it uses Engineroom."""

    file: str
    line: int


class Pin(NamedTuple):
    """The one version of Engineroom that a file allows."""

    file: str
    line: int
    version: str


class Setting(NamedTuple):
    """The targets that `[tool.engineroom.check]` names, or why they cannot be read."""

    names: tuple[str, ...]
    line: int
    problem: str


class Locked(NamedTuple):
    """The targets whose wheels a lock file lists, and the line of the first."""

    targets: tuple[str, ...]
    line: int


def owners(files: Iterable[str]) -> dict[str, str]:
    """Return the folder of the service to which each file belongs.

    A file outside every service belongs to none and is left out.
    """
    files = list(files)
    marked = {_home(path, _is_weak(path)) for path in files if _is_marker(path)}
    for path in files:
        if path.endswith(".prisma"):
            home = _home(path, True)
            above = _nearest(home, marked)
            has_others = any(folder for folder in marked)
            if above is None or (above == "" and home and has_others):
                marked.add(home)
    marked |= _beside(files, marked)
    found: dict[str, str] = {}
    for path in files:
        owner = _nearest(path.rpartition("/")[0], marked)
        if owner is not None:
            found[path] = owner
    return found


def tells_usage(path: str) -> bool:
    """Say whether a file, by its name, may tell that Engineroom is used."""
    name = path.rpartition("/")[2]
    of_python = name in _MARKERS and name not in (
        "package.json", "go.mod", "Cargo.toml", "pom.xml", "build.gradle",
    )  # fmt: skip
    return of_python or _is_requirements(path)


def usage_of(path: str, text: str) -> Usage | None:
    """Return where a file says that Engineroom is used, or None."""
    if path.endswith("engineroom.lock"):
        return Usage(path, 1)
    if "engineroom" not in text.lower():
        return None
    name = path.rpartition("/")[2]
    if name == "pyproject.toml":
        line = _in_pyproject(text)
    elif name == "Pipfile":
        keys = find_lines(text)
        line = next((at for key, at in keys if _is_ours(key[1:])), 0)
    elif name.endswith((".lock", "pylock.toml")):
        line = _first_line(_LOCKED, text)
    elif name == "setup.py":
        line = _setup_line(text)
    else:
        lines = enumerate(text.splitlines(), 1)
        line = next((n for n, one in lines if _REQUIREMENT.match(one)), 0)
    return Usage(path, line) if line else None


def pin_of(usage: Usage, text: str) -> Pin | None:
    """Return the version that a file pins where it names Engineroom, or None."""
    if usage.file.endswith("engineroom.lock"):
        return None  # it is what is held against the pins
    lines = text.splitlines()[usage.line - 1 :]
    if usage.file.endswith((".lock", "pylock.toml")):
        for number, line in enumerate(lines[:_PIN_LINES], usage.line):
            found = _PIN_IN_LOCK.search(line)
            if found:
                return Pin(usage.file, number, found.group(1))
            if number > usage.line and line.lstrip().startswith("[["):
                break  # the next package
        return None
    found = _PIN.search(lines[0]) or _PIN_IN_WHEEL.search(lines[0])
    return Pin(usage.file, usage.line, found.group(1)) if found else None


def setting_of(text: str) -> Setting | None:
    """Return the setting `targets` of `[tool.engineroom.check]`, or None."""
    if "engineroom" not in text:
        return None
    wanted = ("tool", "engineroom", "check", "targets")
    line = next((at for key, at in find_lines(text) if key == wanted), 0)
    if not line:
        return None
    lines = [_uncommented(one) for one in text.splitlines()[line - 1 :]]
    value = "\n".join(lines).partition("=")[2].lstrip()
    inner, closing, _ = value[1:].partition("]")
    if not value.startswith("[") or not closing:
        return Setting((), line, "is no list of texts")
    names = re.findall(r"""["']([^"'\n]*)["']""", inner)
    if re.sub(r"""["'][^"'\n]*["']""", "", inner).strip(" \t\r\n,"):
        return Setting((), line, "is no list of texts")
    return Setting(tuple(names), line, "" if names else "is empty")


def locked_wheels(text: str) -> Locked | None:
    """Return the targets whose wheels a lock file lists, or None if it lists none."""
    found = list(_WHEEL.finditer(text))
    if not found:
        return None
    tags = {tag for wheel in found for tag in wheel.group(1).split(".")}
    # Newer wheels than this program knows have other tags; the kind and CPU are told.
    kinds = {_kind(tag) for tag in tags}
    targets = tuple(t.id for t in TARGETS if _kind(t.wheel_tag) in kinds)
    return Locked(targets, text.count("\n", 0, found[0].start()) + 1)


def _kind(tag: str) -> tuple[str, str]:
    cpu = "arm" if tag.endswith(("arm64", "aarch64")) else "x86"
    return tag.partition("_")[0].rstrip("0123456789"), cpu


def _in_pyproject(text: str) -> int:
    keys = find_lines(text)
    lines = text.splitlines()
    for (key, start), following in zip(keys, [*keys[1:], ((), len(lines) + 1)]):
        words = ".".join(key)
        if not re.search(r"dependenc|dependency-groups|\brequires\b", words):
            continue
        if _is_ours(key[-1:]):
            return start
        for number in range(start, max(following[1], start + 1)):
            if _QUOTED.search(_uncommented(lines[number - 1])):
                return number
    return 0


def _is_ours(key: tuple[str, ...]) -> bool:
    """Say whether a key is the name of the package, which has no capitals to it."""
    return len(key) == 1 and key[0].lower() == "engineroom"


def _setup_line(text: str) -> int:
    if "install_requires" not in text and "extras_require" not in text:
        return 0
    plain = text.splitlines()
    return next(
        (
            number
            for number, line in enumerate(plain, 1)
            if _QUOTED.search(re.sub(r"\bname\s*=\s*[\"']engineroom[\"']", "", line))
            and not line.lstrip().startswith("#")
        ),
        0,
    )


def _uncommented(line: str) -> str:
    return re.sub(r"""^((?:[^"'#]|"[^"]*"|'[^']*')*)#.*$""", r"\1", line)


def _first_line(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    if found is None:
        return 0
    return text.count("\n", 0, found.start()) + 1


def _is_marker(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in _MARKERS or _is_weak(path)


def _is_weak(path: str) -> bool:
    """Say whether a file makes a service of its folder only where it has its own."""
    return is_dockerfile(path) or _is_requirements(path)


def _is_requirements(path: str) -> bool:
    name = path.rpartition("/")[2]
    is_split = path.split("/")[-2:-1] == ["requirements"] and name.endswith(
        (".txt", ".in")
    )
    return is_split or _REQUIREMENTS.fullmatch(name) is not None


def _home(path: str, is_weak: bool) -> str:
    """Return the folder of a file, or that above if it is a part of a service."""
    folders = path.split("/")[:-1]
    while is_weak and folders and folders[-1] in _PARTS:
        folders.pop()
    return "/".join(folders)


def _nearest(folder: str, marked: set[str]) -> str | None:
    while folder not in marked:
        if not folder:
            return None
        folder = folder.rpartition("/")[0]
    return folder


def _beside(files: Iterable[str], marked: set[str]) -> set[str]:
    """Return folders without a marker that lie beside several services.

    They belong to the matrix: that a service is not affected is an answer too.
    """
    counts: dict[str, int] = {}
    for folder in marked:
        if folder:
            above = folder.rpartition("/")[0]
            counts[above] = counts.get(above, 0) + 1
    found: set[str] = set()
    for path in files:
        folders = path.split("/")[:-1]
        for depth in range(len(folders)):
            above = "/".join(folders[:depth])
            name = folders[depth]
            is_other = name in _PARTS or name in _NO_SERVICES or name.startswith(".")
            is_within = bool(above) and above in marked
            if counts.get(above, 0) > 1 and not is_other and not is_within:
                found.add("/".join(folders[: depth + 1]))
    return found
