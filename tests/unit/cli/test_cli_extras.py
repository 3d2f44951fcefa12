"""What asks for an optional package that is not there says how to get it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import engineroom
from engineroom.errors import LoadError
from engineroom.loader.load import find_and_load
from tests.printed import as_on_a_page, example

# As where pyarrow is not installed.
QUERY = """
import sys
sys.modules["pyarrow"] = None
from engineroom.cli.main import main
sys.exit(main(["query", "sqlite://:memory:", "SELECT 1", "--format", "arrow"]))
"""


def test_what_is_printed_is_what_the_page_shows():
    try:
        find_and_load("sqlite")
    except LoadError as error:
        pytest.skip(f"asks a database, for which there is no engine: {error.cause}")
    done = subprocess.run(
        [sys.executable, "-c", QUERY],
        env={**os.environ, "PYTHONPATH": str(Path(engineroom.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert as_on_a_page(done.stderr) == example("ER1002")
