"""What a server says unasked: notices and notifications, and facts about it."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import engineroom
from engineroom import Notice, Notification, errors

from .cluster import PASSWORDS

if TYPE_CHECKING:
    from engineroom import Connection

    from .cluster import Cluster

SAY = "DO $$ BEGIN RAISE {} '{}' USING DETAIL = 'more', HINT = 'do this'; END $$"


def say(connection: Connection, text: str, level: str = "NOTICE") -> None:
    connection.execute(SAY.format(level, text))


def told(notifications: Any) -> list[tuple[str, str]]:
    return [(found.channel, found.payload) for found in notifications]


def test_notices_are_kept_with_their_fields(connection: Connection) -> None:
    assert list(connection.notices) == []
    say(connection, "grün", "WARNING")
    (notice,) = connection.notices
    assert isinstance(notice, Notice)
    assert (notice.severity, notice.sqlstate) == ("WARNING", "01000")
    assert (notice.message, notice.detail, notice.hint) == ("grün", "more", "do this")
    assert "inline_code_block" in notice.context
    assert notice.table_name == ""


def test_of_many_notices_the_last_hundred_are_kept(connection: Connection) -> None:
    connection.execute(
        "DO $$ BEGIN FOR i IN 1..250 LOOP RAISE NOTICE '%', i; END LOOP; END $$"
    )
    assert [notice.message for notice in connection.notices] == [
        str(number) for number in range(151, 251)
    ]
    connection.close()
    assert len(connection.notices) == 100


def test_notices_without_end_stay_within_bounds(connection: Connection) -> None:
    connection.execute(
        "DO $$ BEGIN FOR i IN 1..30000 LOOP RAISE NOTICE '%', repeat('x', 1000); "
        "END LOOP; END $$"
    )
    assert connection.notices[-1].message == "x" * 1000


def test_a_handler_is_called_after_the_call_in_which_a_notice_came(
    connection: Connection,
) -> None:
    heard: list[str] = []
    connection.add_notice_handler(lambda notice: heard.append(notice.message))
    say(connection, "one")
    assert heard == ["one"]
    connection.executescript(SAY.format("NOTICE", "two"))
    assert heard == ["one", "two"]
    with pytest.raises(errors.DivisionByZero):
        connection.execute("DO $$ BEGIN RAISE NOTICE 'three'; PERFORM 1 / 0; END $$")
    assert heard == ["one", "two", "three"]
    connection.rollback()
    with connection.pipeline():
        say(connection, "four")
    say(connection, "five")
    assert heard == ["one", "two", "three", "four", "five"]
    assert len(connection.notices) == 5


def test_what_a_handler_raises_comes_out(connection: Connection) -> None:
    def fail(notice: Notice) -> None:
        raise LookupError(notice.message)

    connection.add_notice_handler(fail)
    with pytest.raises(LookupError, match="hear me"):
        say(connection, "hear me")


def test_notifications_come_from_others_and_from_oneself(
    connection: Connection, other: Connection
) -> None:
    other.execute("LISTEN news")
    connection.execute("NOTIFY news, 'grün'")
    connection.execute("NOTIFY news")
    assert told(other.notifications(timeout=0)) == []
    connection.commit()
    first, second = other.notifications(stop_after=2)
    assert isinstance(first, Notification)
    assert told([first, second]) == [("news", "grün"), ("news", "")]
    assert first.pid == connection.info.backend_pid
    other.execute("NOTIFY news, 'mine'")
    assert told(other.notifications(stop_after=1)) == [("news", "mine")]


def test_what_came_during_other_work_is_given_later(other: Connection) -> None:
    other.execute("LISTEN news")
    for number in range(5):
        other.execute("SELECT pg_notify('news', ?)", (str(number),))
    assert [n.payload for n in other.notifications(stop_after=2)] == ["0", "1"]
    assert [n.payload for n in other.notifications(timeout=0)] == ["2", "3", "4"]


def test_waiting_ends_at_the_timeout(other: Connection) -> None:
    started = time.monotonic()
    assert list(other.notifications(timeout=0.25)) == []
    assert 0.24 <= time.monotonic() - started < 5


def test_waiting_sees_what_comes_meanwhile(
    other: Connection, connection: Connection
) -> None:
    other.execute("LISTEN news")

    def send() -> None:
        connection.execute("NOTIFY news, 'late'")
        connection.commit()

    timer = threading.Timer(0.2, send)
    timer.start()
    assert told(other.notifications(timeout=30, stop_after=1)) == [("news", "late")]
    timer.join()


def test_a_generator_can_be_left_and_taken_up_again(other: Connection) -> None:
    other.execute("LISTEN news")
    other.executescript("NOTIFY news, 'a'; NOTIFY news, 'b'")
    for notification in other.notifications():
        assert notification.payload == "a"
        # The connection is free for statements meanwhile.
        assert other.execute("SELECT 1").fetchone() == (1,)
        break
    assert told(other.notifications(timeout=0)) == [("news", "b")]


def test_handlers_get_notifications_and_nothing_is_kept_for_later(
    other: Connection,
) -> None:
    heard: list[Notification] = []
    other.add_notification_handler(heard.append)
    other.execute("LISTEN news")
    other.execute("NOTIFY news, 'one'")
    assert told(heard) == [("news", "one")]
    assert told(other.notifications(timeout=0)) == []
    other.executescript("NOTIFY news, 'two'")
    assert told(heard)[1:] == [("news", "two")]


def test_an_open_transaction_that_would_hold_them_up_is_named(
    connection: Connection,
) -> None:
    connection.execute("LISTEN news")
    with pytest.raises(errors.Misuse, match="while a transaction is open"):
        next(connection.notifications())
    connection.commit()
    assert list(connection.notifications(timeout=0)) == []


def test_a_lost_connection_ends_the_wait(other: Connection, cluster: Cluster) -> None:
    timer = threading.Timer(0.2, cluster.terminate)
    timer.start()
    with pytest.raises(errors.ConnectionLost):
        list(other.notifications(timeout=30))
    timer.join()


def test_ctrl_c_ends_the_wait(other: Connection) -> None:
    before = signal.signal(
        signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT)
    )
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(other.notifications(timeout=30))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert other.execute("SELECT 1").fetchone() == (1,)


def test_sqlite_has_no_notifications_and_gives_no_notices() -> None:
    with engineroom.connect("sqlite://:memory:") as connection:
        connection.add_notice_handler(print)
        connection.execute("SELECT 1")
        assert list(connection.notices) == []
        with pytest.raises(engineroom.NotSupportedError):
            connection.notifications()
        with pytest.raises(engineroom.NotSupportedError):
            connection.add_notification_handler(print)


def test_info_tells_where_the_connection_goes(
    connection: Connection, cluster: Cluster
) -> None:
    info = connection.info
    assert info.backend == "postgres"
    assert (info.host, info.port) == ("127.0.0.1", cluster.port)
    assert (info.user, info.dbname) == ("engine", "engine")
    assert info.server_version
    assert info.server_version[:2].isdecimal()
    assert info.backend_pid in cluster.backends()
    assert (info.tls_library, info.tls_version) == ("OpenSSL", "TLSv1.3")
    assert info.tls_cipher
    assert info.transaction_status == "idle"
    shown = repr(info)
    assert f"engine@127.0.0.1:{cluster.port}/engine" in shown
    assert PASSWORDS["engine"] not in shown + repr(connection)
    connection.close()
    assert repr(info) == "<engineroom.ConnectionInfo closed>"


def test_info_over_a_socket_has_no_tls(cluster: Cluster) -> None:
    with engineroom.connect(cluster.url(host="socket")) as connection:
        info = connection.info
        assert info.host == str(cluster.folder)
        assert (info.tls_library, info.tls_version, info.tls_cipher) == (None,) * 3


def test_settings_that_the_server_reports_are_kept_up_with(
    connection: Connection,
) -> None:
    info = connection.info
    connection.execute("SET timezone = 'Asia/Tokyo'")
    assert info.parameter_status("TimeZone") == "Asia/Tokyo"
    connection.rollback()
    assert info.parameter_status("TimeZone") != "Asia/Tokyo"
    assert info.parameter_status("work_mem") is None


def test_info_of_a_file_has_no_server() -> None:
    with engineroom.connect("sqlite://:memory:") as connection:
        info = connection.info
        assert (info.backend, info.host, info.port) == ("sqlite", None, None)
        assert info.server_version
        assert info.server_version.startswith("3.")
        assert info.backend_pid is None
        assert info.parameter_status("TimeZone") is None
        assert repr(info) == f"<engineroom.ConnectionInfo sqlite {info.server_version}>"
