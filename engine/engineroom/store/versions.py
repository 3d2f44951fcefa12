"""Orders versions, and says which Pythons a `Requires-Python` lets in (PEP 440).

By hand, as names.py is, and for the same reason: a publisher may have Engineroom alone.
The tests hold it against `packaging`. Versions come in the normal form that names.py
gives; of Pythons only final releases are asked about.
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

from engineroom.store.names import normalise_version

__all__ = ["allows_python", "is_prerelease", "is_satisfiable", "version_order"]

_PARTS_PATTERN = re.compile(
    r"(?:(?P<epoch>[0-9]+)!)?(?P<release>[0-9]+(?:\.[0-9]+)*)"
    r"(?:(?P<word>a|b|rc)(?P<pre>[0-9]+))?(?:\.post(?P<post>[0-9]+))?"
    r"(?:\.dev(?P<dev>[0-9]+))?(?:\+.*)?"
)
_CLAUSE_PATTERN = re.compile(r"\s*(~=|===|==|!=|<=|>=|<|>)\s*(\S+)\s*")
_WORDS = {None: 4, "a": 1, "b": 2, "rc": 3}  # 0 is before all of them


class _Key(NamedTuple):
    """What versions are compared by, the weightiest first."""

    epoch: int
    release: tuple[int, ...]
    pre: tuple[int, int]
    post: int
    dev: int

    def ordered(self) -> tuple[object, ...]:
        """Give it without the zeros that 1.0 and 1 differ by."""
        end = len(self.release)
        while end > 1 and self.release[end - 1] == 0:
            end -= 1
        return self._replace(release=self.release[:end])


class _Clause(NamedTuple):
    """One clause of a `Requires-Python`."""

    operator: str
    text: str
    key: _Key
    prefix: tuple[int, ...]  # what `.*` and `~=` hold fixed


def version_order(version: str) -> tuple[object, ...]:
    """Give what a normalised version is ordered by; equal versions have equal keys."""
    return _key(version).ordered()


def is_prerelease(version: str) -> bool:
    """Tell whether installers leave a version out unless it is asked for."""
    key = _key(version)
    return key.pre[0] < _WORDS[None] or key.dev < sys.maxsize


def allows_python(
    requires_python: str | None, python: str, *, from_below: bool = False
) -> bool:
    """Tell whether a final release of Python is one of those a wheel is for.

    Args:
        requires_python: the wheel's; None for every Python.
        python: the release.
        from_below: whether only the oldest Python that is named counts, as for uv: what
            a wheel says of Pythons newer than itself is a guess.
    """
    if requires_python is None:
        return True
    holds = _holds_from_below if from_below else _holds
    return all(holds(clause, python) for clause in _clauses(requires_python))


def is_satisfiable(requires_python: str | None) -> bool:
    """Tell whether there can be a Python that a wheel is for.

    What the clauses admit is a row of intervals. Each begins at a version that a clause
    names, or just above one, or after all that it names with `.*`, or at nothing.
    """
    if requires_python is None:
        return True
    starts = ["0"]
    for clause in _clauses(requires_python):
        release = clause.key.release
        named = (release, (*release, 0, 1), _next(release), _next(clause.prefix))
        starts += [".".join(str(number) for number in start) for start in named]
        if clause.operator == "===" and _PARTS_PATTERN.fullmatch(clause.text):
            starts.append(clause.text)
    return any(allows_python(requires_python, start) for start in starts)


def _key(version: str) -> _Key:
    match = _PARTS_PATTERN.fullmatch(version)
    assert match is not None, version
    word, post, dev = match["word"], match["post"], match["dev"]
    rank = 0 if dev and not (word or post) else _WORDS[word]
    return _Key(
        epoch=int(match["epoch"] or 0),
        release=tuple(int(number) for number in match["release"].split(".")),
        pre=(rank, int(match["pre"] or 0)),
        post=-1 if post is None else int(post),
        dev=sys.maxsize if dev is None else int(dev),
    )


def _clauses(requires_python: str) -> list[_Clause]:
    return [_clause(text) for text in requires_python.split(",")]


def _clause(text: str) -> _Clause:
    match = _CLAUSE_PATTERN.fullmatch(text)
    assert match is not None, text
    operator, version = match.groups()
    if operator == "===":
        is_version = _PARTS_PATTERN.fullmatch(version)
        return _Clause(operator, version, _key(version if is_version else "0"), ())
    is_prefix = version.endswith(".*")
    key = _key(normalise_version(version[:-2] if is_prefix else version))
    if is_prefix:
        return _Clause(f"{operator}.*", version, key, key.release)
    return _Clause(operator, version, key, key.release[:-1])


def _holds(clause: _Clause, python: str) -> bool:
    if clause.operator == "===":
        return python == clause.text
    there, named = _key(python).ordered(), clause.key.ordered()
    if clause.operator in ("==.*", "!=.*"):
        return _has_prefix(python, clause) is (clause.operator == "==.*")
    if clause.operator == "~=":
        return there >= named and _has_prefix(python, clause)
    return {
        "==": there == named,
        "!=": there != named,
        "<=": there <= named,
        ">=": there >= named,
        "<": there < named,
        ">": there > named,
    }[clause.operator]


def _holds_from_below(clause: _Clause, python: str) -> bool:
    if clause.operator.startswith(("<", "!")):
        return True
    there, named = _key(python).ordered(), clause.key.ordered()
    return there > named if clause.operator == ">" else there >= named


def _has_prefix(python: str, clause: _Clause) -> bool:
    release = _key(python).release
    width = len(clause.prefix)
    padded = release + (0,) * (width - len(release))
    return clause.key.epoch == 0 and padded[:width] == clause.prefix


def _next(release: tuple[int, ...]) -> tuple[int, ...]:
    return (*release[:-1], release[-1] + 1) if release else (0,)
