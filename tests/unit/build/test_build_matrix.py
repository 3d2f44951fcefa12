"""CI's matrix comes from platforms.toml."""

from __future__ import annotations

import json
import subprocess
import sys

from engineroom.platforms.rows import TARGETS
from native.build import ROOT


def test_every_row_of_platforms_toml_is_a_leg_on_its_own_runner() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "native.build", "matrix"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    legs = json.loads(done.stdout)["include"]
    assert [(leg["target"], leg["runner"]) for leg in legs] == [
        (target.id, target.runner) for target in TARGETS
    ]


def test_ci_takes_its_matrix_from_that_command() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()

    assert "nox -s matrix" in text
    assert [target.id for target in TARGETS if target.id in text] == []
