"""Whether it is certain that a statement changes nothing.

A statement that may have reached the server is sent again only if this is so: what is
not known is no read. With SQLite the kind of statement is enough, because a connection
that reads refuses to write (`query_only`), whatever is run on it.
"""

from __future__ import annotations

from engineroom.statement.names import read_names, word_set
from engineroom.statement.shape import BEFORE_LIST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_certain_read"]

_QUERIES = word_set("select table values with")
_CHANGING = word_set("delete insert into merge update")
_LOCKS = word_set("key no share")  # and `update`, which is in no read
# Reserved words that look like functions, and types with a size. `treat` is not among
# them: it calls a function by the name of a type.
_CONSTRUCTS = BEFORE_LIST | word_set("""
    array both cast coalesce exists extract greatest group grouping leading least
    normalize nullif overlay position row substring trailing trim
    bit char character dec decimal float interval nchar numeric time timestamp varchar
""")
# Words that are not reserved, and what stands before them where they are no function.
_PAIRS = {
    "by": word_set("group order partition"),
    "sets": word_set("grouping"),
    "varying": word_set("bit char character"),
}


def is_certain_read(words: list[str], present: frozenset[str], backend: str) -> bool:
    """Say whether a text that can be read to its end is one statement and a read.

    Args:
        words: the tokens of the text, in lower case.
        present: the same, each once.
        backend: `sqlite` or `postgres`.
    """
    if not _CHANGING.isdisjoint(present) or (";" in present and _goes_on(words)):
        return False
    if backend == "sqlite":
        return _begins_query(words, ("explain", "query", "plan"))
    if words[:1] == ["show"]:
        return "(" not in present
    if not _begins_query(words, ("explain", "verbose")):
        return False
    if "for" in present and _locks_rows(words):
        return False
    return not (_calls_by_field(words, present) or _calls_by_name(words, present))


def _goes_on(words: list[str]) -> bool:
    """Whether anything but another semicolon stands behind the first one."""
    return any(word != ";" for word in words[words.index(";") :])


def _begins_query(words: list[str], explain: tuple[str, ...]) -> bool:
    """Whether there is a query, perhaps behind EXPLAIN and its options."""
    start = 0
    if words[:1] == ["explain"]:
        while start < len(words) and words[start] in explain:
            start += 1
        if words[1:2] == ["("]:
            start = _closing(words, 1) + 1
            if {"analyze", "analyse"} & {*words[:start]}:
                return False
    while start < len(words) and words[start] == "(":
        start += 1
    return start < len(words) and words[start] in _QUERIES


def _closing(words: list[str], at: int) -> int:
    """Return where the bracket that opens at a place closes; the end if it does not."""
    depth = 0
    for index in range(at, len(words)):
        if words[index] == "(":
            depth += 1
        elif words[index] == ")":
            depth -= 1
            if depth == 0:
                return index
    return len(words)


def _places(words: list[str], word: str) -> Iterator[int]:
    at = -1
    for _ in range(words.count(word)):
        at = words.index(word, at + 1)
        yield at


def _locks_rows(words: list[str]) -> bool:
    behind = (words[at + 1 : at + 2] for at in _places(words, "for"))
    return any(not _LOCKS.isdisjoint(word) for word in behind)


def _calls_by_field(words: list[str], present: frozenset[str]) -> bool:
    """Whether `value.name` may call a function that is not harmless.

    PostgreSQL does so where the value has no such column. What is behind `U&` is not
    looked into.
    """
    harmful = read_names().harmful
    if "u&" in present:
        return True
    if harmful.isdisjoint(present):
        return False
    return any(words[at + 1] in harmful for at in _places(words[:-1], "."))


def _calls_by_name(words: list[str], present: frozenset[str]) -> bool:
    """Whether there is a call of a function that is not known to be harmless."""
    # An expression follows a closing bracket behind DISTINCT ON (...) and behind
    # OPERATOR(...), and nowhere else.
    may_follow = "operator" in present or (
        "distinct" in present and ("distinct", "on") in zip(words, words[1:])
    )
    return any(_calls(words, at, may_follow) for at in _places(words, "("))


def _calls(words: list[str], at: int, may_follow: bool) -> bool:
    """Whether the bracket at a place calls what is not known to be harmless.

    Args:
        words: the tokens of the text, in lower case.
        at: where the bracket is.
        may_follow: whether a call may follow a closing bracket in this text.
    """
    if not at:
        return False
    name = words[at - 1]
    is_harmless = name in read_names().harmless
    if (is_harmless or name in _CONSTRUCTS) and words[at - 2] != ".":
        return False
    if not _is_name(name):
        return False
    first = at - 1  # of a qualified name
    while first > 1 and words[first - 1] == ".":
        first -= 2
    before = words[first - 1] if first else ""
    # What has a size behind it is a type, what has a list an alias.
    if before in ("::", "as") or _begins_subquery(words, at):
        return False
    if first < at - 1:
        return not (is_harmless and words[first:at] == ["pg_catalog", ".", name])
    if before in _PAIRS.get(name, ()) or (first == 0 and name == "explain"):
        return False
    if before == ")":  # an alias, OVER or FILTER
        return may_follow
    return not _names_subquery(words, first, at)


def _is_name(word: str) -> bool:
    first = word[0]
    if first == ":":  # `:name` is a parameter, unless the text has `$1`
        return len(word) > 1 and word[1] not in ":="
    return first.isalpha() or first in '_"' or first > "\x7f"


def _begins_subquery(words: list[str], at: int) -> bool:
    """Whether a query is in the bracket at a place, which is no argument then."""
    inside = words[at + 1 : at + 3]
    return inside[:1] in (["select"], ["table"], ["with"]) or inside == ["values", "("]


def _names_subquery(words: list[str], first: int, at: int) -> bool:
    """Whether the name at first is that of a WITH, and its columns are in brackets."""
    before = words[:first][-2:]
    if before[-1:] == ["with"] or before == ["with", "recursive"]:
        return True
    if before[-1:] != [","]:
        return False
    start = _closing(words, at) + 1
    for word in ("as", "not", "materialized"):
        if words[start : start + 1] == [word]:
            start += 1
        elif word == "as":
            return False
    return words[start : start + 1] == ["("] and _begins_subquery(words, start)
