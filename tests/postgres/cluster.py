"""A PostgreSQL cluster of its own: TLS as asked, SCRAM only, stopped by its starter.

A new cluster is unpacked from a template, which is made once for each version of the
server and of what is written here, and kept in the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from .programs import (
    Daemon,
    as_server,
    environment,
    find_postgres,
    free_port,
    server_folder,
    wait_until,
    write_for_server,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .certificates import Certificates, KeyPair

SUPERUSER = "postgres"
OWNER = "engine"
OTHER = "other"
READER = "reader"
WITH_CERTIFICATE = "with_certificate"
DATABASE = "engine"
# The second user's has every character that a URL, a keyword string or a password file
# gives a meaning to.
PASSWORDS = {
    SUPERUSER: "gate7Keeper",
    OWNER: "s3cretEngine",
    OTHER: "pass wörd:@/?#%&='\\",
    READER: "re4dOnly",
    WITH_CERTIFICATE: "never5aid",
}

_INITDB = (
    f"--username={SUPERUSER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
)
_SET_UP = f"""
CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORDS[OWNER]}';
CREATE ROLE {OTHER} LOGIN PASSWORD $${PASSWORDS[OTHER]}$$;
CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORDS[READER]}';
CREATE ROLE {WITH_CERTIFICATE} LOGIN PASSWORD '{PASSWORDS[WITH_CERTIFICATE]}';
GRANT pg_read_all_data TO {READER};
CREATE DATABASE {DATABASE} OWNER {OWNER};
"""
# TLS is what a client asks for, but nobody comes in without a password or certificate.
_HBA = f"""
hostssl all {WITH_CERTIFICATE} all cert
host    all {WITH_CERTIFICATE} all reject
local   all all     scram-sha-256
host    all all all scram-sha-256
host    replication all all scram-sha-256
"""
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "max_prepared_transactions": "20",
    "log_min_messages": "log",
    "log_line_prefix": "%m [%p] %u ",
}


def _template(programs: Path, segment_megabytes: int) -> Path:
    """Return the packed data folder of a new cluster; make it if it is not there."""
    initdb = (*_INITDB, f"--wal-segsize={segment_megabytes}")
    version = subprocess.run(
        [programs / "postgres", "--version"], check=True, stdout=subprocess.PIPE
    ).stdout
    text = "\0".join((*initdb, _SET_UP, PASSWORDS[SUPERUSER])).encode()
    key = hashlib.sha256(version + text).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    packed = cache / "engineroom" / "postgres" / f"template-{key}.tar"
    if not packed.exists():
        packed.parent.mkdir(parents=True, exist_ok=True)
        _make_template(programs, initdb, packed)
    return packed


def _make_template(programs: Path, initdb: tuple[str, ...], packed: Path) -> None:
    with server_folder("template") as folder:
        data = folder / "data"
        secret = folder / "password"
        write_for_server(secret, PASSWORDS[SUPERUSER])

        def run(*words: str, text: str = "") -> None:
            subprocess.run(
                as_server(words),
                check=True,
                cwd=folder,
                env=environment(folder),
                input=text,
                stdout=subprocess.DEVNULL,
                text=True,
            )

        made = (f"--pgdata={data}", f"--pwfile={secret}")
        run(str(programs / "initdb"), *made, *initdb)
        # A server for one user ends a command at two line ends, with -j.
        options = ("-j", "-F", "-c", "log_checkpoints=off", "-D", str(data))
        single = (str(programs / "postgres"), "--single", *options)
        run(*single, "template1", text="CREATE EXTENSION hstore;\n\n")
        run(*single, "template1", text="CREATE EXTENSION citext;\n\n")
        run(*single, SUPERUSER, text=_SET_UP.replace(";\n", ";\n\n"))
        unfinished = packed.with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as file:
            pack = as_server(["tar", "-c", "-C", str(data), "."])
            subprocess.run(pack, check=True, stdout=file)
        unfinished.replace(packed)


class Cluster:
    """A server on a port of loopback and on a socket in its folder.

    Attributes:
        folder: where everything of it lies; the socket too.
        port: of both.
        certificates: what it shows and trusts; None when it has no TLS.
    """

    def __init__(
        self,
        folder: Path,
        *,
        certificates: Certificates | None = None,
        pair: KeyPair | None = None,
        settings: dict[str, str] | None = None,
        is_standby: bool = False,
        segment_megabytes: int = 1,
    ) -> None:
        self.folder = folder
        self.port = 0
        self.certificates = certificates
        self._data = folder / "data"
        self._daemon: Daemon | None = None
        self._programs = find_postgres()
        self._unpack(_template(self._programs, segment_megabytes))
        chosen = {**_SETTINGS, "unix_socket_directories": str(folder)}
        if certificates:
            certificates.install(pair or certificates.server, folder)
            chosen["ssl"] = "on"
            chosen["ssl_cert_file"] = str(folder / "server.crt")
            chosen["ssl_key_file"] = str(folder / "server.key")
            chosen["ssl_ca_file"] = str(folder / "authority.crt")
        chosen.update(settings or {})
        lines = (f"{name} = '{value}'\n" for name, value in chosen.items())
        write_for_server(self._data / "postgresql.auto.conf", "".join(lines))
        hba = _HBA if certificates else _HBA.replace("hostssl", "#")
        write_for_server(self._data / "pg_hba.conf", hba)
        if is_standby:
            write_for_server(self._data / "standby.signal", "")

    def _unpack(self, packed: Path) -> None:
        subprocess.run(as_server(["mkdir", "-m", "700", str(self._data)]), check=True)
        with packed.open("rb") as file:
            unpack = as_server(["tar", "-x", "-C", str(self._data)])
            subprocess.run(unpack, check=True, stdin=file)

    @property
    def pid(self) -> int:
        """The process that starts all others."""
        assert self._daemon is not None, "it does not run"
        return self._daemon.pid

    def __repr__(self) -> str:
        return f"<Cluster on port {self.port}>"

    def start(self) -> None:
        """Start it and wait until it answers; on the same port as the last time."""
        for _ in range(3):
            if not self._start_once(self.port or free_port()):
                continue
            return
        raise AssertionError(self.log_text())

    def _start_once(self, port: int) -> bool:
        postgres = str(self._programs / "postgres")
        command = (postgres, "-D", str(self._data), "-p", str(port))
        log = self.folder / "server.log"
        daemon = Daemon(command, self.folder, log, signal.SIGINT)
        pid_file = self._data / "postmaster.pid"

        def is_ready() -> bool:
            if daemon.has_ended():
                return True
            try:
                lines = pid_file.read_text("utf-8").splitlines()
            except FileNotFoundError:
                return False
            # As pg_ctl reads it: the eighth line is the state, the first the process.
            states = ("ready", "standby")
            is_its_own = lines[:1] == [str(daemon.pid)]
            return is_its_own and len(lines) > 7 and lines[7].strip() in states

        try:
            wait_until(is_ready, "the server is ready")
        except TimeoutError:
            daemon.stop(signal.SIGQUIT)
            raise
        if daemon.has_ended():
            return False  # Somebody else took the port, most likely.
        self.port = port
        self._daemon = daemon
        return True

    def stop(self, *, at_once: bool = False) -> None:
        """Stop it: clients are told, or with `at_once` just cut off."""
        if self._daemon:
            self._daemon.stop(signal.SIGQUIT if at_once else None)
            self._daemon = None

    def restart(self, *, at_once: bool = False) -> None:
        self.stop(at_once=at_once)
        self.start()

    def log_text(self) -> str:
        """Return all that it has written to its log."""
        return (self.folder / "server.log").read_text("utf-8", "replace")

    def run(
        self, sql: str, *, user: str = SUPERUSER, database: str = DATABASE
    ) -> list[list[str]]:
        """Run statements with psql, by default as superuser; give rows as text."""
        words = ["-X", "-q", "-A", "-t", "-F\t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        done = subprocess.run(
            [str(self._programs / "psql"), *words],
            env={
                **environment(self.folder),
                "PGHOST": str(self.folder),
                "PGPORT": str(self.port),
                "PGUSER": user,
                "PGDATABASE": database,
                "PGPASSWORD": PASSWORDS[user],
            },
            input=sql,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def backends(self, user: str = OWNER) -> list[int]:
        """Return the processes that serve a user's connections."""
        sql = f"SELECT pid FROM pg_stat_activity WHERE usename = '{user}'"
        return [int(row[0]) for row in self.run(sql)]

    def terminate(self, user: str = OWNER) -> None:
        """End a user's connections, as an administrator does, and wait for it."""
        self.run(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            f"WHERE usename = '{user}'"
        )

    def url(
        self,
        *,
        user: str = OWNER,
        password: str | None = "",
        database: str = DATABASE,
        host: str = "127.0.0.1",
        port: int | None = None,
        **options: object,
    ) -> str:
        """Return a URL of it: the user's own password unless another or None is given.

        Args:
            user: who.
            password: instead of the user's own; None for a URL without one.
            database: which.
            host: `socket` stands for the socket in its folder.
            port: another than its own, such as that of a proxy before it.
            options: what stands behind the question mark.
        """
        known = PASSWORDS.get(user, "") if password == "" else password
        secret = "" if known is None else f":{quote(known, safe='')}"
        place = quote(str(self.folder), safe="") if host == "socket" else host
        asked = f"?{urlencode(options, quote_via=quote)}" if options else ""
        address = f"{place}:{port or self.port}"
        return f"postgresql://{quote(user)}{secret}@{address}/{quote(database)}{asked}"


@contextlib.contextmanager
def started_cluster(name: str, **options: object) -> Iterator[Cluster]:
    """Give a cluster that runs; stop it and remove its folder afterwards."""
    make: Callable[..., Cluster] = Cluster
    with server_folder(name) as folder:
        cluster = make(folder, **options)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
