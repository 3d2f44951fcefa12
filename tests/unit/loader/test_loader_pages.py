"""The page of each failure to load shows the message that is written out as expected.

test_loader_messages.py brings about each of them and compares it with
tests/data/load-messages.txt. Here the words in capitals of that file become places as
an operator has them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engineroom import errors
from engineroom.errors.pages import FOLDER
from tests.printed import example

MESSAGES = Path(__file__).parents[2] / "data" / "load-messages.txt"
WORDS = {
    "SHELF": "/srv/shop/lib/python3.12/site-packages/engineroom/engines",
    "TMP": "/home/me",
    "/none/": "/home/me/.local/share/",
    "HOST": "debian-openssl-3-x86_64",
    "CPU": "x86_64",
    "MACHINE": "x86_64",
    "PACKAGE": "apt-get install libssl3",
    "VERSION": "1.0.0",
    "(others)": "...",
}


def sections():
    """The messages by the name of their class."""
    parts = re.split(r"^## (.+)\n\n", MESSAGES.read_text("utf-8"), flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2]))


def shown(text):
    """A message as its page has it."""
    for word, place in WORDS.items():
        bounds = r"\b" if word.isalpha() else ""
        text = re.sub(f"{bounds}{re.escape(word)}{bounds}", place, text)
    return f"error {text.strip()}\n"


@pytest.mark.parametrize("name", sections())
def test_the_page_shows_the_message_as_it_is_expected(name):
    kind = getattr(errors, name)
    assert shown(sections()[name]) == example(kind.code)


def test_every_page_of_a_failure_to_load_has_such_a_message():
    codes = {path.stem for path in Path(FOLDER).glob("ER10??.md")}
    told = {getattr(errors, name).code for name in sections()}
    assert codes - told == {"ER1000", "ER1002"}
