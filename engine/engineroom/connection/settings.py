"""What a connection URL may say behind its `?`, in one table.

Each backend has its rows here: the name in the URL, the words or the range it takes,
and what it means. The reference page is made from this table.
"""

from __future__ import annotations

__all__ = ["LIBPQ_SETTINGS", "POSTGRES_SETTINGS", "SQLITE_SETTINGS", "UrlSetting"]


class UrlSetting:
    """One setting of a URL.

    Attributes:
        name: as it stands in the URL.
        words: the values it takes, the default first; empty for a number.
        most: the largest number it takes; numbers start at 0.
        default: the default as text.
        meaning: one sentence.
        native: the engine's name for it, where that differs.
        scale: what a number is multiplied by on its way to the engine.
    """

    __slots__ = ("default", "meaning", "most", "name", "native", "scale", "words")

    def __init__(
        self,
        name: str,
        meaning: str,
        *,
        words: tuple[str, ...] = (),
        most: int = 0,
        default: str = "",
        native: str = "",
        scale: int = 1,
    ) -> None:
        self.name = name
        self.meaning = meaning
        self.words = words
        self.most = most
        self.default = default or words[0]
        self.native = native or name
        self.scale = scale

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        if self.words:
            return " or ".join(f"`{word}`" for word in self.words)
        return f"a number from 0 to {self.most}"

    def read(self, text: str) -> str | None:
        """Return the engine's form of the text, None if it is not allowed."""
        if self.words:
            return text if text in self.words else None
        try:
            number = float(text)
        except ValueError:
            return None
        if not 0 <= number <= self.most:
            return None
        scaled = number * self.scale
        return str(int(scaled)) if scaled == int(scaled) or self.scale > 1 else None


SQLITE_SETTINGS = (
    UrlSetting(
        "mode",
        "`rw` opens a file that exists, `rwc` makes it when missing, `ro` only reads",
        words=("rw", "rwc", "ro"),
    ),
    UrlSetting(
        "timeout_seconds",
        "how long to wait for another connection's lock",
        most=86400,
        default="5",
        native="busy_timeout_ms",
        scale=1000,
    ),
    UrlSetting(
        "autocommit",
        "`on` makes each statement its own transaction",
        words=("off", "on"),
    ),
    UrlSetting(
        "transaction",
        "whether a transaction takes the write lock at its first write, or at once",
        words=("deferred", "immediate", "exclusive"),
    ),
    UrlSetting(
        "foreign_keys",
        "whether foreign keys are enforced",
        words=("on", "off"),
    ),
    UrlSetting(
        "types",
        "`declared` gives dates, booleans and decimals as their columns are declared, "
        "`stored` gives int, float, str and bytes as SQLite stored them",
        words=("declared", "stored"),
    ),
    UrlSetting(
        "statement_cache",
        "how many prepared statements are kept for the next time",
        most=10000,
        default="128",
    ),
)

POSTGRES_SETTINGS = (
    UrlSetting(
        "autocommit",
        "`on` makes each statement its own transaction",
        words=("off", "on"),
    ),
    UrlSetting(
        "prepared",
        "whether statements are kept prepared on the server; `off` for poolers that "
        "share servers between transactions",
        words=("on", "off"),
    ),
    UrlSetting(
        "statement_cache",
        "how many prepared statements are kept for the next time",
        most=10000,
        default="128",
    ),
    UrlSetting(
        "timeout_seconds",
        "how long one call may wait for the server; 0 is for ever",
        most=86400,
        default="0",
        native="timeout_ms",
        scale=1000,
    ),
)

# libpq's own settings, to find what somebody may have meant:
# https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-PARAMKEYWORDS
LIBPQ_SETTINGS = (
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssencmode",
    "gssdelegation",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "options",
    "passfile",
    "password",
    "port",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
)
