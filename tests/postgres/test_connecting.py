"""Everything that libpq takes to find and enter a server, taken by us."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

import engineroom
from engineroom import errors

from .cluster import DATABASE, OTHER, OWNER, PASSWORDS, READER, WITH_CERTIFICATE
from .programs import free_port
from .sockets import as_socket, open_sockets

if TYPE_CHECKING:
    from pathlib import Path

    from .bouncer import Bouncer
    from .certificates import Certificates
    from .cluster import Cluster
    from .proxy import Proxy

pytestmark = pytest.mark.usefixtures("no_socket_left", "no_libpq_environment")

PORT = "SELECT inet_server_port()"


def ask(url: str, sql: str = "SELECT 42") -> Any:
    with engineroom.connect(url, autocommit=True) as connection:
        row = connection.execute(sql).fetchone()
        assert row is not None
        return row[0]


@pytest.mark.parametrize("user", [OWNER, OTHER, READER])
@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_a_password_lets_its_user_in(cluster: Cluster, user: str, sslmode: str) -> None:
    url = cluster.url(user=user, sslmode=sslmode)
    assert ask(url, "SELECT current_user::text") == user


def test_the_socket_in_a_folder_is_found(cluster: Cluster) -> None:
    assert ask(cluster.url(host="socket"), PORT) is None


@pytest.mark.parametrize("password", ["wrong", "", PASSWORDS[READER]])
@pytest.mark.parametrize("host", ["127.0.0.1", "socket"])
def test_a_wrong_password_is_named_as_such(
    cluster: Cluster, host: str, password: str
) -> None:
    url = cluster.url(host=host, password=password or None)
    with pytest.raises(errors.AuthenticationFailed) as caught:
        engineroom.connect(url)
    assert caught.value.hint
    if password:
        assert isinstance(caught.value, errors.InvalidPassword)
        assert caught.value.sqlstate == "28P01"
        assert OWNER in str(caught.value)
        assert password not in str(caught.value)


def test_a_database_that_is_missing_is_named(cluster: Cluster) -> None:
    with pytest.raises(errors.InvalidCatalogName) as caught:
        engineroom.connect(cluster.url(database="nowhere"))
    assert "nowhere" in str(caught.value)
    assert caught.value.sqlstate == "3D000"


def test_a_port_where_nobody_listens_is_refused() -> None:
    url = f"postgresql://{OWNER}@127.0.0.1:{free_port()}/{DATABASE}"
    with pytest.raises(errors.ConnectFailed, match="refused") as caught:
        engineroom.connect(url)
    assert caught.value.hint


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(errors.ConnectFailed, match=r"nowhere\.invalid"):
        engineroom.connect(f"postgresql://{OWNER}@nowhere.invalid/{DATABASE}")


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql://{OWNER}@127.0.0.1:{port}/{DATABASE}?connect_timeout=1"
        with pytest.raises(errors.ConnectTimedOut):
            engineroom.connect(url)


def test_keyword_strings_are_taken(cluster: Cluster) -> None:
    text = (
        f"host=127.0.0.1 port={cluster.port} user={OWNER} dbname={DATABASE} "
        f"password={PASSWORDS[OWNER]} application_name='two words'"
    )
    assert ask(text, "SHOW application_name") == "two words"


def test_the_environment_is_read(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", str(cluster.port))
    monkeypatch.setenv("PGUSER", OTHER)
    monkeypatch.setenv("PGPASSWORD", PASSWORDS[OTHER])
    monkeypatch.setenv("PGDATABASE", DATABASE)
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=4321")
    assert ask("postgresql://", "SELECT current_user::text") == OTHER
    assert ask("postgresql://", "SHOW statement_timeout") == "4321ms"


def write_secret(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


def test_a_password_file_is_read(cluster: Cluster, tmp_path: Path) -> None:
    escaped = PASSWORDS[OTHER].replace("\\", "\\\\").replace(":", "\\:")
    lines = [
        f"127.0.0.1:{cluster.port}:{DATABASE}:{OTHER}:{escaped}",
        f"*:*:*:{OWNER}:wrong",
        "",
    ]
    file = write_secret(tmp_path / "passwords", "\n".join(lines))
    url = cluster.url(user=OTHER, password=None, passfile=str(file))
    assert ask(url, "SELECT current_user::text") == OTHER
    with pytest.raises(errors.InvalidPassword) as caught:
        ask(cluster.url(password=None, passfile=str(file)))
    assert "wrong" not in str(caught.value)


def test_a_service_file_is_read(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        "[measured]",
        "host=127.0.0.1",
        f"port={cluster.port}",
        f"user={OWNER}",
        f"password={PASSWORDS[OWNER]}",
        f"dbname={DATABASE}",
        "application_name=by service",
        "",
    ]
    file = write_secret(tmp_path / "services", "\n".join(lines))
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    sql = "SHOW application_name"
    assert ask("postgresql://?service=measured", sql) == "by service"
    assert ask("service=measured", sql) == "by service"
    with pytest.raises(errors.Error, match="nothing"):
        ask("postgresql://?service=nothing")


def test_the_next_host_is_tried(cluster: Cluster, proxy: Proxy) -> None:
    password = PASSWORDS[OWNER]
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{proxy.port}"
    url = f"postgresql://{OWNER}:{password}@{hosts}/{DATABASE}?sslmode=disable"
    assert ask(url, PORT) == cluster.port
    assert len(proxy.conversations) == 1


@pytest.mark.parametrize(
    ("wanted", "is_standby"),
    [
        ("any", True),
        ("primary", False),
        ("standby", True),
        ("read-write", False),
        ("read-only", True),
        ("prefer-standby", True),
    ],
)
def test_the_server_is_of_the_wanted_kind(
    cluster: Cluster, standby_cluster: Cluster, wanted: str, is_standby: bool
) -> None:
    standby = standby_cluster.port
    ports = [cluster.port, standby] if wanted != "any" else [standby, cluster.port]
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    url = (
        f"postgresql://{OWNER}:{PASSWORDS[OWNER]}@{hosts}/{DATABASE}"
        f"?target_session_attrs={wanted}"
    )
    assert ask(url, "SELECT pg_is_in_recovery()") is is_standby


def test_no_server_of_the_wanted_kind_is_an_error(cluster: Cluster) -> None:
    with pytest.raises(errors.ConnectFailed, match="standby"):
        ask(cluster.url(target_session_attrs="standby"))


def test_options_reach_the_server(cluster: Cluster) -> None:
    url = cluster.url(options="-c statement_timeout=1234 -c search_path=public")
    assert ask(url, "SHOW statement_timeout") == "1234ms"


def test_the_application_has_a_name_unless_given(cluster: Cluster) -> None:
    sql = "SHOW application_name"
    assert ask(cluster.url(), sql) == "engineroom"
    assert ask(cluster.url(application_name="mine"), sql) == "mine"


def test_keepalives_are_set_as_asked(cluster: Cluster) -> None:
    before = open_sockets()
    asked = {"keepalives_idle": 17, "keepalives_interval": 5, "keepalives_count": 3}
    with engineroom.connect(cluster.url(**asked)):
        (name,) = set(open_sockets()) - set(before)
        with as_socket(open_sockets()[name]) as ours:
            tcp = socket.IPPROTO_TCP
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert ours.getsockopt(tcp, socket.TCP_KEEPIDLE) == 17
            assert ours.getsockopt(tcp, socket.TCP_KEEPINTVL) == 5
            assert ours.getsockopt(tcp, socket.TCP_KEEPCNT) == 3
    with engineroom.connect(cluster.url(keepalives=0)):
        (name,) = set(open_sockets()) - set(before)
        with as_socket(open_sockets()[name]) as ours:
            assert not ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_an_unknown_setting_is_named(cluster: Cluster) -> None:
    with pytest.raises(errors.Error, match="sslmood"):
        engineroom.connect(cluster.url(sslmood="require"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("sslmode", "perhaps"), ("port", "http"), ("target_session_attrs", "fast")],
)
def test_a_value_that_cannot_be_is_refused(name: str, value: str) -> None:
    password = PASSWORDS[OWNER]
    text = f"host=127.0.0.1 user={OWNER} password={password} {name}={value}"
    with pytest.raises(errors.Error, match=name) as caught:
        engineroom.connect(text)
    assert password not in str(caught.value)


def test_a_client_certificate_lets_its_user_in(
    cluster: Cluster, certificates: Certificates
) -> None:
    pair = certificates.client
    url = cluster.url(
        user=WITH_CERTIFICATE,
        password=None,
        host="localhost",
        sslmode="verify-full",
        sslrootcert=certificates.authority,
        sslcert=pair.certificate,
        sslkey=pair.key,
    )
    assert ask(url, "SELECT current_user::text") == WITH_CERTIFICATE


def test_a_strangers_client_certificate_does_not(
    cluster: Cluster, certificates: Certificates
) -> None:
    pair = certificates.foreign_client
    url = cluster.url(
        user=WITH_CERTIFICATE,
        password=None,
        sslcert=pair.certificate,
        sslkey=pair.key,
    )
    with pytest.raises(errors.ConnectFailed):
        engineroom.connect(url)


def test_channel_binding_can_be_required(
    cluster: Cluster, plain_cluster: Cluster
) -> None:
    assert ask(cluster.url(channel_binding="require")) == 42
    with pytest.raises(errors.ConnectFailed, match="channel binding"):
        ask(plain_cluster.url(channel_binding="require"))
    with pytest.raises(errors.ConnectFailed, match="channel binding"):
        ask(cluster.url(channel_binding="require", sslmode="disable"))


def test_only_the_required_kind_of_proof_is_given(cluster: Cluster) -> None:
    assert ask(cluster.url(require_auth="scram-sha-256")) == 42
    with pytest.raises(errors.ConnectFailed):
        ask(cluster.url(require_auth="md5"))


def test_a_pooler_is_entered_and_asked(bouncer: Bouncer) -> None:
    assert ask(bouncer.url(prepared="off")) == 42
