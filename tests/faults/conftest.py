"""Servers, gates and files for the long tests, and the figures they give."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from postgres.cluster import started_cluster
from postgres.programs import MissingProgram, find, find_postgres

from .figures import Figures
from .gate import started_gate
from .styles import Awaited, Blocking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres.cluster import Cluster

    from .gate import Gate
    from .styles import Style

_FIGURES = pytest.StashKey[Figures]()
_BUILD = Path(__file__).parents[2] / "build"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the seed of what is random, and the length of the soak."""
    drawn = random.SystemRandom().randrange(1 << 32)
    parser.addoption("--seed", type=int, default=drawn)
    parser.addoption("--soak-seconds", type=float, default=180.0)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = Figures(config.getoption("--seed"))


def pytest_report_header(config: pytest.Config) -> str:
    return f"faults: --seed={config.stash[_FIGURES].seed}"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the figures, and write them to a file."""
    figures = config.stash[_FIGURES]
    if not figures.lines():
        return
    terminalreporter.section(f"figures, --seed={figures.seed}")
    for line in figures.lines():
        terminalreporter.write_line(line)
    figures.write(_BUILD / "faults.json")


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    """What this run measures."""
    return request.config.stash[_FIGURES]


@pytest.fixture
def seed(figures: Figures) -> int:
    """What all that is random in a test starts from."""
    return figures.seed


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
def gate(server: Cluster, seed: int) -> Iterator[Gate]:
    """A gate before the server."""
    with started_gate(server.port, seed=seed) as started:
        yield started


@pytest.fixture
def gate_url(server: Cluster, gate: Gate) -> str:
    """The URL of the server through its gate."""
    return server.url(port=gate.port, sslmode="disable")


@pytest.fixture(params=[Blocking, Awaited], ids=["blocking", "asyncio"])
def style(request: pytest.FixtureRequest) -> Iterator[Style]:
    """Each face of a client in turn."""
    chosen: Style = request.param()
    yield chosen
    chosen.close()


@pytest.fixture(params=["postgres", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of each backend; PostgreSQL's is behind the gate."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db?mode=rwc"
    url: str = request.getfixturevalue("gate_url")
    return url
