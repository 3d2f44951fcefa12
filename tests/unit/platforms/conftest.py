from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def platforms_toml():
    """The real list of targets."""
    return Path(__file__).parents[3] / "platforms.toml"
