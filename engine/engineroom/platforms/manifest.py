"""Reads and checks platforms.toml, and writes the rows that the package carries.

For developers and builds only: at run time there is `rows`. A file is checked for
known keys, types and words here, and for what cannot be true at once in `coherence`.
What is refused is refused with file, line, key, the value found and what is allowed,
because the person who reads it has just added a row.

TOML readers give no line numbers, so `toml_lines` finds them.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, cast

from engineroom.errors import (
    ManifestDuplicate,
    ManifestMissingField,
    ManifestSyntaxError,
    ManifestUnknownKey,
    ManifestUnknownWord,
    ManifestUnreadable,
    ManifestWrongType,
)
from engineroom.platforms.coherence import either, objections, objections_among
from engineroom.platforms.target import Target
from engineroom.platforms.toml_lines import find_lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, NoReturn

    from engineroom.errors import ManifestError
    from engineroom.platforms.coherence import Objection
    from engineroom.platforms.toml_lines import Key

__all__ = ["FIELDS", "FORMAT", "load_targets", "parse_targets", "rows_text"]

FORMAT = 1

# What every key means; the reference page of the platforms is made from this.
FIELDS = {
    "family": "The name that selects this system on all its CPUs.",
    "aliases": "Other names for the target, mostly those that Prisma users know.",
    "os": "The operating system: `darwin` or `linux`.",
    "cpu": "The CPU: `x86_64` or `arm64`.",
    "libc": "The C library: `libSystem` (macOS), `glibc` or `musl`.",
    "libc_floor": "The oldest version of it that the engines run on; for `libSystem`"
    " the oldest macOS. The loader refuses older ones.",
    "zig_triple": "What the compiler is told to build for; holds the same floor.",
    "zig_cpu": "The oldest processor of that kind that the engines may use.",
    "tls": "Where a backend that speaks TLS takes OpenSSL from: built in"
    " (`static-openssl-3`), the system's version 3 (`system-openssl-3`), or whichever"
    " of the two the system has (`system-openssl-1.1-or-3`).",
    "libraries": "The libraries that an engine may need; the audit refuses others.",
    "tls_libraries": "The libraries that an engine which speaks TLS may need besides.",
    "wheel_tag": "The platform tag of the wheel. Targets with the same tag share one"
    " wheel, and the loader chooses between them.",
    "cibuildwheel": "The build identifier of the same wheel in cibuildwheel.",
    "runner": "The CI machine that runs it natively.",
}
LISTS = ("aliases", "libraries", "tls_libraries")
MAY_BE_EMPTY = ("aliases", "tls_libraries")

WORDS = {
    "os": ("darwin", "linux"),
    "cpu": ("x86_64", "arm64"),
    "libc": ("libSystem", "glibc", "musl"),
    "tls": ("static-openssl-3", "system-openssl-3", "system-openssl-1.1-or-3"),
}


def load_targets(path: str) -> tuple[Target, ...]:
    """Read the targets of the platforms.toml at `path`.

    Raises:
        ManifestError: the file is missing or refused; the class and fields say why.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ManifestUnreadable(path, f"cannot be read: {reason}") from error
    return parse_targets(text, path)


def parse_targets(text: str, path: str) -> tuple[Target, ...]:
    """Read the targets out of the text of platforms.toml; see `load_targets`."""
    places = find_lines(text)
    document = _parse(text, path, places)
    check = _Check(path, dict(reversed(places)))
    tables = check.tables(document)
    targets = tuple(check.target(name, table) for name, table in tables.items())
    check.objections(objections_among(targets))
    return targets


def rows_text(targets: Iterable[Target]) -> str:
    """Return the text of `rows.py` for these targets."""
    lines = [
        '"""The targets of platforms.toml, written from it by `nox -s regen`."""',
        "",
        "from __future__ import annotations",
        "",
        "from engineroom.platforms.target import Target",
        "",
        '__all__ = ["TARGETS"]',
        "",
        "TARGETS: tuple[Target, ...] = (",
    ]
    for target in targets:
        lines.append("    Target(")
        lines += [
            f"        {name}={value!r}," for name, value in target.fields().items()
        ]
        lines.append("    ),")
    lines.append(")")
    return "\n".join(lines) + "\n"


def _parse(text: str, path: str, places: list[tuple[Key, int]]) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        seen: dict[Key, int] = {}
        for key, line in places:
            if key in seen:
                raise ManifestDuplicate(
                    path,
                    f"stands twice; first in line {seen[key]}",
                    line=line,
                    key=".".join(key),
                ) from error
            seen[key] = line
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(found.group(1)) if found else len(text.splitlines())
        problem = re.sub(r" \(at [^)]*\)$", "", str(error))
        raise ManifestSyntaxError(
            path, f"is no TOML: {problem[:1].lower()}{problem[1:]}", line=line
        ) from error


class _Check:
    """The checks of one file; knows where each key stands."""

    def __init__(self, path: str, lines: Mapping[Key, int]) -> None:
        self.path = path
        self.lines = lines

    def refuse(
        self,
        kind: type[ManifestError],
        key: Key,
        problem: str,
        value: object = None,
        *,
        allowed: str,
    ) -> NoReturn:
        """Raise `kind` for `key`, with the line of the nearest part that has one."""
        parts = (key[:length] for length in range(len(key), 0, -1))
        raise kind(
            self.path,
            problem,
            line=next((self.lines[part] for part in parts if part in self.lines), 0),
            key=".".join(key),
            value="" if value is None else _toml(value),
            allowed=allowed,
        )

    def objections(self, found: Iterable[Objection]) -> None:
        """Raise the first of these objections."""
        for one in found:
            key = (
                ("target", one.target, one.field)
                if one.field
                else ("target", one.target)
            )
            self.refuse(one.kind, key, one.problem, one.value, allowed=one.allowed)

    def keys(self, above: Key, table: Mapping[str, Any], known: Iterable[str]) -> None:
        allowed = ", ".join(known)
        for name in table:
            if name not in known:
                key = (*above, name)
                self.refuse(ManifestUnknownKey, key, "no such key", allowed=allowed)

    def tables(self, document: Mapping[str, Any]) -> dict[str, Any]:
        self.keys((), document, ("format", "target"))
        number = document.get("format")
        if type(number) is not int or number != FORMAT:  # true equals 1 in Python
            problem = "is missing" if number is None else "cannot be read"
            kind = ManifestMissingField if number is None else ManifestWrongType
            self.refuse(kind, ("format",), problem, number, allowed=str(FORMAT))
        tables = document.get("target")
        if not isinstance(tables, dict) or not tables:
            allowed = "tables called [target.NAME]"
            problem = "there are no targets"
            self.refuse(ManifestMissingField, ("target",), problem, allowed=allowed)
        return cast("dict[str, Any]", tables)

    def target(self, name: str, table: Any) -> Target:
        key = ("target", name)
        if not isinstance(table, dict):
            problem, allowed = "a target is a table", f"[target.{name}]"
            self.refuse(ManifestWrongType, key, problem, table, allowed=allowed)
        fields = cast("dict[str, Any]", table)
        self.keys(key, fields, FIELDS)
        for field, meaning in FIELDS.items():
            where = (*key, field)
            if field not in fields:
                self.refuse(ManifestMissingField, where, "is missing", allowed=meaning)
            self.type_of(where, fields[field])
        for field, words in WORDS.items():
            if fields[field] not in words:
                self.refuse(
                    ManifestUnknownWord,
                    (*key, field),
                    "no such word",
                    fields[field],
                    allowed=either(words),
                )
        for field in LISTS:
            fields[field] = tuple(fields[field])
        target = Target(id=name, **fields)
        self.objections(objections(target))
        return target

    def type_of(self, key: Key, value: object) -> None:
        field = key[-1]
        is_list = isinstance(value, list)
        values = cast("list[object]", value) if is_list else [value]
        allowed = "a text that is not empty"
        if field in LISTS:
            allowed = f"a list of texts{'' if field in MAY_BE_EMPTY else ', not empty'}"
        if (
            is_list is not (field in LISTS)
            or not all(isinstance(text, str) and text for text in values)
            or not (values or field in MAY_BE_EMPTY)
        ):
            self.refuse(ManifestWrongType, key, "wrong type", value, allowed=allowed)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        parts = cast("list[object]", value)
        return f"[{', '.join(_toml(part) for part in parts)}]"
    return repr(value)
