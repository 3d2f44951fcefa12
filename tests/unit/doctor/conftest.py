from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def doctor(tmp_path):
    """Run the doctor in a process of its own; give its exit code and its JSON."""

    def run(*words, home=None, before="", **settings):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ENGINEROOM_")
        }
        environment.update(HOME=str(home or tmp_path / "home"), **settings)
        code = (
            f"import sys; {before or 'pass'}\n"
            "from engineroom.cli.main import main; sys.exit(main(sys.argv[1:]))"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, "doctor", "--json", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)

    return run
