"""The order of tags, held against the lists of two versions of pip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engineroom.store.environments import CLIENTS, PYTHONS, SYSTEMS, TagOrder
from native.ci.matrix import PYTHONS as TESTED_PYTHONS

from .installs import ask_pip

if TYPE_CHECKING:
    from pathlib import Path


PIPS = {client.name: client for client in CLIENTS if client.name.startswith("pip")}

# Just outside of what one system or another takes.
NEIGHBOURS = {
    "any", "linux_aarch64", "linux_i686", "win32", "win_amd64",
    "macosx_10_3_x86_64", "macosx_10_17_x86_64", "macosx_10_17_universal2",
    "macosx_10_15_arm64", "macosx_11_1_arm64", "macosx_27_0_arm64",
    "manylinux1_aarch64", "manylinux_2_4_x86_64", "manylinux_2_16_aarch64",
    "manylinux_2_99_x86_64", "musllinux_1_3_x86_64", "musllinux_2_0_x86_64",
}  # fmt: skip


@pytest.mark.parametrize("name", PIPS)
def test_our_order_of_tags_is_that_of_pip(
    name: str, pip_wheels: dict[str, Path]
) -> None:
    client = PIPS[name]
    environments = [
        (system, python)
        for system in SYSTEMS
        for python in PYTHONS
        if client.runs_on(python)
    ]
    questions = [(system, (python.tag, python.abi)) for system, python in environments]
    answers = ask_pip(pip_wheels[name], "tags", questions)
    for (system, python), tags in zip(environments, answers):
        named = [tag for tag in tags if "_fat3" not in tag]
        order = TagOrder(system, python, client)
        ranks = [order.rank(tag) for tag in named]
        told = dict(zip(named, ranks))
        assert None not in ranks, (system, python, told)
        assert ranks == sorted(set(ranks)), (system, python)  # type: ignore[type-var]
        assert not strangers(set(named), order)


def strangers(known: set[str], order: TagOrder) -> list[str]:
    """Give the tags that we take and pip does not."""
    parts = [tag.split("-") for tag in known]
    others = {"cp39", "cp316", "py2", "py3", "py316", "pp39", "pp310", "cp313"}
    every = [
        f"{interpreter}-{abi}-{platform}"
        for interpreter in others | {part[0] for part in parts}
        for abi in {"cp39", "cp313t", "abi3", "abi3t", "none"} | {p[1] for p in parts}
        for platform in NEIGHBOURS | {part[2] for part in parts[:40]}
    ]
    return [tag for tag in every if tag not in known and order.rank(tag) is not None]


def test_every_python_that_wheels_are_tested_on_is_judged() -> None:
    judged = [python.tag for python in PYTHONS if python.loads_engines]

    assert tuple(judged) == TESTED_PYTHONS
