"""PostgreSQL's keywords and built-in functions, read from the file beside this one.

`postgres_names.sql` makes the file from a real server.
"""

from __future__ import annotations

import os
from functools import cache

__all__ = ["Names", "read_names", "word_set"]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, as a set."""
    return frozenset(text.split())


_SQLITE_KEYWORDS = word_set(
    "autoincrement fail glob ignore indexed plan pragma query raise regexp virtual"
)


class Names:
    """Names, all in lower case.

    Attributes:
        keywords: of both databases.
        harmless: functions of PostgreSQL that change nothing.
        harmful: those that may change something, and that `value.name` calls as
            `name(value)` does; in quotes too.
    """

    __slots__ = ("harmful", "harmless", "keywords")

    def __init__(self, text: str) -> None:
        # Behind the heads of the file's three lists come their names.
        _, keywords, harmless, harmful = (
            part.splitlines()[1:] for part in text.split("# ")[1:]
        )
        self.keywords = _SQLITE_KEYWORDS.union(keywords)
        self.harmless = frozenset(harmless)
        self.harmful = frozenset((*harmful, *(f'"{name}"' for name in harmful)))


@cache
def read_names() -> Names:
    """Return the names; the file is read when they are first asked for."""
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "postgres_names.txt"), encoding="ascii") as file:
        return Names(file.read())
