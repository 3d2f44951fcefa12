"""Facts about an open connection: where it goes, who serves it, how it is protected."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.connection.conversation import Conversation, TransactionStatus

__all__ = ["ConnectionInfo"]


class ConnectionInfo:
    """What `Connection.info` returns. Each fact is looked up when it is asked for.

    Facts that the backend does not have are None: a file has no host.
    """

    __slots__ = ("_conversation",)

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def _about(self, what: str) -> str | None:
        return self._conversation.handle.about(what) or None

    def _number(self, what: str) -> int | None:
        text = self._about(what)
        return int(text) if text and text.isdecimal() else None

    @property
    def backend(self) -> str:
        """The engine: `sqlite` or `postgres`."""
        return self._conversation.handle.engine.backend

    @property
    def host(self) -> str | None:
        """The server's name, address or folder of its socket, as it was given."""
        return self._about("host")

    @property
    def host_address(self) -> str | None:
        """The address that the name led to; None over a socket in a folder."""
        return self._about("host_address")

    @property
    def port(self) -> int | None:
        """The server's port."""
        return self._number("port")

    @property
    def user(self) -> str | None:
        """Who is logged in."""
        return self._about("user")

    @property
    def dbname(self) -> str | None:
        """The database's name."""
        return self._about("database")

    @property
    def server_version(self) -> str | None:
        """The version of the server, or of SQLite itself."""
        return self._about("server_version")

    @property
    def backend_pid(self) -> int | None:
        """The server's process for this connection, as `pg_stat_activity` has it."""
        return self._number("backend_pid")

    @property
    def tls_version(self) -> str | None:
        """Such as `TLSv1.3`; None where the connection is not encrypted."""
        return self._about("tls_version")

    @property
    def tls_cipher(self) -> str | None:
        """The cipher; None where the connection is not encrypted."""
        return self._about("tls_cipher")

    @property
    def tls_library(self) -> str | None:
        """The library that encrypts it; None where it is not encrypted."""
        return self._about("tls_library") if self.tls_version else None

    @property
    def transaction_status(self) -> TransactionStatus:
        """As `Connection.transaction_status`."""
        return self._conversation.transaction_status

    def parameter_status(self, name: str) -> str | None:
        """Return a setting that the server reports, such as `TimeZone`.

        PostgreSQL reports those listed at
        https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-ASYNC and tells
        when one changes.
        """
        return self._about(f"parameter:{name}")

    def __repr__(self) -> str:
        if self._conversation.handle.is_closed:
            return "<engineroom.ConnectionInfo closed>"
        version = f"{self.backend} {self.server_version}"
        if self.host is None:
            return f"<engineroom.ConnectionInfo {version}>"
        place = f"{self.user}@{self.host}:{self.port}/{self.dbname}"
        tls = f", {self.tls_version} {self.tls_cipher}" if self.tls_version else ""
        return f"<engineroom.ConnectionInfo {version}, {place}{tls}>"
