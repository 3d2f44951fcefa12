"""The example on the page of a code, for tests that make the failure happen.

What differs from run to run (folders, ports, hashes, versions) is replaced by what the
page has in its place; every other word is compared.
"""

from __future__ import annotations

import re
from pathlib import Path

from engineroom.version import __version__

PAGES = Path(__file__).parents[1] / "engine" / "engineroom" / "errors" / "pages"


def example(code: str) -> str:
    """The message on the page of a code."""
    text = (PAGES / f"{code}.md").read_text("utf-8")
    found = re.search(r"^```text\n(error .*?\n)```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)


def as_on_a_page(text: str, *places: tuple[object, str]) -> str:
    """The message with its places, hashes and versions as a page writes them.

    The last line names the page; on the page itself it would say nothing.
    """
    text = re.sub(r"more: `engineroom explain ER\d{4}`\n\Z", "", text)
    for place, shown in places:
        text = text.replace(str(place), shown)
    hashes = dict.fromkeys(re.findall(r"\b[0-9a-f]{64}\b", text))
    for digit, sha256 in enumerate(hashes, 1):
        text = text.replace(sha256, str(digit) * 64)
    # A store keeps a blob in a folder that its hash begins with.
    text = re.sub(r"sha256/[0-9a-f]{2}/(\d)\1{63}", r"sha256/\1\1/" + r"\1" * 64, text)
    return text.replace(__version__, "1.0.0")
