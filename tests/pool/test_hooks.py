"""What others write and the pool calls: `on_connect` and `credentials`."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from faults.styles import Awaited
from postgres.cluster import OWNER, PASSWORDS
from postgres.programs import wait_until

import engineroom
import engineroom.aio
from engineroom import errors

from .plain import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.styles import Style
    from postgres.cluster import Cluster

    from .conftest import Open

SECRET = PASSWORDS[OWNER]
TOKEN = "t0ken-that-nobody-may-see"


def hook_of(style: Style, work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what makes `work` of a connection in either face."""
    if not isinstance(style, Awaited):
        return work

    async def hook(connection: Any) -> None:
        result = work(connection)
        if result is not None:
            await result

    return hook


def test_the_hook_sees_each_connection_before_anybody_else(
    style: Style, open_client: Open, server_url: str
) -> None:
    seen = []

    def hook(connection: Any) -> Any:
        seen.append(connection)
        return connection.execute("SET application_name = 'hooked'")

    client = open_client(server_url, max_size=3, on_connect=hook_of(style, hook))
    sql = "SELECT current_setting('application_name')"
    with ExitStack() as leases:
        for _ in range(3):
            connection = leases.enter_context(client.connection())
            assert connection.execute(sql).fetchone() == ("hooked",)
    assert len(seen) == 3
    face: Any = engineroom.aio if isinstance(style, Awaited) else engineroom
    assert all(isinstance(each, face.Connection) for each in seen)


def test_what_the_hook_did_holds_after_a_reset(
    style: Style, open_client: Open, server_url: str
) -> None:
    def hook(connection: Any) -> Any:
        return connection.execute("SET application_name = 'hooked'")

    client = open_client(server_url, max_size=1, on_connect=hook_of(style, hook))
    with client.connection() as connection:
        connection.execute("SET application_name = 'changed'")
    assert client.fetchvalue("SELECT current_setting('application_name')") == "hooked"


def test_a_hook_that_leaves_a_transaction_open_harms_nobody(
    style: Style, open_client: Open, server_url: str
) -> None:
    hook = hook_of(style, lambda c: c.executescript("BEGIN; CREATE TABLE t (n int)"))
    client = open_client(server_url, on_connect=hook)
    with client.connection() as connection:
        assert connection.in_transaction is False
    client.execute("CREATE TABLE t (n int)")


def test_a_plain_function_is_a_hook_of_the_awaited_face_too(url: str) -> None:
    seen: list[object] = []

    async def everything() -> None:
        client = engineroom.aio.open(url, on_connect=seen.append)
        async with client:
            assert isinstance(seen[0], engineroom.aio.Connection)

    asyncio.run(everything())


def test_what_the_hook_raises_comes_out_of_open(style: Style, url: str) -> None:
    def hook(_: object) -> None:
        raise ValueError(TOKEN)

    with pytest.raises(errors.WarmUpFailed) as failed:
        opened(style, url, on_connect=hook_of(style, hook)).__enter__()
    assert not failed.value.retryable
    assert isinstance(failed.value.__cause__, ValueError)
    assert "`ValueError`" in failed.value.message
    assert TOKEN not in str(failed.value)


def test_a_statement_of_the_hook_that_fails_comes_out_of_open(
    style: Style, cluster: Cluster
) -> None:
    hook = hook_of(style, lambda c: c.execute("SELECT * FROM no_such_table"))
    with pytest.raises(errors.WarmUpFailed) as failed:
        opened(style, cluster.url(), on_connect=hook).__enter__()
    assert isinstance(failed.value.__cause__, errors.ProgrammingError)
    wait_until(lambda: cluster.backends() == [], "no connection is left")


def test_a_hook_that_fails_while_the_pool_grows_is_told_to_who_waits(
    style: Style, open_client: Open, cluster: Cluster
) -> None:
    calls = []

    def hook(_: object) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise ValueError(TOKEN)

    client = open_client(cluster.url(), max_size=2, on_connect=hook_of(style, hook))
    with client.connection():
        with pytest.raises(errors.PoolExhausted) as exhausted:
            client.execute("SELECT 1", deadline_seconds=0.3)
        cause = exhausted.value.__cause__
        assert isinstance(cause, errors.ConnectFailed)
        assert isinstance(cause.__cause__, ValueError)
        assert TOKEN not in str(exhausted.value) + str(cause)
        wait_until(lambda: len(cluster.backends()) == 1, "only the first is left")
    assert client.fetchvalue("SELECT 42") == 42
    assert client.snapshot()["gauges"]["pool_size{lane=primary}"] == 1


# Credentials.


def test_each_connect_asks_for_credentials(open_client: Open, cluster: Cluster) -> None:
    asked = []

    def credentials() -> dict[str, str]:
        asked.append(1)
        return {"user": OWNER, "password": SECRET}

    url = cluster.url(user="nobody", password="nothing")
    client = open_client(url, max_size=2, credentials=credentials)
    with client.connection() as one, client.connection():
        assert one.execute("SELECT session_user::text").fetchone() == (OWNER,)
    assert len(asked) == 2
    assert SECRET not in repr(client) + client.url + json.dumps(client.snapshot())


def test_credentials_may_come_from_a_coroutine(cluster: Cluster) -> None:
    async def credentials() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"password": SECRET}

    async def everything() -> None:
        url = cluster.url(password=None)
        async with engineroom.aio.open(url, credentials=credentials) as client:
            assert await client.fetchvalue("SELECT 42") == 42

    asyncio.run(everything())


def test_a_password_that_changed_is_used_by_the_next_connect(
    open_client: Open, cluster: Cluster
) -> None:
    given = {"password": SECRET}
    client = open_client(cluster.url(password=None), credentials=lambda: given)
    first = client.fetchvalue("SELECT pg_backend_pid()")
    try:
        cluster.run(f"ALTER ROLE {OWNER} PASSWORD '{TOKEN}'")
        given = {"password": TOKEN}
        client.reconnect()
        assert client.fetchvalue("SELECT pg_backend_pid()") != first
    finally:
        cluster.run(f"ALTER ROLE {OWNER} PASSWORD '{SECRET}'")


def test_connections_are_replaced_when_their_credentials_run_out(
    open_client: Open, cluster: Cluster
) -> None:
    asked = []

    def credentials() -> dict[str, object]:
        asked.append(1)
        valid = {} if len(asked) > 1 else {"valid_seconds": 0.05}
        return {"password": SECRET, **valid}

    url = cluster.url(password=None)
    client = open_client(url, max_size=1, leak_seconds=1, credentials=credentials)
    first = client.fetchvalue("SELECT pg_backend_pid()")
    wait_until(
        lambda: client.fetchvalue("SELECT pg_backend_pid()") != first, "another serves"
    )
    assert len(asked) == 2


NONSENSE = {
    "nothing": lambda: None,
    "a text": lambda: TOKEN,
    "a number": lambda: 42,
    "an empty mapping": dict,
    "other names": lambda: {"passwort": TOKEN},
    "no text": lambda: {"password": TOKEN.encode()},
    "an empty password": lambda: {"password": ""},
    "no time": lambda: {"password": TOKEN, "valid_seconds": -1},
}


@pytest.mark.parametrize("what", NONSENSE)
def test_credentials_that_are_none_fail_without_being_shown(
    style: Style, cluster: Cluster, what: str
) -> None:
    url = cluster.url(password=None)
    options = {"credentials": NONSENSE[what], "pauses_seconds": (0,)}
    with pytest.raises(errors.WarmUpFailed) as failed:
        opened(style, url, **options).__enter__()
    assert isinstance(failed.value.__cause__, errors.CredentialsFailed)
    assert TOKEN not in str(failed.value) + str(failed.value.__cause__)


def test_a_callback_that_raises_does_not_tell_what_it_said(
    style: Style, cluster: Cluster
) -> None:
    def credentials() -> dict[str, str]:
        raise KeyError(TOKEN)

    url = cluster.url(password=None)
    options = {"credentials": credentials, "pauses_seconds": (0,)}
    with pytest.raises(errors.WarmUpFailed) as failed:
        opened(style, url, **options).__enter__()
    cause = failed.value.__cause__
    assert isinstance(cause, errors.CredentialsFailed)
    assert "`KeyError`" in cause.message
    assert cause.__cause__ is None
    assert cause.__suppress_context__
    assert TOKEN not in str(failed.value) + str(cause)


def test_a_bad_moment_of_the_callback_is_tried_again(
    open_client: Open, cluster: Cluster
) -> None:
    asked = []

    def credentials() -> dict[str, str]:
        asked.append(1)
        if len(asked) == 1:
            raise OSError("the vault is asleep")
        return {"password": SECRET}

    url = cluster.url(password=None)
    client = open_client(url, credentials=credentials, pauses_seconds=(0.01,))
    assert client.snapshot()["counters"]["attempt_won{attempt=2}"] == 1


def test_a_wrong_token_is_in_no_message(style: Style, cluster: Cluster) -> None:
    url = cluster.url(password=None)
    options: Any = {"credentials": lambda: {"password": TOKEN}}
    with pytest.raises(errors.WarmUpFailed) as failed:
        opened(style, url, **options).__enter__()
    assert isinstance(failed.value.__cause__, errors.AuthenticationFailed)
    assert TOKEN not in str(failed.value) + repr(failed.value.__cause__)
