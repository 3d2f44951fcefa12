"""The compiler's pin, what it wrote down as read, and the words of its failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from native.build import errors
from native.build.errors import ToolUnusable
from native.build.objects import parse_depfile
from native.build.toolchain import pinned_version

if TYPE_CHECKING:
    from pathlib import Path


def test_the_pinned_compiler_is_the_one_of_the_build_requirements() -> None:
    assert pinned_version("ziglang") == "0.17.0"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param('requires = ["ziglang==0.17.0"]', "0.17.0", id="plain"),
        pytest.param('requires = ["ziglang==0.17.0; x < 1"]', "0.17.0", id="marker"),
    ],
)
def test_a_pin_is_read_with_or_without_a_condition(
    tmp_path: Path, text: str, version: str
) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(text)

    assert pinned_version("ziglang", path) == version


def test_a_compiler_without_a_pin_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('requires = ["ziglang>=0.17"]')

    with pytest.raises(ToolUnusable) as caught:
        pinned_version("ziglang", path)

    assert caught.value.code == "ER6010"
    assert caught.value.tool == "ziglang"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a.o: a.c b.h\n", ("a.c", "b.h"), id="one-line"),
        pytest.param(
            "a.o: a.c \\\n  b.h \\\n  c.h\n", ("a.c", "b.h", "c.h"), id="lines"
        ),
        pytest.param("a.o: my\\ file.c b.h\n", ("my file.c", "b.h"), id="space"),
        pytest.param("a.o: a$$b.c c\\#d.h\n", ("a$b.c", "c#d.h"), id="dollar-and-hash"),
        pytest.param("a.o:\n", (), id="nothing"),
    ],
)
def test_the_compilers_list_of_headers_is_read_as_make_would(
    text: str, expected: tuple[str, ...]
) -> None:
    assert parse_depfile(text) == expected


def test_every_failure_has_a_code_of_its_own_and_stands_in_the_drawn_tree() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__]

    codes = {kind.__name__: kind.code for kind in kinds}
    assert all(code.startswith("ER6") and len(code) == 6 for code in codes.values())
    assert len(set(codes.values())) == len(codes)
    drawn = (errors.__doc__ or "").splitlines()
    assert [
        name
        for name, code in codes.items()
        if not any(f" {name} " in line and code in line for line in drawn)
    ] == []
