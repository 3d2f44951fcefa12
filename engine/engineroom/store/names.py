"""Project names, versions, specifiers and wheel file names, as the standards have them.

Written by hand rather than taken from `packaging`: `engineroom store publish` runs in
environments that hold Engineroom alone, and what is needed is two regular expressions
and their normal forms. `packaging` is the oracle of the tests instead: whatever is
accepted here is accepted there, with the same normal form. Ordering versions is not
here, because nothing in the store depends on it.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = [
    "NameRefused",
    "WheelName",
    "expand_tag",
    "is_channel",
    "is_commit",
    "is_requires_python",
    "normalise_project",
    "normalise_version",
    "parse_wheel_name",
    "version_key",
]

# The grammar of PEP 440's appendix B, in ASCII and without a leading "v", which no
# build tool writes into a file name.
_VERSION = r"""
    (?:(?P<epoch>[0-9]+)!)?
    (?P<release>[0-9]+(?:\.[0-9]+)*)
    (?:[-_.]?(?P<pre>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?P<pre_number>[0-9]+)?)?
    (?P<post>-(?P<bare_post>[0-9]+)
      |[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>[0-9]+)?)?
    (?P<dev>[-_.]?dev[-_.]?(?P<dev_number>[0-9]+)?)?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?
"""
_VERSION_PATTERN = re.compile(_VERSION, re.VERBOSE | re.IGNORECASE | re.ASCII)
_PRE_WORDS = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_ZEROS_AT_END_PATTERN = re.compile(r"(?:\.0)+(?!\.?[0-9])")
_CLAUSE_PATTERN = re.compile(
    r"(?P<operator>~=|===|==|!=|<=|>=|<|>)\s*(?P<version>[^\s,;]+)", re.ASCII
)
_PROJECT_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.I | re.ASCII)
_TAG_PATTERN = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*", re.I | re.ASCII)
_CHANNEL_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?", re.ASCII)
_COMMIT_PATTERN = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_BUILD_PATTERN = re.compile(r"[0-9]+[a-z0-9_.]*", re.I | re.ASCII)

# A store keeps `<file name>.metadata` beside the wheel, and file systems stop at 255.
_NAME_CHARACTERS_MAX = 240


class NameRefused(ValueError):
    """A name or version does not have the form that the standards ask for."""


@dataclass(frozen=True)
class WheelName:
    """The parts of a wheel's file name.

    Attributes:
        text: the file name as it is.
        project: the project's normalised name (PEP 503).
        version: the normalised version (PEP 440).
        build: the build tag, or an empty string.
        pythons: Python tags, such as `cp39`.
        abis: ABI tags, such as `abi3`.
        platforms: platform tags, such as `manylinux_2_28_x86_64`.
    """

    text: str
    project: str
    version: str
    build: str
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]

    @property
    def tags(self) -> frozenset[str]:
        """Every single tag the name stands for (PEP 425 compressed sets unfolded)."""
        parts = itertools.product(self.pythons, self.abis, self.platforms)
        return frozenset("-".join(part) for part in parts)

    @property
    def identity(self) -> str:
        """One spelling for all names that installers take for the same wheel."""
        tags = (".".join(sorted(p)) for p in (self.pythons, self.abis, self.platforms))
        build = [self.build] if self.build else []
        version = version_key(self.version)
        return "-".join([self.project, version, *build, *tags]).lower()


def normalise_project(name: str) -> str:
    """Give the one spelling of a project's name that indexes use (PEP 503).

    Raises:
        NameRefused: when it is no project name at all.
    """
    if not _PROJECT_PATTERN.fullmatch(name):
        raise NameRefused(
            f"`{name}` is no project name: letters, digits, `.`, `_` and `-`,"
            " first and last a letter or digit"
        )
    return re.sub(r"[-_.]+", "-", name).lower()


def normalise_version(version: str) -> str:
    """Give the normal form of a version (PEP 440), zeros at its end included.

    Raises:
        NameRefused: when it is no version.
    """
    match = _VERSION_PATTERN.fullmatch(version)
    if match is None:
        raise NameRefused(f"`{version}` is no version of PEP 440's form")
    text = f"{int(match['epoch'])}!" if int(match["epoch"] or 0) else ""
    text += ".".join(str(int(part)) for part in match["release"].split("."))
    if match["pre"]:
        word = match["pre"].lower()
        text += f"{_PRE_WORDS.get(word, word)}{int(match['pre_number'] or 0)}"
    if match["post"]:
        text += f".post{int(match['bare_post'] or match['post_number'] or 0)}"
    if match["dev"]:
        text += f".dev{int(match['dev_number'] or 0)}"
    if match["local"]:
        parts = re.split(r"[-_.]", match["local"].lower())
        text += "+" + ".".join(str(int(p)) if p.isdigit() else p for p in parts)
    return text


def is_channel(text: str) -> bool:
    """Tell whether a text can be a channel's name, such as `nightly`."""
    return _CHANNEL_PATTERN.fullmatch(text) is not None


def is_commit(text: str) -> bool:
    """Tell whether a text is the full id of a commit in Git."""
    return _COMMIT_PATTERN.fullmatch(text) is not None


def version_key(version: str) -> str:
    """Give one spelling for all that is the same version: 1.0 and 1.0.0 are one."""
    return _ZEROS_AT_END_PATTERN.sub("", version)


def is_requires_python(text: str) -> bool:
    """Tell whether a `Requires-Python` is a set of specifiers installers can read."""
    return all(_is_clause(clause.strip()) for clause in text.split(","))


def _is_clause(clause: str) -> bool:
    match = _CLAUSE_PATTERN.fullmatch(clause)
    if match is None:
        return False
    operator, version = match["operator"], match["version"]
    if operator == "===":
        return True
    is_equality = operator in ("==", "!=")
    if version.endswith(".*"):
        parsed = _VERSION_PATTERN.fullmatch(version[:-2])
        return bool(is_equality and parsed and not (parsed["dev"] or parsed["local"]))
    parsed = _VERSION_PATTERN.fullmatch(version)
    if parsed is None or (parsed["local"] and not is_equality):
        return False
    return operator != "~=" or "." in parsed["release"]


def expand_tag(tag: str) -> frozenset[str]:
    """Unfold one tag, such as `py2.py3-none-any`, into the single tags it stands for.

    Raises:
        NameRefused: when it has not the three parts of a tag.
    """
    parts = tag.split("-")
    if len(parts) != 3 or not all(_TAG_PATTERN.fullmatch(part) for part in parts):
        raise NameRefused(f"`{tag}` is no tag: PYTHON-ABI-PLATFORM")
    unfolded = itertools.product(*(part.split(".") for part in parts))
    return frozenset("-".join(single) for single in unfolded)


# An entry's names are taken apart wherever it is looked at, a few times in a row.
@lru_cache(maxsize=1024)
def parse_wheel_name(name: str) -> WheelName:
    """Take a wheel's file name apart (PEP 427) and refuse those unsafe to publish.

    Raises:
        NameRefused: with what is wrong in it.
    """
    if len(name) > _NAME_CHARACTERS_MAX:
        raise NameRefused(
            f"the name has {len(name)} characters; at most {_NAME_CHARACTERS_MAX}"
            " leave room for what is stored beside it"
        )
    stem, dot, suffix = name.rpartition(".")
    if not dot or suffix != "whl":
        raise NameRefused("the name does not end in `.whl`")
    if "+" in stem:
        # Object stores, proxies and clients disagree on how "+" is written in an
        # address, so a local version could be published and never be fetched.
        raise NameRefused("the name has a `+`: local versions cannot be published")
    parts = stem.split("-")
    if len(parts) not in (5, 6):
        raise NameRefused(f"the name has {len(parts)} parts between `-`; 5 or 6 do")
    if "__" in parts[0]:
        raise NameRefused(f"`{parts[0]}` has two underscores in a row")
    build = parts[2] if len(parts) == 6 else ""
    if len(parts) == 6 and not _BUILD_PATTERN.fullmatch(build):
        raise NameRefused(f"the build tag `{build}` does not begin with a digit")
    expand_tag("-".join(parts[-3:]))
    pythons, abis, platforms = (tuple(part.split(".")) for part in parts[-3:])
    return WheelName(
        text=name,
        project=normalise_project(parts[0]),
        version=normalise_version(parts[1]),
        build=build,
        pythons=pythons,
        abis=abis,
        platforms=platforms,
    )
