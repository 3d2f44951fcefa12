"""The quick rows of the fault matrix; `nox -s faults` plays all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults.plays import play_cell
from faults.troubles import FILE_TROUBLES, SERVER_TROUBLES, SITUATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from faults.gate import Gate
    from faults.styles import Style
    from postgres.cluster import Cluster

QUICK = ("one reply reset", "terminated", "crash", "disk full")


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", QUICK)
def test_a_server_in_trouble(
    cluster: Cluster, gate: Gate, style: Style, name: str, situation: str
) -> None:
    play_cell(SERVER_TROUBLES[name], situation, style, (cluster, gate))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_full_disk_under_a_file(tmp_path: Path, style: Style, situation: str) -> None:
    play_cell(FILE_TROUBLES["disk full"], situation, style, (tmp_path,))
