"""What a COPY statement says of its data, read from its text. Knows no database.

The engine needs a statement that gives the same columns, because the server tells the
types of a query's columns but not those of a COPY; and which of the two text formats
is meant, which the server does not tell either.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BINARY", "CSV", "TEXT", "CopyStatement", "read_copy"]

# qe_copy_format, as native/src/qe_copy.h numbers it.
BINARY, TEXT, CSV = 0, 1, 2

# Strings and comments, so that what is in them is not taken for words.
_TOKEN = re.compile(
    r"""
    (?P<space> \s+ | --[^\n]* )
  | (?P<comment> /\* )
  | (?P<string> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*'
              | \$(?P<tag>(?:[^\W\d]\w*)?)\$ .*? \$(?P=tag)\$ )
  | (?P<name> "(?:[^"]|"")*" | [^\W\d][\w$]* )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# Options after which values are written as they are without.
_HARMLESS = {"format", "freeze", "force_quote", "force_not_null"}


class CopyStatement:
    """What was found out.

    Attributes:
        shape: a statement with the same columns; None where it could not be made.
        format: BINARY, TEXT or CSV.
        is_plain: whether no option changes how values are written.
    """

    __slots__ = ("format", "is_plain", "shape")

    def __init__(self, shape: str | None, format: int, is_plain: bool) -> None:  # noqa: A002 - as PostgreSQL has it
        self.shape = shape
        self.format = format
        self.is_plain = is_plain


def read_copy(sql: str) -> CopyStatement:
    """Return what the text says; what is not understood is left to the server."""
    tokens = [*_tokens(sql)]
    words = [text.lower() for text, _ in tokens]
    if not words or words[0] != "copy":
        return CopyStatement(None, TEXT, False)
    end = _end_of_target(words)
    if end is None:
        return CopyStatement(None, TEXT, False)
    options = _options(words, end)
    if options is None:
        form, is_plain = (BINARY if "binary" in words[end:] else TEXT), False
    else:
        formats = {"binary": BINARY, "csv": CSV}
        form = formats.get(options.get("format", "").strip("'\""), TEXT)
        is_plain = options.keys() <= _HARMLESS
    return CopyStatement(_shape(sql, tokens, end), form, is_plain)


def _tokens(sql: str) -> Iterator[tuple[str, int]]:
    """What is neither space nor comment, each with where it begins."""
    at = 0
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        if found is None:  # never: the last branch takes any character
            return
        if found.lastgroup == "comment":
            at = _end_of_comment(sql, found.end())
            continue
        if found.lastgroup != "space":
            yield found.group(), at
        at = found.end()


def _end_of_comment(sql: str, at: int) -> int:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)


def _closing(words: list[str], start: int) -> int | None:
    """The index behind the bracket that closes the one at start."""
    depth = 0
    for index in range(start, len(words)):
        depth += {"(": 1, ")": -1}.get(words[index], 0)
        if depth == 0:
            return index + 1
    return None


def _end_of_target(words: list[str]) -> int | None:
    """The index of FROM or TO, behind what is copied."""
    start = 1
    if words[1:2] != ["("]:
        start = 2
        while words[start : start + 1] == ["."]:
            start += 2
    is_open = words[start : start + 1] == ["("]
    index = _closing(words, start) if is_open else start
    if index is None or words[index : index + 1] not in (["from"], ["to"]):
        return None
    return index


def _options(words: list[str], end: int) -> dict[str, str] | None:
    """The options in brackets by name; None for those of old, without brackets."""
    index = end + 2
    if words[index : index + 1] == ["with"]:
        index += 1
    if words[index : index + 1] != ["("]:
        return {} if words[index : index + 1] in ([], [";"], ["where"]) else None
    close = _closing(words, index)
    if close is None:
        return None
    options: dict[str, str] = {}
    part: list[str] = []
    depth = 0
    for word in [*words[index + 1 : close - 1], ","]:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            if part:
                options[part[0]] = "".join(part[1:])
            part = []
        else:
            part.append(word)
    return options


def _shape(sql: str, tokens: list[tuple[str, int]], end: int) -> str:
    target = [text for text, _ in tokens[1:end]]
    start = tokens[1][1]
    if target[0] == "(":
        # Up to the bracket that closes it, with its comments.
        return sql[start + 1 : tokens[end - 1][1]].strip()
    bracket = target.index("(") if "(" in target else len(target)
    columns = " ".join(target[bracket + 1 : -1]) or "*"
    # Nothing but what the caller's own statement names, and never run.
    return f"SELECT {columns} FROM {''.join(target[:bracket])}"  # noqa: S608
