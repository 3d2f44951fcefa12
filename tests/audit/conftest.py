"""What the tests of the audit share: a compiler that makes each thing once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.audit.binaries import Workshop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Compiles small engines."""
    folder: Path = tmp_path_factory.mktemp("engines")
    return Workshop(folder)
