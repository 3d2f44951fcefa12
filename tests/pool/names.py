"""The public names of both faces of a client, as text that can be compared.

Each line is a name with its signature. `await` stands before what the asyncio face
awaits; a name that one face has alone stands behind the word for that face.
`PYTHONPATH=engine:tests python -m pool.names` writes `golden_names.txt` anew.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from engineroom import aio, pool
from engineroom.aio import block as aio_block
from engineroom.aio import leased as aio_leased
from engineroom.pool import block, leased, result

__all__ = ["GOLDEN", "told"]

GOLDEN = Path(__file__).with_name("golden_names.txt")

_PAIRS = {
    "open": (pool.open, aio.open),
    "Client": (pool.Client, aio.Client),
    "Client.connection": (block.Lease, aio_block.Lease),
    "Client.transaction": (block.Transaction, aio_block.Transaction),
    "connection": (leased.LeasedConnection, aio_leased.LeasedConnection),
    "cursor": (leased.LeasedCursor, aio_leased.LeasedCursor),
    "Result": (result.Result, result.Result),
}
_SPECIAL = {
    "__enter__": "__enter__",
    "__exit__": "__exit__",
    "__iter__": "__iter__",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
}
# What an annotation of the asyncio face is called in the blocking one.
_SAME = (
    (r"\bLeasedCursor\b", "Cursor"),
    (r"Awaitable\[(.*)\]", r"\1"),
    (r"Async(Iterator|Iterable|Generator)", r"\1"),
    (r"\bOpening\b", "Client"),
)


def _signature(name: str, found: Any) -> str:
    text = str(inspect.signature(found)).replace("'", "")
    for pattern, same in _SAME:
        text = re.sub(pattern, same, text)
    return f"{name}{text}"


def _names_of(thing: Any) -> dict[str, tuple[str, bool]]:
    """Return the public names of a class: the signature of each, and if it is awaited.

    Of a function it is its own.
    """
    if not inspect.isclass(thing):
        return {"": (_signature("", thing), False)}
    found: dict[str, tuple[str, bool]] = {}
    for name in dir(thing):
        if name.startswith("_") and name not in _SPECIAL:
            continue
        attribute = inspect.getattr_static(thing, name)
        shown = _SPECIAL.get(name, name)
        if isinstance(attribute, property):
            getter: Any = attribute.fget
            kind = getter.__annotations__.get("return", "")
            found[shown] = (f"{shown}: {kind}".replace("'", ""), False)
        elif inspect.isfunction(attribute):
            is_awaited = inspect.iscoroutinefunction(attribute)
            found[shown] = (_signature(shown, attribute), is_awaited)
        else:
            found[shown] = (shown, False)
    return found


def _told_of(thing: Any, awaited: Any) -> list[str]:
    """Return a line for each name of a class and its twin."""
    names, others = _names_of(thing), _names_of(awaited)
    lines = []
    for name in sorted(names.keys() | others.keys()):
        text, _ = names.get(name, ("", False))
        twin, is_awaited = others.get(name, ("", False))
        # What is native has no signature that could be compared.
        if twin and text in (twin, name):
            lines.append(f"{'await ' if is_awaited else ''}{twin}")
            continue
        lines += [f"blocking: {text}"] if text else []
        lines += [f"asyncio: {twin}"] if twin else []
    return lines


def told() -> str:
    """Return all names, as `golden_names.txt` has them."""
    parts = []
    for title, (thing, awaited) in _PAIRS.items():
        parts.append("\n".join([f"[{title}]", *_told_of(thing, awaited)]))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(told(), "utf-8")
