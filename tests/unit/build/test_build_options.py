"""The table of SQLite's options."""

from __future__ import annotations

import pytest

from native.build.sqlite_options import SQLITE_OPTIONS, sqlite_defines


def test_every_option_is_set_once_and_has_its_reason() -> None:
    names = [option.name for option in SQLITE_OPTIONS]

    assert len(set(names)) == len(names)
    assert [option.name for option in SQLITE_OPTIONS if not option.why.strip()] == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("SQLITE_ENABLE_COLUMN_METADATA", id="costs-every-step"),
        pytest.param("SQLITE_ENABLE_STMT_SCANSTATUS", id="costs-every-step-too"),
        pytest.param("SQLITE_OMIT_PROGRESS_CALLBACK", id="interrupts-need-it"),
        pytest.param("SQLITE_OMIT_DECLTYPE", id="types-of-columns-need-it"),
    ],
)
def test_options_that_would_hurt_are_not_set(name: str) -> None:
    assert name not in {option.name for option in SQLITE_OPTIONS}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SQLITE_DQS", "0"),
        ("SQLITE_THREADSAFE", "2"),
        ("SQLITE_DEFAULT_MEMSTATUS", "0"),
        ("SQLITE_OMIT_LOAD_EXTENSION", "1"),
        ("SQLITE_ENABLE_FTS5", "1"),
        ("SQLITE_ENABLE_RTREE", "1"),
    ],
)
def test_options_that_promises_rest_on_are_set_everywhere(
    name: str, value: str
) -> None:
    assert f"-D{name}={value}" in sqlite_defines("linux")
    assert f"-D{name}={value}" in sqlite_defines("darwin")
