"""A pgbouncer before a cluster, in transaction mode: each transaction may meet another
server process, with other prepared statements and settings.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from typing import TYPE_CHECKING

from .cluster import DATABASE, OWNER, PASSWORDS
from .programs import (
    Daemon,
    find,
    free_port,
    server_folder,
    wait_until,
    write_for_server,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .cluster import Cluster

_SETTINGS = """
[databases]
{database} = host=127.0.0.1 port={server_port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {folder}
auth_type = scram-sha-256
auth_file = {folder}/users.txt
admin_users = {owner}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
server_tls_sslmode = prefer
"""
_TLS = """
client_tls_sslmode = allow
client_tls_key_file = {folder}/server.key
client_tls_cert_file = {folder}/server.crt
"""


class Bouncer:
    """A pgbouncer that lends `pool_size` server connections to more clients."""

    def __init__(self, folder: Path, cluster: Cluster, pool_size: int) -> None:
        self.cluster = cluster
        self.folder = folder
        self.port = free_port()
        values = {
            "database": DATABASE,
            "server_port": cluster.port,
            "port": self.port,
            "folder": folder,
            "owner": OWNER,
            "pool_size": pool_size,
        }
        text = _SETTINGS
        if cluster.certificates:
            cluster.certificates.install(cluster.certificates.server, folder)
            text += _TLS
        write_for_server(folder / "pgbouncer.ini", text.format_map(values))
        users = f'"{OWNER}" "{PASSWORDS[OWNER]}"\n'
        write_for_server(folder / "users.txt", users)
        command = (find("pgbouncer", "pgbouncer"), str(folder / "pgbouncer.ini"))
        log = folder / "pgbouncer.log"
        # It takes SIGTERM as the wish to end at once, and SIGINT as one to end later.
        self._daemon = Daemon(command, folder, log, signal.SIGTERM)

    def wait(self) -> None:
        """Wait until it listens."""
        wait_until(self._is_listening, "pgbouncer listens")
        assert not self._daemon.has_ended(), self._daemon.log_text()

    def _is_listening(self) -> bool:
        if self._daemon.has_ended():
            return True
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self) -> None:
        self._daemon.stop()

    def url(self, **options: object) -> str:
        """Return the owner's URL through the bouncer."""
        return self.cluster.url(port=self.port, **options)  # type: ignore[arg-type]  # words of the query part


@contextlib.contextmanager
def started_bouncer(cluster: Cluster, *, pool_size: int = 2) -> Iterator[Bouncer]:
    """Give a pgbouncer that runs; stop it and remove its folder afterwards."""
    with server_folder("bouncer") as folder:
        bouncer = Bouncer(folder, cluster, pool_size)
        try:
            bouncer.wait()
            yield bouncer
        finally:
            bouncer.stop()
