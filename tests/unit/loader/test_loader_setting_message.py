"""A setting that cannot be followed is refused in the words of its page."""

from __future__ import annotations

import io

import pytest

from engineroom.cli.render import Render
from engineroom.errors import SettingError
from engineroom.loader.load import find_and_load
from tests.printed import as_on_a_page, example


def test_what_is_printed_is_what_the_page_shows():
    with pytest.raises(SettingError) as caught:
        find_and_load("sqlite", environment={"ENGINEROOM_TARGET": "linux-musk"})
    err = io.StringIO()
    Render(io.StringIO(), err).error(caught.value)
    assert as_on_a_page(err.getvalue()) == example("ER1200")
