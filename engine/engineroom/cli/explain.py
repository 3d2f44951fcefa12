"""`engineroom explain`: what a code means, its usual causes, and what mends it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from engineroom.cli.render import Render
    from engineroom.errors import Error

__all__ = ["HELP", "configure", "run"]

HELP = "tell what the code of an error means and what mends it"

FORMAT = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "codes",
        nargs="*",
        metavar="CODE",
        help="a code such as `ER3211`, or its number; without one, all are listed",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Print the page of each code, or the list of all; return 2 for unknown ones."""
    kinds = _kinds()
    codes = [_code(word) for word in arguments.codes] or sorted(kinds)
    unknown = [code for code in codes if code not in kinds]
    if unknown:
        text = f"no error has the code {', '.join(unknown)}"
        hint = "`engineroom explain` lists all codes"
        if arguments.json:
            render.failure("usage", "Usage", text, hint)
        render.note(f"engineroom explain: {text}\n\nhint: {hint}")
        return 2
    if arguments.json:
        told = [_as_json(kinds[code]) for code in codes]
        render.json({"format": FORMAT, "errors": told})
    elif arguments.codes:
        render.line("\n".join(_text(kinds[code]) for code in codes).rstrip())
    else:
        render.table(
            ("code", "class", "meaning"),
            [(code, kinds[code].__name__, _summary(kinds[code])) for code in codes],
        )
    return 0


def _code(word: str) -> str:
    """Return the code that is meant by `ER3211`, `er3211` or `3211`."""
    return f"ER{word.upper().removeprefix('ER')}"


def _kinds() -> dict[str, type[Error]]:
    from engineroom import errors

    named = (getattr(errors, name) for name in dir(errors))
    return {
        kind.code: kind
        for kind in named
        if isinstance(kind, type) and issubclass(kind, errors.Error)
    }


def _summary(kind: type[Error]) -> str:
    """Return what a class says of itself; nothing where Python strips docstrings."""
    first = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    return " ".join(first.split())


def _text(kind: type[Error]) -> str:
    """Return the page of a class, or what it says of itself where it has none."""
    from engineroom.errors.pages import has_page, read_page

    if has_page(kind.code):
        return read_page(kind.code)
    told = inspect.cleandoc(kind.__doc__ or "")
    return f"# {kind.code} {kind.__name__}\n\n{told}\n"


def _as_json(kind: type[Error]) -> dict[str, str]:
    from engineroom.errors.pages import has_page, read_page

    page = read_page(kind.code) if has_page(kind.code) else ""
    return {
        "code": kind.code,
        "class": kind.__name__,
        "meaning": _summary(kind),
        "page": page,
    }
