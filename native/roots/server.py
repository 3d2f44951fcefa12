"""One PostgreSQL for all roots: on this machine's loopback, TLS of a CA made for it.

It is the cluster that the tests start, with the machine's own PostgreSQL. A root is
told how to reach it, and gets the files it needs for that in a folder.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from native.roots.errors import RootToolMissing
from tests.postgres.certificates import Certificates
from tests.postgres.cluster import (
    OWNER,
    PASSWORDS,
    WITH_CERTIFICATE,
    started_cluster,
)
from tests.postgres.programs import MissingProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres.cluster import Cluster

__all__ = ["Server", "started_server"]


class Server:
    """The server that the roots connect to.

    Args:
        cluster: the server itself.
        certificates: what it shows, and who signed that.
    """

    def __init__(self, cluster: Cluster, certificates: Certificates) -> None:
        self._cluster = cluster
        self._certificates = certificates

    @property
    def secret(self) -> str:
        """The password, which nothing may print."""
        return PASSWORDS[OWNER]

    def copy_files(self, folder: Path) -> None:
        """Copy what a root needs: whom to trust and whom not, and a server's pair."""
        own = self._certificates
        for path in (
            own.authority,
            own.stranger,
            own.server.certificate,
            own.server.key,
        ):
            shutil.copyfile(path, folder / path.name)

    def url(self, folder: str) -> str:
        """Return a URL that verifies all there is, whose server's name is checked.

        The name is not looked up: the trees have no file of hosts.

        Args:
            folder: where the files of `copy_files` are seen.
        """
        return self._cluster.url(
            host="localhost",
            hostaddr="127.0.0.1",
            sslmode="verify-full",
            sslrootcert=f"{folder}/{self._certificates.authority.name}",
            channel_binding="require",
        )


@contextlib.contextmanager
def started_server() -> Iterator[Server]:
    """Give a server that runs; stop it and remove its folder afterwards.

    Raises:
        RootToolMissing: this machine has no PostgreSQL.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificates = Certificates(folder / "certificates", WITH_CERTIFICATE)
        try:
            cluster = stack.enter_context(
                started_cluster("roots", certificates=certificates)
            )
        except MissingProgram as error:
            hint = "apt-get install postgresql postgresql-contrib"
            raise RootToolMissing(["postgres"], str(error), hint=hint) from error
        yield Server(cluster, certificates)
