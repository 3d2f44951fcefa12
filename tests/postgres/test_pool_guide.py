"""The guide to clients is right about servers; tests/docs runs what needs none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import engineroom

from .cluster import OWNER, PASSWORDS

if TYPE_CHECKING:
    from tests.postgres.cluster import Cluster

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "pool.md"
ADDRESS = "postgresql://shop@db.example/shop"
BLOCK = re.compile(r"^```py\n(.*?)^```$(?:\s*^```text\n(.*?)^```$)?", re.M | re.S)


@pytest.mark.parametrize(
    ("code", "printed"),
    BLOCK.findall(PAGE.read_text("utf-8")),
    ids=["on_connect", "credentials", "replicas"],
)
def test_the_examples_of_the_page_run(
    code: str,
    printed: str,
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("password.txt").write_text(PASSWORDS[OWNER] + "\n", "utf-8")
    # Whoever brings the password himself has none in the URL.
    password = None if "password.txt" in code else ""
    assert ADDRESS in code
    code = code.replace(ADDRESS, cluster.url(password=password))
    exec(compile(code, str(PAGE), "exec"), {"engineroom": engineroom})
    assert capsys.readouterr().out == printed
