"""The generated files: up to date, complete, and noticed when they are not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from engineroom import errors
from engineroom.cli.main import COMMANDS, EXIT_CODES
from engineroom.loader.attempt import VERDICTS
from engineroom.loader.settings import SETTINGS
from engineroom.platforms.rows import TARGETS
from engineroom.pool.options import OPTIONS

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference"


def test_generated_files_are_those_that_would_be_generated_now():
    done = subprocess.run(
        [sys.executable, "-m", "native.build.regen", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_regen_when_a_file_is_stale_fails_the_check_and_then_mends_it(tmp_path):
    code = (
        "import sys; from pathlib import Path; from native.build import regen;"
        "sys.exit(regen.main(sys.argv[2:], root=Path(sys.argv[1])))"
    )

    def regen(*words):
        return subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert regen("--check").returncode == 1
    assert regen().returncode == 0
    assert regen("--check").returncode == 0
    page = tmp_path / "docs" / "reference" / "platforms.md"
    page.write_text(page.read_text().replace("darwin-arm64", "darwin-arm65"))
    done = regen("--check")
    assert done.returncode == 1
    assert "+| `darwin-arm64` |" in done.stdout
    assert "darwin-arm65" in page.read_text()  # a check changes nothing


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_section(name):
    assert f"\n## engineroom {name}\n" in (REFERENCE / "cli.md").read_text()


def test_every_exit_code_has_a_row():
    page = (REFERENCE / "cli.md").read_text()
    for code, meaning in EXIT_CODES.items():
        assert f"\n| {code} | {meaning} |\n" in page


def test_every_option_of_a_client_has_a_row():
    _, clients = (REFERENCE / "settings.md").read_text().split("\n## Clients\n")
    for name in ("replicas", "start", *(option.name for option in OPTIONS)):
        assert f"\n| `{name}` | " in clients


def test_every_exception_has_a_section_and_a_code_of_its_own():
    page = (REFERENCE / "errors.md").read_text()
    kinds = [
        kind
        for kind in (getattr(errors, name) for name in dir(errors))
        if isinstance(kind, type) and issubclass(kind, errors.Error)
    ]
    for kind in kinds:
        assert f"\n## {kind.code} {kind.__name__}\n" in page
        assert re.fullmatch(r"ER\d{4}", kind.code)
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_every_setting_verdict_and_target_is_described():
    settings = (REFERENCE / "settings.md").read_text()
    assert all(f"\n### `{name}`\n" in settings for name, _, _ in SETTINGS)
    verdicts = (REFERENCE / "verdicts.md").read_text()
    assert all(
        f"| `{word}` | {text} |\n" in verdicts for word, text in VERDICTS.items()
    )
    platforms = (REFERENCE / "platforms.md").read_text()
    assert all(f"\n| `{target.id}` | " in platforms for target in TARGETS)
