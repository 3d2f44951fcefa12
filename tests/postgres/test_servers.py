"""The servers of these tests are what they say, asked with others' drivers."""

from __future__ import annotations

import asyncio
import signal
import ssl
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import psycopg
import pytest

from .cluster import OTHER, OWNER, READER, WITH_CERTIFICATE
from .hostile import INT4, Talk, data_row, hostile, message
from .programs import wait_until
from .proxy import CLIENT, SERVER, Cut, Framing, started_proxy
from .sockets import open_sockets

if TYPE_CHECKING:
    from .bouncer import Bouncer
    from .certificates import Certificates
    from .cluster import Cluster
    from .proxy import Proxy


def ask(url: str, sql: str = "SELECT 42", **settings: object) -> object:
    """Ask with psycopg and give the one value."""
    with psycopg.connect(url, connect_timeout=10, **settings) as connection:
        row = connection.execute(sql).fetchone()
        assert row is not None
        return row[0]


def is_in_use(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


ENCRYPTED = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def test_the_cluster_talks_tls_with_a_certificate_that_can_be_verified(
    cluster: Cluster, certificates: Certificates
) -> None:
    url = cluster.url(
        host="localhost", sslmode="verify-full", sslrootcert=certificates.authority
    )
    assert ask(url, ENCRYPTED) == "TLSv1.3"


@pytest.mark.parametrize("user", [OWNER, OTHER, READER])
def test_every_user_has_a_password_of_its_own(cluster: Cluster, user: str) -> None:
    assert ask(cluster.url(user=user), "SELECT current_user") == user


@pytest.mark.parametrize("host", ["127.0.0.1", "socket"])
@pytest.mark.parametrize("sslmode", ["disable", "prefer"])
def test_nobody_comes_in_without_the_password(
    cluster: Cluster, host: str, sslmode: str
) -> None:
    assert ask(cluster.url(host=host, sslmode=sslmode)) == 42
    for password in ("wrong", None):
        with pytest.raises(psycopg.OperationalError, match="password"):
            ask(cluster.url(host=host, sslmode=sslmode, password=password))


def test_passwords_are_kept_as_scram_secrets(cluster: Cluster) -> None:
    kinds = cluster.run("SELECT DISTINCT left(rolpassword, 13) FROM pg_authid")
    assert sorted(kinds) == [[""], ["SCRAM-SHA-256"]]


def test_a_client_certificate_is_enough_and_needed(
    cluster: Cluster, certificates: Certificates
) -> None:
    url = cluster.url(user=WITH_CERTIFICATE, password=None)
    good, foreign = certificates.client, certificates.foreign_client
    assert ask(url, sslcert=str(good.certificate), sslkey=str(good.key)) == 42
    with pytest.raises(psycopg.OperationalError):
        ask(url)
    with pytest.raises(psycopg.OperationalError):
        ask(url, sslcert=str(foreign.certificate), sslkey=str(foreign.key))


def test_asyncpg_comes_in_too(cluster: Cluster, certificates: Certificates) -> None:
    async def main() -> object:
        trusted = ssl.create_default_context(cafile=str(certificates.authority))
        connection = await asyncpg.connect(cluster.url(host="localhost"), ssl=trusted)
        try:
            return await connection.fetchval(ENCRYPTED)
        finally:
            await connection.close()

    assert asyncio.run(main()) == "TLSv1.3"


def test_one_certificate_has_expired_and_one_names_another_host(
    expired_cluster: Cluster, elsewhere_cluster: Cluster, certificates: Certificates
) -> None:
    verified = {"sslmode": "verify-full", "sslrootcert": certificates.authority}
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        ask(expired_cluster.url(**verified))
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        ask(elsewhere_cluster.url(**verified))
    assert ask(expired_cluster.url(sslmode="require")) == 42
    assert ask(elsewhere_cluster.url(sslmode="require")) == 42


def test_the_plain_cluster_has_no_tls(plain_cluster: Cluster) -> None:
    assert ask(plain_cluster.url()) == 42
    with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
        ask(plain_cluster.url(sslmode="require"))


def test_the_standby_reads_and_does_not_write(standby_cluster: Cluster) -> None:
    url = standby_cluster.url(target_session_attrs="standby")
    assert ask(url, "SELECT pg_is_in_recovery()") is True
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        ask(url, "CREATE TABLE refused ()")


def test_the_reader_reads_and_does_not_write(cluster: Cluster) -> None:
    cluster.run("CREATE TABLE readable AS SELECT 42 AS x", user=OWNER)
    url = cluster.url(user=READER)
    assert ask(url, "SELECT x FROM readable") == 42
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(url, "DELETE FROM readable RETURNING x")
    cluster.run("DROP TABLE readable", user=OWNER)


@pytest.mark.parametrize("sql", ["SELECT 'a=>1'::hstore", "SELECT 'Ab'::citext"])
def test_extensions_are_there(cluster: Cluster, sql: str) -> None:
    assert isinstance(ask(cluster.url(), sql), str)


def test_transactions_can_be_prepared(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url()) as connection:
        connection.tpc_begin("two-phase")
        connection.execute("SELECT 1")
        connection.tpc_prepare()
        connection.tpc_rollback()


def test_the_bouncer_lends_a_connection_for_a_transaction(bouncer: Bouncer) -> None:
    sql = "SELECT pg_backend_pid()"
    with psycopg.connect(bouncer.url()) as one, psycopg.connect(bouncer.url()) as two:
        pids = {one.execute(sql).fetchone(), two.execute(sql).fetchone()}
    assert len(pids) == 2
    with psycopg.connect(bouncer.url(), autocommit=True) as client:
        prepared = client.execute("SELECT 42", prepare=True)
        assert prepared.fetchone() == (42,)


def test_restarts_keep_port_and_data(plain_cluster: Cluster) -> None:
    plain_cluster.run("CREATE TABLE kept AS SELECT 42 AS x", user=OWNER)
    port = plain_cluster.port
    plain_cluster.restart(at_once=True)
    assert plain_cluster.port == port
    assert ask(plain_cluster.url(), "SELECT x FROM kept") == 42
    plain_cluster.run("DROP TABLE kept", user=OWNER)


def test_terminating_ends_all_of_a_users_connections(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(user=OTHER)) as connection:
        assert cluster.backends(OTHER) == [connection.info.backend_pid]
        cluster.terminate(OTHER)
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
    assert cluster.backends(OTHER) == []


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from postgres.cluster import started_cluster
from postgres.bouncer import started_bouncer
with started_cluster("killed") as cluster, started_bouncer(cluster) as bouncer:
    print(cluster._daemon.pid, bouncer._daemon.pid, cluster.folder, bouncer.folder)
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_servers_end_when_their_starter_is_killed() -> None:
    tests = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tests],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    *pids, folder, other = done.stdout.split()
    for pid in pids:
        wait_until(lambda pid=pid: not is_in_use(int(pid)), f"process {pid} has ended")
    for left in (folder, other):
        subprocess.run(["rm", "-r", left], check=True)


def test_the_proxy_tells_what_was_said(cluster: Cluster, proxy: Proxy) -> None:
    assert ask(cluster.url(port=proxy.port, sslmode="disable")) == 42
    assert proxy.names(CLIENT)[:3] == ["startup", "p", "p"]
    server = proxy.names(SERVER)
    assert server[:4] == ["R", "R", "R", "R"]
    assert server.count("Z") >= 2
    assert ask(cluster.url(port=proxy.port, sslmode="require")) == 42
    assert proxy.names(CLIENT) == ["ask"]
    assert proxy.names(SERVER) == ["answer"]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("plus", [0, 3])
def test_the_proxy_cuts_at_a_message(
    cluster: Cluster, proxy: Proxy, how: str, plus: int
) -> None:
    url = cluster.url(user=OTHER, port=proxy.port, sslmode="disable")
    assert ask(url) == 42
    messages = proxy.names(SERVER).index("T")
    proxy.cut = Cut(SERVER, messages, plus, how)
    with pytest.raises(psycopg.OperationalError):
        ask(url)
    proxy.wait_for_cut()
    wait_until(lambda: not cluster.backends(OTHER), "the server has noticed")
    assert proxy.names(SERVER) == proxy.names(SERVER, 0)[:messages]


def test_the_proxy_cuts_in_what_the_client_says(cluster: Cluster, proxy: Proxy) -> None:
    proxy.cut = Cut(CLIENT, 1, 0, "close")
    with pytest.raises(psycopg.OperationalError):
        ask(cluster.url(port=proxy.port, sslmode="disable"))
    assert proxy.names(CLIENT) == ["startup"]


def test_the_proxy_stalls(cluster: Cluster, proxy: Proxy) -> None:
    proxy.cut = Cut(SERVER, 1, 0, "stall")
    url = cluster.url(port=proxy.port, sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="timeout"):
        psycopg.connect(url, connect_timeout=2)
    proxy.wait_for_cut()
    assert len(proxy.names(SERVER)) == 1


def test_the_proxy_counts_bytes_of_tls(cluster: Cluster, proxy: Proxy) -> None:
    proxy.cut = Cut(SERVER, 1, 100, "reset")
    with pytest.raises(psycopg.OperationalError):
        ask(cluster.url(port=proxy.port, sslmode="require"))
    proxy.wait_for_cut()


def test_a_small_buffer_makes_the_client_wait(cluster: Cluster) -> None:
    with started_proxy(cluster.port, buffer_bytes=4096) as proxy:
        url = cluster.url(port=proxy.port, sslmode="disable")
        assert ask(url, f"SELECT length('{'x' * 1_000_000}')") == 1_000_000


def test_framing_finds_messages_however_they_arrive() -> None:
    said = struct.pack("!II", 8, 80877103) + struct.pack("!II", 8, 196608)
    said += message(b"Q", b"SELECT 1\0") + message(b"X")
    for size in range(1, len(said) + 1):
        framing = Framing(CLIENT)
        for start in range(0, len(said), size):
            framing.take(said[start : start + size], 99)
        assert framing.names == ["ask", "startup", "Q", "X"]
        assert framing.ended == 4


def test_the_hostile_server_is_believed_until_it_lies() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.describe(("x", INT4))
        talk.send(data_row(struct.pack("!i", 42)), message(b"C", b"SELECT 1\0"))
        talk.answer_sync()
        talk.send(talk.ready())
        talk.describe(("x", INT4))
        talk.send(message(b"D", b"", length=-5))

    with hostile(script) as server:
        connection = psycopg.connect(server.url(), autocommit=True)
        cursor = connection.cursor(binary=True)
        assert cursor.execute("SELECT x").fetchone() == (42,)
        with pytest.raises(psycopg.DatabaseError, match="lost synchronization"):
            cursor.execute("SELECT x")
        connection.close()
    assert server.visitors == 1


def test_a_script_that_fails_fails_the_test() -> None:
    def script(talk: Talk) -> None:
        assert talk.receive_startup()["user"] == "somebody else"

    def visit() -> None:
        with hostile(script) as server, pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url())

    with pytest.raises(AssertionError):
        visit()


def test_no_socket_of_a_server_is_left_in_this_process(cluster: Cluster) -> None:
    before = set(open_sockets())
    with started_proxy(cluster.port) as proxy:
        assert ask(cluster.url(port=proxy.port)) == 42
    assert set(open_sockets()) == before
