"""Servers for the tests below: real ones, each started once when first asked for."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest

import engineroom

from .bouncer import started_bouncer
from .certificates import Certificates
from .cluster import WITH_CERTIFICATE, started_cluster
from .programs import MissingProgram, find, find_postgres
from .proxy import started_proxy
from .sockets import open_sockets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .bouncer import Bouncer
    from .cluster import Cluster
    from .proxy import Proxy


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    """Skip what needs servers on a machine that has none."""
    try:
        find_postgres()
        find("setpriv", "util-linux")
    except MissingProgram as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one authority, good ones and the wrong kinds."""
    return Certificates(tmp_path_factory.mktemp("certificates"), WITH_CERTIFICATE)


@pytest.fixture(scope="session")
def cluster(certificates: Certificates) -> Iterator[Cluster]:
    """The cluster most tests use: TLS with a good certificate, SCRAM only."""
    with started_cluster("pg", certificates=certificates) as started:
        yield started


@pytest.fixture
def connection(cluster: Cluster) -> Iterator[engineroom.Connection]:
    """A connection as users get it: through TLS, with autocommit off."""
    opened = engineroom.connect(cluster.url(sslmode="require"))
    yield opened
    opened.close()


@pytest.fixture
def other(cluster: Cluster) -> Iterator[engineroom.Connection]:
    """A second one, with autocommit on."""
    opened = engineroom.connect(cluster.url(), autocommit=True)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def plain_cluster() -> Iterator[Cluster]:
    """A cluster without TLS, for tests that may stop and start it too."""
    with started_cluster("plain") as started:
        yield started


@pytest.fixture(scope="session")
def standby_cluster() -> Iterator[Cluster]:
    """A standby: it answers reads, refuses writes and never becomes a primary."""
    with started_cluster("standby", is_standby=True) as started:
        yield started


@pytest.fixture(scope="session")
def expired_cluster(certificates: Certificates) -> Iterator[Cluster]:
    """A cluster whose certificate was good until yesterday."""
    pair = certificates.expired
    with started_cluster("old", certificates=certificates, pair=pair) as started:
        yield started


@pytest.fixture(scope="session")
def elsewhere_cluster(certificates: Certificates) -> Iterator[Cluster]:
    """A cluster whose certificate names another host."""
    pair = certificates.elsewhere
    with started_cluster("other", certificates=certificates, pair=pair) as started:
        yield started


@pytest.fixture(scope="session")
def bouncer(cluster: Cluster) -> Iterator[Bouncer]:
    """A pgbouncer in transaction mode before the cluster, with two connections."""
    try:
        find("pgbouncer", "pgbouncer")
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with started_bouncer(cluster) as started:
        yield started


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    """A proxy before the cluster, which passes on everything until it is told."""
    with started_proxy(cluster.port) as started:
        yield started


@pytest.fixture
def no_socket_left() -> Iterator[None]:
    """Fail a test that leaves a socket open in this process."""
    gc.collect()
    before = set(open_sockets())
    yield
    gc.collect()
    assert set(open_sockets()) - before == set()


@pytest.fixture
def no_libpq_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep libpq from whoever runs the tests: their variables and their files."""
    for name in os.environ:
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "no-passwords"))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "no-services"))
    monkeypatch.setenv("HOME", str(tmp_path))
