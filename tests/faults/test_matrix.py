"""The fault matrix: each trouble in each situation ends in time, and does no harm."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from postgres.cluster import OWNER
from postgres.programs import wait_until

from engineroom import errors

from .files import SLOW_STATEMENT
from .plays import (
    DEADLINE_SECONDS,
    HEALTHY_SECONDS,
    SLACK_SECONDS,
    play_cell,
    read,
    seconds_until_healthy,
)
from .servers import read_only, small_disk
from .styles import figure, measured
from .troubles import FILE_TROUBLES, SERVER_TROUBLES, SITUATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from postgres.cluster import Cluster

    from .figures import Figures
    from .gate import Gate
    from .styles import Style


def note(figures: Figures, name: str, seconds: float, healthy: float) -> None:
    figures.note_longest(f"{name}: calls", seconds)
    figures.note_longest(f"{name}: healthy again", healthy)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", SERVER_TROUBLES)
def test_a_server_in_trouble(
    server: Cluster,
    gate: Gate,
    style: Style,
    figures: Figures,
    name: str,
    situation: str,
) -> None:
    done = play_cell(SERVER_TROUBLES[name], situation, style, (server, gate))
    note(figures, f"postgres, {name}", *done)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", FILE_TROUBLES)
def test_a_file_in_trouble(
    tmp_path: Path, style: Style, figures: Figures, name: str, situation: str
) -> None:
    done = play_cell(FILE_TROUBLES[name], situation, style, (tmp_path,))
    note(figures, f"sqlite, {name}", *done)


SLOW = {"postgres": "SELECT pg_sleep(60)", "sqlite": SLOW_STATEMENT}


def test_a_slow_statement_ends_at_the_deadline(
    server: Cluster, database: str, style: Style, figures: Figures
) -> None:
    """It ends in the database too: nothing goes on working for nobody."""
    backend = "sqlite" if database.startswith("sqlite") else "postgres"
    with style.open(database) as caller:
        outcome = measured(lambda: caller.call("fetchvalue", SLOW[backend]))
        assert isinstance(outcome.error, errors.DeadlineExceeded)
        assert outcome.seconds <= DEADLINE_SECONDS + SLACK_SECONDS
        healthy = seconds_until_healthy(caller)
        assert healthy <= HEALTHY_SECONDS
        if backend == "postgres":
            busy = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{OWNER}' "
            busy += "AND state = 'active'"
            wait_until(lambda: server.run(busy) == [["0"]], "it ended", seconds=1)
    note(figures, f"{backend}, slow statement", outcome.seconds, healthy)


def test_a_read_only_disk_refuses_writes_at_once(style: Style) -> None:
    """Not even root may write there, and no second attempt is made."""
    with small_disk(1 << 20) as folder:
        path = folder / "test.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE kept (number int)")
        with read_only(folder), style.open(f"sqlite:///{path}?mode=ro") as caller:
            assert read(caller).word == "answer"
            insert_one = "INSERT INTO kept VALUES (1)"
            outcome = measured(lambda: caller.call("execute", insert_one))
            assert outcome.word == "read-only"
            assert outcome.seconds < 0.5
            assert figure(caller.client, "counters", "retries") == 0
