"""Names for the cases of a test, the same in every process that collects it."""

from __future__ import annotations

import re

_MOST = 60


def case_name(value: object) -> str:
    """What a value is, without the place in memory where it happens to lie."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:_MOST]
