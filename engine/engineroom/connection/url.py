"""Connection URLs: what they mean, and how to show one without its secrets.

    sqlite:///relative/path.db     three slashes: relative to the working folder
    sqlite:////absolute/path.db    four: absolute
    sqlite://:memory:              a database in memory
    ...?mode=ro&timeout_seconds=2  settings, listed in settings.py
    postgresql://user@host/name    PostgreSQL's own forms, see postgres_url.py
    host=... dbname=...

Written by hand because urllib.parse costs more to import than a connection takes.
"""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.connection.postgres_url import ServerUrl
    from engineroom.connection.settings import UrlSetting

__all__ = ["MEMORY", "Location", "backend_of", "hide_secrets", "parse_url"]

MEMORY = ":memory:"

_FORMS = (
    "write `sqlite:///file.db`, `sqlite:////absolute/file.db`, `sqlite://:memory:` or "
    "`postgresql://user@host/database`"
)


class Location:
    """Where a connection goes.

    Attributes:
        backend: which engine serves it, such as `sqlite`.
        file: the path of the database, or `:memory:`; empty for a server.
        settings: what the engine is told, the file included.
        display: the URL without secrets, for messages.
        server: the connection string taken apart, None for a file.
    """

    __slots__ = ("backend", "display", "file", "server", "settings")

    def __init__(
        self,
        backend: str,
        file: str,
        settings: dict[str, str],
        display: str,
        server: ServerUrl | None = None,
    ) -> None:
        self.backend = backend
        self.file = file
        self.settings = settings
        self.display = display
        self.server = server


def hide_secrets(url: str) -> str:
    """Return the URL without what may not be shown.

    Everything that shows a URL to people passes it through here. Of a server's address
    user, host, port and database are left, each only where it is beyond doubt.
    """
    if _is_for_server(url):
        from engineroom.connection.postgres_url import read_server_url

        try:
            return read_server_url(url, frozenset()).display
        except errors.UrlError as error:
            return error.url
    scheme, separator, rest = url.partition("://")
    if not separator:
        # Perhaps a server's address whose scheme was forgotten.
        return "***" if "@" in url or "=" in url else url
    if scheme != "sqlite" and ("@" in rest or "=" in rest):
        return f"{scheme}://***"
    front, question, query = rest.partition("?")
    pairs = [_hide_pair(pair) for pair in query.split("&")] if question else []
    return f"{scheme}://{front}{question}{'&'.join(pairs)}"


def _hide_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    is_secret = "password" in name.lower() or "secret" in name.lower()
    return f"{name}{equals}***" if equals and is_secret else pair


def backend_of(url: str) -> str:
    """Return the engine that would serve the URL; SQLite's where that is not clear."""
    return "postgres" if _is_for_server(url) else "sqlite"


def _is_for_server(url: str) -> bool:
    if url.startswith("sqlite:"):
        return False
    from engineroom.connection.postgres_url import SCHEMES, is_keyword_string

    scheme, separator, _ = url.partition("://")
    return bool(separator and scheme in SCHEMES) or is_keyword_string(url)


def parse_url(url: str) -> Location:
    """Return where the URL leads.

    Raises:
        UrlError: unknown scheme, no path, an unknown setting or a value it cannot take.
    """
    if _is_for_server(url):
        return _parse_server(url)
    display = hide_secrets(url)
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise errors.UrlError(display, "has no scheme", hint=_FORMS)
    if scheme != "sqlite":
        raise errors.UrlError(
            display, f"has the scheme `{scheme}`, which no engine serves", hint=_FORMS
        )
    path, _, query = rest.partition("?")
    file = _file_of(path, display)
    settings = {"file": file, **_read_settings(query, display)}
    return Location(scheme, file, settings, display)


def _parse_server(url: str) -> Location:
    from engineroom.connection.postgres_url import read_server_url
    from engineroom.connection.settings import POSTGRES_SETTINGS

    by_name = {setting.name: setting for setting in POSTGRES_SETTINGS}
    server = read_server_url(url, frozenset(by_name))
    settings = {
        "fallback_application_name": "engineroom",
        "dbname": server.conninfo,
    }
    for name, text in server.ours:
        _put(settings, by_name[name], text, server.display, server.is_clear)
    return Location("postgres", "", settings, server.display, server)


def _put(
    read: dict[str, str],
    setting: UrlSetting,
    text: str,
    display: str,
    is_clear: bool = True,
) -> None:
    value = setting.read(_decode(text, display))
    if value is None:
        shown = f"sets `{setting.name}` to `{text}`, which it cannot be"
        raise errors.UrlError(
            display,
            shown if is_clear else f"sets `{setting.name}` to what it cannot be",
            hint=f"`{setting.name}` takes {setting.allowed}",
        )
    read[setting.native] = value


def _file_of(path: str, display: str) -> str:
    if path in (MEMORY, f"/{MEMORY}"):
        return MEMORY
    if not path.startswith("/"):
        raise errors.UrlError(
            display, "names a host, which SQLite has not", hint=_FORMS
        )
    file = _decode(path[1:], display)
    if not file:
        raise errors.UrlError(display, "names no file", hint=_FORMS)
    return file


def _read_settings(query: str, display: str) -> dict[str, str]:
    if not query:
        return {}
    from engineroom.connection.settings import SQLITE_SETTINGS

    by_name = {setting.name: setting for setting in SQLITE_SETTINGS}
    read: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, text = pair.partition("=")
        setting = by_name.get(name)
        if setting is None:
            raise errors.UrlError(
                display,
                f"has a setting `{name}`, which is not known",
                hint=f"the settings are {', '.join(by_name)}",
            )
        _put(read, setting, text, display)
    return read


def _decode(text: str, display: str) -> str:
    """Undo percent-encoding."""
    if "%" not in text:
        decoded = text
    else:
        head, *parts = text.encode("utf-8", "surrogateescape").split(b"%")
        try:
            raw = head + b"".join(bytes([int(p[:2], 16)]) + p[2:] for p in parts)
            decoded = raw.decode("utf-8", "surrogateescape")
        except ValueError:
            raise errors.UrlError(
                display,
                "has a `%` that is not followed by two hexadecimal digits",
                hint="write a percent sign itself as `%25`",
            ) from None
    if "\0" in decoded:
        raise errors.UrlError(display, "holds a zero byte", hint=_FORMS)
    return decoded
