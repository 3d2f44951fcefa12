"""Every Python example of the documentation runs, and prints what the page says.

The examples of a page share their names, as a reader would type them one after the
other in an empty folder. A `text` block behind an example is what it prints.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    if "```python" in path.read_text("utf-8")
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text("utf-8")
    if "pyarrow" in text:
        pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    blocks = BLOCK.findall(text)
    for index, (language, code) in enumerate(blocks):
        if language != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(page), "exec"), names)
        following = blocks[index + 1] if index + 1 < len(blocks) else ("", "")
        if following[0] == "text":
            assert printed.getvalue() == following[1]


def test_the_pages_with_examples_are_found() -> None:
    names = {page.name for page in PAGES}
    assert {"README.md", "first-query.md", "use-arrow.md", "transactions.md"} <= names


def links() -> list[tuple[Path, str]]:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "native/README.md"]
    return [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if "://" not in target
    ]


@pytest.mark.parametrize(
    ("page", "target"), links(), ids=lambda value: getattr(value, "name", value)
)
def test_links_between_pages_lead_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target).exists()
