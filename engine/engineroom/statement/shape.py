"""What statements that differ in their values only have in common.

Literals and parameters become `?`, lists of them one `?`, and equal rows one row.
Keywords are written small and names as they came, with one way to put spaces. A shape
is a statement too, and its own shape.
"""

from __future__ import annotations

from engineroom.statement.names import read_names, word_set

__all__ = ["BEFORE_LIST", "make_shape"]

# Reserved words behind which an operand or a list begins.
BEFORE_LIST = word_set("""
    all and any as between case distinct else except fetch for from having in intersect
    lateral limit not offset on only or select some then to union using values variadic
    when where with
""")
# Others that are followed by a space, or by the sign of a number.
_BEFORE_OPERAND = BEFORE_LIST | word_set("""
    by conflict default escape explain filter ilike into is join key like materialized
    over returning set
""")
_CONSTANTS = word_set("false null true")
# Tokens that stand for themselves, and those that touch what follows or precedes them.
_MARKS = frozenset("(),.;[]*=<>+-/%")
_OPEN = word_set("( [ . :: U& u&")
_CLOSE = word_set(") ] [ , . ; ::")
# An operator, or a mark behind which there is something still to come.
_EXPECTS = frozenset("([,;:=<>+-*/%~!@#^&|")
_DIGITS = frozenset("0123456789")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")


def make_shape(tokens: list[str], words: list[str]) -> str:
    """Return the shape of a text.

    Args:
        tokens: of the text, as `lexer.split` has them.
        words: the same in lower case.
    """
    return _written(_normal(tokens, words))


def _normal(tokens: list[str], words: list[str]) -> list[str]:
    """Return the tokens that stay, and `?` for values."""
    keywords = read_names().keywords
    normal: list[str] = []
    opened: list[int] = []  # where the brackets that are open stand
    groups: dict[int, int] = {}  # by where a bracket closes: where it was opened
    for token, word in zip(tokens, words):
        if word in keywords:
            if word in _CONSTANTS and normal and normal[-1][0] in _EXPECTS:
                _add_value(normal)
            else:
                normal.append(word)
        elif word in _MARKS:
            if word == "(":
                opened.append(len(normal))
            normal.append(word)
            if word == ")" and opened:
                _fold_group(normal, opened.pop(), groups)
        elif (word[0] in _LETTERS and word[-1] != "'") or not _is_literal(word):
            normal.append(token)
        else:
            _add_value(normal)
    while normal and normal[-1] == ";":
        normal.pop()
    return normal


def _is_literal(word: str) -> bool:
    """Whether a token, in lower case, is a value or the place of one."""
    first = word[0]
    if first in _DIGITS or word[-1] == "'":
        return True
    if len(word) == 1:
        return first == "?"
    if first in ".$":
        return True
    if first == "?":
        return word[1] in _DIGITS
    return first in ":@" and (word[1] in "_$" or word[1].isalnum() or word[1] > "\x7f")


def _add_value(normal: list[str]) -> None:
    # A sign belongs to the value unless it stands between two.
    while normal and normal[-1] in ("-", "+"):
        if len(normal) > 1 and not _expects_operand(normal[-2]):
            break
        normal.pop()
    if normal[-2:] == ["?", ","]:
        normal.pop()
    else:
        normal.append("?")


def _expects_operand(token: str) -> bool:
    return token[0] in _EXPECTS or token in _BEFORE_OPERAND


def _fold_group(normal: list[str], start: int, groups: dict[int, int]) -> None:
    """Take away what is in the brackets from start on if it repeats what is before."""
    before = groups.get(start - 2)
    follows = before is not None and normal[start - 2 : start] == [")", ","]
    if follows and normal[before : start - 1] == normal[start:]:
        del normal[start - 1 :]
    else:
        groups[len(normal) - 1] = start


def _written(normal: list[str]) -> str:
    parts: list[str] = []
    before = "("
    for one in normal:
        if before in _OPEN or one in _CLOSE:
            # Three colons are not what one and two are.
            is_apart = before[-1] == one[0] == ":"
        else:
            is_apart = one != "(" or not _may_be_called(before)
        if is_apart:
            parts.append(" ")
        parts.append(one)
        before = one
    return "".join(parts)


def _may_be_called(token: str) -> bool:
    is_name = token[0] in '_"`' or token[0].isalpha()
    return is_name and token not in _BEFORE_OPERAND
