"""Servers, gates and files for the long tests, and the figures they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from postgres.cluster import started_cluster
from postgres.programs import MissingProgram, find, find_postgres

from .gate import started_gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres.cluster import Cluster

    from .gate import Gate


@pytest.fixture(scope="session")
def postgres_programs() -> None:
    """Skip what needs a server on a machine that has none."""
    try:
        find_postgres()
        find("setpriv", "util-linux")
    except MissingProgram as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def server(postgres_programs: None) -> Iterator[Cluster]:  # noqa: ARG001 - skips
    """The server most tests use; they may stop and start it."""
    with started_cluster("faults") as started:
        yield started


@pytest.fixture
def gate(server: Cluster) -> Iterator[Gate]:
    """A gate before the server."""
    with started_gate(server.port) as started:
        yield started
