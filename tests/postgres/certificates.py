"""Certificates of an authority made for one run: good ones and the wrong kinds."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import trustme

from .programs import give_to_server

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = ("localhost", "127.0.0.1", "::1")


class KeyPair:
    """A certificate with its key, in two files."""

    def __init__(self, folder: Path, name: str, issued: trustme.LeafCert) -> None:
        self.certificate = folder / f"{name}.crt"
        self.key = folder / f"{name}.key"
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        self.certificate.write_bytes(chain)
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.key.chmod(0o600)


class Certificates:
    """An authority, what it signed, and an authority that nobody trusts.

    Attributes:
        authority: what a client trusts, as a file.
        stranger: another authority, which signed nothing here.
        server: good for every name of loopback.
        expired: was good until yesterday.
        elsewhere: good for another host's name.
        client: says that the user is `with_certificate`.
        foreign_client: says so too, but the stranger signed it.
    """

    def __init__(self, folder: Path, client_name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        authority, stranger = trustme.CA(), trustme.CA()
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        self.authority = folder / "authority.crt"
        self.stranger = folder / "stranger.crt"
        authority.cert_pem.write_to_path(str(self.authority))
        stranger.cert_pem.write_to_path(str(self.stranger))
        self.server = KeyPair(folder, "server", authority.issue_cert(*HOSTS))
        expired = authority.issue_cert(
            *HOSTS, not_before=now - 30 * day, not_after=now - day
        )
        self.expired = KeyPair(folder, "expired", expired)
        elsewhere = authority.issue_cert("database.example.com")
        self.elsewhere = KeyPair(folder, "elsewhere", elsewhere)
        client = authority.issue_cert("client@example.com", common_name=client_name)
        self.client = KeyPair(folder, "client", client)
        foreign = stranger.issue_cert("client@example.com", common_name=client_name)
        self.foreign_client = KeyPair(folder, "foreign-client", foreign)

    def install(self, pair: KeyPair, folder: Path) -> None:
        """Copy a pair and the authority to where a server reads them."""
        names = {
            "server.crt": pair.certificate,
            "server.key": pair.key,
            "authority.crt": self.authority,
        }
        for name, source in names.items():
            (folder / name).write_bytes(source.read_bytes())
            give_to_server(folder / name)
