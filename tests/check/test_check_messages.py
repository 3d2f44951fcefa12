"""Each failure of `engineroom check`, made to happen, prints what its page shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import engineroom
from tests.check.conftest import ONE_LINE
from tests.printed import as_on_a_page, example


def check(root, *words, before=""):
    """Run `engineroom check` in a folder; return what standard error shows."""
    code = f"import sys; from engineroom.cli.main import main; {before}"
    code += f"sys.exit(main({['check', *words]!r}))"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(engineroom.__file__).parents[1]),
        "GIT_CEILING_DIRECTORIES": str(root.parent),
        "LC_ALL": "C",
    }
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr


def no_path(root):
    return check(root, "services/walet")


def no_repository(root):
    return check(root, "--staged")


def full_disk(root):
    """The nearest to a full disk: no file may grow beyond nine bytes."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9)); "
    return check(root, "--fix", before=limit)


CAUSES = {"ER1401": no_path, "ER1402": no_repository, "ER1403": full_disk}


@pytest.mark.parametrize("code", CAUSES)
def test_what_is_printed_is_what_the_page_shows(code, plant):
    root = plant(**{"wallet/prisma/schema.prisma": ONE_LINE})
    text = as_on_a_page(CAUSES[code](root), (root, "/home/me/shop"))
    assert text == example(code)
