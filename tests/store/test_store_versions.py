"""The order of versions and what Requires-Python lets in, held against `packaging`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from engineroom.store.names import normalise_version
from engineroom.store.versions import (
    allows_python,
    is_prerelease,
    is_satisfiable,
    version_order,
)

numbers = st.integers(0, 12).map(str)
releases = st.lists(numbers, min_size=1, max_size=3).map(".".join)
versions = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "1!"]),
        releases,
        st.sampled_from(["", "", "a1", "b2", "rc1"]),
        st.sampled_from(["", "", ".post0", ".post2"]),
        st.sampled_from(["", "", ".dev0", ".dev3"]),
    ),
)
pythons = st.builds("3.{}.{}".format, st.integers(0, 12), st.integers(0, 12))
clauses = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
              st.one_of(releases, pythons, versions)),
    st.builds("~={}.{}".format, st.integers(2, 4), releases),
    st.builds("{}{}.*".format, st.sampled_from(["==", "!="]), st.one_of(
        releases, st.builds("3.{}".format, st.integers(0, 12)))),
    st.builds("==={}".format, pythons),
)  # fmt: skip
requirements = st.lists(clauses, min_size=1, max_size=3).map(", ".join)


@given(versions, versions)
@settings(max_examples=400)
def test_versions_have_the_order_of_packaging(one: str, other: str) -> None:
    ours = (
        version_order(normalise_version(one)),
        version_order(normalise_version(other)),
    )
    theirs = Version(one), Version(other)

    assert (ours[0] < ours[1]) is (theirs[0] < theirs[1])
    assert (ours[0] == ours[1]) is (theirs[0] == theirs[1])


@given(versions)
def test_what_is_a_prerelease_is_one_for_packaging(version: str) -> None:
    assert is_prerelease(normalise_version(version)) is Version(version).is_prerelease


@given(requirements, pythons)
@settings(max_examples=600)
def test_a_python_is_let_in_where_packaging_lets_it_in(
    requirement: str, python: str
) -> None:
    assert allows_python(requirement, python) is SpecifierSet(requirement).contains(
        python
    )


@given(requirements, pythons)
@settings(max_examples=300)
def test_what_lets_a_python_in_is_satisfiable(requirement: str, python: str) -> None:
    if allows_python(requirement, python):
        assert is_satisfiable(requirement)


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("<3.11", True),
        ("!=3.11.*", True),
        (">3.11,<3", True),
        ("==3.9.*", True),
        ("===3.9.0", True),
        ("~=3.9", True),
        (">=3.11.8", False),
        ("~=3.11.8", False),
        ("==3.12.*", False),
        (">=3.9,>3.12", False),
        (">3.11.6", True),
        (">3.11.7", False),
    ],
)
def test_uv_minds_only_the_oldest_python(requirement: str, expected: bool) -> None:
    """As uv 0.13.9 does on Python 3.11.7; test_store_resolve.py asks it."""
    assert allows_python(requirement, "3.11.7", from_below=True) is expected


@pytest.mark.parametrize(
    "requirement",
    [
        ">=3.9,<3.9",
        ">3.9,<=3.9",
        ">=3.9,<3.8",
        "==3.9,!=3.9",
        "==3.9.*,!=3.9.*",
        "~=3.9,<3.9",
        "===3.9.1,<3.9",
        "===three,>=3",
    ],
)
def test_what_no_python_can_satisfy_is_known(requirement: str) -> None:
    assert not is_satisfiable(requirement)


@pytest.mark.parametrize(
    "requirement",
    [None, ">=3.9", "<3", ">=99", "!=3.9.*", "~=3.9", ">3.9,<3.10", "===3.9.1", "<=0"],
)
def test_what_some_python_satisfies_is_known(requirement: str | None) -> None:
    assert is_satisfiable(requirement)
    assert allows_python(None, "3.9.0")
