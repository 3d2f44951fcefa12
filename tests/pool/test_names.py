"""The public names of the blocking and the asyncio face: equal but for `await`."""

from __future__ import annotations

from .names import GOLDEN, told

# An Arrow stream is read as it is used, which nobody could await.
ALONE = ["blocking: fetch_arrow(self) -> ArrowResult"]


def test_the_names_are_those_that_were_agreed() -> None:
    assert told() == GOLDEN.read_text("utf-8"), (
        "if it is meant: PYTHONPATH=engine:tests python -m pool.names"
    )


def test_both_faces_have_the_same_names() -> None:
    lines = told().splitlines()
    assert [one for one in lines if one.startswith(("blocking:", "asyncio:"))] == ALONE


def test_what_may_wait_is_awaited() -> None:
    lines = told().splitlines()
    for name in (
        "execute",
        "fetchall",
        "run",
        "health",
        "close",
        "reconnect",
        "commit",
    ):
        found = [line for line in lines if f"{name}(self" in line.split(" -> ")[0]]
        assert found
        assert all(line.startswith("await ") for line in found), found
