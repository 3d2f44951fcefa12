"""Running PostgreSQL's and pgbouncer's programs, also as root, which they refuse.

A server is a child that gets a signal when the thread that started it ends, however it
ends, so a test run that is killed leaves nothing behind. What belongs to a server lies
in a folder of its own directly in the system's folder for temporary files: pytest's own
folders are closed to the user that the servers run as.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PATIENCE_SECONDS = 30.0


class MissingProgram(Exception):
    """A program that the servers need is not installed; says what to install."""


def find_postgres() -> Path:
    """Return the folder of the newest PostgreSQL's programs."""
    found = list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    if found:
        return max(found, key=lambda path: int(path.parts[-3])).parent
    if on_path is None:
        raise MissingProgram("There is no PostgreSQL server: apt install postgresql")
    return Path(on_path).resolve().parent


def find(name: str, package: str) -> str:
    """Return the path of a program."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    program = shutil.which(name, path=path)
    if program is None:
        raise MissingProgram(f"There is no `{name}`: apt install {package}")
    return program


def server_user() -> pwd.struct_passwd:
    """Return who the servers run as: this user, or for root one without rights."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise MissingProgram("There is no user `nobody` to run a server as")


def as_server(command: Sequence[str], *, dies_by: str = "KILL") -> list[str]:
    """Return a command that runs as the servers' user and dies with its parent."""
    words = [find("setpriv", "util-linux"), f"--pdeathsig={dies_by}"]
    if os.getuid() == 0:
        user = server_user()
        words += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [*words, "--", *command]


def environment(home: Path) -> dict[str, str]:
    """Return what a server sees: nothing of the user's own PostgreSQL settings."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "LC_ALL": "C.UTF-8"}


@contextmanager
def server_folder(name: str) -> Iterator[Path]:
    """Give an empty folder of the servers' user; sockets need its path to be short."""
    folder = Path(tempfile.mkdtemp(prefix=f"engineroom-{name}-"))
    try:
        give_to_server(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give_to_server(path: Path) -> None:
    """Let the servers' user own a file or folder, and nobody else read it."""
    if os.getuid() == 0:
        user = server_user()
        os.chown(path, user.pw_uid, user.pw_gid)
    path.chmod(0o700 if path.is_dir() else 0o600)


def write_for_server(path: Path, text: str) -> None:
    """Write a file that a server reads and nobody else."""
    path.write_text(text, "utf-8")
    give_to_server(path)


def free_port() -> int:
    """Return a port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    is_so: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait for a condition; fail with what it is when it does not come."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"After {seconds:g} s it is not so: {what}")
        time.sleep(0.005)


class Daemon:
    """One process of a server, from its start to its end."""

    def __init__(
        self, command: Sequence[str], home: Path, log: Path, stop: int
    ) -> None:
        self.log = log
        self._stop = signal.Signals(stop)
        name = self._stop.name[len("SIG") :]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                as_server(command, dies_by=name),
                cwd=home,
                env=environment(home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def log_text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def send(self, number: int) -> None:
        if not self.has_ended():
            self._process.send_signal(number)

    def stop(self, number: int | None = None) -> None:
        """End the process: as asked, or if it does not listen by force."""
        self.send(self._stop if number is None else number)
        for force in (signal.SIGQUIT, signal.SIGKILL, None):
            try:
                self._process.wait(PATIENCE_SECONDS)
                return
            except subprocess.TimeoutExpired:
                if force is None:
                    raise
                self.send(force)
