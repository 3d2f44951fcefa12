"""Connection URLs: what they mean, and how to show one without its secrets.

    sqlite:///relative/path.db     three slashes: relative to the working folder
    sqlite:////absolute/path.db    four: absolute
    sqlite://:memory:              a database in memory
    ...?mode=ro&timeout_seconds=2  settings, listed in settings.py

Written by hand because urllib.parse costs more to import than a connection takes.
"""

from __future__ import annotations

from engineroom import errors

__all__ = ["MEMORY", "Location", "hide_secrets", "parse_url"]

MEMORY = ":memory:"

_FORMS = (
    "write `sqlite:///file.db`, `sqlite:////absolute/file.db` or `sqlite://:memory:`"
)


class Location:
    """Where a connection goes.

    Attributes:
        backend: which engine serves it, such as `sqlite`.
        file: the path of the database, or `:memory:`.
        settings: what the engine is told, the file included.
        display: the URL without secrets, for messages.
    """

    __slots__ = ("backend", "display", "file", "settings")

    def __init__(
        self, backend: str, file: str, settings: dict[str, str], display: str
    ) -> None:
        self.backend = backend
        self.file = file
        self.settings = settings
        self.display = display


def hide_secrets(url: str) -> str:
    """Return the URL with the password, and any parameter named so, as `***`.

    Everything that shows a URL to people passes it through here.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    front, question, query = rest.partition("?")
    user, at, place = front.rpartition("@")
    if at and ":" in user:
        front = f"{user.partition(':')[0]}:***@{place}"
    pairs = [_hide_pair(pair) for pair in query.split("&")] if question else []
    return f"{scheme}://{front}{question}{'&'.join(pairs)}"


def _hide_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    is_secret = "password" in name.lower() or "secret" in name.lower()
    return f"{name}{equals}***" if equals and is_secret else pair


def parse_url(url: str) -> Location:
    """Return where the URL leads.

    Raises:
        UrlError: unknown scheme, no path, an unknown setting or a value it cannot take.
    """
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
        value = setting.read(_decode(text, display))
        if value is None:
            raise errors.UrlError(
                display,
                f"sets `{name}` to `{text}`, which it cannot be",
                hint=f"`{name}` takes {setting.allowed}",
            )
        read[setting.native] = value
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
