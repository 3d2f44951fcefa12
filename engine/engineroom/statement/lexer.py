"""From a text of SQL to its tokens, by the lexical rules of either database.

https://www.postgresql.org/docs/17/sql-syntax-lexical.html and SQLite's tokenize.c. One
pattern takes a token together with the space before it, and `findall` runs it in C.
What no pattern can do, a comment within a comment and a dollar-quoted string, is done
by a slower pass over the few texts that have them.
"""

from __future__ import annotations

import re
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["LITERAL", "split"]

LITERAL: Final = "'?'"  # stands for a string of which nobody needs to know more
# What has a token of its own only where it begins something that has no end.
_UNCLOSED_POSTGRES: Final = frozenset(("'", '"', "/*"))
_UNCLOSED_SQLITE: Final = frozenset(("'", '"', "/*", "`", "["))

# Both databases take each character beyond ASCII as a letter, spaces among them too.
# What is no letter is listed, because a set of ASCII alone is the quickest to look in.
_LETTER = r"[^\x00-@\[-^`{-\x7f]"
_LATER = r"[^\x00-\#%-/:-@\[-^`{-\x7f]"
_PLAIN = r"[^\x00-@BENUX\[-^`benux{-\x7f]"  # behind one of these no quote begins
_NAME = rf"{_LETTER}{_LATER}*"
# The look ahead keeps a doubled quote from being taken for the end.
_STRING = r"'[^']*(?:''[^']*)*'(?!')"
_QUOTED = r'"[^"]*(?:""[^"]*)*"(?!")'
_NUMBER = r"""0[xX][0-9a-fA-F]+
  | (?:[0-9][0-9_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"""
# A string with escapes goes on behind a line end, and its escapes with it.
_ESCAPED = r"'[^'\\]*(?:(?:''|\\[\s\S])[^'\\]*)*'(?!')"
_GAP = r"(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*"
_NO_COMMENT = r"(?!--|/\*)"
_TAG = rf"\$(?:{_LETTER}[^\x00-/:-@\[-^`{{-\x7f]*)?\$"

_POSTGRES = rf"""
    [ \t\n\r\f\v]*
    (?: --[^\n\r]* | /\*[^*/]*(?:(?:\*(?!/)|/(?!\*))[^*/]*)*\*/ | \Z
  | (
    {_PLAIN}{_LATER}*
  | [(),;\[\]] | \.(?![0-9])
  | (?: [bBeEnNxX](?!') | [uU](?!&['"]) ){_LATER}*
  | {_NUMBER}
  | [eE]{_ESCAPED}(?:{_GAP}{_ESCAPED})*
  | (?: [bBnNxX] | [uU]& )? {_STRING}
  | [uU]& (?={_QUOTED}) | {_QUOTED}
  | \$[0-9]+ | {_TAG}
  | (?<![?:\])]) (?<!{_LATER}) :{_NAME}
  | :: | := | \?\?[|&]? | \?[0-9]*
  | /\*
    # An operator ends in + or - only if it has one of the characters of the first line.
  | (?: {_NO_COMMENT}[-+*/<>=] )* [~!@\#%^&|`] (?: {_NO_COMMENT}[-+*/<>=~!@\#%^&|`] )*
  | (?: {_NO_COMMENT}[-+*/<>=] )* {_NO_COMMENT}[*/<>=]
  | [\s\S]
    ))
    """
_SQLITE = rf"""
    [ \t\n\r\f]*
    (?: --[^\n]* | /\*[^*]*\*+(?:[^*/][^*]*\*+)*/ | \Z
  | (
    (?! [xX]' ) {_NAME}
  | [(),;] | \.(?![0-9])
  | {_NUMBER}
  | [xX]? {_STRING}
  | {_QUOTED}
  | `[^`]*(?:``[^`]*)*`(?!`)
  | \[[^\]]*\]
  | \?[0-9]*
  | [:@$]{_LATER}+
  | /\*
  | ->>? | \|\| | << | >> | <= | >= | <> | == | !=
  | [\s\S]
    ))
    """
_DOLLAR_QUOTE = re.compile(_TAG)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def split(sql: str, backend: str) -> tuple[list[str], bool]:
    """Return the tokens of a text, and whether it can be read to its end.

    If it cannot, one literal stands for the rest.

    Args:
        sql: any text.
        backend: whose rules: `sqlite` or `postgres`.
    """
    if backend == "sqlite":
        tokens: list[str] = _compiled(_SQLITE).findall(sql)
        unclosed = _UNCLOSED_SQLITE
    else:
        tokens = _compiled(_POSTGRES).findall(sql)
        unclosed = _UNCLOSED_POSTGRES
        if "/*" in tokens or ("$" in sql and _DOLLAR_QUOTE.search(sql)):
            tokens = _split_slowly(sql)
    tokens = [*filter(None, tokens)]  # comments and the end of the text gave nothing
    if unclosed.isdisjoint(tokens):
        return tokens, "\0" not in sql
    end = min(tokens.index(one) for one in unclosed.intersection(tokens))
    return [*tokens[:end], LITERAL], False


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern when it is first needed, which takes a millisecond or two."""
    return re.compile(pattern, re.VERBOSE)


def _split_slowly(sql: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(sql):
        one, at = _next(sql, at)
        if one == "/*":
            at = _end_of_comment(sql, at)
        elif _DOLLAR_QUOTE.fullmatch(one):
            end = sql.find(one, at)
            at = end + len(one) if end >= 0 else -1
            tokens.append(LITERAL)
        else:
            tokens.append(one)
        if at < 0:
            tokens.append("/*")  # has no end, whichever it was
            break
    return tokens


def _next(sql: str, at: int) -> tuple[str, int]:
    """Return the token that comes next, empty for a comment, and where it ends."""
    found = _compiled(_POSTGRES).match(sql, at)
    assert found is not None, "the last branch takes any character"
    return found[1] or "", found.end()


def _end_of_comment(sql: str, at: int) -> int:
    """The place behind a comment that is open at a place; -1 if it has no end."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return -1
