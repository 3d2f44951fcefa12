"""Reads the generators of a Prisma schema, and writes targets into one.

A schema is read as tokens with their places: words, strings and marks, comments left
out. That is enough to find `generator` blocks and their values wherever they stand,
and to change a list without touching anything around it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Generator", "Schema", "Value", "add_targets", "read_schema"]

# What is never closed ends with its line or the file, so that no file takes long.
_TOKEN = re.compile(
    r"""(?P<space>[\s\ufeff]+)
    |(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>"(?:\\[^\n]|[^"\\\n])*(?:"|(?=\\?\n)|\\?\Z))
    |(?P<word>[^\W\d][\w-]*)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
# What matters outside generators: where they begin, and what may hide that.
_STEP = re.compile(
    r"""//[^\n]*|/\*.*?(?:\*/|\Z)|"(?:\\[^\n]|[^"\\\n])*(?:"|(?=\\?\n)|\\?\Z)|[{}]
    |(?<![\w@.-])generator(?![\w-])""",
    re.DOTALL | re.VERBOSE,
)
# With one of these the client is made without an engine of its own.
_NO_ENGINE_TYPES = ("client", "wasm")
_NO_ENGINE_FEATURE = "queryCompiler"


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Value(NamedTuple):
    """What stands behind a key of a generator.

    Attributes:
        texts: the strings in it, in order.
        variables: the environment variables that it takes from `env(...)`.
        is_list: whether brackets stand around it.
        start: where the value begins in the text.
        end: where it ends.
        last: where its last member ends; `start` if it has none.
        has_comma: whether a comma stands behind the last member.
        key_start: where the key begins.
    """

    texts: tuple[str, ...]
    variables: tuple[str, ...]
    is_list: bool
    start: int
    end: int
    last: int
    has_comma: bool
    key_start: int


class Generator(NamedTuple):
    """A `generator` block.

    Attributes:
        name: what it is called.
        line: where it begins, counted from 1.
        open: the place behind its opening brace.
        close: the place of its closing brace.
        values: its keys with their values.
    """

    name: str
    line: int
    open: int
    close: int
    values: dict[str, Value]

    @property
    def targets(self) -> Value | None:
        """What stands behind `binaryTargets`, or None."""
        return self.values.get("binaryTargets")

    @property
    def needs_engines(self) -> bool:
        """Whether this makes a client that runs one of Prisma's engines.

        A generator of diagrams or types takes no targets. One whose provider is not
        known by its words, such as a path, is judged by having some.
        """
        features = self.values.get("previewFeatures")
        if self._first("engineType") in _NO_ENGINE_TYPES or (
            features is not None and _NO_ENGINE_FEATURE in features.texts
        ):
            return False
        return "prisma-client" in self._first("provider") or self.targets is not None

    def _first(self, key: str) -> str:
        value = self.values.get(key)
        return value.texts[0] if value is not None and value.texts else ""


class Schema(NamedTuple):
    """What was read: the generators, and the line at which reading failed, or 0."""

    generators: tuple[Generator, ...]
    broken_line: int


class _Reader:
    """One pass over the tokens of a generator that begins at a place of the text."""

    def __init__(self, text: str, start: int) -> None:
        self.tokens: list[_Token] = []
        self.at = 0
        for found in _TOKEN.finditer(text, start):
            kind = str(found.lastgroup)
            if kind in ("space", "comment"):
                continue
            token = _Token(kind, found.group(), found.start(), found.end())
            self.tokens.append(token)
            is_done = len(self.tokens) == 3 and not self.is_generator()
            if is_done or token.text == "}":  # there are no blocks within
                break

    def is_generator(self) -> bool:
        """Say whether it begins as one: the word may be a name, too."""
        words = self.tokens[:3]
        kinds = [token.kind for token in words]
        return kinds == ["word", "word", "mark"] and words[2].text == "{"

    def generator(self, line: int) -> Generator | None:
        """Read it; give None if it makes no sense."""
        _, name, opening = self.tokens[:3]
        self.at = 3
        values: dict[str, Value] = {}
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.text == "}":
                return Generator(name.text, line, opening.end, token.start, values)
            following = self.tokens[self.at + 1 : self.at + 2]
            if token.kind == "word" and following and following[0].text == "=":
                self.at += 2
                value = self._value(token.start)
                if value is None:
                    return None
                values.setdefault(token.text, value)
            elif token.text in ("{", "generator", "model", "datasource"):
                return None  # the block before it was never closed
            else:
                self.at += 1
        return None

    def _value(self, key_start: int) -> Value | None:
        if self.at >= len(self.tokens):
            return None
        first = self.tokens[self.at]
        if first.text != "[":
            end, text, variable = self._member()
            texts = () if text is None else (text,)
            variables = () if variable is None else (variable,)
            return Value(
                texts, variables, False, first.start, end, end, False, key_start
            )
        self.at += 1
        strings: list[str] = []
        names: list[str] = []
        last, has_comma = first.end, False
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.text == "]":
                self.at += 1
                return Value(
                    tuple(strings),
                    tuple(names),
                    True,
                    first.start,
                    token.end,
                    last,
                    has_comma,
                    key_start,
                )
            if token.text in ("}", "{", "="):
                return None
            if token.text == ",":
                self.at += 1
                last, has_comma = token.end, True
                continue
            last, text, variable = self._member()
            has_comma = False
            if text is not None:
                strings.append(text)
            if variable is not None:
                names.append(variable)
        return None

    def _member(self) -> tuple[int, str | None, str | None]:
        """Read a string, `env("NAME")` or a word: its end, its text, its variable."""
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "text":
            return token.end, _unquoted(token.text), None
        call = self.tokens[self.at : self.at + 3]
        if token.text == "env" and [part.text for part in call[::2]] == ["(", ")"]:
            self.at += 3
            return call[2].end, None, _unquoted(call[1].text)
        return token.end, None, None


def read_schema(text: str) -> Schema:
    """Read the generators of a schema; all other blocks are only skipped."""
    found: list[Generator] = []
    place = depth = counted = 0
    line = 1
    while text.find("generator", place) >= 0:
        for step in _STEP.finditer(text, place):
            word = step.group()
            depth = max(depth + (word == "{") - (word == "}"), 0)
            if word == "generator" and not depth:
                break
        else:
            break
        place = step.end()
        reader = _Reader(text, step.start())
        if reader.is_generator():
            line += text.count("\n", counted, step.start())
            counted = step.start()
            generator = reader.generator(line)
            if generator is None:
                return Schema(tuple(found), line)
            found.append(generator)
            place = generator.close + 1
    return Schema(tuple(found), 0)


def add_targets(text: str, generator: Generator, names: Sequence[str]) -> str:
    """Return the schema with more targets in this generator, and nothing else changed.

    Args:
        text: the schema.
        generator: what `read_schema` found in this very text.
        names: the targets to add, which are not there yet.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    quoted = [f'"{name}"' for name in names]
    value = generator.targets
    if value is None:
        return _with_new_key(text, generator, ", ".join(quoted), newline)
    if not value.is_list:
        inner = ", ".join([text[value.start : value.end], *quoted])
        return f"{text[: value.start]}[{inner}]{text[value.end :]}"
    closing = value.end - 1
    line_start = text.rfind("\n", 0, closing) + 1
    has_members = value.last > value.start + 1
    if line_start <= value.start or text[line_start:closing].strip():
        glue = (" " if value.has_comma else ", ") if has_members else ""
        added = glue + ", ".join(quoted)
        return text[: value.last] + added + text[value.last :]
    head = text[: value.last]
    if has_members and not value.has_comma:
        head += ","
    indent = _member_indent(text, value, text[line_start:closing])
    ending = "," if has_members and value.has_comma else ""
    added = f",{newline}".join(indent + one for one in quoted) + ending + newline
    return head + text[value.last : line_start] + added + text[line_start:]


def _with_new_key(text: str, generator: Generator, inner: str, newline: str) -> str:
    """Put the key behind that of the provider, or first of all."""
    provider = generator.values.get("provider")
    place = generator.open if provider is None else provider.end
    line_end = text.find("\n", place, generator.close)
    if line_end < 0:  # the block ends on this line
        added = f"{newline}  binaryTargets = [{inner}]{newline}"
        at = text.rfind(text[place : generator.close].rstrip(), 0, generator.close)
        return (
            text[:place]
            + text[place : generator.close].rstrip()
            + added
            + (text[generator.close :] if at >= 0 else "")
        )
    indent, key = "  ", "binaryTargets"
    if provider is not None:
        line_start = text.rfind("\n", 0, provider.key_start) + 1
        before = text[line_start : provider.key_start]
        indent = before if not before.strip() else indent
        # The signs of equality stand in one column where the formatter was at work.
        width = text.find("=", provider.key_start) - provider.key_start - 1
        key = key.ljust(width)
    added = f"{indent}{key} = [{inner}]{newline}"
    return text[: line_end + 1] + added + text[line_end + 1 :]


def _member_indent(text: str, value: Value, closing_indent: str) -> str:
    """Return the space before the members of a list of several lines."""
    found = re.search(r'\n([ \t]+)["e/]', text[value.start : value.end])
    return found.group(1) if found else closing_indent + "  "


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text.strip('"')
