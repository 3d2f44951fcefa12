"""Names as the standards have them, with `packaging` as the oracle."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)
from packaging.version import Version

from engineroom.store.names import (
    NameRefused,
    expand_tag,
    is_requires_python,
    normalise_project,
    normalise_version,
    parse_wheel_name,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0", "1.0"),
        ("1.0.0", "1.0.0"),
        ("01.002", "1.2"),
        ("0!1", "1"),
        ("2!1.0", "2!1.0"),
        ("1.0ALPHA", "1.0a0"),
        ("1.0-beta.2", "1.0b2"),
        ("1.0_preview3", "1.0rc3"),
        ("1.0c1", "1.0rc1"),
        ("1.0-1", "1.0.post1"),
        ("1.0.rev2", "1.0.post2"),
        ("1.0post", "1.0.post0"),
        ("1.0_dev", "1.0.dev0"),
        ("1.0a1.post2.dev3", "1.0a1.post2.dev3"),
        ("1.0+Ubuntu_01.Abc", "1.0+ubuntu.1.abc"),
    ],
)
def test_a_version_is_given_its_normal_form(text: str, expected: str) -> None:
    assert normalise_version(text) == expected
    assert str(Version(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "1.",
        ".1",
        "1..2",
        "1.0 ",
        " 1.0",
        "1.0\n",
        "1.0-",
        "1.0+",
        "v1.0",
        "\u0661",
    ],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(NameRefused, match="is no version"):
        normalise_version(text)


_versions = st.from_regex(
    re.compile(
        r"([0-9]{1,2}!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}"
        r"([-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?[0-9]{0,2})?"
        r"(-[0-9]{1,2}|[-_.]?(post|rev|r)[-_.]?[0-9]{0,2})?"
        r"([-_.]?dev[-_.]?[0-9]{0,2})?(\+[a-z0-9]{1,3}([-_.][a-z0-9]{1,3}){0,2})?",
        re.ASCII | re.IGNORECASE,
    ),
    fullmatch=True,
)


@settings(max_examples=300, deadline=None)
@given(_versions)
def test_versions_that_packaging_knows_get_the_form_packaging_gives(text: str) -> None:
    assert normalise_version(text) == str(Version(text))


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789.!+-_abcrdevpostln ", max_size=12))
def test_no_version_is_accepted_that_packaging_refuses(text: str) -> None:
    try:
        ours = normalise_version(text)
    except NameRefused:
        return
    assert ours == str(Version(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("engineroom", "engineroom"),
        ("Foo.Bar", "foo-bar"),
        ("foo__bar--baz._-qux", "foo-bar-baz-qux"),
        ("A", "a"),
    ],
)
def test_a_project_name_is_given_its_normal_form(text: str, expected: str) -> None:
    assert normalise_project(text) == expected
    assert canonicalize_name(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "-a",
        "a-",
        "_a",
        "a/b",
        "a b",
        "a\n",
        "é",
        "<b>",
        "a\0",
        "../../x",
    ],
)
def test_what_is_no_project_name_is_refused(text: str) -> None:
    with pytest.raises(NameRefused, match="is no project name"):
        normalise_project(text)


@pytest.mark.parametrize(
    "text",
    [
        ">=3.9",
        ">=3.9,<4",
        ">= 3.9, !=3.10.*, < 4",
        "~=3.9",
        "==3.9.*",
        "===whatever",
        ">3.9rc1",
        "==1.0+local",
    ],
)
def test_a_requires_python_that_installers_read_is_accepted(text: str) -> None:
    SpecifierSet(text)
    assert is_requires_python(text)


@pytest.mark.parametrize(
    "text",
    ["", "3.9", ">=", ">=3.9,", "=>3.9", ">=3.9.*", "~=3", ">=three", ">=3.9;", "<1+x"],
)
def test_a_requires_python_that_installers_cannot_read_is_refused(text: str) -> None:
    assert not is_requires_python(text)


@settings(max_examples=500, deadline=None)
@given(st.text("<>=!~0123456789.,*rcdev+ ", max_size=14))
def test_no_requires_python_is_accepted_that_packaging_refuses(text: str) -> None:
    if is_requires_python(text):
        try:
            SpecifierSet(text)
        except InvalidSpecifier as error:  # pragma: no cover - the failure itself
            pytest.fail(f"accepted {text!r}: {error}")


def test_a_wheel_name_is_taken_apart() -> None:
    name = parse_wheel_name("Foo.Bar-1.0-2a-cp39.cp310-abi3-manylinux_2_28_x86_64.whl")
    assert name.project == "foo-bar"
    assert name.version == "1.0"
    assert name.build == "2a"
    assert name.tags == {
        "cp39-abi3-manylinux_2_28_x86_64",
        "cp310-abi3-manylinux_2_28_x86_64",
    }


@pytest.mark.parametrize(
    "text",
    [
        "foo-1.0-py3-none-any.whl",
        "foo_bar-1.0.dev3-py2.py3-none-any.whl",
        "foo-1!2.0-1-cp39-abi3-macosx_11_0_arm64.whl",
        "foo-1.0_post1-py3-none-any.whl",
        "a-1-cp313-cp313t-musllinux_1_2_x86_64.manylinux2014_x86_64.whl",
    ],
)
def test_a_wheel_name_means_what_packaging_takes_it_to_mean(text: str) -> None:
    ours = parse_wheel_name(text)
    project, version, build, tags = parse_wheel_filename(text)
    assert ours.project == project
    assert ours.version == str(version)
    assert ours.build == "".join(str(part) for part in build)
    assert ours.tags == {str(tag) for tag in tags}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("foo-1.0-py3-none-any.zip", r"does not end in `\.whl`"),
        ("whl", r"does not end in `\.whl`"),
        ("foo-1.0.whl", "has 2 parts"),
        ("foo-1.0-1-2-py3-none-any.whl", "has 7 parts"),
        ("foo-1.0+abc-py3-none-any.whl", "local versions cannot be published"),
        ("foo-one-py3-none-any.whl", "`one` is no version"),
        ("foo-1.0-x1-py3-none-any.whl", "build tag `x1`"),
        ("foo-1.0--py3-none-any.whl", "build tag ``"),
        ("-1.0-py3-none-any.whl", "is no project name"),
        ("f__o-1.0-py3-none-any.whl", "two underscores"),
        ("foo-1.0-py3-none-.whl", "is no tag"),
        ("foo-1.0-py3-none-a..b.whl", "is no tag"),
        ("foo-1.0-py3-none-any\n.whl", "is no tag"),
        ("../foo-1.0-py3-none-any.whl", "is no project name"),
        ("foo-1.0-py3-none-<b>.whl", "is no tag"),
        (f"{'f' * 230}-1.0-py3-none-any.whl", "251 characters"),
    ],
)
def test_a_wheel_name_unsafe_to_publish_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NameRefused, match=reason):
        parse_wheel_name(text)


@pytest.mark.parametrize(
    "other",
    [
        "FOO.bar-1.0-py2.py3-none-any.whl",
        "foo_bar-1.0-py3.py2-none-any.whl",
        "foo_bar-01.0-PY2.py3-none-any.whl",
        "foo_bar-1.0.0-py2.py3-none-any.whl",
        "foo_bar-1-py2.py3-none-any.whl",
    ],
)
def test_names_that_installers_take_for_one_wheel_have_one_identity(other: str) -> None:
    name = parse_wheel_name("foo_bar-1.0-py2.py3-none-any.whl")
    assert parse_wheel_name(other).identity == name.identity


@pytest.mark.parametrize(
    "other",
    [
        "foo_bar-1.0.1-py2.py3-none-any.whl",
        "foo_bar-1.0rc1-py2.py3-none-any.whl",
        "foo_bar-10-py2.py3-none-any.whl",
        "foo_bar-1.0-1-py2.py3-none-any.whl",
        "foo_bar-1.0-py3-none-any.whl",
        "foo_baz-1.0-py2.py3-none-any.whl",
    ],
)
def test_names_of_different_wheels_have_different_identities(other: str) -> None:
    name = parse_wheel_name("foo_bar-1.0-py2.py3-none-any.whl")
    assert parse_wheel_name(other).identity != name.identity


@settings(max_examples=300, deadline=None)
@given(_versions.map(normalise_version).filter(lambda version: "+" not in version))
def test_versions_are_told_apart_exactly_when_installers_do(version: str) -> None:
    def identity(text: str) -> str:
        return parse_wheel_name(f"foo-{text}-py3-none-any.whl").identity

    shortest = canonicalize_version(version)
    assert identity(version) == identity(shortest)
    assert identity(version) == f"foo-{shortest}-py3-none-any"


def test_a_compressed_tag_is_unfolded() -> None:
    assert expand_tag("py2.py3-none-any") == {"py2-none-any", "py3-none-any"}
