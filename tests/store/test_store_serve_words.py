"""What the web server understands of a request: words in, words out."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.platforms.rows import TARGETS
from engineroom.store import keys
from engineroom.store.serve.conditions import Unsatisfiable, is_known, parse_range
from engineroom.store.serve.fits import fits, platform_words, target_words
from engineroom.store.serve.negotiate import FORMS, choose_form, takes_gzip
from engineroom.store.serve.route import (
    Blob,
    Index,
    Moved,
    PathMalformed,
    People,
    Record,
    find_route,
)

if TYPE_CHECKING:
    from engineroom.platforms.target import Target

SHA256 = "ab" + "0" * 62
NAMES = st.text(alphabet="aB9._-/%.\\ é\0<'\"", max_size=12)
PARTS = st.sampled_from(
    "simple json blobs sha256 journal channels commits project store.json .. . ab"
    f" {SHA256} w-1-py3-none-any.whl Foo.Bar".split(" ")
)
ESCAPED = NAMES.map(lambda name: quote(name, safe=""))
SPELLINGS = st.sampled_from(["simple", "json", "project", "Foo.Bar", "1.0.0"])


@settings(deadline=None)
@given(st.lists(st.one_of(PARTS, ESCAPED), max_size=6))
def test_any_path_leads_to_a_safe_key_or_nowhere(parts: list[str]) -> None:
    try:
        found = find_route("/".join(["", *parts]).encode())
    except PathMalformed:
        return
    if isinstance(found, (Record, Blob)):
        assert keys.is_safe(found.key)
    elif isinstance(found, Index):
        assert keys.is_safe(found.html_key)
        assert keys.is_safe(found.json_key)
    elif isinstance(found, People):
        assert re.fullmatch(r"[a-z0-9-]*", found.project or "")
    elif isinstance(found, Moved):
        assert re.fullmatch(r"[a-zA-Z0-9._!/-]+", found.location)


@settings(deadline=None)
@given(st.lists(SPELLINGS, max_size=4))
def test_a_redirect_leads_to_where_the_thing_is(parts: list[str]) -> None:
    """Followed as a client does, it ends at once, on this server."""
    path = "/".join(["", *parts])
    found = find_route(path.encode() or b"/")
    if isinstance(found, Moved):
        target = urljoin(f"http://host{path}", found.location)
        assert target.startswith("http://host/")
        again = find_route(target.removeprefix("http://host").encode())
        assert isinstance(again, (Index, People))


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_a_path_or_are_refused(raw: bytes) -> None:
    with contextlib.suppress(PathMalformed):
        find_route(b"/" + raw)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_header_is_understood_or_passed_over(header: str) -> None:
    assert choose_form(header, None) in (*FORMS, None)
    assert takes_gzip(header) in (True, False)
    assert is_known(header, '"tag"') in (True, False)


@settings(deadline=None)
@given(st.text(max_size=30).map(lambda text: f"bytes={text}"), st.integers(0, 100))
def test_any_range_is_a_part_of_the_bytes(header: str, size_bytes: int) -> None:
    try:
        part = parse_range(header, size_bytes)
    except Unsatisfiable:
        return
    if part is not None:
        assert 0 <= part[0] < part[1] <= size_bytes


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 40))
def test_a_range_means_what_it_says(first: int, last: int, size_bytes: int) -> None:
    data = bytes(range(size_bytes))
    if first <= last and first < size_bytes:
        part = parse_range(f"bytes={first}-{last}", size_bytes)
        assert part is not None
        assert data[slice(*part)] == data[first : last + 1]
    if last:
        part = parse_range(f"bytes=-{last}", size_bytes)
        assert part is not None
        assert data[slice(*part)] == data[-last:]


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("GZIP;q=1.0, br", True),
        ("gzip, deflate, br, zstd", True),
        ("*", True),
        ("x-gzip", True),
        ("", False),
        (None, False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity, gzip;q=0.5", False),
        ("gzip;q=banana", False),
        ("gzip;q=2", False),
    ],
)
def test_gzip_is_given_to_those_who_like_it(header: str | None, takes: bool) -> None:
    assert takes_gzip(header) is takes


def test_a_client_that_says_nothing_gets_html() -> None:
    assert choose_form(None, None) is FORMS[0]
    assert choose_form("", None) is FORMS[0]
    assert choose_form("application/*;q=0.5, text/html;q=0.4", None) is FORMS[1]


FITTING = {
    "any": {target.id for target in TARGETS},
    "macosx_11_0_arm64": {"darwin-arm64"},
    "macosx_12_0_arm64": set(),
    "macosx_10_9_universal2": {"darwin-arm64", "darwin-x86_64"},
    "macosx_10_13_x86_64": {"darwin-x86_64"},
    "manylinux2014_x86_64": {"debian-openssl-3-x86_64", "rhel-x86_64"},
    "manylinux_2_28_aarch64": {"debian-openssl-3-arm64", "rhel-arm64"},
    "manylinux_2_31_x86_64": set(),
    "musllinux_1_2_x86_64": {"linux-musl-x86_64"},
    "musllinux_1_1_aarch64": {"linux-musl-arm64"},
    "linux_x86_64": set(),
    "win_amd64": set(),
}


@pytest.mark.parametrize("platform", FITTING)
def test_a_wheel_fits_the_targets_whose_oldest_system_takes_it(platform: str) -> None:
    fitting = {target.id for target in TARGETS if fits([platform], target)}
    assert fitting == FITTING[platform]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_every_target_is_fitted_by_its_own_tag_and_has_words(target: Target) -> None:
    assert fits([target.wheel_tag], target)
    assert "or later" in target_words(target)
    assert "or later" in platform_words(target.wheel_tag)


def test_platform_tags_are_said_in_words() -> None:
    assert platform_words("manylinux2014_aarch64") == (
        "Linux with glibc 2.17 or later, 64-bit Arm"
    )
    assert platform_words("win_amd64") == "Windows, 64-bit x86"
    assert platform_words("plan9_z80") == "plan9_z80"
