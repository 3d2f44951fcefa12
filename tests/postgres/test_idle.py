"""Idle connections: what is known of them without waiting, and what is prepared."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

from .programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom import Connection

    from .bouncer import Bouncer
    from .cluster import Cluster
    from .proxy import Proxy

PREPARED = "SELECT statement FROM pg_prepared_statements ORDER BY prepare_time"


@pytest.fixture(params=["disable", "require"])
def connection(
    cluster: Cluster, request: pytest.FixtureRequest
) -> Iterator[Connection]:
    """A connection without TLS, and one with it."""
    url = cluster.url(sslmode=request.param)
    with closing(engineroom.connect(url, autocommit=True)) as opened:
        yield opened


def test_one_that_has_just_been_opened_is_usable(connection: Connection) -> None:
    """Under TLS 1.3 tickets lie in the socket, which are no message."""
    assert not connection._handle.session.is_gone()
    assert connection.execute("SELECT 42").fetchone() == (42,)
    assert not connection._handle.session.is_gone()


def test_one_that_was_ended_is_not(connection: Connection, cluster: Cluster) -> None:
    is_gone = connection._handle.session.is_gone
    connection.execute("SELECT 42").fetchall()
    cluster.terminate()
    wait_until(is_gone, "the end is noticed")
    with pytest.raises(errors.DatabaseError) as caught:
        connection.execute("SELECT 42")
    assert caught.value.sqlstate == "57P01"
    assert not caught.value.was_sent


def test_one_whose_other_end_is_cut_is_not(cluster: Cluster, proxy: Proxy) -> None:
    url = cluster.url(port=proxy.port, sslmode="disable")
    with closing(engineroom.connect(url, autocommit=True)) as connection:
        connection.execute("SELECT 42").fetchall()
        is_gone = connection._handle.session.is_gone
        assert not is_gone()
        proxy.close_all()
        wait_until(is_gone, "the end is noticed")


def test_a_notification_makes_it_no_less_usable(
    connection: Connection, other: Connection
) -> None:
    connection.execute("LISTEN news")
    other.execute("NOTIFY news, 'one'")
    is_gone = connection._handle.session.is_gone
    kept: list[str] = []

    def has_come() -> bool:
        assert not is_gone()
        kept.extend(n.payload for n in connection.notifications(timeout=0))
        return bool(kept)

    wait_until(has_come, "the notification comes")
    assert kept == ["one"]


def test_what_is_prepared_is_on_the_server(connection: Connection) -> None:
    connection.execute(PREPARED).fetchall()
    connection._handle.session.reader().prepare("SELECT 1 + ?")
    assert connection.execute(PREPARED).fetchall() == [(PREPARED,), ("SELECT 1 + $1",)]
    assert connection.execute("SELECT 1 + ?", (2,)).fetchone() == (3,)
    assert connection.execute(PREPARED).fetchall() == [(PREPARED,), ("SELECT 1 + $1",)]


def test_behind_a_pooler_nothing_is_prepared(bouncer: Bouncer) -> None:
    url = bouncer.url(prepared="off")
    with closing(engineroom.connect(url, autocommit=True)) as connection:
        connection._handle.session.reader().prepare("never looked at")
        assert not connection._handle.session.is_gone()
