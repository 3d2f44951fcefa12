"""TLS as libpq's users know it: what is refused, and what that says."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import engineroom
from engineroom import errors

if TYPE_CHECKING:
    from pathlib import Path

    from .certificates import Certificates
    from .cluster import Cluster

pytestmark = pytest.mark.usefixtures("no_socket_left", "no_libpq_environment")

IN_USE = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def ask(url: str, sql: str = IN_USE) -> Any:
    with engineroom.connect(url, autocommit=True) as connection:
        row = connection.execute(sql).fetchone()
        assert row is not None
        return row[0]


@pytest.mark.parametrize(
    ("sslmode", "version"),
    [("disable", None), ("allow", None), ("prefer", "TLSv1.3"), ("require", "TLSv1.3")],
)
def test_the_mode_decides_whether_there_is_tls(
    cluster: Cluster, sslmode: str, version: str | None
) -> None:
    assert ask(cluster.url(sslmode=sslmode)) == version


def test_the_newest_version_can_be_limited(cluster: Cluster) -> None:
    url = cluster.url(sslmode="require", ssl_max_protocol_version="TLSv1.2")
    assert ask(url) == "TLSv1.2"


@pytest.mark.parametrize("sslmode", ["verify-ca", "verify-full"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_good_certificate_is_accepted(
    cluster: Cluster, certificates: Certificates, host: str, sslmode: str
) -> None:
    root = certificates.authority
    assert ask(cluster.url(host=host, sslmode=sslmode, sslrootcert=root)) == "TLSv1.3"


def test_an_expired_certificate_is_refused(
    expired_cluster: Cluster, certificates: Certificates
) -> None:
    root = certificates.authority
    url = expired_cluster.url(sslmode="verify-ca", sslrootcert=root)
    with pytest.raises(errors.TlsFailed, match="certificate verify failed") as caught:
        engineroom.connect(url)
    assert caught.value.hint
    assert ask(expired_cluster.url(sslmode="require")) == "TLSv1.3"


def test_a_certificate_for_another_host_is_refused(
    elsewhere_cluster: Cluster, certificates: Certificates
) -> None:
    root = certificates.authority
    url = elsewhere_cluster.url(sslmode="verify-full", sslrootcert=root)
    with pytest.raises(errors.TlsFailed, match=r"database\.example\.com"):
        engineroom.connect(url)
    url = elsewhere_cluster.url(sslmode="verify-ca", sslrootcert=root)
    assert ask(url) == "TLSv1.3"


def test_an_authority_that_is_not_trusted_is_refused(
    cluster: Cluster, certificates: Certificates
) -> None:
    root = certificates.stranger
    with pytest.raises(errors.TlsFailed, match="certificate verify failed"):
        engineroom.connect(cluster.url(sslmode="verify-ca", sslrootcert=root))


def test_a_root_certificate_that_is_missing_is_named(
    cluster: Cluster, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.crt"
    url = cluster.url(sslmode="verify-full", sslrootcert=missing)
    with pytest.raises(errors.TlsFailed, match="missing"):
        engineroom.connect(url)


def test_the_systems_authorities_do_not_know_ours(cluster: Cluster) -> None:
    url = cluster.url(host="localhost", sslmode="verify-full", sslrootcert="system")
    with pytest.raises(errors.TlsFailed, match="certificate verify failed"):
        engineroom.connect(url)


@pytest.mark.parametrize("sslmode", ["require", "verify-full"])
def test_a_server_without_tls_is_refused_where_it_is_required(
    plain_cluster: Cluster, certificates: Certificates, sslmode: str
) -> None:
    root = certificates.authority
    url = plain_cluster.url(sslmode=sslmode, sslrootcert=root)
    with pytest.raises(errors.TlsFailed, match="does not support SSL") as caught:
        engineroom.connect(url)
    assert caught.value.hint
    assert ask(plain_cluster.url(sslmode="prefer")) is None


def test_large_results_and_texts_go_through_tls(cluster: Cluster) -> None:
    with engineroom.connect(cluster.url(sslmode="require")) as connection:
        text = "x" * 5_000_000
        assert connection.execute("SELECT ?::text", (text,)).fetchone() == (text,)
        sql = "SELECT i, repeat('y', 1000) FROM generate_series(1, 20000) i"
        rows = connection.execute(sql).fetchall()
        assert rows[-1] == (20000, "y" * 1000)


class Stop(Exception):
    """What the signal's handler raises."""


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_a_query_is_stopped_on_the_server_too(cluster: Cluster, sslmode: str) -> None:
    """The wish to stop goes over a connection of its own, encrypted as the first."""

    def stop(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    url = cluster.url(sslmode=sslmode)
    try:
        with engineroom.connect(url, autocommit=True) as connection:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            start = time.monotonic()
            with pytest.raises(Stop):
                connection.execute("SELECT pg_sleep(60)").fetchall()
            assert time.monotonic() - start < 5
            assert connection.execute("SELECT 42").fetchone() == (42,)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    assert cluster.run(sql) == [["0"]]


def serve(context: ssl.SSLContext, listener: socket.socket, count: int) -> None:
    for _ in range(count):
        plain, _address = listener.accept()
        with context.wrap_socket(plain, server_side=True) as talk:
            talk.sendall(talk.recv(1000) * 100)


def test_pythons_own_tls_in_threads_does_no_harm(
    cluster: Cluster, certificates: Certificates
) -> None:
    """Two users of OpenSSL in one process have crashed drivers for years."""
    trusted = ssl.create_default_context(cafile=str(certificates.authority))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates.server.certificate, certificates.server.key)
    url = cluster.url(
        host="localhost", sslmode="verify-full", sslrootcert=certificates.authority
    )
    failures: list[BaseException] = []

    def guarded(work: Any) -> threading.Thread:
        def run() -> None:
            try:
                for _ in range(25):
                    work()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def use_ours() -> None:
        assert ask(url) == "TLSv1.3"

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        serving = threading.Thread(target=serve, args=(server, listener, 100))
        serving.start()

        def use_pythons() -> None:
            ssl.create_default_context()
            plain = socket.create_connection(address)
            with trusted.wrap_socket(plain, server_hostname="localhost") as talk:
                talk.sendall(b"hello")
                assert talk.recv(5) == b"hello"

        works = [use_ours, use_pythons] * 4
        for thread in [guarded(work) for work in works]:
            thread.join()
        serving.join()
    assert failures == []
