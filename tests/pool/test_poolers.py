"""A pgbouncer between: each transaction may meet another server's session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from postgres.bouncer import started_bouncer
from postgres.programs import MissingProgram, find

from engineroom import errors

from .plain import all_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres.bouncer import Bouncer
    from postgres.cluster import Cluster

    from .conftest import Open

SHARING = pytest.mark.parametrize("pooler", ["transaction", "statement"])


@pytest.fixture(scope="module")
def bouncer(cluster: Cluster) -> Iterator[Bouncer]:
    """A pgbouncer in transaction mode with two servers."""
    try:
        find("pgbouncer", "pgbouncer")
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with started_bouncer(cluster) as started:
        yield started


@SHARING
def test_many_connections_share_the_servers(
    open_client: Open, bouncer: Bouncer, server_url: str, pooler: str
) -> None:
    client = open_client(
        bouncer.url(), pooler=pooler, min_size=4, max_size=8, hot=["SELECT 1 + ?::int"]
    )
    client.execute("CREATE TABLE kept (n int PRIMARY KEY)")
    calls = [
        lambda n=n: client.execute("INSERT INTO kept VALUES (?) RETURNING n", (n,))
        for n in range(40)
    ]
    outcomes = all_at_once(calls)
    assert [outcome.value.rows for outcome in outcomes] == [[(n,)] for n in range(40)]
    assert client.fetchvalue("SELECT count(*) FROM kept") == 40, server_url
    for n in range(20):
        assert client.fetchvalue("SELECT 1 + ?::int", (n,)) == n + 1
    counters = client.snapshot()["counters"]
    assert not any(name.startswith("retries{") for name in counters)


def test_transactions_stay_on_one_server(open_client: Open, bouncer: Bouncer) -> None:
    client = open_client(bouncer.url(), pooler="transaction", max_size=8)

    def pids() -> set[object]:
        with client.transaction() as connection:
            sql = "SELECT pg_backend_pid()"
            return {connection.execute(sql).fetchone() for _ in range(5)}

    outcomes = all_at_once([pids] * 8)
    assert [len(outcome.value) for outcome in outcomes] == [1] * 8


def test_a_pooler_that_shares_each_statement_has_no_transactions(
    open_client: Open, bouncer: Bouncer
) -> None:
    client = open_client(bouncer.url(), pooler="statement")
    with pytest.raises(errors.NotSupportedError):
        client.transaction().__enter__()
    with pytest.raises(errors.NotSupportedError):
        client.run(lambda _: None)
    assert client.fetchvalue("SELECT 42") == 42


@SHARING
def test_what_would_change_somebody_else_s_session_is_refused(
    open_client: Open, bouncer: Bouncer, pooler: str
) -> None:
    client = open_client(bouncer.url(), pooler=pooler)
    changes = (
        "SET work_mem = '1MB'",
        "LISTEN news",
        "CREATE TEMP TABLE t (n int)",
        "SELECT pg_advisory_lock(1)",
        "PREPARE mine AS SELECT 1",
    )
    with client.connection() as connection:
        for sql in changes:
            with pytest.raises(errors.Misuse) as refused:
                connection.execute(sql)
            assert f"`{pooler}`" in refused.value.message
        with pytest.raises(errors.Misuse):
            connection.executescript("SET work_mem = '1MB'; SELECT 1")
        assert connection.execute("SHOW work_mem").fetchone() != ("1MB",)
    assert client.snapshot()["counters"].get("resets", 0) == 0


def test_a_pooler_of_sessions_is_as_none(open_client: Open, cluster: Cluster) -> None:
    client = open_client(cluster.url(), pooler="session", max_size=1)
    with client.connection() as connection:
        connection.execute("SET work_mem = '1MB'")
        assert connection.execute("SHOW work_mem").fetchone() == ("1MB",)
    assert client.fetchvalue("SHOW work_mem") == "4MB"
    assert client.snapshot()["counters"]["resets"] == 1
