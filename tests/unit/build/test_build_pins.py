"""The list of pinned sources, and how a bad one is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from native.build.errors import PinsInvalid
from native.build.pins import load_sources

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
format = 1
[source.thing]
version = "1.0"
license = "MIT"
homepage = "https://example.org/"
is_linked = true
[[source.thing.file]]
name = "thing.c"
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
size_bytes = 3
[[source.thing.origin]]
kind = "url"
urls = ["https://example.org/thing.c"]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sources.toml"
    path.write_text(text)
    return path


def test_the_pinned_sources_are_those_the_engine_is_built_from() -> None:
    sources = load_sources()

    assert {name: source.is_linked for name, source in sources.items()} == {
        "sqlite": True,
        "cpython": False,
        "postgresql": True,
        "openssl": True,
    }
    first, *_ = sources["sqlite"].origins
    assert str(first) == "npm package better-sqlite3 13.2.0"
    assert str(sources["cpython"].origins[-1]) == "the mirror that apt is set up with"


def test_a_good_list_is_read_as_it_stands(tmp_path: Path) -> None:
    (source,) = load_sources(write(tmp_path, GOOD)).values()

    assert source.title == "thing 1.0"
    assert source.files[0].size_bytes == 3
    assert source.digest == "ba7816bf8f01cfea414140de5dae2223"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        pytest.param("format = 1", "format = 2", "format", id="another-format"),
        pytest.param('version = "1.0"\n', "", "source.thing.version", id="no-version"),
        pytest.param("true", '"yes"', "source.thing.is_linked", id="wrong-type"),
        pytest.param("ba78", "BA78", "source.thing.file.sha256", id="no-sha256"),
        pytest.param(
            '"thing.c"', '"../thing.c"', "source.thing.file.name", id="name-with-folder"
        ),
        pytest.param(
            '"url"', '"ftp"', "source.thing.origin.kind", id="unknown-kind-of-origin"
        ),
        pytest.param(
            '["https://example.org/thing.c"]',
            "[]",
            "source.thing.origin.urls",
            id="an-address-short",
        ),
        pytest.param(
            "is_linked = true",
            'is_linked = true\nunpack = "x"',
            "source.thing",
            id="unpack-without-hash",
        ),
        pytest.param("[source.thing]", "[source.thing", "", id="no-toml"),
    ],
)
def test_a_bad_list_is_refused_with_file_and_key(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))

    with pytest.raises(PinsInvalid) as caught:
        load_sources(path)

    assert caught.value.code == "ER6001"
    assert caught.value.path == path
    assert caught.value.key == key
