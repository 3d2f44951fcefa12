"""What every backend's tests share: a database of its own for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import engineroom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engineroom import Connection


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of a database file that can be made."""
    return f"sqlite:///{tmp_path}/test.db?mode=rwc"


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    """An open connection to a new, empty database file."""
    opened = engineroom.connect(database)
    yield opened
    opened.close()
